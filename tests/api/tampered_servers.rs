//! `shipyard verify` against this server with one response changed: it detects every fault and accepts every
//! allowed difference.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{json, Value};

use test_support::forge::{header, sign};
use test_support::program::{here, shipyard, verify, Run, Serving};
use test_support::server::SECRET;
use test_support::transcript::claims;

/// What happens to a request: it is forwarded, perhaps changed, or the proxy responds itself.
pub(crate) enum Passed {
    Forward(String),
    Respond(String),
}

/// This server behind a proxy that changes requests and responses, and its address.
pub(crate) struct Tampered {
    url: String,
    _server: Serving,
}

fn tampered(
    on_request: impl Fn(String) -> Passed + Send + 'static,
    on_response: impl Fn(&str, String) -> String + Send + 'static,
) -> Tampered {
    tampered_with(move |_, text| on_request(text), move |_, request, text| on_response(request, text))
}

/// The server behind the proxy, which can also send it requests of its own.
pub(crate) struct Inner(u16);

impl Inner {
    /// The server's response to these bytes.
    pub(crate) fn send(&self, request: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.0)).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        connection.read_to_string(&mut text).unwrap();
        text
    }
}

pub(crate) fn tampered_with(
    mut on_request: impl FnMut(&Inner, String) -> Passed + Send + 'static,
    mut on_response: impl FnMut(&Inner, &str, String) -> String + Send + 'static,
) -> Tampered {
    let key = String::from_utf8(SECRET.to_vec()).unwrap();
    let server =
        Serving::start(shipyard(here(), &["--port", "0", "--json", "compact"]).env("ROCKET_JWT_SECRET", key));
    let inner = Inner(server.port);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let request = read_request(&mut connection);
            let text = match on_request(&inner, request.clone()) {
                Passed::Respond(text) => text,
                Passed::Forward(text) => {
                    let text = inner.send(&text);
                    with_length(on_response(&inner, &request, text))
                }
            };
            let _ = connection.write_all(text.as_bytes());
        }
    });
    Tampered { url, _server: server }
}

fn read_request(connection: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        match connection.read(&mut buffer).unwrap() {
            0 => return text,
            count => text += std::str::from_utf8(&buffer[..count]).unwrap(),
        }
    }
}

/// With a correct Content-Length, if there is one.
pub(crate) fn with_length(text: String) -> String {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return text };
    let lines =
        head.split("\r\n").map(|line| match line.to_ascii_lowercase().starts_with("content-length:") {
            true => format!("Content-Length: {}\r\n", body.len()),
            false => format!("{line}\r\n"),
        });
    lines.collect::<String>() + "\r\n" + body
}

fn on(request: String) -> Passed {
    Passed::Forward(request)
}

fn same(_: &str, response: String) -> String {
    response
}

