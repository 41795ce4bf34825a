//! Differences that `verify` allows: for each section of docs/differences.md the response of either server, to requests
//! that the section is about, and no other difference.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{json, Value};
use shipyard::contract::compare::allowed_difference::{named, Case, Side, ALL};
use shipyard::contract::compare::difference::CompareMode;
use shipyard::contract::recording::history::History;
use shipyard::contract::recording::message::{Request, Response};
use shipyard::contract::recording::transcript::Exchange;

use test_support::forge::{claims, header, sign, without_claim};
use test_support::server::NOW;

const HTML: &str = "Content-Type: text/html; charset=utf-8";
const JSON: &str = "Content-Type: application/json";

/// A response from `status header|header|...` and its body.
fn response(status: u16, headers: &[&str], body: impl ToString) -> Response {
    let pair =
        |line: &&str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
    Response {
        status_line: format!("HTTP/1.1 {status} -"),
        status,
        headers: headers.iter().map(pair).collect(),
        body: body.to_string().into_bytes(),
    }
}

fn error(status: u16, error: &str) -> Response {
    response(status, &[JSON], json!({"error": error}))
}

fn bad_request(message: Value) -> Response {
    response(400, &[JSON], json!({"error": "Bad Request", "message": message}))
}

fn made(id: u64, location: &str) -> Response {
    response(201, &[JSON, &format!("Location: {location}")], format!("{{\"crew\": 17, \"id\": {id}}}"))
}

fn ok() -> Response {
    response(200, &[JSON], json!({"id": 1}))
}

/// One difference: a request that it covers, a request that it does not, and the responses of the two servers.
struct Section {
    name: &'static str,
    concerned: Request,
    other: Option<Request>,
    original: Response,
    shipyard: Response,
}

fn curl(line: &str) -> Request {
    shipyard::contract::recording::curl::parse(&format!("curl http://localhost:5000{line}")).unwrap()
}

/// The same with a token of this kind and user, issued at this time.
fn with_token(line: &str, kind: &str, user: u64, iat: u64) -> Request {
    let mut claims = claims(kind);
    claims["identity"] = user.into();
    claims["iat"] = iat.into();
    curl(line).bearer(&sign(&header(), &claims))
}

