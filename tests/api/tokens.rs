//! Authorization fails closed: what is not plainly a good token of the right kind gets in nowhere, and
//! changes nothing.

use std::collections::BTreeSet;

use rocket::http::Method;
use serde_json::{json, Value};

use crate::support::contract::{operations, Operation};
use crate::support::forge::{claims, header, hs256, hs512, segment, sign, with_claim, without_claim};
use crate::support::server::{Ask, Server, NOW, SECRET};

const SHIP: &str = r#"{"affiliation":"a","category":"b","crew":1,"length":1,"manufacturer":"c","model":"d",
    "roles":[],"ship_class":"e"}"#;
const USER: &str = r#"{"name":"changed","password":"changed"}"#;

/// Every guarded operation, as user 1 may use it; and the kind of token that it takes.
fn guarded() -> Vec<(&'static str, Ask)> {
    vec![
        ("access", Ask::new(Method::Delete, "/auth/logout")),
        ("refresh", Ask::new(Method::Delete, "/auth/logout2")),
        ("refresh", Ask::new(Method::Post, "/auth/refresh")),
        ("access", Ask::new(Method::Post, "/api/ships").body(SHIP)),
        ("access", Ask::new(Method::Put, "/api/ships/1").body(SHIP)),
        ("access", Ask::new(Method::Delete, "/api/ships/1")),
        ("access", Ask::new(Method::Put, "/api/users/1").body(USER)),
        ("access", Ask::new(Method::Delete, "/api/users/1")),
    ]
}

#[test]
fn the_table_of_bad_tokens_is_tried_on_every_guarded_operation() {
    let tried: BTreeSet<String> = guarded()
        .iter()
        .map(|(_, ask)| format!("{} {}", ask.method, ask.path.replace("/1", "/{id}")))
        .collect();
    let secured = operations().into_iter().filter(Operation::is_secured);
    let listed: BTreeSet<String> =
        secured.map(|operation| format!("{} {}", operation.method, operation.path)).collect();
    assert_eq!(tried, listed);
}

/// A server whose clock shows a second after its start, when hand-made tokens can have been issued.
fn server() -> Server {
    let server = Server::new();
    server.clock.set(NOW + 1);
    server
}

/// Those members of an object, without their names.
fn listed<const N: usize>(object: &Value, names: [&str; N]) -> Value {
    Value::Array(names.map(|name| object[name].clone()).into())
}

