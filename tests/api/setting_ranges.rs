//! Setting ranges: at both ends, alone and together, the server works or names the problem at startup.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rocket::figment::providers::Serialized;
use rocket::figment::value::Value;
use rocket::http::Method;
use shipyard::config::{self, Settings};
use shipyard::model::password::Password;

use test_support::program::{folder, run, shipyard, Serving};
use test_support::server::{Ask, CHEAP};
use test_support::settings_table::{rows, Row};

/// A number for a setting, as the environment holds it.
fn value(name: &str, number: &str) -> String {
    match name {
        "limits" => format!("{{json={number}}}").replace("=1GiB", "=\"1GiB\"").replace("=1B", "=\"1B\""),
        "shutdown" => format!("{{grace={number},mercy={number}}}"),
        "rate_by_address" | "rate_by_user" | "rate_overall" => {
            format!("{number}/{}", if number == "1" { "hour" } else { "second" })
        }
        _ => number.to_owned(),
    }
}

/// Reads settings from an environment with these values only.
fn read(settings: &[(&str, &str)]) -> Result<Settings, String> {
    let figment = settings.iter().fold(config::defaults(), |figment, (name, number)| {
        let parsed: Value = value(name, number).parse().unwrap();
        figment.merge(Serialized::global(name, parsed))
    });
    Settings::read(figment, Default::default()).map_err(|error| error.to_string())
}

/// The settings that have a range.
fn ranges() -> Vec<(Row, String, String)> {
    let rows = rows().into_iter().filter_map(|row| {
        let (least, most) = row.range()?;
        Some((row, least, most))
    });
    let ranges: Vec<_> = rows.collect();
    assert!(ranges.len() >= 25, "{ranges:?}");
    ranges
}

/// The values that must accompany the maximum of a setting whose range depends on another one.
fn along_with(name: &str, number: &str) -> &'static [(&'static str, &'static str)] {
    match (name, number) {
        ("password_memory", "1048576") => &[("password_iterations", "1")],
        _ => &[],
    }
}

#[test]
fn rejects_values_out_of_range_with_name_and_range() {
    for (row, least, most) in ranges() {
        let name = row.name.as_str();
        for end in [&least, &most] {
            let mut settings = along_with(name, end).to_vec();
            settings.push((name, end));
            read(&settings).unwrap_or_else(|error| panic!("{name} = {end}: {error}"));
        }
        let mut outside: Vec<String> = [
            "-1",
            "-9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "340282366920938463463374607431768211456",
            "1e400",
            "1.0e400",
            "NaN",
            "inf",
            "16EiB",
            "\"\"",
            "[1]",
            "true",
        ]
        .map(str::to_owned)
        .into();
        match (least.parse::<u64>(), most.parse::<u64>()) {
            (Ok(least), Ok(most)) => {
                outside.push((most + 1).to_string());
                outside.extend(least.checked_sub(1).map(|less| less.to_string()));
            }
            _ if name == "limits" => outside.extend(["0".to_owned(), "1073741825".to_owned()]),
            _ => outside.extend(["0".to_owned(), "0.09".to_owned(), "3600.001".to_owned()]),
        }
        for number in outside {
            let error = read(&[(name, &number)]).expect_err(&format!("{name} = {number}"));
            assert!(!error.contains('\n'), "{error}");
            for part in [name, &least, &most] {
                assert!(error.contains(part), "{name} = {number}: {error}");
            }
        }
    }
}

#[test]
fn rejects_settings_that_are_out_of_range_together() {
    for settings in [
        &[("password_memory", "1048576"), ("password_iterations", "5")][..],
        &[("password_memory", "65537"), ("password_iterations", "64")],
        &[("password_memory", "8"), ("password_parallelism", "2")],
        &[("password_memory", "2047"), ("password_parallelism", "256")],
    ] {
        let error = read(settings).expect_err(&format!("{settings:?}"));
        assert!(settings.iter().all(|(name, _)| error.contains(name)), "{settings:?}: {error}");
    }
    for members in
        ["limits = { form = 1 }", "limits = { jsn = 1 }", "limits = { JSON = 1 }", "shutdown = { grase = 1 }"]
    {
        let (name, dict) = members.split_once(" = ").unwrap();
        let figment = config::defaults().merge(Serialized::global(name, dict.parse::<Value>().unwrap()));
        let error = Settings::read(figment, Default::default()).expect_err(members).to_string();
        assert!(error.starts_with(&format!("{name}.")), "{error}");
    }
}

