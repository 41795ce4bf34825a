//! Forged and unusual tokens. Authorization fails closed: every operation rejects a token that is not plainly valid and
//! of the right kind, and changes nothing.

mod claim;
mod envelope;
mod jose;

use std::collections::BTreeSet;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use rocket::http::Method;
use serde_json::{json, Value};

use test_support::contract::{operations, Operation};
use test_support::forge::{claims, header, sign, with_claim};
use test_support::server::{Ask, Server, NOW, SHIP, USER};

/// The minimum number of rows in the table.
const AT_LEAST: usize = 400;

/// A row of the table: an invalid Authorization header, and the expected response.
struct Bad {
    what: String,
    headers: Vec<String>,
    status: u16,
    body: Value,
}

impl Bad {
    fn headers(what: &str, headers: &[&str], status: u16, body: Value) -> Self {
        let headers = headers.iter().map(|&header| header.to_owned()).collect();
        Self { what: what.to_owned(), headers, status, body }
    }

    fn token(what: impl Into<String>, token: &str, status: u16, body: Value) -> Self {
        Self { what: what.into(), headers: vec![format!("Bearer {token}")], status, body }
    }

    /// A token that is a 422 with this error.
    fn refused(what: impl Into<String>, token: &str, error: impl AsRef<str>) -> Self {
        Self::token(what, token, 422, json!({"error": error.as_ref()}))
    }
}

fn segment(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn unknown_user() -> Value {
    json!({"error": "Unauthorized", "message": "Unknown user."})
}

/// All headers that every operation for this kind of token rejects.
fn bad(kind: &'static str) -> Vec<Bad> {
    let mut rows = envelope::headers(kind);
    rows.extend(envelope::segments(kind));
    rows.extend(envelope::signatures(kind));
    rows.extend(envelope::encodings(kind));
    rows.extend(jose::headers(kind));
    rows.extend(jose::algorithms(kind));
    rows.extend(jose::parameters(kind));
    rows.extend(claim::payloads(kind));
    rows.extend(claim::missing(kind));
    rows.extend(claim::of_another_type(kind));
    rows.extend(claim::times(kind));
    rows.extend(claim::identities(kind));
    rows.extend(claim::ids(kind));
    rows.extend(claim::families(kind));
    rows.extend(claim::kinds(kind));
    rows
}

/// Every guarded operation, as user 1 can use it, and the kind of its token.
fn guarded() -> Vec<(&'static str, Ask)> {
    vec![
        ("access", Ask::new(Method::Delete, "/auth/logout")),
        ("refresh", Ask::new(Method::Delete, "/auth/logout2")),
        ("refresh", Ask::new(Method::Post, "/auth/refresh")),
        ("access", Ask::new(Method::Post, "/api/ships").body(SHIP)),
        ("access", Ask::new(Method::Put, "/api/ships/1").body(SHIP)),
        ("access", Ask::new(Method::Patch, "/api/ships/1").body("{}")),
        ("access", Ask::new(Method::Delete, "/api/ships/1")),
        ("access", Ask::new(Method::Put, "/api/users/1").body(USER)),
        ("access", Ask::new(Method::Patch, "/api/users/1").body("{}")),
        ("access", Ask::new(Method::Delete, "/api/users/1")),
    ]
}

#[test]
fn tries_the_invalid_tokens_on_every_guarded_operation() {
    let tried: BTreeSet<String> = guarded()
        .iter()
        .map(|(_, ask)| format!("{} {}", ask.method, ask.path.replace("/1", "/{id}")))
        .collect();
    let secured = operations().into_iter().filter(Operation::is_secured);
    let listed: BTreeSet<String> =
        secured.map(|operation| format!("{} {}", operation.method, operation.path)).collect();
    assert_eq!(tried, listed);
}

#[test]
fn every_invalid_token_is_different() {
    let rows = bad("access");
    let (mut names, mut headers) = (BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        assert!(names.insert(&row.what), "{:?} twice", row.what);
        assert!(headers.insert(&row.headers), "{:?} is like another", row.what);
    }
    assert!(rows.len() >= AT_LEAST, "{} rows", rows.len());
}

/// A server whose clock shows one second after its start, so that forged tokens can be issued before now.
fn server() -> Server {
    let server = Server::start();
    server.clock.set(NOW + 1);
    server
}

#[test]
fn every_operation_rejects_an_invalid_token_without_a_change() {
    let server = server();
    let before = server.state();
    for (kind, ask) in guarded() {
        for Bad { what, headers, status, body } in bad(kind) {
            let place = format!("{} {}: {what}: {headers:?}", ask.method, ask.path);
            let with_headers = |ask: Ask, header: &String| ask.header("Authorization", header);
            let response = server.send(headers.iter().fold(ask.clone(), with_headers));
            assert_eq!((response.status, response.json()), (status, body), "{place}");
            assert_eq!(response.header("Content-Type"), Some("application/json"), "{place}");
            let challenged =
                response.header("WWW-Authenticate").is_some_and(|value| value.starts_with("Bearer"));
            assert_eq!(challenged, status == 401, "{place}");
        }
        assert_eq!(server.state(), before, "{} {}", ask.method, ask.path);
    }
    // Most rows have the token id of the valid tokens. None of them has revoked it.
    for ask in [Ask::new(Method::Post, "/auth/refresh"), Ask::new(Method::Delete, "/auth/logout2")] {
        assert_eq!(server.send(ask.bearer(&sign(&header(), &claims("refresh")))).status, 200);
    }
}

/// The table above would also pass if every token were rejected.
#[test]
fn accepts_the_valid_token_that_the_invalid_ones_are_made_from() {
    for (kind, ask) in guarded() {
        let server = server();
        let place = format!("{} {}", ask.method, ask.path);
        let response = server.send(ask.bearer(&sign(&header(), &claims(kind))));
        assert!((200..300).contains(&response.status), "{place}: {response:?}");
    }
}

/// Unusual tokens that are valid and signed with the key.
#[test]
fn accepts_an_unusual_but_valid_token() {
    let server = server();
    for kind in ["access", "refresh"] {
        let ask = match kind {
            "access" => Ask::new(Method::Put, "/api/ships/1").body(SHIP),
            _ => Ask::new(Method::Post, "/auth/refresh"),
        };
        let mut rows = envelope::unusual_headers(kind);
        rows.extend(jose::unusual(kind));
        rows.extend(claim::unusual(kind));
        assert!(rows.len() >= 30, "{} rows", rows.len());
        for (what, header) in rows {
            let response = server.send(ask.clone().header("Authorization", &header));
            assert_eq!(response.status, 200, "{kind}: {what}: {header:?}: {response:?}");
        }
    }
}

/// Token ids are compared as numbers: a logout covers every spelling.
#[test]
fn rejects_a_logged_out_token_in_every_spelling_of_its_id() {
    let spellings = claim::spellings();
    for id in &spellings {
        let server = server();
        let token = |id: &str| with_claim("access", "jti", json!(id));
        assert_eq!(server.send(Ask::new(Method::Delete, "/auth/logout").bearer(&token(id))).status, 200);
        for other in &spellings {
            let response = server.send(Ask::new(Method::Delete, "/api/ships/1").bearer(&token(other)));
            let revoked = json!({"error": "Token has been revoked"});
            assert_eq!((response.status, response.json()), (401, revoked), "{id}, then {other}");
        }
    }
}