pub(crate) fn response(status: &str, body: &str) -> Passed {
    let label = if body.starts_with('<') { "text/html" } else { "application/json" };
    Passed::Respond(format!(
        "HTTP/1.1 {status}\r\nContent-Type: {label}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

pub(crate) fn verified(server: &Tampered, scenario: &str, more: &[&str]) -> Run {
    verify(&[&["--url", &server.url, "--scenario", scenario], more].concat())
}

pub(crate) fn with_key() -> [&'static str; 2] {
    ["--secret", std::str::from_utf8(SECRET).unwrap()]
}

/// Behavior of the original from a server that otherwise behaves like this one, and the reverse.
#[test]
fn rejects_what_is_allowed_only_to_the_other_side() {
    let never_deletes = tampered(
        |request| match request.starts_with("DELETE /api/users/1 ") && request.contains("Bearer") {
            true => Passed::Respond("HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
            false => Passed::Forward(request),
        },
        same,
    );
    let done = verified(&never_deletes, "user-errors", &[]);
    assert_eq!(done.code, Some(1), "{done:?}");
    for exchange in ["21-delete-own-again", "22-update-deleted-user", "23-refresh-for-deleted-user"] {
        assert!(done.stdout.contains(&format!("MISMATCH  user-errors/{exchange}")), "{exchange}: {done:?}");
    }
    let page = tampered(on, |_, response| match response.starts_with("HTTP/1.1 404") {
        true => "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n<h1>Not Found</h1>".to_owned(),
        false => response,
    });
    let done = verified(&page, "ship-errors", &[]);
    assert!(done.stdout.contains("MISMATCH  ship-errors/02-get-unknown"), "{done:?}");
    let fails = tampered(
        |request| match request.contains("username=user") {
            true => response("500 Internal Server Error", "{\"error\": \"Internal Server Error\"}"),
            false => Passed::Forward(request),
        },
        same,
    );
    let done = verified(&fails, "login-errors", &[]);
    assert!(done.stdout.contains("MISMATCH  login-errors/06-not-json"), "{done:?}");
}

/// This server, but the new ship's id 16 becomes `id`, and its Location ends in `last`.
fn renumbered(id: &'static str, last: &'static str) -> Tampered {
    let path = format!("/api/ships/{id} ");
    tampered(
        move |request| {
            let request = request.replacen(&path, "/api/ships/16 ", 1);
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            Passed::Forward(with_length(format!(
                "{head}\r\n\r\n{}",
                body.replace(&format!("\"id\":{id}"), "\"id\":16")
            )))
        },
        move |_, response| {
            let response = response.replace("/api/ships/16", &format!("/api/ships/{last}"));
            response.replace("\"id\":16", &format!("\"id\":{id}"))
        },
    )
}

#[test]
fn a_location_must_name_the_created_resource() {
    let done = verified(&renumbered("1000", "1000"), "readme", &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    // Not even if it is the recorded id.
    for last in ["16", "1001", "+1000", "001000"] {
        let done = verified(&renumbered("1000", last), "readme", &[]);
        assert_eq!(done.code, Some(1), "{last}: {done:?}");
        assert!(done.stdout.contains("MISMATCH  readme/10-create-ship"), "{last}: {done:?}");
    }
}

#[test]
fn a_new_id_must_be_new_and_in_range() {
    for (id, reason) in [
        ("4", "id: 4 is that of something else in /api/ships already"),
        ("15", "id: 15 is that of something else in /api/ships already"),
        ("0", "id: 0 is not from 1 to 2147483647"),
        ("3000000000", "id: 3000000000 is not from 1 to 2147483647"),
    ] {
        let done = verified(&renumbered(id, id), "readme", &[]);
        assert_eq!(done.code, Some(1), "{id}: {done:?}");
        assert!(done.stdout.contains(reason), "{id}: {done:?}");
    }
}

/// The Date comes from another clock than the tokens, as behind a proxy.
#[test]
fn ignores_a_date_header_from_a_proxy() {
    for seconds in [-60, -6, 6, 60] {
        let server = tampered(on, move |_, response| {
            let head = response.split("\r\n\r\n").next().unwrap();
            let is_date = |line: &&str| line.to_ascii_lowercase().starts_with("date:");
            let date = head.split("\r\n").find(is_date).expect("a Date").to_owned();
            let shown = httpdate::parse_http_date(date[5..].trim()).unwrap();
            let shown = shown.duration_since(UNIX_EPOCH).unwrap().as_secs().saturating_add_signed(seconds);
            let shown = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(shown));
            response.replace(&date, &format!("Date: {shown}"))
        });
        let done = verified(&server, "token-errors", &with_key());
        assert_eq!(done.code, Some(0), "{seconds}: {done:?}");
    }
}

/// The tokens of every login but the first are replaced by others with valid signatures.
fn with_other_hidden_tokens(change: fn(&mut Value)) -> Tampered {
    let logins = AtomicUsize::new(0);
    tampered(on, move |request, response| {
        if !request.starts_with("POST /auth/login ") || logins.fetch_add(1, Ordering::SeqCst) == 0 {
            return response;
        }
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let mut body: Value = serde_json::from_str(body).unwrap();
        for token in body.as_object_mut().into_iter().flat_map(|members| members.values_mut()) {
            let Some(text) = token.as_str().filter(|text| text.split('.').count() == 3) else { continue };
            let mut claims = claims(text);
            change(&mut claims);
            *token = sign(&header(), &claims).into();
        }
        format!("{head}\r\n\r\n{body}")
    })
}

/// Scenarios use tokens of logins that they do not show. These tokens are examined as well.
#[test]
fn examines_the_tokens_of_extra_logins() {
    for (change, reason) in [
        // `sign` writes the claims in another order.
        ((|_| {}) as fn(&mut Value), "access_token: the claims and their order: recorded iat nbf jti exp"),
        (
            |claims| claims["exp"] = json!(claims["exp"].as_u64().unwrap() + 1),
            "access_token: the lifetime (exp - iat): recorded 900 s, here 901 s",
        ),
        // The recording uses no refresh token of that login.
        (
            |claims| claims["type"] = json!("access"),
            "refresh_token: type: recorded \"refresh\", here \"access\"",
        ),
        (
            |claims| {
                let id = "0D6FE1B4-6F0E-4C0A-9F4E-3B0F5B9F0A00";
                let is_access = claims["type"] == "access";
                claims["jti"] = json!(if is_access { id.to_owned() } else { id.to_lowercase() });
            },
            "refresh_token: jti: another token has the same",
        ),
    ] {
        let done = verified(&with_other_hidden_tokens(change), "readme", &[]);
        assert_eq!(done.code, Some(1), "{reason}: {done:?}");
        let (_, shown) =
            done.stdout.split_once("MISMATCH  readme/06-update-user").expect("06 needs its token");
        let (shown, _) = shown.split_once("\nok  ").unwrap();
        let login = "POST /auth/login as \"new user\", which the recording does not show: ";
        assert!(shown.contains(&format!("{login}{reason}")), "{reason}: {done:?}");
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A server may check in any order, as long as a token has only one flaw.
#[test]
fn a_damaged_token_has_exactly_one_flaw() {
    let start = now();
    for (claim, limit, error) in
        [("exp", None, "Token has expired"), ("iat", Some(start), "Token has been revoked")]
    {
        let server = tampered(
            move |request| {
                let token = request.lines().find_map(|line| line.strip_prefix("Authorization: Bearer "));
                let time = token
                    .filter(|token| token.split('.').count() == 3)
                    .and_then(|token| claims(token)[claim].as_u64());
                match time {
                    Some(time) if time < limit.unwrap_or_else(now) => {
                        response("401 Unauthorized", &json!({"error": error}).to_string())
                    }
                    _ => Passed::Forward(request),
                }
            },
            same,
        );
        let done = verified(&server, "token-errors", &[]);
        assert_eq!(done.code, Some(0), "{claim}: {done:?}");
        for exchange in ["06-bad-signature", "07-alg-none"] {
            assert!(done.stdout.contains(&format!("ok        token-errors/{exchange}")), "{claim}: {done:?}");
        }
    }
}

#[test]
fn numbers_1_and_1_0_are_equal() {
    let server = tampered(on, |_, response| {
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let body = body.replace("\"crew\":1,", "\"crew\":1.0,").replace("\"id\":16", "\"id\":1.6e1");
        format!("{head}\r\n\r\n{body}")
    });
    let done = verified(&server, "readme", &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let other = tampered(on, |_, response| response.replace("\"crew\":1,", "\"crew\":1.5,"));
    assert_eq!(verified(&other, "readme", &[]).code, Some(1));
}

#[test]
fn reports_a_login_response_that_is_not_json() {
    let logins = AtomicUsize::new(0);
    let server = tampered(on, move |request, response| {
        if request.starts_with("POST /auth/login ") && logins.fetch_add(1, Ordering::SeqCst) > 0 {
            return response.replace("\r\n\r\n", "\r\n\r\n\u{feff}");
        }
        response
    });
    let done = verified(&server, "readme", &[]);
    let expected = "200, but its body is not JSON: unexpected byte order mark";
    assert!(done.stdout.contains(expected), "{done:?}");
}

/// A server that hangs while a token is fetched is waited for only once.
#[test]
fn reports_a_hang_in_an_extra_login_once() {
    let logins = Arc::new(AtomicUsize::new(0));
    let server = tampered(
        move |request| {
            let is_login = request.starts_with("POST /auth/login ");
            if is_login && logins.fetch_add(1, Ordering::SeqCst) == 1 {
                std::thread::sleep(Duration::from_secs(20));
            }
            Passed::Forward(request)
        },
        same,
    );
    let start = Instant::now();
    let done = verified(&server, "readme", &["--timeout", "2"]);
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    assert_eq!(done.stdout.matches("no response within 2 s").count(), 1, "{done:?}");
    assert!(done.stdout.contains("not run   readme/07-delete-user"), "{done:?}");
}

#[test]
fn accepts_a_url_scheme_in_capitals() {
    let server = tampered(on, same);
    let url = server.url.replace("http://", "HTTP://");
    let done = verify(&["--url", &url]);
    assert_eq!(done.code, Some(0), "{done:?}");
}