fn sections() -> Vec<Section> {
    let section =
        |name, concerned, other, original, shipyard| Section { name, concerned, other, original, shipyard };
    let page = |status| response(status, &[HTML], "<html>");
    let empty = |status, headers: &[&str]| response(status, headers, "");
    let crew = |value: &str| curl(&format!("/api/ships -d '{{\"crew\": {value}}}'"));
    let greatest = json!({"crew": ["Must be less than or equal to 2147483647."]});
    let get = || curl("/api/ships/1");
    vec![
        section(
            "json_errors",
            curl("/nothing"),
            Some(curl("/api/ships/99")),
            page(404),
            error(404, "Not Found"),
        ),
        section(
            "json_errors",
            curl("/api/ships -X PATCH"),
            Some(get()),
            page(405),
            error(405, "Method Not Allowed"),
        ),
        section(
            "options",
            curl("/api/ships -X OPTIONS"),
            Some(curl("/nothing -X OPTIONS")),
            empty(200, &[]),
            empty(204, &["Allow: GET"]),
        ),
        section(
            "malformed_json",
            curl("/api/users -d '{'"),
            Some(curl("/api/users -d '{}'")),
            page(400),
            bad_request(json!("at line 1")),
        ),
        section(
            "malformed_json",
            curl("/auth/login -d '[]' -H 'Content-Type: application/json'"),
            Some(curl("/auth/login -d '[]'")),
            page(500),
            bad_request(json!("an object")),
        ),
        section(
            "strict_integers",
            crew("\" 7 \""),
            Some(crew("7")),
            ok(),
            bad_request(json!({"crew": ["Not a valid integer."]})),
        ),
        section(
            "strict_integers",
            crew("1.5"),
            Some(crew("1.0")),
            ok(),
            bad_request(json!({"crew": ["Not a valid integer."]})),
        ),
        section(
            "greatest_integer",
            crew("2147483648"),
            Some(crew("2147483647")),
            ok(),
            bad_request(greatest),
        ),
        section(
            "one_address",
            curl("/api/ships/01"),
            Some(curl("/api/ships/10")),
            ok(),
            error(404, "Not Found"),
        ),
        section(
            "one_address",
            curl("/api/ships/+1"),
            Some(curl("/api/ships/0")),
            ok(),
            error(404, "Not Found"),
        ),
        section(
            "rename_to_a_taken_name",
            curl("/api/users/1 -X PUT -d '{\"name\": \"guest\"}'"),
            Some(curl("/api/users/1 -X PUT -d '{\"name\": \"free\"}'")),
            ok(),
            bad_request(json!("User already exists.")),
        ),
        section(
            "ids_are_never_reused",
            with_token("/api/users/3 -X PUT", "access", 3, NOW + 1),
            Some(with_token("/api/users/1 -X PUT", "access", 1, NOW + 1)),
            ok(),
            error(404, "Not Found"),
        ),
        section(
            "ids_are_never_reused",
            curl("/api/ships -d '{}'"),
            Some(curl("/api/ships/17 -X PUT -d '{}'")),
            made(17, "http://localhost:5000/api/ships/17"),
            made(18, "http://localhost:5000/api/ships/18"),
        ),
        section(
            "incomplete_tokens",
            curl("/api/ships").bearer(&without_claim("access", "jti")),
            Some(with_token("/api/ships", "access", 1, NOW + 1)),
            ok(),
            error(422, "Missing claim: jti"),
        ),
        section(
            "last_second_of_a_token",
            with_token("/api/ships", "access", 1, NOW + 1),
            Some(get()),
            ok(),
            error(401, "Token has expired"),
        ),
        section(
            "tokens_of_deleted_users",
            with_token("/api/ships -X POST", "access", 3, NOW + 1),
            Some(with_token("/auth/refresh -X POST", "refresh", 3, NOW + 1)),
            ok(),
            response(401, &[JSON], json!({"error": "Unauthorized", "message": "Unknown user."})),
        ),
        section(
            "tokens_from_before_the_start",
            with_token("/api/ships", "access", 1, NOW - 1),
            Some(with_token("/api/ships", "access", 1, NOW)),
            ok(),
            error(401, "Token has been revoked"),
        ),
        section(
            "password_change_ends_refresh_tokens",
            with_token("/auth/refresh", "refresh", 2, NOW + 1),
            Some(with_token("/auth/refresh", "refresh", 2, NOW + 99)),
            ok(),
            error(401, "Token has been revoked"),
        ),
        section(
            "no_content_type_on_204",
            curl("/api/ships/1 -X DELETE"),
            None,
            empty(204, &[HTML]),
            empty(204, &[]),
        ),
        section(
            "utf8_text",
            get(),
            None,
            response(200, &[JSON], "{\"model\": \"\\u00e9\"}"),
            response(200, &[JSON], "{\"model\": \"é\"}"),
        ),
        section(
            "limited_bodies",
            curl(&format!("/api/users -d '{}'", " ".repeat(64 * 1024 + 1))),
            Some(curl(&format!("/api/users -d '{}'", " ".repeat(64 * 1024)))),
            ok(),
            error(413, "Payload Too Large"),
        ),
        section(
            "limited_lengths",
            curl(&format!("/api/users -d '{{\"name\": \"{}\"}}'", "n".repeat(65))),
            Some(curl(&format!("/api/users -d '{{\"name\": \"{}\"}}'", "n".repeat(64)))),
            ok(),
            bad_request(json!({"name": ["Longer than maximum length 64."]})),
        ),
        section(
            "visible_names",
            curl("/api/users -d '{\"name\": \"user\\u200b\"}'"),
            Some(curl("/api/users -d '{\"name\": \"user\"}'")),
            ok(),
            bad_request(json!({"name": ["May not contain U+200B."]})),
        ),
        section(
            "one_authorization_header",
            get().bearer("a").bearer("b"),
            Some(get().bearer("a")),
            ok(),
            error(422, "Bad Authorization header"),
        ),
    ]
}

