//! `shipyard config`: every effective setting and its origin.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use test_support::program::{folder, run, shipyard, Run};
use test_support::settings_table::rows;

/// The lines with a value: name, value and origin.
fn values(output: &str) -> BTreeMap<String, (String, String)> {
    let lines = output.lines().filter(|line| !line.starts_with('#') && *line != "[default]");
    lines
        .map(|line| {
            let (name, rest) = line.split_once(" = ").expect(line);
            let (value, origin) = rest.rsplit_once("  # ").expect(line);
            (name.to_owned(), (value.trim_end().to_owned(), origin.to_owned()))
        })
        .collect()
}

fn effective(command: &mut Command) -> BTreeMap<String, (String, String)> {
    let run = run(command, None);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    values(&run.stdout)
}

fn refused(here: &Path, arguments: &[&str]) -> Run {
    let run = run(&mut shipyard(here, arguments), None);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
    run
}

#[test]
fn shows_the_documented_default_of_every_setting() {
    let here = folder("effective_defaults");
    let run = run(&mut shipyard(&here, &["config"]), None);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    assert!(run.stdout.starts_with("# Profile: debug\n[default]\n"), "{}", run.stdout);
    let values = values(&run.stdout);
    assert!(values.values().all(|(_, origin)| origin == "default"), "{values:?}");
    for row in rows() {
        let name = row.name.as_str();
        let default = row.default.split(" if standard error is a terminal, else ").last().unwrap();
        let usual = default.trim_matches('`');
        match name {
            "admin_address" | "data" | "public_url" | "cors_origins" | "jwt_secret" | "jwt_secret_file"
            | "database_url" | "database_url_file" | "database_ca_file" => {
                assert!(run.stdout.contains(&format!("\n# {name} is not set")), "{name}: {}", run.stdout);
            }
            "limits" => assert_eq!(values["limits.json"].0, "\"64KiB\""),
            "shutdown" => {
                let shutdown = (values["shutdown.grace"].0.as_str(), values["shutdown.mercy"].0.as_str());
                assert_eq!(shutdown, ("2", "1"));
            }
            "workers" => assert!(values[name].0.parse::<usize>().is_ok(), "{values:?}"),
            _ => assert_eq!(values[name].0.trim_matches('"'), usual, "{name}"),
        }
    }
}

/// What a developer sees in a debug build is what a release build does.
#[test]
fn no_default_depends_on_the_profile() {
    let here = folder("effective_profiles");
    std::fs::write(here.join("Rocket.toml"), "[release]\nport = 1\n[mine]\n").unwrap();
    let of = |profile: &str| {
        let mut values = effective(shipyard(&here, &["config"]).env("ROCKET_PROFILE", profile));
        let port = values.remove("port").unwrap();
        (port.0, values)
    };
    let (debug, release, mine) = (of("debug"), of("release"), of("mine"));
    assert_eq!((debug.1 == release.1, debug.1 == mine.1), (true, true), "{debug:?}\n{release:?}\n{mine:?}");
    // A section of the file is a setting, and still belongs to its profile.
    assert_eq!([&debug.0, &release.0, &mine.0], ["5000", "1", "5000"]);
}

/// For people at a terminal, for programs elsewhere.
#[cfg(target_os = "linux")]
#[test]
fn the_default_log_format_depends_on_the_terminal() {
    let here = folder("effective_terminal");
    let program = shipyard(&here, &[]);
    // Runs a command at a terminal of its own.
    let mut script = Command::new("script");
    script.args(["-qec", &format!("'{}' config", program.get_program().display()), "/dev/null"]);
    script.current_dir(&here).env_remove("ROCKET_LOG_FORMAT");
    script.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let shown = run(&mut script, None);
    assert!(shown.stdout.contains("\nlog_format = \"text\" "), "{shown:?}");
    assert_eq!(effective(&mut shipyard(&here, &["config"]))["log_format"].0, "\"json\"");
}

