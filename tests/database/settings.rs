//! Settings of the database, as the program reads them.

use std::fs;
use std::path::Path;

use shipyard::config::{defaults, Settings};
use test_support::program::{folder, run, shipyard, Run};

const URL: &str = "postgres://ann:hunter2@db.example/ships";

fn config(here: &Path, environment: &[(&str, &str)], flags: &[&str]) -> Run {
    let mut command = shipyard(here, &["config"]);
    command.args(flags).envs(environment.iter().copied());
    run(&mut command, None)
}

#[test]
fn the_url_comes_from_the_environment_a_flag_or_a_file_and_is_masked() {
    let here = folder("database_url");
    fs::write(here.join("url"), format!("{URL}\n")).unwrap();
    fs::write(here.join("Rocket.toml"), "[default]\ndatabase_ca_file = \"ca.pem\"\n").unwrap();
    for (environment, flags, masked) in [
        (&[("ROCKET_DATABASE_URL", URL)][..], &[][..], "database_url = \"********\""),
        (&[], &["--database-url", URL], "database_url = \"********\""),
        (&[("ROCKET_DATABASE_URL_FILE", "url")], &[], "database_url_file = \"url\""),
        (&[], &["--database-url-file", "url"], "database_url_file = \"url\""),
    ] {
        let run = config(&here, environment, flags);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
        assert!(run.stdout.contains(masked), "{run:?}");
        assert!(!run.stdout.contains("hunter2") && !run.stdout.contains("ann"), "{run:?}");
    }
}

#[test]
fn errors_name_the_setting_and_never_the_password() {
    let here = folder("database_url_errors");
    fs::write(here.join("url"), "postgres://ann:hunter2@db.example/ships?sslmod=x").unwrap();
    for (environment, expected) in [
        (&[("ROCKET_DATABASE_URL", "postgres://ann:hun/ter2@h/x")][..], "database_url: a `/`"),
        (&[("ROCKET_DATABASE_URL", "mysql://ann:hunter2@h/x")], "database_url: expected postgres://"),
        (&[("ROCKET_DATABASE_URL", "[1]")], "database_url: expected a text"),
        (&[("ROCKET_DATABASE_URL", "")], "database_url: expected postgres://"),
        (
            &[("ROCKET_DATABASE_URL_FILE", "url")],
            "database_url_file: url: unknown parameter `sslmod`; known are",
        ),
        (&[("ROCKET_DATABASE_URL_FILE", "nowhere")], "database_url_file: nowhere: "),
        (
            &[("ROCKET_DATABASE_URL_FILE", "url"), ("ROCKET_DATABASE_URL", URL)],
            "database_url: database_url_file is given as well; one of the two",
        ),
        (&[("ROCKET_DATABASE_POOL", "0")], "database_pool: 0"),
    ] {
        let run = config(&here, environment, &[]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
        assert!(run.stderr.starts_with(&format!("shipyard: {expected}")), "{run:?}");
        assert!(!run.stderr.contains("hunter2") && !run.stderr.contains("hun/ter2"), "{run:?}");
    }
}

#[test]
fn the_settings_of_the_database_have_their_documented_defaults() {
    let mut flags = rocket::figment::value::Dict::new();
    flags.insert("database_url".to_owned(), URL.into());
    let settings = Settings::read(defaults(), flags.clone()).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    let database = settings.database.unwrap();
    assert_eq!((database.pool_size, database.pooler), (4, false));
    flags.insert("database_pool".to_owned(), 7.into());
    flags.insert("database_pooler".to_owned(), true.into());
    let database = Settings::read(defaults(), flags).unwrap().database.unwrap();
    assert_eq!((database.pool_size, database.pooler), (7, true));
}