/// User 3 was deleted, another user was created, and user 2 changed the password, ten seconds after the start.
fn history() -> History {
    let people = [(1, "user"), (2, "guest")].map(|(id, name)| (id, (name.to_owned(), "secret".to_owned())));
    History {
        people: people.into(),
        deleted: BTreeSet::from([3]),
        reused: BTreeSet::from([3]),
        changed: BTreeMap::from([(2, NOW + 10)]),
        used: BTreeMap::from([("/api/ships".to_owned(), BTreeSet::from([16, 17]))]),
    }
}

fn explains(name: &str, request: &Request, recorded: &Response, live: &Response, side: Side) -> bool {
    explains_after(&history(), name, request, recorded, live, side)
}

fn explains_after(
    history: &History,
    name: &str,
    request: &Request,
    recorded: &Response,
    live: &Response,
    side: Side,
) -> bool {
    // The last second of a token is that of its `exp`.
    let date = if name == "last_second_of_a_token" { NOW + 901 } else { NOW + 20 };
    let exchange = Exchange {
        name: "01-case".to_owned(),
        command: String::new(),
        request: request.clone(),
        response: recorded.clone(),
        date,
    };
    let case = Case { exchange: &exchange, start: NOW, history, mode: CompareMode::Exact };
    named(name).unwrap().explains(&case, live, side)
}

/// With the `Server` header of the recorded original.
fn of_the_original(response: &Response) -> Response {
    let mut response = response.clone();
    response.headers.push(("Server".to_owned(), "Werkzeug/1.0.1 Python/3.11.7".to_owned()));
    response
}

#[test]
fn allows_each_difference_in_either_direction() {
    for Section { name, concerned, original, shipyard, .. } in sections() {
        assert!(explains(name, &concerned, &original, &shipyard, Side::Shipyard), "{name}: {concerned:?}");
        assert!(explains(name, &concerned, &shipyard, &original, Side::Original), "{name}: {concerned:?}");
    }
}

/// What one server may do is not allowed to the other.
#[test]
fn rejects_each_difference_in_the_wrong_direction() {
    for Section { name, concerned, original, shipyard, .. } in sections() {
        assert!(!explains(name, &concerned, &original, &shipyard, Side::Original), "{name}: {concerned:?}");
        assert!(!explains(name, &concerned, &shipyard, &original, Side::Shipyard), "{name}: {concerned:?}");
        // The original's response equals this server's, so it is the expected one.
        let recorded = of_the_original(&shipyard);
        assert!(!explains(name, &concerned, &recorded, &original, Side::Original), "{name}: {concerned:?}");
    }
}

/// Responses that look like those of one server, to requests that no difference covers.
#[test]
fn rejects_a_deviation_that_no_difference_covers() {
    let page = response(404, &[HTML], "<html>");
    let unknown = response(401, &[JSON], json!({"error": "Unauthorized", "message": "Unknown user."}));
    let revoked = error(401, "Token has been revoked");
    // The user is deleted, and no user was created since.
    let deleted = History { reused: BTreeSet::new(), ..history() };
    let own = |method: &str| with_token(&format!("/api/users/3 -X {method}"), "access", 3, NOW + 1);
    let form = curl("/auth/login -d 'username=user'");
    let internal = response(500, &[JSON], json!({"error": "Internal Server Error"}));
    let bad_signature = with_token("/api/ships/1 -X DELETE", "access", 1, NOW - 3);
    let failed = error(422, "Signature verification failed");
    for (name, request, recorded, live) in [
        ("ids_are_never_reused", own("DELETE"), error(404, "Not Found"), response(204, &[], "")),
        ("ids_are_never_reused", own("PUT"), error(404, "Not Found"), ok()),
        ("tokens_of_deleted_users", own("DELETE"), unknown.clone(), response(204, &[], "")),
        (
            "tokens_of_deleted_users",
            with_token("/auth/refresh -X POST", "refresh", 3, NOW + 1),
            unknown,
            ok(),
        ),
        ("json_errors", curl("/api/ships/99"), error(404, "Not Found"), page.clone()),
        ("json_errors", curl("/api/users/99 -X PUT"), error(404, "Not Found"), page),
        ("malformed_json", form, error(400, "Bad Request"), internal),
        ("tokens_from_before_the_start", bad_signature.clone(), failed.clone(), revoked.clone()),
        ("tokens_from_before_the_start", bad_signature, revoked, failed),
    ] {
        for (recorded, live) in [(&recorded, &live), (&live, &recorded)] {
            for side in [Side::Original, Side::Shipyard] {
                let explained = explains_after(&deleted, name, &request, recorded, live, side);
                assert!(!explained, "{name}, {side:?}: {request:?}: {recorded:?} / {live:?}");
            }
        }
    }
}

