//! Documentation of the settings: docs/settings.md and Rocket.toml are made from the table of settings.

use std::path::Path;

use shipyard::config::docs::{markdown_table, rocket_toml};

use test_support::program::{folder, here, run, shipyard};

/// Compares a file with its generated text, or writes it if `SHIPYARD_UPDATE_DOCS=1` is set.
fn check(file: &Path, found: &str, expected: &str) {
    if std::env::var_os("SHIPYARD_UPDATE_DOCS").is_some() {
        std::fs::write(file, expected).unwrap();
        return;
    }
    let differing = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "{} is not what the table of settings says; `SHIPYARD_UPDATE_DOCS=1 cargo test settings` writes it: {differing:#?}",
        file.display()
    );
}

#[test]
fn the_settings_page_has_the_generated_table() {
    let file = here().join("docs/settings.md");
    let found = std::fs::read_to_string(&file).unwrap();
    let start = found.find("| Setting |").expect("a table");
    let length = found[start..].find("\n\n").expect("an end of the table") + 1;
    let expected = [&found[..start], &markdown_table(), &found[start + length..]].concat();
    check(&file, &found, &expected);
}

#[test]
fn the_example_file_lists_every_setting() {
    let file = here().join("Rocket.toml");
    check(&file, &std::fs::read_to_string(&file).unwrap(), &rocket_toml());
}

/// The message about settings with these values in Rocket.toml.
fn refused(name: &str, toml: &str) -> Vec<String> {
    let folder = folder(name);
    std::fs::write(folder.join("Rocket.toml"), toml).unwrap();
    let run = run(&mut shipyard(&folder, &["hash-password"]), Some("password"));
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
    run.stderr.lines().map(str::to_owned).collect()
}

#[test]
fn reports_all_invalid_settings_at_once() {
    let lines =
        refused("wrong_settings_at_once", "[default]\nport = -1\nmax_users = 0\nlog_format = \"xml\"\n");
    assert_eq!(
        lines,
        [
            "shipyard: port: -1 in Rocket.toml; expected a whole number from 0 to 65535",
            "shipyard: max_users: 0 in Rocket.toml; expected a whole number from 1 to 100000000",
            "shipyard: log_format: \"xml\" in Rocket.toml; expected text or json",
        ]
    );
}

#[test]
fn suggests_the_nearest_name_for_an_unknown_setting() {
    let toml = "[default]\nheaders_timeout = 1\nmax_user = 1\npublicurl = \"\"\nzebra = 1\n";
    assert_eq!(
        refused("unknown_settings", toml),
        [
            "shipyard: unknown setting `headers_timeout` in Rocket.toml; did you mean `header_timeout`?",
            "shipyard: unknown setting `max_user` in Rocket.toml; did you mean `max_users`?",
            "shipyard: unknown setting `publicurl` in Rocket.toml; did you mean `public_url`?",
            "shipyard: unknown setting `zebra` in Rocket.toml; docs/settings.md lists all settings",
        ]
    );
}
