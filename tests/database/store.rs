//! `shipyard store`, and what a node refuses at its start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rocket::http::Method;
use test_support::program::{folder, run as run_program, shipyard, Run, Serving};
use test_support::server::Ask;

use super::*;

const SECRET: &str = "a key of at least thirty-two bytes, for tests";

const DATA: &str = r#"{"users": [{"id": 3, "name": "ann", "password": "hunter2!"}], "ships": [{"id": 7,
    "affiliation": "Rebels", "category": "Starfighter", "crew": 1, "length": 13, "manufacturer": "Incom",
    "model": "X-wing", "roles": ["Attack"], "ship_class": "Starfighter"}]}"#;

/// A folder with a data file, and a database.
struct Place {
    here: PathBuf,
    cluster: &'static Cluster,
    database: String,
}

impl Place {
    fn new(name: &str) -> Self {
        Self::on(name, Version::V15)
    }

    fn on(name: &str, version: Version) -> Self {
        let here = folder(name);
        fs::write(here.join("ann.json"), DATA).unwrap();
        let cluster = Cluster::shared(version);
        Self { here, cluster, database: cluster.database() }
    }

    fn made(name: &str) -> Self {
        let place = Self::new(name);
        let run = place.run(&["store", "init", "--data", "ann.json"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        place
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = shipyard(&self.here, arguments);
        command.env("ROCKET_DATABASE_URL", self.cluster.url(&self.database)).env("ROCKET_JWT_SECRET", SECRET);
        command.env("ROCKET_PASSWORD_MEMORY", "64").env("ROCKET_PASSWORD_ITERATIONS", "1");
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        run_program(&mut self.command(arguments), None)
    }

    fn execute(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.cluster.execute(&self.database, sql)
    }

    /// What the server says when it refuses to start.
    fn refusal(&self, code: i32, change: impl FnOnce(&mut Command) -> &mut Command) -> String {
        let mut command = self.command(&["serve", "--port", "0"]);
        change(&mut command);
        let run = run_program(&mut command, None);
        assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""), "{run:?}");
        let last = run.stderr.lines().last().unwrap_or_default();
        last.strip_prefix("shipyard: ").unwrap_or_else(|| panic!("{run:?}")).to_owned()
    }

    fn serve(&self) -> Serving {
        Serving::start(&mut self.command(&["serve", "--port", "0"]))
    }
}

fn get(server: &Serving, path: &str) -> (u16, String) {
    let answer = server.send(&Ask::new(Method::Get, path).header("Host", "localhost"));
    (answer.status, answer.body)
}