/// A folder with a Rocket.toml, and the program in its subfolder.
fn configured(name: &str, arguments: &[&str]) -> (String, Command) {
    let here = folder(name);
    let (inner, file) = (here.join("inner"), here.join("Rocket.toml"));
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::create_dir_all(here.join("files")).unwrap();
    let toml = r#"
        [default]
        port = 1
        max_ships = 7
        json = "compact"
        static_dir = "files"
        data = "own.json"
        shutdown = { grace = 9 }
        kept_answers = 3
        trusted_proxies = ["10.0.0.0/8", "::1"]

        [release]
        max_users = 8
    "#;
    std::fs::write(&file, toml).unwrap();
    let mut command = shipyard(&inner, &[&["config"], arguments].concat());
    command.env("ROCKET_CONFIG", &file).env("ROCKET_PORT", "2").env("rocket_max_headers", "20");
    command.env("ROCKET_JWT_SECRET", "0123456789-hunter2-0123456789-hunter2");
    (file.display().to_string(), command)
}

#[test]
fn each_value_names_the_default_file_variable_or_flag_that_sets_it() {
    let (file, mut command) = configured("effective_origins", &["--port", "3", "--address", "::1"]);
    command.env("ROCKET_PROFILE", "release");
    let run = run(&mut command, None);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains(&format!("the setting `kept_answers` in {file} is now called")), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    assert!(run.stdout.starts_with("# Profile: release\n"), "{run:?}");
    let values = values(&run.stdout);
    let own = |name: &str| format!("{:?}", file.replace("Rocket.toml", name));
    for (name, value, origin) in [
        ("port", "3", "flag --port"),
        ("address", "\"::1\"", "flag --address"),
        ("max_headers", "20", "environment variable ROCKET_MAX_HEADERS"),
        ("max_ships", "7", &file),
        ("max_users", "8", &file),
        ("json", "\"compact\"", &file),
        ("data", &own("own.json"), &file),
        ("static_dir", &own("files"), &file),
        ("shutdown.grace", "9", &file),
        ("shutdown.mercy", "1", "default"),
        ("response_cache_size", "3", &file),
        ("trusted_proxies", "[\"10.0.0.0/8\", \"::1\"]", &file),
        ("log_level", "\"normal\"", "default"),
        ("max_connections", "1024", "default"),
    ] {
        assert_eq!(values[name], (value.to_owned(), origin.to_owned()), "{name}");
    }
}

#[test]
fn secrets_are_masked() {
    let (_, mut command) = configured("effective_secrets", &[]);
    let run = run(&mut command, None);
    let masked = ("\"********\"".to_owned(), "environment variable ROCKET_JWT_SECRET".to_owned());
    assert_eq!(values(&run.stdout)["jwt_secret"], masked);
    assert!(!format!("{run:?}").contains("hunter2"), "{run:?}");
}

/// The output can be used as a file, and sets the same values.
#[test]
fn the_output_is_a_valid_settings_file() {
    let (_, mut command) = configured("effective_again", &["--port", "3"]);
    command.env_remove("ROCKET_JWT_SECRET");
    let first = run(&mut command, None);
    assert_eq!(first.code, Some(0), "{first:?}");
    let again = folder("effective_again_file");
    std::fs::write(again.join("Rocket.toml"), &first.stdout).unwrap();
    let second = effective(&mut shipyard(&again, &["config"]));
    assert!(second.values().all(|(_, origin)| origin == "Rocket.toml"), "{second:?}");
    let only_values = |all: BTreeMap<String, (String, String)>| -> BTreeMap<String, String> {
        all.into_iter().map(|(name, (value, _))| (name, value)).collect()
    };
    assert_eq!(only_values(second), only_values(values(&first.stdout)));
}

#[test]
fn rejects_invalid_settings_as_the_server_does() {
    let here = folder("effective_wrong");
    let flag = refused(&here, &["config", "--port", "65536"]);
    assert!(flag.stderr.contains("expected a whole number from 0 to 65535"), "{flag:?}");
    std::fs::write(here.join("Rocket.toml"), "[default]\nmax_users = 0\n").unwrap();
    let shown = refused(&here, &["config"]);
    assert_eq!(
        shown.stderr,
        "shipyard: max_users: 0 in Rocket.toml; expected a whole number from 1 to 100000000\n"
    );
    assert_eq!(shown.stderr, refused(&here, &["serve"]).stderr);
}
