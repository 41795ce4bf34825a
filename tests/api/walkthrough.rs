//! The commands of docs/reviewing-api-changes.md print what it shows. They are run on a copy of what they need, as it
//! was before the change that the document makes; the program is the one after it, which is this one.
//!
//! `SHIPYARD_UPDATE_DOCS=1 cargo test walkthrough` writes what is printed into the document.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

use test_support::program::folder;

const DOCUMENT: &str = "docs/reviewing-api-changes.md";

/// The files that the commands need.
const NEEDED: [&str; 3] = ["fixtures", "spec/openapi.json", "src/model/ship.rs"];

/// The recording that the change affects.
const ANSWER: &str = "fixtures/ship-errors/08-create-out-of-range.txt";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            copy(&path, &to.join(path.file_name().unwrap()));
        }
    } else {
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
    }
}

/// Replaces text, which must occur `times` times.
fn edit(file: &Path, from: &str, to: &str, times: usize) {
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(text.matches(from).count(), times, "{from:?} in {}", file.display());
    std::fs::write(file, text.replace(from, to)).unwrap();
}

/// Reverts the document's change: ships without a crew.
fn undo(folder: &Path) {
    let about = "How many people fly the ship.";
    let drone = "How many people fly the ship; 0 for a drone.";
    let ship = folder.join("src/model/ship.rs");
    let count = "const COUNT: Rule = Rule::Integer { min: 0, max: i32::MAX as i64 };\n";
    edit(&ship, "const POSITIVE: Rule =", &format!("{count}const POSITIVE: Rule ="), 1);
    edit(&ship, &format!("crew: i32, POSITIVE, \"{about}\""), &format!("crew: i32, COUNT, \"{drone}\""), 1);
    let limits = |minimum: &str, about: &str| {
        format!(
            "\"description\": \"{about}\",\n            \"format\": \"int32\",\n            \
             \"maximum\": 2147483647,\n            \"minimum\": {minimum},\n"
        )
    };
    let specification = folder.join("spec/openapi.json");
    edit(&specification, &limits("1", about), &limits("0", drone), 4);
    widen_parameter(&specification);
    let response = folder.join(ANSWER);
    let crew = "    \"crew\": [\n      \"Must be greater than or equal to 1.\"\n    ], \n";
    edit(&response, crew, "", 1);
    let sum = |file: &Path| {
        let bytes = Sha256::digest(std::fs::read(file).unwrap());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let recorded = sum(&root().join(ANSWER));
    edit(&response, "Content-Length: 182\n", "Content-Length: 116\n", 1);
    edit(&folder.join("fixtures/SHA256SUMS"), &recorded, &sum(&response), 1);
}

/// Lowers the limit of the parameter that selects ships by their crew.
fn widen_parameter(specification: &Path) {
    let text = std::fs::read_to_string(specification).unwrap();
    let mut is_of_crew = false;
    let lines = text.split_inclusive('\n').map(|line| {
        is_of_crew |= line.trim_start().starts_with("\"name\": \"crew\",");
        if is_of_crew && line.contains("\"minimum\": 1,") {
            is_of_crew = false;
            return line.replace("1,", "0,");
        }
        line.to_owned()
    });
    std::fs::write(specification, lines.collect::<String>()).unwrap();
}

/// The document's folder, with only the source changed.
fn prepared(name: &str) -> std::path::PathBuf {
    let here = folder(name);
    let work = here.join("shipyard");
    for name in NEEDED {
        copy(&root().join(name), &work.join(name));
    }
    undo(&work);
    run(&work, "git init -q && git add -A && git -c user.name=a -c user.email=a@b commit -q -m before");
    copy(&root().join("src/model/ship.rs"), &work.join("src/model/ship.rs"));
    let tools = here.join("bin");
    std::fs::create_dir(&tools).unwrap();
    let script = "#!/bin/sh\n[ \"$1 $2 $3\" = 'run -q --' ] || exit 99\nshift 3\nexec \"$SHIPYARD\" \"$@\"\n";
    std::fs::write(tools.join("cargo"), script).unwrap();
    std::fs::set_permissions(tools.join("cargo"), std::fs::Permissions::from_mode(0o755)).unwrap();
    work
}

/// The output of a command, on both streams.
fn run(folder: &Path, command: &str) -> String {
    let path =
        format!("{}:{}", folder.parent().unwrap().join("bin").display(), std::env::var("PATH").unwrap());
    let done = Command::new("sh")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .current_dir(folder)
        .env("PATH", path)
        .env("SHIPYARD", env!("CARGO_BIN_EXE_shipyard"))
        .env("LC_ALL", "C")
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null"), ("GIT_PAGER", "cat")])
        .output()
        .expect("sh");
    String::from_utf8(done.stdout).expect("UTF-8")
}

#[test]
fn the_commands_of_the_walkthrough_print_what_it_shows() {
    let document = std::fs::read_to_string(root().join(DOCUMENT)).unwrap();
    let work = prepared("walkthrough");
    let mut parts = document.split("```console\n");
    let mut printed = parts.next().unwrap().to_owned();
    let mut commands = 0;
    for part in parts {
        let (block, rest) = part.split_once("```").expect("the end of a block");
        printed += "```console\n";
        for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
            printed += &format!("$ {command}\n{}", run(&work, command));
            commands += 1;
        }
        printed += "```";
        printed += rest;
    }
    assert_eq!(commands, block_commands(&document));
    assert!(commands >= 8, "too few commands");
    if std::env::var_os("SHIPYARD_UPDATE_DOCS").is_some() {
        std::fs::write(root().join(DOCUMENT), &printed).unwrap();
    }
    let diff = similar::TextDiff::from_lines(&document, &printed);
    let diff = diff.unified_diff().header("the document", "what is printed").to_string();
    assert!(diff.is_empty(), "`SHIPYARD_UPDATE_DOCS=1 cargo test walkthrough` updates it\n{diff}");
}

fn block_commands(document: &str) -> usize {
    document.lines().filter(|line| line.starts_with("$ ")).count()
}

/// The source change at the beginning of the document is part of this source.
#[test]
fn the_walkthrough_shows_the_change_that_was_made() {
    let document = std::fs::read_to_string(root().join(DOCUMENT)).unwrap();
    let (_, rest) = document.split_once("```diff\n").expect("a diff");
    let (shown, _) = rest.split_once("```").expect("its end");
    let work = prepared("walkthrough_source");
    let made = run(&work, "git diff -U0 src");
    let lines = |text: &str| {
        text.lines()
            .filter(|line| {
                line.starts_with(['+', '-', ' ']) && !line.starts_with("---") && !line.starts_with("+++")
            })
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(shown), lines(&made));
}
