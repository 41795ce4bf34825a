//! Coverage of statuses: each specified status is recorded or has a test, and each recorded status is specified.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rocket::http::Method;
use shipyard::contract::replay::Replay;

use test_support::contract::{operations, Operation};
use test_support::server::{Ask, Server};
use test_support::transcript::scenarios;

/// Statuses that no recording shows, and the test that covers them: operation, status, name of the test. An entry that
/// is no longer needed must be removed.
const TESTED: &[(&str, u16, &str)] = &[
    ("auth_login", 413, "every_operation_rejects_a_body_above_the_limit"),
    ("auth_login", 429, "a_429_has_retry_after"),
    ("auth_refresh", 429, "a_429_has_retry_after"),
    ("ships_create", 413, "every_operation_rejects_a_body_above_the_limit"),
    ("ships_create", 507, "rejects_a_creation_after_the_last_id"),
    ("ships_delete", 428, "a_server_can_require_if_match"),
    ("ships_patch", 413, "every_operation_rejects_a_body_above_the_limit"),
    ("ships_patch", 428, "a_server_can_require_if_match"),
    ("ships_update", 413, "every_operation_rejects_a_body_above_the_limit"),
    ("ships_update", 428, "a_server_can_require_if_match"),
    ("users_create", 413, "every_operation_rejects_a_body_above_the_limit"),
    ("users_create", 429, "a_429_has_retry_after"),
    ("users_create", 507, "rejects_a_creation_after_the_last_id"),
    ("users_delete", 428, "a_server_can_require_if_match"),
    ("users_patch", 413, "every_operation_rejects_a_body_above_the_limit"),
    ("users_patch", 428, "a_server_can_require_if_match"),
    ("users_patch", 429, "a_429_has_retry_after"),
    ("users_update", 413, "every_operation_rejects_a_body_above_the_limit"),
    ("users_update", 428, "a_server_can_require_if_match"),
    ("users_update", 429, "a_429_has_retry_after"),
];

/// The maximum number of entries above. It may only decrease: new statuses are recorded, where possible. (Those that
/// depend on the number of concurrent requests cannot be recorded.)
const AT_MOST: usize = 20;

/// A status of every operation that no recording shows, and the test that sees it.
const OF_EVERY_OPERATION: (u16, &str) = (503, "every_operation_is_503_while_the_database_is_away");

fn pair(operation: &str, status: u16) -> (String, u16) {
    (operation.to_owned(), status)
}

fn specified() -> BTreeSet<(String, u16)> {
    let pairs = |operation: Operation| {
        let id = operation.id();
        operation.statuses().into_iter().map(move |status| pair(id, status))
    };
    operations().into_iter().flat_map(pairs).collect()
}

/// Whether a path belongs to an operation, whatever its parameters.
fn is_at(operation: &Operation, path: &str) -> bool {
    let mut wanted = operation.path.split('/');
    let mut segments = path.split('?').next().unwrap_or_default().split('/');
    loop {
        match (wanted.next(), segments.next()) {
            (None, None) => return true,
            (Some(wanted), Some(segment)) if wanted == segment || wanted.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// The statuses of the recorded requests. (Where docs/differences.md says so, they are not the recorded ones.)
fn recorded() -> BTreeSet<(String, u16)> {
    let mut pairs = BTreeSet::new();
    for scenario in scenarios() {
        let server = Replay::of(&scenario).unwrap();
        for exchange in &scenario.exchanges {
            let request = &exchange.request;
            let operation = operations().into_iter().find(|operation| {
                operation.method == request.method.as_str() && is_at(operation, &request.path)
            });
            let place = format!("fixtures/{}/{}.txt", scenario.name, exchange.name);
            let status = server.respond(exchange).status;
            match operation {
                Some(operation) => drop(pairs.insert(pair(operation.id(), status))),
                // Any other path is a 404, and any other method a 405.
                None => assert!(
                    matches!(status, 404 | 405),
                    "{place}: {} {} is no operation, but is answered {status}",
                    request.method,
                    request.path
                ),
            }
        }
    }
    pairs
}

fn tested() -> BTreeSet<(String, u16)> {
    let (everywhere, _) = OF_EVERY_OPERATION;
    let of_all = operations().into_iter().map(|operation| pair(operation.id(), everywhere));
    TESTED.iter().map(|(operation, status, _)| pair(operation, *status)).chain(of_all).collect()
}

/// The source of all tests.
fn sources(folder: &Path) -> String {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let source = |path: &PathBuf| match path.extension() {
        None => sources(path),
        Some(extension) if extension == "rs" => std::fs::read_to_string(path).unwrap(),
        Some(_) => String::new(),
    };
    paths.iter().map(source).collect()
}

#[test]
fn every_specified_status_is_recorded_or_tested() {
    let seen = &recorded() | &tested();
    let unseen: Vec<_> = specified().difference(&seen).cloned().collect();
    assert!(
        unseen.is_empty(),
        "nothing shows that these are answered; record an exchange in fixtures/, or name the test that sees it in \
         tests/api/coverage.rs: {unseen:?}"
    );
}

#[test]
fn every_recorded_status_is_specified() {
    let unknown: Vec<_> = recorded().difference(&specified()).cloned().collect();
    assert!(unknown.is_empty(), "recorded, but not in the specification: {unknown:?}");
}

#[test]
fn the_list_has_no_stale_entries_and_names_existing_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let sources = sources(&folder);
    let (specified, recorded) = (specified(), recorded());
    for (operation, status, test) in TESTED {
        let entry = pair(operation, *status);
        assert!(specified.contains(&entry), "{entry:?} is not in the specification: take it from the list");
        assert!(!recorded.contains(&entry), "{entry:?} is recorded in fixtures/: take it from the list");
        assert!(sources.contains(&format!("#[test]\nfn {test}() {{")), "{entry:?}: there is no test {test}");
    }
    let entries: BTreeSet<_> = TESTED.iter().map(|(operation, status, _)| (operation, status)).collect();
    assert_eq!(entries.len(), TESTED.len(), "an entry is in the list twice");
    let (status, test) = OF_EVERY_OPERATION;
    assert!(operations().iter().all(|operation| operation.statuses().contains(&status)), "{status}");
    assert!(sources.contains(&format!("#[test]\nfn {test}() {{")), "there is no test {test}");
    assert!(TESTED.len() <= AT_MOST, "the list has grown: record an exchange instead, if that can be");
    assert!(TESTED.len() >= AT_MOST, "the list is shorter now: lower AT_MOST to {}", TESTED.len());
}

/// A path of an operation, with 1 for every parameter.
fn path(operation: &Operation) -> String {
    operation.path.replace("{id}", "1")
}

#[test]
fn every_operation_rejects_a_body_above_the_limit() {
    let server = Server::start();
    let (token, _) = server.log_in("user", "password").tokens();
    let before = server.state();
    let mut refused = 0;
    for operation in operations().iter().filter(|operation| operation.body_example().is_some()) {
        let method: Method = operation.method.parse().unwrap();
        let mut body = operation.body_example().unwrap().to_string();
        body += &" ".repeat(64 * 1024 + 1 - body.len());
        let ask = Ask::new(method, &path(operation)).header("Content-Type", "application/json").body(body);
        let ask = if operation.is_secured() { ask.bearer(&token) } else { ask };
        assert_eq!(server.send(ask).status, 413, "{}", operation.id());
        refused += 1;
    }
    assert_eq!(refused, 7);
    assert_eq!(server.state(), before);
}
