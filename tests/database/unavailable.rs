//! Operations while the database is away.

use std::fs;

use test_support::contract::{conforms, operations};
use test_support::program::{folder, run as run_program, shipyard, Serving};
use test_support::server::Ask;

use super::*;

const USER: &str = r#"{"users": [{"id": 1, "name": "user", "password": "password"}], "ships": []}"#;

/// Whatever an operation needs, it does not have: no token is refused, none is accepted, and no password is called wrong.
#[test]
fn every_operation_is_503_while_the_database_is_away() {
    let here = folder("every_operation_503");
    fs::write(here.join("data.json"), USER).unwrap();
    let cluster = Cluster::start(Version::V15, &[]);
    let url = cluster.new_url();
    let node = |arguments: &[&str]| {
        let mut command = shipyard(&here, arguments);
        command.env("ROCKET_DATABASE_URL", &url).env("ROCKET_JWT_SECRET", "0123456789abcdef0123456789abcdef");
        command
    };
    assert_eq!(run_program(&mut node(&["store", "init", "--data", "data.json"]), None).code, Some(0));
    let server = Serving::start(&mut node(&["serve", "--port", "0"]));
    let send = |method: &str, path: &str, body: Option<&str>, token: Option<&str>| {
        let mut ask = Ask::new(method.parse().unwrap(), path).header("Host", "localhost");
        if let Some(body) = body {
            ask = ask.header("Content-Type", "application/json").body(body);
        }
        server.send(&if let Some(token) = token { ask.bearer(token) } else { ask })
    };
    let credentials = r#"{"username": "user", "password": "password"}"#;
    let log_in = || send("POST", "/auth/login", Some(credentials), None);
    let (access, refresh) = log_in().tokens();
    cluster.kill();
    for operation in operations() {
        let path = operation.path.replace("{id}", "1");
        let body = operation.body_example().map(ToString::to_string);
        let token = match operation.id() {
            "auth_refresh" | "auth_logout_refresh_token" => &refresh,
            _ => &access,
        };
        let token = operation.is_secured().then_some(token.as_str());
        let answer = send(&operation.method, &path, body.as_deref(), token);
        assert_eq!(answer.status, 503, "{}: {}", operation.id(), answer.text());
        assert!(answer.header("Retry-After").is_some(), "{}", operation.id());
        conforms(&operation, &answer).unwrap();
    }
    cluster.restart();
    let start = Instant::now();
    while send("GET", "/api/users/1", None, None).status != 200 {
        assert!(start.elapsed() < seconds(5.0), "no recovery");
    }
    // Nothing was done, and both tokens are accepted as before.
    assert_eq!(send("DELETE", "/auth/logout2", None, Some(&refresh)).status, 200);
    assert_eq!(send("DELETE", "/auth/logout", None, Some(&access)).status, 200);
    assert_eq!(log_in().status, 200);
    assert_eq!(server.interrupt(), Some(0));
}