#[test]
fn allows_no_other_difference() {
    let broken = [
        response(500, &[JSON], json!({"error": "Internal Server Error"})),
        response(200, &[JSON], json!({"id": 99})),
        error(401, "Unauthorized"),
        error(418, "Not Found"),
        response(204, &["Content-Type: text/plain"], ""),
        response(204, &["Content-Length: 0"], ""),
    ];
    for Section { name, concerned, other, original, shipyard } in sections() {
        if let Some(other) = other {
            assert!(!explains(name, &other, &original, &shipyard, Side::Shipyard), "{name}: {other:?}");
            assert!(!explains(name, &other, &shipyard, &original, Side::Original), "{name}: {other:?}");
        }
        for answer in &broken {
            assert!(!explains(name, &concerned, &original, answer, Side::Shipyard), "{name}: {answer:?}");
        }
    }
    // A 404 instead of a 405 is another error, whatever its form.
    let page = response(405, &[HTML], "<html>");
    let patch = curl("/api/ships -X PATCH");
    assert!(!explains("json_errors", &patch, &page, &error(404, "Not Found"), Side::Shipyard));
    let text = |text: &str| response(200, &[JSON], text);
    let (escaped, other) = (text("{\"a\": \"\\u00e9\"}"), text("{\"a\": \"è\"}"));
    assert!(!explains("utf8_text", &curl("/a"), &escaped, &other, Side::Shipyard));
}

/// A new id instead of a reused one: it must be new, and everything else must be equal.
#[test]
fn compares_everything_else_when_ids_are_not_reused() {
    let create = curl("/api/ships -d '{}'");
    let at = |id: u64| format!("http://localhost:5000/api/ships/{id}");
    let recorded = made(17, &at(17));
    let tolerated =
        |live: &Response| explains("ids_are_never_reused", &create, &recorded, live, Side::Shipyard);
    assert!(tolerated(&made(18, &at(18))));
    assert!(tolerated(&made(1000, &at(1000))));
    let body = |body: &str| Response { body: body.as_bytes().to_vec(), ..made(18, &at(18)) };
    for other in [
        made(16, &at(16)),
        made(18, &at(17)),
        made(18, &at(19)),
        made(18, "http://elsewhere/api/ships/18"),
        body("{\"crew\": 18, \"id\": 18}"),
        body("{\"crew\": 17, \"id\":18}"),
        body("{\"crew\": 17, \"id\": \"18\"}"),
        Response { status: 200, ..made(18, &at(18)) },
        error(404, "Not Found"),
    ] {
        assert!(!tolerated(&other), "{other:?}");
    }
    // An id that was never assigned before must be new on both servers.
    assert!(!explains(
        "ids_are_never_reused",
        &create,
        &made(18, &at(18)),
        &made(19, &at(19)),
        Side::Shipyard
    ));
}

/// A difference that a single response cannot show never allows another response.
#[test]
fn tests_every_difference_that_can_be_observed() {
    let tried: BTreeSet<&str> = sections().iter().map(|section| section.name).collect();
    let unseen: Vec<&str> = ALL.iter().map(|known| known.name).filter(|name| !tried.contains(name)).collect();
    assert_eq!(
        unseen,
        ["hashed_passwords", "challenge_on_401", "atomic_writes", "limited_rates", "limited_storage"]
    );
    for name in unseen {
        for Section { concerned, original, shipyard, .. } in sections() {
            assert!(!explains(name, &concerned, &original, &shipyard, Side::Shipyard), "{name}");
            assert!(!explains(name, &concerned, &shipyard, &original, Side::Original), "{name}");
        }
    }
}
