//! `shipyard verify`: it accepts correct servers and detects differences.

use std::path::PathBuf;

use rocket::http::Method;
use serde_json::{json, Value};

use test_support::program::{folder, here, own_server, run, shipyard, verify, Serving};
use test_support::server::Ask;
use test_support::snapshots;
use test_support::transcript::{scenarios, FIXTURES};

/// A copy of the recordings that may be changed.
fn copy_of_fixtures(name: &str) -> PathBuf {
    let copy = folder(name);
    for scenario in scenarios() {
        std::fs::create_dir_all(copy.join(&scenario.name)).unwrap();
        for exchange in &scenario.exchanges {
            let file = FIXTURES.file_of(&scenario.name, &exchange.name);
            std::fs::copy(&file, copy.join(&scenario.name).join(file.file_name().unwrap())).unwrap();
        }
    }
    std::fs::copy(here().join("fixtures/SHA256SUMS"), copy.join("SHA256SUMS")).unwrap();
    copy
}

#[test]
fn in_process_every_exchange_matches() {
    let done = verify(&[]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{done:?}");
    let exchanges: usize = scenarios().iter().map(|scenario| scenario.exchanges.len()).sum();
    assert_eq!(done.stdout.lines().count(), exchanges + 1);
    assert!(done.stdout.lines().take(exchanges).all(|line| line.starts_with("ok ")), "{}", done.stdout);
    assert!(done.stdout.contains(&format!("\n{exchanges} exchanges: {exchanges} match")), "{}", done.stdout);
}

/// Every kind of line in a transcript: a changed byte is reported with its scenario, exchange and line.
#[test]
fn reports_the_position_of_a_changed_byte() {
    let copy = copy_of_fixtures("changed_byte");
    let mut changes = 0;
    for scenario in scenarios() {
        for (index, exchange) in scenario.exchanges.iter().enumerate() {
            let file = copy.join(&scenario.name).join(format!("{}.txt", exchange.name));
            let text = std::fs::read(&file).unwrap();
            // At another place in each transcript: together they cover every kind of line.
            let at = (text.len() * (index * 37 % 100)) / 100;
            let mut changed = text.clone();
            // A printable character, also instead of a line end; sometimes a byte that is not UTF-8.
            changed[at] = match (index % 5, text[at]) {
                (4, _) => 0xff,
                (_, b'x') => b'y',
                _ => b'x',
            };
            std::fs::write(&file, &changed).unwrap();
            let place = format!("{}/{}.txt", scenario.name, exchange.name);
            let flags = ["--fixtures", copy.to_str().unwrap(), "--scenario", scenario.name.as_str()];
            let done = verify(&flags);
            assert_eq!(done.code, Some(1), "{place} at {at}: {done:?}");
            assert!(done.stdout.contains(&format!("{place}:")), "{place} at {at}: {done:?}");
            std::fs::write(&file, &text).unwrap();
            changes += 1;
        }
    }
    assert!(changes >= 243);
}

#[test]
fn fails_with_a_damaged_checksum_list() {
    let copy = copy_of_fixtures("damaged_sums");
    let file = copy.join("SHA256SUMS");
    let sums = std::fs::read_to_string(&file).unwrap();
    for (damaged, expected) in [
        (sums.replacen("  ", " ", 1), "SHA256SUMS:1: expected `SUM  FILE`"),
        (sums.replacen("01-login", "01-logon", 1), "in SHA256SUMS, but not there: "),
        (sums.replacen(&sums[..4], "0000", 1), "/after-writes/01-login.txt:1"),
    ] {
        assert_ne!(damaged, sums);
        std::fs::write(&file, damaged).unwrap();
        let done = verify(&["--fixtures", copy.to_str().unwrap()]);
        assert_eq!(done.code, Some(1), "{expected}: {done:?}");
        assert!((done.stdout + &done.stderr).contains(expected), "{expected}");
    }
}

#[test]
fn shows_a_mismatch_with_its_transcript_lines() {
    let copy = copy_of_fixtures("shown");
    let change = |name: &str, from: &str, to: &str| {
        let file = copy.join("readme").join(name);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{name}");
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
    };
    change("04-get-user.txt", "200 OK", "404 NOT FOUND");
    change("05-create-user.txt", "/api/users/3", "/api/users/4");
    change("08-get-ships.txt", "TIE/LN", "TIE/IN");
    change("09-get-ship.txt", "\"crew\": 1, ", "\"crew\": 1,");
    change("12-delete-ship.txt", "Python/3.8.2", "Python/3.8.3");
    std::fs::remove_file(copy.join("login-errors/02-password-missing.txt")).unwrap();
    std::fs::write(copy.join("user-errors/01-login.txt"), "$ wget http://localhost\n").unwrap();
    std::fs::remove_dir_all(copy.join("ship-errors")).unwrap();
    let done = verify(&["--fixtures", copy.to_str().unwrap()]);
    assert_eq!(done.code, Some(1));
    let shown = done.stdout.replace(copy.to_str().unwrap(), "FIXTURES");
    let shown: String =
        shown.lines().filter(|line| !line.starts_with("ok ")).map(|line| line.to_owned() + "\n").collect();
    snapshots().bind(|| insta::assert_snapshot!("verify_mismatch", shown));
}

#[test]
fn every_scenario_matches_over_the_network() {
    let (command, url) = own_server("");
    let done = verify(&["--start", &command, "--url", &url]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let skipped: Vec<&str> = done.stdout.lines().filter(|line| line.starts_with("skipped")).collect();
    assert_eq!(skipped.len(), 27, "{done:?}");
    assert!(skipped.iter().all(|line| line.contains("--secret is needed to sign its token")), "{skipped:?}");
    assert!(done.stdout.contains("283 exchanges: 256 match"), "{done:?}");
}

#[test]
fn skips_nothing_when_the_signing_key_is_given() {
    const KEY: &str = "a key for tests, of thirty-two bytes or more";
    let (command, url) = own_server(&format!("ROCKET_JWT_SECRET='{KEY}'"));
    let hex: String = KEY.bytes().map(|byte| format!("{byte:02x}")).collect();
    for key in [KEY.to_owned(), format!("hex:{hex}")] {
        let flags = ["--start", &command, "--url", &url, "--scenario", "token-errors", "--secret", &key];
        let done = verify(&flags);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.stdout.contains("\n21 exchanges: 21 match\n"), "{done:?}");
    }
    let done = verify(&["--start", &command, "--url", &url, "--secret", KEY]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("\n283 exchanges: 283 match"), "{done:?}");
    let empty = ["verify", "--start", &command, "--url", &url, "--scenario", "token-errors"];
    let done = run(shipyard(here(), &empty).env("SHIPYARD_VERIFY_SECRET", ""), None);
    assert!(done.code == Some(0) && done.stdout.contains("18 match, 3 skipped"), "{done:?}");
    // Then the key belongs to another server.
    let flags = ["--start", &command, "--url", &url, "--secret", "another key", "--scenario", "token-errors"];
    let done = verify(&flags);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stdout.contains("the signature: not made with the --secret that was given"), "{done:?}");
}