/// The program with those settings.
fn with(here: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = shipyard(here, arguments);
    for (name, number) in settings {
        command.env(format!("ROCKET_{}", name.to_uppercase()), value(name, number));
    }
    command
}

/// Starts the program with these settings, and sends one login and one GET.
fn serves(folder_name: &str, settings: &[(&str, &str)]) {
    let here = folder(folder_name);
    let ship = r#"{"id": 1, "affiliation": "", "category": "", "crew": 1, "length": 1, "manufacturer": "", "model": "", "roles": [], "ship_class": ""}"#;
    // A hash with its own cost: hashing at the maximum cost is tried once, below.
    let hash = CHEAP.hasher().unwrap().hash(&Password::new("secret".to_owned())).unwrap();
    let user = format!(r#"{{"id": 1, "name": "ann", "password_hash": "{}"}}"#, hash.as_str());
    let data = format!(r#"{{"users": [{user}], "ships": [{ship}]}}"#);
    std::fs::write(here.join("data.json"), data).unwrap();
    std::fs::create_dir(here.join("static")).unwrap();
    std::fs::write(here.join("static/a.txt"), "a file").unwrap();
    let mut command = with(&here, &[], settings);
    // The highest port may be taken.
    command.env("ROCKET_PORT", "0");
    let output = here.join("output");
    let serving = Serving::start_into(&mut command, &output);
    let log_in = serde_json::json!({"username": "ann", "password": "secret"});
    let log_in = Ask::new(Method::Post, "/auth/login").header("Host", "localhost").json(&log_in);
    let smallest_body = settings.contains(&("limits", "1B"));
    let expected = if smallest_body { 413 } else { 200 };
    // A busy machine may exceed the shortest timeouts, and the only connection may still be open.
    let answered = |ask: &Ask, expected: u16| {
        let mut statuses = Vec::new();
        while statuses.last() != Some(&expected) {
            assert!(statuses.len() < 50, "{settings:?}: {statuses:?}, not {expected}");
            std::thread::sleep(Duration::from_millis(20 * statuses.len().min(5) as u64));
            statuses.push(serving.send(ask).status);
        }
    };
    answered(&log_in, expected);
    answered(&Ask::new(Method::Get, "/api/ships").header("Host", "localhost"), 200);
    answered(&Ask::new(Method::Get, "/static/a.txt").header("Host", "localhost"), 200);
    #[cfg(unix)]
    {
        // A second signal ends the longest delay.
        let is_delayed = settings.contains(&("shutdown_delay", "3600"));
        if is_delayed {
            serving.signal("INT");
            std::thread::sleep(Duration::from_millis(300));
        }
        assert_eq!(serving.interrupt(), Some(if is_delayed { 130 } else { 0 }), "{settings:?}");
    }
    let written = std::fs::read_to_string(output).unwrap();
    assert!(!written.contains("panic"), "{settings:?}: {written}");
}

#[test]
fn each_setting_works_at_both_ends_of_its_range() {
    for (row, least, most) in ranges() {
        for end in [&least, &most] {
            let mut settings = along_with(&row.name, end).to_vec();
            settings.push((&row.name, end));
            serves("one_end", &settings);
            if row.name.starts_with("password_") {
                let hashed =
                    run(&mut with(&folder("one_end"), &["hash-password"], &settings), Some("secret"));
                assert_eq!((hashed.code, hashed.stderr.as_str()), (Some(0), ""), "{settings:?}");
            }
        }
    }
}

#[test]
fn all_settings_work_together_at_each_end_of_their_ranges() {
    let ranges = ranges();
    let all = |end: fn(&(Row, String, String)) -> (&str, &str)| -> Vec<(&str, &str)> {
        ranges.iter().map(end).collect()
    };
    serves("all_at_their_least", &all(|(row, least, _)| (row.name.as_str(), least.as_str())));
    let mut most = all(|(row, _, most)| (row.name.as_str(), most.as_str()));
    // The maximum number of passes for this memory.
    most.retain(|(name, _)| *name != "password_iterations");
    most.push(("password_iterations", "4"));
    serves("all_at_their_greatest", &most);
}