fn logs_in(server: &Serving, name: &str, password: &str) -> u16 {
    let body = format!(r#"{{"username": "{name}", "password": "{password}"}}"#);
    let ask = Ask::new(Method::Post, "/auth/login").header("Host", "localhost");
    server.send(&ask.header("Content-Type", "application/json").body(body)).status
}

#[test]
fn init_makes_what_serve_needs() {
    for (name, version) in [("init_15", Version::V15), ("init_18", Version::V18)] {
        let place = Place::on(name, version);
        let run = place.run(&["store", "init", "--data", "ann.json"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(run.stdout, "The database has schema 1 now, with 1 users and 1 ships.\n");
        let check = place.run(&["store", "check"]);
        assert_eq!(check.code, Some(0), "{check:?}");
        assert!(check.stdout.contains("ok       the keys are those of the other nodes\n"), "{check:?}");
        // The test server has it off.
        assert!(check.stdout.contains("warning  fsync = off"), "{check:?}");
        let server = place.serve();
        assert!(
            server.announcement.contains("  Data    PostgreSQL at 127.0.0.1:"),
            "{}",
            server.announcement
        );
        let (status, ship) = get(&server, "/api/ships/7");
        assert!(status == 200 && ship.contains("X-wing"), "{ship}");
        assert_eq!(logs_in(&server, "ann", "hunter2!"), 200);
        assert_eq!(logs_in(&server, "ann", "wrong one"), 401);
        // The example is not there.
        assert_eq!(get(&server, "/api/ships/1").0, 404);
        assert_eq!(server.interrupt(), Some(0));
    }
}

#[test]
fn init_fills_an_empty_database_once() {
    let place = Place::made("init_twice");
    let again = place.run(&["store", "init", "--data", "ann.json"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.stderr.contains("the database is not empty: it has "), "{again:?}");
    // An invalid file, no file, no key, no database: nothing is made.
    let empty = Place::new("init_refused");
    fs::write(empty.here.join("wrong.json"), r#"{"users": [{"id": 1}], "ships": []}"#).unwrap();
    for (arguments, code, expected) in [
        (&["store", "init", "--data", "wrong.json"][..], 1, "wrong.json: line 1, users[0]"),
        (&["store", "init", "--data", "nowhere.json"], 1, "nowhere.json"),
        (&["store", "init"], 2, "--data FILE is missing"),
    ] {
        let run = empty.run(arguments);
        assert!(run.code == Some(code) && run.stderr.contains(expected), "{run:?}");
    }
    let init = ["store", "init", "--data", "ann.json"];
    for (variable, expected) in [
        ("ROCKET_JWT_SECRET", "all nodes need the same key"),
        ("ROCKET_DATABASE_URL", "there is no database"),
    ] {
        let run = run_program(empty.command(&init).env_remove(variable), None);
        assert!(run.code == Some(2) && run.stderr.contains(expected), "{run:?}");
    }
    assert_eq!(
        empty.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")[0][0].as_deref(),
        Some("0")
    );
}

#[test]
fn an_export_is_a_data_file() {
    let place = Place::made("export");
    let run = place.run(&["store", "export", "--output", "out.json"]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (Some(0), "shipyard: exported 1 users and 1 ships\n"),
        "{run:?}"
    );
    let file = place.here.join("out.json");
    assert_eq!(mode(&file), 0o600);
    let printed = place.run(&["store", "export"]);
    assert_eq!(printed.stdout, fs::read_to_string(&file).unwrap());
    assert!(printed.stdout.contains("$argon2id$") && !printed.stdout.contains("hunter2"), "{printed:?}");
    // It is not written over.
    assert_eq!(place.run(&["store", "export", "--output", "out.json"]).code, Some(1));
    // Both kinds of store read it.
    let other = Place::new("export_read");
    fs::copy(&file, other.here.join("out.json")).unwrap();
    assert_eq!(other.run(&["store", "init", "--data", "out.json"]).code, Some(0));
    assert_eq!(other.run(&["store", "export"]).stdout, printed.stdout);
    let mut memory = shipyard(&place.here, &["serve", "--port", "0", "--data", "out.json"]);
    let memory = Serving::start(memory.env("ROCKET_JWT_SECRET", SECRET));
    let node = other.serve();
    assert_eq!(get(&memory, "/api/ships/7"), get(&node, "/api/ships/7"));
    assert_eq!((logs_in(&memory, "ann", "hunter2!"), logs_in(&node, "ann", "hunter2!")), (200, 200));
}

fn mode(file: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(file).unwrap().permissions()) & 0o777
}

#[test]
fn serve_names_the_command_that_a_schema_needs() {
    let empty = Place::new("serve_empty");
    assert!(empty.refusal(1, |serve| serve).contains("`shipyard store init --data FILE` makes them"));
    let place = Place::made("serve_schema");
    place.execute("UPDATE service SET schema = 0");
    let refusal = place.refusal(1, |serve| serve);
    assert!(refusal.contains("schema 0, and this version needs 1: `shipyard store migrate`"), "{refusal}");
    // A later schema that this version does not work with, and one that it does.
    place.execute("UPDATE service SET schema = 2; INSERT INTO schema_steps VALUES (2, 2)");
    let refusal = place.refusal(1, |serve| serve);
    assert!(refusal.contains("schema 2, which this version does not know"), "{refusal}");
    let check = place.run(&["store", "check"]);
    assert!(
        check.code == Some(1) && check.stdout.contains("wrong    the database has schema 2"),
        "{check:?}"
    );
    place.execute("UPDATE schema_steps SET oldest = 1");
    assert_eq!(get(&place.serve(), "/api/ships/7").0, 200);
    assert_eq!(place.run(&["store", "check"]).code, Some(0));
}

#[test]
fn serve_needs_the_key_of_the_other_nodes() {
    let place = Place::made("serve_keys");
    let refusal = place.refusal(2, |serve| serve.env_remove("ROCKET_JWT_SECRET"));
    assert!(refusal.contains("all nodes need the same key: set jwt_secret or jwt_secret_file"), "{refusal}");
    let other = "another key of at least thirty-two bytes";
    let refusal = place.refusal(1, |serve| serve.env("ROCKET_JWT_SECRET", other));
    assert!(refusal.contains("the other nodes do not know the key without id "), "{refusal}");
    // A new key is known once a node verifies with it.
    let keys = |text: &str| fs::write(place.here.join("keys"), text).unwrap();
    let serve = |place: &Place| {
        let mut serve = place.command(&["serve", "--port", "0", "--jwt-secret-file", "keys"]);
        serve.env_remove("ROCKET_JWT_SECRET");
        serve
    };
    // The secret has spaces, which the file cannot have.
    let old = "0123456789abcdef0123456789abcdef";
    keys(&format!("kid=old {old}\n"));
    let replaced = run_program(
        place.command(&["store", "set-keys", "--jwt-secret-file", "keys"]).env_remove("ROCKET_JWT_SECRET"),
        None,
    );
    assert_eq!(replaced.code, Some(0), "{replaced:?}");
    keys(&format!("kid=new {old}-new\nkid=old {old}\n"));
    let refused = run_program(&mut serve(&place), None);
    assert!(refused.stderr.contains("do not know the key new, which signs"), "{refused:?}");
    keys(&format!("kid=old {old}\nkid=new {old}-new\n"));
    drop(Serving::start(&mut serve(&place)));
    keys(&format!("kid=new {old}-new\nkid=old {old}\n"));
    drop(Serving::start(&mut serve(&place)));
    keys(&format!("kid=new {old}-other\n"));
    let refused = run_program(&mut serve(&place), None);
    assert!(refused.stderr.contains("the other nodes have another key new"), "{refused:?}");
    // No key is in the table.
    let table = format!(
        "{:?}",
        place.execute("SELECT kid, encode(mac, 'escape'), encode(mac, 'hex') FROM key_checks")
    );
    assert!(!table.contains(old) && table.contains("new"), "{table}");
}

#[test]
fn serve_reads_no_data_file_next_to_a_database() {
    let place = Place::made("serve_data");
    for flags in [&["--data", "ann.json"][..], &["--watch"]] {
        let refusal = place.refusal(2, |serve| serve.args(flags));
        assert!(refusal.contains("the users and ships are in the database"), "{refusal}");
    }
}

#[test]
fn prune_deletes_what_has_expired() {
    let place = Place::made("prune");
    place.execute(
        "INSERT INTO revoked SELECT gen_random_uuid(), 1000 + n FROM generate_series(1, 2500) AS n; \
         INSERT INTO revoked VALUES (gen_random_uuid(), 4000000000); \
         UPDATE users SET families = ARRAY[gen_random_uuid(), '00000000-0000-4000-8000-000000000001', gen_random_uuid()], \
             family_exps = '{1000,4000000000,1000}', generations = '{1,2,3}', spent_at = '{4,NULL,6}', spent_by = '{7,8,9}'",
    );
    let run = place.run(&["store", "prune"]);
    assert_eq!(run.stdout, "Deleted 2500 expired logouts and 2 expired logins.\n", "{run:?}");
    let left = place.execute(
        "SELECT families::text, family_exps::text, generations::text, spent_at::text, spent_by::text, \
             (SELECT count(*)::text FROM revoked), (SELECT (pruned_to > 1700000000)::text FROM service) FROM users",
    );
    let expected =
        ["{00000000-0000-4000-8000-000000000001}", "{4000000000}", "{2}", "{NULL}", "{8}", "1", "true"];
    assert_eq!(left, [expected.map(|text| Some(text.to_owned()))]);
    let run = place.run(&["store", "prune"]);
    assert_eq!(run.stdout, "Deleted 0 expired logouts and 0 expired logins.\n", "{run:?}");
}

#[test]
fn a_database_that_cannot_be_reached_is_no_defect() {
    let place = Place::new("unreachable");
    let port = test_support::program::free_port();
    let url = format!("postgres://ann:hunter2@127.0.0.1:{port}/ships");
    for arguments in
        [&["store", "check"][..], &["store", "migrate"], &["store", "export"], &["store", "prune"]]
    {
        let run = run_program(place.command(arguments).env("ROCKET_DATABASE_URL", &url), None);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(
            run.stderr.contains(&format!("127.0.0.1:{port}")) && run.stderr.contains("refused"),
            "{run:?}"
        );
        assert!(!run.stderr.contains("hunter2") && !run.stderr.contains("ann"), "{run:?}");
    }
}