/// Both ways of assigning ids: as recorded, and as a server that has assigned ids before.
#[test]
fn accepts_a_server_that_assigns_other_ids() {
    let serving = Serving::start(&mut shipyard(here(), &["--port", "0"]));
    let ask = |method, path: &str| Ask::new(method, path).header("Host", "localhost");
    let log_in = json!({"username": "user", "password": "password"});
    let token = serving.send(&ask(Method::Post, "/auth/login").json(&log_in)).tokens().0;
    let ship = json!({"affiliation": "a", "category": "b", "crew": 1, "length": 1, "manufacturer": "c",
        "model": "d", "roles": [], "ship_class": "e"});
    let made = serving.send(&ask(Method::Post, "/api/ships").bearer(&token).json(&ship));
    assert_eq!(made.status, 201);
    assert_eq!(serving.send(&ask(Method::Delete, "/api/ships/16").bearer(&token)).status, 204);
    let user = json!({"name": "ann", "password": "secret"});
    assert_eq!(serving.send(&ask(Method::Post, "/api/users").json(&user)).status, 201);
    let log_in = json!({"username": "ann", "password": "secret"});
    let token = serving.send(&ask(Method::Post, "/auth/login").json(&log_in)).tokens().0;
    assert_eq!(serving.send(&ask(Method::Delete, "/api/users/3").bearer(&token)).status, 204);
    let url = format!("http://localhost:{}", serving.port);
    for measure in [[].as_slice(), &["--exact"]] {
        // The second run finds more ids assigned.
        let done = verify(&[&["--url", &url], measure].concat());
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.stdout.contains("14 exchanges: 14 match"), "{done:?}");
    }
}

