//! What the documents say is held to what is so.

use std::collections::BTreeSet;
use std::path::Path;

use shipyard::api::openapi;
use shipyard::config::KNOWN_SETTINGS;
use shipyard::contract::compare::allowed_difference;

use crate::support::transcript::scenario_named;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// What stands between a line of three backquotes and `console`, and the next such line.
fn console_blocks(document: &str) -> Vec<&str> {
    document.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_readme_shows_the_recorded_exchanges_verbatim_and_all_of_them() {
    let readme = read("README.md");
    let shown: BTreeSet<String> = console_blocks(&readme)
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
fn the_readme_shows_the_table_of_routes() {
    let readme = read("README.md");
    assert!(
        console_blocks(&readme).contains(&format!("$ shipyard routes\n{}", openapi::routes_table()).as_str())
    );
}

/// The names in the first column of the table under that heading.
fn first_column(document: &str, heading: &str) -> BTreeSet<String> {
    let section = document.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    rows.map(str::to_owned).collect()
}

#[test]
fn the_readme_lists_every_setting() {
    let listed = first_column(&read("README.md"), "\n## Settings\n");
    let rockets: BTreeSet<String> = [
        "address",
        "ident",
        "port",
        "limits",
        "log_level",
        "keep_alive",
        "shutdown",
        "workers",
        "max_blocking",
    ]
    .map(str::to_owned)
    .into();
    let own: BTreeSet<String> = KNOWN_SETTINGS.map(str::to_owned).into();
    assert_eq!(listed, &own | &rockets);
    let example = read("Rocket.toml");
    for setting in listed {
        assert!(example.contains(&format!("\n# {setting} = ")), "{setting} is missing from Rocket.toml");
    }
}

/// Each difference is a section, a test (which has that name because the snapshot has) and a snapshot.
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
fn the_changelog_knows_this_version() {
    let changelog = read("CHANGELOG.md");
    assert!(changelog.contains(&format!("\n## [{}] - ", env!("CARGO_PKG_VERSION"))));
}