/// What is wrong, the Authorization header, and the recorded answer.
fn bad(kind: &str) -> Vec<(&'static str, Option<String>, u16, String)> {
    let good = sign(&header(), &claims(kind));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let with_header = |header: Value| sign(&header, &claims(kind));
    let signed = |message: String, signature: String| format!("{message}.{signature}");
    let alg_message =
        |alg: &str| format!("{}.{}", segment(&json!({"typ": "JWT", "alg": alg})), segment(&claims(kind)));
    let other_kind = if kind == "access" { "refresh" } else { "access" };
    let bad_header = r#"{"error":"Bad Authorization header. Expected value 'Bearer <JWT>'"}"#;
    let bad_signature = r#"{"error":"Signature verification failed"}"#;
    let bad_alg = r#"{"error":"The specified alg value is not allowed"}"#;
    let segments = r#"{"error":"Not enough segments"}"#;
    let only = format!(r#"{{"error":"Only {kind} tokens are allowed"}}"#);
    let mut cases: Vec<(&'static str, Option<String>, u16, String)> = vec![
        ("no header", None, 401, r#"{"error":"Missing Authorization Header"}"#.into()),
        ("empty header", Some(String::new()), 401, r#"{"error":"Missing Authorization Header"}"#.into()),
        ("other scheme", Some("Basic dXNlcjpwYXNzd29yZA==".into()), 422, bad_header.into()),
        ("scheme alone", Some("Bearer".into()), 422, bad_header.into()),
        ("two tokens", Some(format!("Bearer {good} {good}")), 422, bad_header.into()),
        ("token alone", Some(good.clone()), 422, bad_header.into()),
        ("comma", Some(format!("Bearer, {good}")), 422, bad_header.into()),
    ];
    let tokens: Vec<(&'static str, String, u16, String)> = vec![
        ("garbage", "garbage".into(), 422, segments.into()),
        ("two segments", message.to_owned(), 422, segments.into()),
        ("8 KiB without a dot", "a".repeat(8192), 422, segments.into()),
        ("8 KiB with dots", "a.".repeat(4096), 422, r#"{"error":"Invalid header string"}"#.into()),
        ("four segments", format!("{good}.{signature}"), 422, bad_signature.into()),
        (
            "four signed segments",
            {
                let message = format!("{message}.x");
                signed(message.clone(), hs256(&message, SECRET))
            },
            422,
            bad_signature.into(),
        ),
        (
            "other key",
            signed(message.into(), hs256(message, b"another key of thirty-two bytes, or more")),
            422,
            bad_signature.into(),
        ),
        ("empty key", signed(message.into(), hs256(message, b"")), 422, bad_signature.into()),
        ("no signature", format!("{message}."), 422, bad_signature.into()),
        ("half a signature", format!("{message}.{}", &signature[..20]), 422, bad_signature.into()),
        ("padded signature", format!("{good}="), 422, bad_signature.into()),
        (
            "signature in base64",
            format!("{message}.{}", signature.replace(['-', '_'], "+") + "+"),
            422,
            bad_signature.into(),
        ),
        (
            "changed payload",
            {
                let mut forged = claims(kind);
                forged["identity"] = json!(2);
                format!("{}.{}.{signature}", segment(&header()), segment(&forged))
            },
            422,
            bad_signature.into(),
        ),
        ("alg none, unsigned", format!("{}.", alg_message("none")), 422, bad_alg.into()),
        (
            "alg none, signed",
            signed(alg_message("none"), hs256(&alg_message("none"), SECRET)),
            422,
            bad_alg.into(),
        ),
        ("alg None", signed(alg_message("None"), hs256(&alg_message("None"), SECRET)), 422, bad_alg.into()),
        (
            "alg hs256",
            signed(alg_message("hs256"), hs256(&alg_message("hs256"), SECRET)),
            422,
            bad_alg.into(),
        ),
        (
            "alg HS512",
            signed(alg_message("HS512"), hs512(&alg_message("HS512"), SECRET)),
            422,
            bad_alg.into(),
        ),
        (
            "alg RS256",
            signed(alg_message("RS256"), hs256(&alg_message("RS256"), SECRET)),
            422,
            bad_alg.into(),
        ),
        ("no alg", with_header(json!({"typ": "JWT"})), 422, bad_alg.into()),
        ("alg is a number", with_header(json!({"alg": 256})), 422, bad_alg.into()),
        (
            "crit",
            with_header(json!({"alg": "HS256", "crit": ["exp"]})),
            422,
            r#"{"error":"Unsupported critical header (crit)"}"#.into(),
        ),
        (
            "crit null",
            with_header(json!({"alg": "HS256", "crit": null})),
            422,
            r#"{"error":"Unsupported critical header (crit)"}"#.into(),
        ),
        (
            "kid of a key that there is not",
            with_header(json!({"typ": "JWT", "alg": "HS256", "kid": "a"})),
            422,
            bad_signature.into(),
        ),
        ("kid is empty", with_header(json!({"alg": "HS256", "kid": ""})), 422, bad_signature.into()),
        (
            "kid is null",
            with_header(json!({"alg": "HS256", "kid": null})),
            422,
            r#"{"error":"Invalid header string"}"#.into(),
        ),
        (
            "kid is a number",
            with_header(json!({"alg": "HS256", "kid": 1})),
            422,
            r#"{"error":"Invalid header string"}"#.into(),
        ),
        (
            "kid is a list",
            with_header(json!({"alg": "HS256", "kid": ["a"]})),
            422,
            r#"{"error":"Invalid header string"}"#.into(),
        ),
        (
            "header is no object",
            with_header(json!("HS256")),
            422,
            r#"{"error":"Invalid header string"}"#.into(),
        ),
        (
            // In the order in which the server reads them, with the values of a good token.
            "payload is a list of values",
            sign(&header(), &listed(&claims(kind), ["iat", "nbf", "jti", "exp", "identity", "type"])),
            422,
            r#"{"error":"Invalid payload string"}"#.into(),
        ),
        (
            "header is a list of values",
            sign(&json!(["HS256", null]), &claims(kind)),
            422,
            r#"{"error":"Invalid header string"}"#.into(),
        ),
        (
            "payload is no object",
            sign(&header(), &json!(1)),
            422,
            r#"{"error":"Invalid payload string"}"#.into(),
        ),
        (
            "expired by one second",
            with_claim(kind, "exp", json!(NOW)),
            401,
            r#"{"error":"Token has expired"}"#.into(),
        ),
        (
            "expires now",
            with_claim(kind, "exp", json!(NOW + 1)),
            401,
            r#"{"error":"Token has expired"}"#.into(),
        ),
        (
            "valid in a second",
            with_claim(kind, "nbf", json!(NOW + 2)),
            422,
            r#"{"error":"The token is not yet valid (nbf)"}"#.into(),
        ),
        ("other kind", sign(&header(), &claims(other_kind)), 422, only.clone()),
        ("kind of another case", with_claim(kind, "type", json!(kind.to_uppercase())), 422, only),
        (
            "from before the start",
            with_claim(kind, "iat", json!(NOW - 1)),
            401,
            r#"{"error":"Token has been revoked"}"#.into(),
        ),
        (
            "from the second of the start, but not of this server",
            with_claim(kind, "iat", json!(NOW)),
            401,
            r#"{"error":"Token has been revoked"}"#.into(),
        ),
        (
            "of nobody",
            with_claim(kind, "identity", json!(99)),
            401,
            r#"{"error":"Unauthorized","message":"Unknown user."}"#.into(),
        ),
        (
            "of a user whose id no user can have",
            with_claim(kind, "identity", json!(u64::MAX)),
            401,
            r#"{"error":"Unauthorized","message":"Unknown user."}"#.into(),
        ),
    ];
    cases.extend(
        tokens
            .into_iter()
            .map(|(what, token, status, body)| (what, Some(format!("Bearer {token}")), status, body)),
    );
    for name in ["iat", "jti", "exp", "identity", "type"] {
        let body = format!(r#"{{"error":"Missing claim: {name}"}}"#);
        cases.push((
            "a claim is missing",
            Some(format!("Bearer {}", without_claim(kind, name))),
            422,
            body.clone(),
        ));
        let null = with_claim(kind, name, Value::Null);
        cases.push(("a claim is null", Some(format!("Bearer {null}")), 422, body));
    }
    for name in ["iat", "nbf", "jti", "exp", "identity", "type"] {
        for value in [json!([]), json!({}), json!(true), json!(-1), json!(1.5), json!("1")] {
            if name == "type" && value.is_string() {
                continue;
            }
            let token = with_claim(kind, name, value);
            cases.push((
                "a claim is of another type",
                Some(format!("Bearer {token}")),
                422,
                format!(r#"{{"error":"Invalid claim: {name}"}}"#),
            ));
        }
    }
    cases
}

#[test]
fn a_bad_token_gets_in_nowhere_and_changes_nothing() {
    let server = server();
    let before = server.state();
    for (kind, ask) in guarded() {
        for (what, authorization, status, body) in bad(kind) {
            let ask = ask.clone();
            let place = format!("{} {}: {what}: {authorization:?}", ask.method, ask.path);
            let answer = server.send(match &authorization {
                Some(value) => ask.header("Authorization", value),
                None => ask,
            });
            let expected: Value = serde_json::from_str(&body).unwrap();
            assert_eq!((answer.status, answer.json()), (status, expected), "{place}");
            assert_eq!(answer.header("WWW-Authenticate").is_some(), status == 401, "{place}");
        }
    }
    assert_eq!(server.state(), before);
}

/// The table above would pass if nothing ever got in.
#[test]
fn the_good_token_that_the_bad_ones_are_made_of_gets_in() {
    for (kind, ask) in guarded() {
        let server = server();
        let place = format!("{} {}", ask.method, ask.path);
        let answer = server.send(ask.bearer(&sign(&header(), &claims(kind))));
        assert!((200..300).contains(&answer.status), "{place}: {answer:?}");
    }
}

#[test]
fn more_than_one_authorization_header_is_refused() {
    let server = server();
    let good = sign(&header(), &claims("access"));
    for other in ["Bearer garbage".to_owned(), format!("Bearer {good}"), String::new()] {
        let answer = server
            .send(Ask::new(Method::Delete, "/api/ships/1").bearer(&good).header("Authorization", &other));
        assert_eq!(answer.status, 422, "{answer:?}");
    }
}

#[test]
fn a_token_lives_until_the_second_before_it_expires() {
    let server = Server::new();
    let (access, refresh) = server.log_in("user", "password").tokens();
    let uses = |token: &str, method, path| server.send(Ask::new(method, path).bearer(token)).status;
    server.clock.set(NOW + 15 * 60 - 1);
    assert_eq!(uses(&access, Method::Delete, "/api/ships/1"), 204);
    server.clock.set(NOW + 15 * 60);
    assert_eq!(uses(&access, Method::Delete, "/api/ships/2"), 401);
    server.clock.set(NOW + 30 * 24 * 3600 - 1);
    assert_eq!(uses(&refresh, Method::Post, "/auth/refresh"), 200);
    server.clock.set(NOW + 30 * 24 * 3600);
    assert_eq!(uses(&refresh, Method::Post, "/auth/refresh"), 401);
}

#[test]
fn a_logout_ends_one_token_for_as_long_as_it_would_have_lived() {
    let server = Server::new();
    let (access, refresh) = server.log_in("user", "password").tokens();
    let (other_access, other_refresh) = server.log_in("user", "password").tokens();
    let send = |method, path: &str, token: &str| server.send(Ask::new(method, path).bearer(token)).status;
    assert_eq!(send(Method::Delete, "/auth/logout", &access), 200);
    assert_eq!(send(Method::Delete, "/auth/logout2", &refresh), 200);
    for now in [NOW, NOW + 15 * 60 - 1] {
        server.clock.set(now);
        assert_eq!(send(Method::Delete, "/auth/logout", &access), 401);
        assert_eq!(send(Method::Post, "/auth/refresh", &refresh), 401);
    }
    assert_eq!(send(Method::Delete, "/api/ships/1", &other_access), 204);
    server.clock.set(NOW + 30 * 24 * 3600 - 1);
    // Another logout, a month on, forgets what has expired; nothing else.
    assert_eq!(send(Method::Post, "/auth/refresh", &other_refresh), 200);
    assert_eq!(send(Method::Delete, "/auth/logout2", &other_refresh), 200);
    assert_eq!(send(Method::Post, "/auth/refresh", &refresh), 401);
}

/// The clock stands still: all of this happens within one second, in which tokens cannot tell their age.
#[test]
fn a_change_of_password_ends_the_refresh_tokens_of_that_user_at_once() {
    let server = Server::new();
    let refresh = |token: &str| server.send(Ask::new(Method::Post, "/auth/refresh").bearer(token)).status;
    let (access, before) = server.log_in("user", "password").tokens();
    let (_, guest) = server.log_in("guest", "guest").tokens();
    let change = Ask::new(Method::Put, "/api/users/1").bearer(&access).body(USER);
    assert_eq!(server.send(change).status, 200);
    assert_eq!(refresh(&before), 401);
    assert_eq!(refresh(&guest), 200);
    let (_, after) = server.log_in("changed", "changed").tokens();
    assert_eq!(refresh(&after), 200);
    // The access token lives on, as recorded.
    let again = Ask::new(Method::Put, "/api/users/1").bearer(&access).body(USER);
    assert_eq!(server.send(again).status, 200);
    assert_eq!(refresh(&after), 401);
}

#[test]
fn a_deleted_user_gets_in_nowhere_and_the_id_is_nobodys_again() {
    let server = Server::new();
    let (access, refresh) = server.log_in("guest", "guest").tokens();
    let send = |ask: Ask, token: &str| server.send(ask.bearer(token));
    assert_eq!(send(Ask::new(Method::Delete, "/api/users/2"), &access).status, 204);
    assert_eq!(server.log_in("guest", "guest").status, 401);
    let created =
        server.send(Ask::new(Method::Post, "/api/users").body(r#"{"name":"guest","password":"guest"}"#));
    assert_eq!(created.json()["id"], 3);
    for (ask, token) in [
        (Ask::new(Method::Post, "/api/ships").body(SHIP), &access),
        (Ask::new(Method::Delete, "/api/users/1"), &access),
        (Ask::new(Method::Delete, "/auth/logout"), &access),
        (Ask::new(Method::Post, "/auth/refresh"), &refresh),
        (Ask::new(Method::Delete, "/auth/logout2"), &refresh),
    ] {
        let answer = send(ask, token);
        assert_eq!((answer.status, answer.json()["message"].as_str()), (401, Some("Unknown user.")));
    }
    assert_eq!(send(Ask::new(Method::Put, "/api/users/2").body(USER), &access).status, 404);
    assert_eq!(send(Ask::new(Method::Delete, "/api/users/2"), &access).status, 404);
}