#[test]
fn detects_differences_over_the_network() {
    for (variables, scenario, flags, expected) in [
        ("ROCKET_ACCESS_TOKEN_TTL=901", "readme", "", "the lifetime (exp - iat): recorded 900 s, here 901 s"),
        ("ROCKET_REFRESH_TOKEN_TTL=60", "readme", "", "recorded 2592000 s, here 60 s"),
        (
            "ROCKET_PUBLIC_URL=http://other.example",
            "readme",
            "",
            "+      | Location: http://other.example/api/",
        ),
        ("ROCKET_JSON=compact", "readme", "--exact", "Content-Length: 2"),
        ("", "readme", "--as original", "-    3 | Content-Type: text/html; charset=utf-8"),
        ("", "readme", "--allow-difference utf8_text", "-    3 | Content-Type: text/html; charset=utf-8"),
    ] {
        let (command, url) = own_server(variables);
        let mut arguments = vec!["--start", &command, "--url", &url, "--scenario", scenario];
        arguments.extend(flags.split_whitespace());
        let done = verify(&arguments);
        assert_eq!(done.code, Some(1), "{variables} {flags}: {done:?}");
        assert!(done.stdout.contains(expected), "{variables} {flags}: {done:?}");
    }
    let (command, url) = own_server("ROCKET_JSON=compact");
    let allowed = ["--allow-difference", "no_content_type_on_204"];
    let done =
        verify(&[&["--start", &command, "--url", &url, "--scenario", "readme"], allowed.as_slice()].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn the_report_has_three_forms() {
    let copy = copy_of_fixtures("forms");
    let file = copy.join("login-errors/05-wrong-password.txt");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("invalid", "<invalid>")).unwrap();
    std::fs::remove_file(copy.join("readme/07-delete-user.txt")).unwrap();
    let flags = |form| ["--fixtures", copy.to_str().unwrap(), "--format", form];

    let done = verify(&flags("json"));
    assert_eq!(done.code, Some(1));
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    let summary = &report["summary"];
    assert_eq!(
        (&summary["exchanges"], &summary["matching"], &summary["mismatching"]),
        (&json!(269), &json!(268), &json!(1))
    );
    let wrong =
        report["exchanges"].as_array().unwrap().iter().find(|one| one["outcome"] == "mismatch").unwrap();
    assert_eq!(
        (&wrong["scenario"], &wrong["exchange"]),
        (&json!("login-errors"), &json!("05-wrong-password"))
    );
    assert!(wrong["diff"].as_str().unwrap().contains("<invalid>"));
    assert_eq!(report["broken"][0]["scenario"], "readme");

    let done = verify(&flags("junit"));
    assert_eq!(done.code, Some(1));
    let suites = junit(&done.stdout);
    assert!(suites.texts.contains("(tolerated: no_content_type_on_204)"), "{}", suites.texts);
    assert_eq!(suites.cases, 270);
    assert_eq!((suites.failures, suites.errors, suites.skipped), (2, 0, 0));
    assert_eq!(suites.announced, (270, 2, 0));
    assert!(
        suites.texts.contains("<invalid>") && suites.texts.contains("07-delete-user.txt"),
        "{}",
        suites.texts
    );
}

/// The content of a JUnit report.
#[derive(Default)]
struct Junit {
    cases: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    announced: (usize, usize, usize),
    texts: String,
}

/// Parses a JUnit report as consumers do: `testsuites`, `testsuite`, `testcase`.
fn junit(text: &str) -> Junit {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut open: Vec<String> = Vec::new();
    let mut found = Junit::default();
    loop {
        let event = reader.read_event().expect("well-formed XML");
        match &event {
            Event::Start(element) | Event::Empty(element) => {
                let name = String::from_utf8(element.name().as_ref().to_vec()).unwrap();
                let number = |attribute: &str| -> usize {
                    let value =
                        element.try_get_attribute(attribute).unwrap().expect(attribute).value.into_owned();
                    String::from_utf8(value).unwrap().parse().unwrap()
                };
                match (open.last().map(String::as_str), name.as_str()) {
                    (None, "testsuites") => {
                        found.announced = (number("tests"), number("failures"), number("errors"));
                    }
                    (Some("testsuites"), "testsuite") => {}
                    (Some("testsuite"), "testcase") => {
                        assert!(element.try_get_attribute("classname").unwrap().is_some());
                        found.cases += 1;
                    }
                    (Some("testcase"), "failure") => found.failures += 1,
                    (Some("testcase"), "error") => found.errors += 1,
                    (Some("testcase"), "skipped") => found.skipped += 1,
                    (Some("testcase"), "system-out") => {}
                    (parent, name) => panic!("{name} in {parent:?}"),
                }
                if matches!(event, Event::Start(_)) {
                    open.push(name);
                }
            }
            Event::End(_) => drop(open.pop()),
            Event::Text(text) => found.texts += &text.decode().unwrap(),
            Event::GeneralRef(reference) => {
                found.texts += match &*reference.decode().unwrap() {
                    "lt" => "<",
                    "gt" => ">",
                    _ => "?",
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty());
    found
}

#[test]
fn wrong_usage_of_verify_names_the_problem() {
    let mut text = String::new();
    for arguments in [
        ["--start", "x"].as_slice(),
        &["--exact"],
        &["--url", "localhost:5000"],
        &["--url", "https://localhost"],
        &["--url", "http://localhost:99999"],
        &["--url", "http://localhost:1", "--scenario", "readme", "--scenario", "login-errors"],
        &["--scenario", "nothing"],
        &["--scenario", "../fixtures"],
        &["--fixtures", "no/such/folder"],
        &["--allow-difference", "nothing"],
        &["--url", "http://localhost:1", "--secret", "hex:123"],
        &["--timeout", "0"],
        &["--format", "xml"],
    ] {
        let done = verify(arguments);
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{arguments:?}: {done:?}");
        text += &format!("$ shipyard verify {}\n{}\n", arguments.join(" "), done.stderr);
    }
    snapshots().bind(|| insta::assert_snapshot!("verify_usage", text));
}
