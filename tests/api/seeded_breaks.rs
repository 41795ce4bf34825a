//! `shipyard verify` against this server with one rule broken: the exchange that covers the rule detects it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{json, Value};

use crate::tampered_servers::{tampered_with, verified, with_key, with_length, Inner, Passed, Tampered};
use test_support::transcript::claims;

/// A request as received.
struct Request {
    text: String,
}

impl Request {
    fn is(&self, method: &str, path: &str) -> bool {
        let line = self.text.lines().next().unwrap_or_default();
        let mut words = line.split(' ');
        (words.next(), words.next().is_some_and(|target| target.starts_with(path))) == (Some(method), true)
    }

    fn path(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    fn token(&self) -> Option<&str> {
        self.text.lines().find_map(|line| line.strip_prefix("Authorization: Bearer "))
    }

    /// The claims of its token, if it has one.
    fn claims(&self) -> Option<Value> {
        self.token().filter(|token| token.split('.').count() == 3).map(claims)
    }

    /// The same request with another token.
    fn with_token(&self, token: &str) -> String {
        let (head, body) = self.text.split_once("\r\n\r\n").unwrap();
        let lines = head.split("\r\n").filter(|line| !line.starts_with("Authorization:"));
        format!("{}\r\nAuthorization: Bearer {token}\r\n\r\n{body}", lines.collect::<Vec<_>>().join("\r\n"))
    }
}

fn encode(line: &str, token: &str, body: &str) -> String {
    let label = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{label}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn body_of(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// A token of this kind and user, from a login outside the scenario.
fn token_of(inner: &Inner, name: &str, password: &str, kind: &str) -> Option<String> {
    let login = json!({"username": name, "password": password}).to_string();
    let response =
        inner.send(&encode("POST /auth/login", "", &login).replace("Authorization: Bearer \r\n", ""));
    let body: Value = serde_json::from_str(body_of(&response)).unwrap();
    Some(body.get(format!("{kind}_token"))?.as_str()?.to_owned())
}

/// This server, but a rejected request for which `token_kind` names a kind is sent again with a valid token of user 2.
fn lax(token_kind: impl Fn(&Request) -> Option<&'static str> + Send + 'static) -> Tampered {
    tampered_with(
        move |inner, text| {
            let request = Request { text };
            let response = inner.send(&request.text);
            let is_refused = ["HTTP/1.1 401", "HTTP/1.1 422"].iter().any(|line| response.starts_with(line));
            let kind = token_kind(&request).filter(|_| is_refused);
            match kind.and_then(|kind| token_of(inner, "guest", "guest", kind)) {
                Some(token) => Passed::Respond(inner.send(&request.with_token(&token))),
                None => Passed::Respond(response),
            }
        },
        |_, _, response| response,
    )
}

/// Checks that `verify` reports the break at this exchange, perhaps among others.
fn is_caught(server: &Tampered, exchange: &str, what: &str) {
    let (scenario, _) = exchange.split_once('/').unwrap();
    let done = verified(server, scenario, &with_key());
    assert_eq!(done.code, Some(1), "{what} is not noticed: {done:?}");
    assert!(done.stdout.contains(&format!("MISMATCH  {exchange}  ")), "{what}: {done:?}");
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A server without a break matches.
#[test]
fn the_same_server_unbroken_matches() {
    let done = verified(&lax(|_| None), "guards", &with_key());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("88 exchanges: 88 match"), "{done:?}");
}

/// No guard, whatever the token; on one operation at a time.
#[test]
fn detects_a_missing_guard_on_one_operation() {
    for (operation, method, path, kind, number) in [
        ("ships-create", "POST", "/api/ships ", "access", 5),
        ("ships-update", "PUT", "/api/ships/", "access", 15),
        ("ships-delete", "DELETE", "/api/ships/", "access", 25),
        ("users-update", "PUT", "/api/users/", "access", 35),
        ("users-delete", "DELETE", "/api/users/", "access", 45),
        ("logout", "DELETE", "/auth/logout ", "access", 55),
        ("refresh", "POST", "/auth/refresh ", "refresh", 65),
        ("logout2", "DELETE", "/auth/logout2 ", "refresh", 75),
    ] {
        let server = lax(move |request| {
            let line = request.text.lines().next().unwrap_or_default();
            line.starts_with(&format!("{method} {path}")).then_some(kind)
        });
        is_caught(&server, &format!("guards/{number:02}-{operation}-without-token"), operation);
    }
}

#[test]
fn detects_a_token_of_the_wrong_kind() {
    let kind =
        |request: &Request| request.claims().and_then(|claims| Some(claims["type"].as_str()?.to_owned()));
    let server = lax(move |request| {
        (request.path().starts_with("/api/") && kind(request).as_deref() == Some("refresh"))
            .then_some("access")
    });
    is_caught(&server, "guards/13-ships-create-wrong-kind-of-token", "a refresh token for an access token");
    let server = lax(move |request| {
        (request.is("POST", "/auth/refresh") && kind(request).as_deref() == Some("access"))
            .then_some("refresh")
    });
    is_caught(&server, "guards/73-refresh-wrong-kind-of-token", "an access token for a refresh token");
}

/// Libraries allow a minute of leeway.
#[test]
fn detects_leeway_for_expired_tokens() {
    let server = lax(|request| {
        let claims = request.claims()?;
        let is_in_it = claims["exp"].as_u64().is_some_and(|exp| exp <= now() && now() < exp + 60);
        let kind = if claims["type"] == "access" { "access" } else { "refresh" };
        is_in_it.then_some(kind)
    });
    is_caught(&server, "guards/11-ships-create-expired-two-seconds-ago", "leeway");
}

#[test]
fn detects_a_refresh_for_another_user() {
    let server = tampered_with(
        |inner, text| {
            let request = Request { text };
            let is_good =
                request.is("POST", "/auth/refresh") && inner.send(&request.text).starts_with("HTTP/1.1 200");
            match token_of(inner, "user", "password", "refresh").filter(|_| is_good) {
                Some(token) => Passed::Forward(request.with_token(&token)),
                None => Passed::Forward(request.text),
            }
        },
        |_, _, response| response,
    );
    is_caught(&server, "second-user/02-refresh", "the first user's token for everyone");
}

/// Writes that get a success response but are not stored.
#[test]
fn detects_a_write_that_is_not_stored() {
    let unstored = |method: &'static str, path: &'static str, status: String| {
        tampered_with(
            move |inner, text| {
                let request = Request { text };
                match (request.is(method, path), method) {
                    (true, "PUT") => {
                        let before = inner.send(&encode(&format!("GET {}", request.path()), "", ""));
                        let response = inner.send(&request.text);
                        let line = format!("PUT {}", request.path());
                        inner.send(&encode(&line, request.token().unwrap_or_default(), body_of(&before)));
                        Passed::Respond(response)
                    }
                    (true, _) => Passed::Respond(status.clone()),
                    _ => Passed::Forward(request.text),
                }
            },
            |_, _, response| response,
        )
    };
    let gone = "HTTP/1.1 204 No Content\r\n\r\n".to_owned();
    let message = "{\"message\":\"Successfully logged out.\"}\n";
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json";
    let out = format!("{head}\r\nContent-Length: {}\r\n\r\n{message}", message.len());
    for (method, path, status, exchange) in [
        ("PUT", "/api/ships/", String::new(), "after-writes/06-get-updated"),
        ("DELETE", "/api/ships/", gone.clone(), "after-writes/08-get-deleted"),
        ("DELETE", "/api/users/", gone, "after-writes/22-get-deleted-user"),
        ("DELETE", "/auth/logout", out.clone(), "second-user/12-update-after-logout"),
        ("DELETE", "/auth/logout2", out, "second-user/16-refresh-after-logout2"),
    ] {
        is_caught(&unstored(method, path, status), exchange, &format!("{method} {path}"));
    }
}

#[test]
fn detects_a_list_that_is_out_of_date() {
    // Always the first list.
    let mut lists = std::collections::HashMap::new();
    let stale = tampered_with(
        |_, text| Passed::Forward(text),
        move |_, request, response| match request.starts_with("GET /api/")
            && body_of(&response).starts_with('[')
        {
            true => lists.entry(request.lines().next().unwrap().to_owned()).or_insert(response).clone(),
            false => response,
        },
    );
    is_caught(&stale, "after-writes/09-list-without-deleted", "a list that is never read again");
    // The deleted user stays at the end of the list.
    let mut deleted = None;
    let haunted = tampered_with(
        |_, text| Passed::Forward(text),
        move |_, request, response| {
            let request = Request { text: request.to_owned() };
            if request.is("PUT", "/api/users/") {
                deleted = Some(body_of(&response).trim_end().to_owned());
            }
            match deleted.as_ref().filter(|user| !body_of(&response).contains(user.as_str())) {
                Some(user) if request.path() == "/api/users" && body_of(&response).starts_with('[') => {
                    let (head, body) = response.split_once("\r\n\r\n").unwrap();
                    with_length(format!("{head}\r\n\r\n{},{user}]\n", body.trim_end().trim_end_matches(']')))
                }
                _ => response,
            }
        },
    );
    is_caught(&haunted, "after-writes/21-list-without-deleted-user", "a list with what was deleted");
}
