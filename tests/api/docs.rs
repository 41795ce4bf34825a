//! Documents, checked against the code, the fixtures and each other.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use shipyard::api::openapi;
use shipyard::config;
use shipyard::contract::compare::allowed_difference;
use shipyard::metrics::table::{Metric, METRICS};

use test_support::settings_table::rows;
use test_support::transcript::scenario_named;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// The code blocks that begin with ```console.
fn console_blocks(document: &str) -> Vec<&str> {
    document.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_api_page_shows_every_recorded_exchange_verbatim() {
    let document = read("docs/api.md");
    let shown: BTreeSet<String> = console_blocks(&document)
        .into_iter()
        .filter(|block| block.starts_with("$ curl "))
        .map(|block| block.trim_end().to_owned())
        .collect();
    let recorded: BTreeSet<String> = scenario_named("readme")
        .exchanges
        .iter()
        .map(|exchange| read(&format!("fixtures/readme/{}.txt", exchange.name)).trim_end().to_owned())
        .collect();
    assert_eq!(recorded.len(), 14);
    assert_eq!(shown, recorded);
}

#[test]
fn the_api_page_shows_the_table_of_routes() {
    let document = read("docs/api.md");
    assert!(console_blocks(&document)
        .contains(&format!("$ shipyard routes\n{}", openapi::routes_table()).as_str()));
}

#[test]
fn the_api_page_lists_every_error() {
    let document = read("docs/api.md");
    let table = read("tests/api/snapshots/error_table.snap");
    let is_error = |line: &&str| line.starts_with(|character: char| character.is_ascii_digit());
    for line in table.lines().filter(is_error) {
        let (status, rest) = line.split_once(' ').unwrap();
        let error = rest.split('"').nth(1).unwrap();
        let row = format!("\n| {status} | `{error}` | ");
        assert!(document.contains(&row), "{line}");
    }
}

#[test]
fn the_settings_page_lists_every_setting() {
    let listed: BTreeSet<String> = rows().into_iter().map(|row| row.name).collect();
    let known: BTreeSet<String> = config::settings().map(|setting| setting.name.to_owned()).collect();
    assert_eq!(listed, known);
    assert!(listed.len() >= 39, "{listed:?}");
    let example = read("Rocket.toml");
    for setting in listed {
        assert!(example.contains(&format!("\n# {setting} = ")), "{setting} is missing from Rocket.toml");
    }
}

/// `SHIPYARD_UPDATE_DOCS=1 cargo test monitoring` writes the table.
#[test]
fn the_monitoring_page_lists_every_metric() {
    let document = read("docs/monitoring.md");
    let head = "| Metric | Kind | Labels | Meaning |\n|---|---|---|---|\n";
    let start = document.find(head).expect("a table");
    let length = document[start..].find("\n\n").expect("an end of the table") + 1;
    let labels = |names: &[&str]| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            + if names.is_empty() { "" } else { " " }
    };
    let row = |metric: &&Metric| {
        let Metric { name, kind, labels: names, help } = metric;
        let kind = format!("{kind:?}").to_lowercase();
        format!("| `{name}` | {kind} | {}| {help} |\n", labels(names))
    };
    let table: String = METRICS.iter().map(row).collect();
    let expected = [&document[..start], head, &table, &document[start + length..]].concat();
    if std::env::var_os("SHIPYARD_UPDATE_DOCS").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring.md"), expected).unwrap();
    } else {
        assert_eq!(document, expected, "`SHIPYARD_UPDATE_DOCS=1 cargo test monitoring` writes the table");
    }
}

/// Every metric that the page names exists, also in the rules for alerts.
#[test]
fn the_monitoring_page_names_no_other_metric() {
    let document = read("docs/monitoring.md");
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let named = document.split(|letter| !is_word(letter)).filter(|word| word.starts_with("shipyard_"));
    let mut found = 0;
    for word in named {
        let name = word.trim_end_matches("_bucket");
        assert!(METRICS.iter().any(|metric| metric.name == name), "{word}");
        found += 1;
    }
    assert!(found > METRICS.len(), "{found}");
}

/// Each difference has a section, a test with the name of the snapshot, and a snapshot.
#[test]
fn every_difference_is_documented_tested_and_shown() {
    let document = read("docs/differences.md");
    let sections: BTreeSet<&str> = document.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let tests = read("tests/api/differences.rs");
    let tested: BTreeSet<&str> =
        tests.split("#[test]\nfn ").skip(1).map(|rest| rest.split('(').next().unwrap()).collect();
    assert_eq!(sections, tested);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/snapshots");
    let shown: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            Some(name.strip_prefix("difference_")?.strip_suffix(".snap")?.to_owned())
        })
        .collect();
    assert_eq!(sections, allowed_difference::ALL.iter().map(|deviation| deviation.name).collect());
    assert_eq!(sections.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), shown);
}

#[test]
fn the_changelog_has_an_entry_for_this_version() {
    let changelog = read("CHANGELOG.md");
    assert!(changelog.contains(&format!("\n## [{}] - ", env!("CARGO_PKG_VERSION"))));
}

/// The documents, with their folders. Entries of the changelog were true for their version, so only its links are
/// checked.
fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["", "docs", "docs/decisions"];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let paths = files.map(|entry| entry.unwrap().path());
    let markdown = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    markdown.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The text without its code blocks.
fn prose(document: &str) -> String {
    document.split("```").step_by(2).collect()
}

#[test]
fn every_link_between_documents_resolves() {
    let anchor = |heading: &str| -> String {
        let kept =
            heading.chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    for (path, text) in documents() {
        for link in prose(&text).split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", path.display());
            if !fragment.is_empty() {
                let target = std::fs::read_to_string(target).unwrap();
                let mut headings = target.lines().filter(|line| line.starts_with('#'));
                let is_there = headings.any(|line| anchor(line.trim_start_matches('#').trim()) == fragment);
                assert!(is_there, "{}: {link}", path.display());
            }
        }
    }
}

#[test]
fn every_file_named_in_a_document_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, text) in documents() {
        if path.ends_with("CHANGELOG.md") {
            continue;
        }
        for code in prose(&text).split('`').skip(1).step_by(2) {
            let is_ours = ["src/", "tests/", "tools/", "benches/", "fuzz/", "docs/"]
                .iter()
                .any(|folder| code.starts_with(folder));
            let is_pattern =
                code.contains(['*', '<', '{', ' ']) || code.bytes().any(|byte| byte.is_ascii_uppercase());
            if is_ours && !is_pattern {
                assert!(root.join(code).exists(), "{}: {code}", path.display());
            }
        }
    }
}

#[test]
fn the_readme_is_at_most_150_lines() {
    assert!(read("README.md").lines().count() <= 150);
}
