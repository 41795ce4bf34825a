//! `Expect: 100-continue` (RFC 9110, section 10.1.1): the server requests a body only if the head does not decide the
//! response, and changes nothing before the body arrives.

use rocket::http::Method;
use serde_json::{json, Value};
use shipyard::auth::rate_limit::Rates;
use shipyard::config::Settings;
use shipyard::http::HttpLimits;

use test_support::http_server::{HttpServer, RawClient, RawResponse, Setup, State};
use test_support::server::settings;

const LABEL: &str = "Content-Type: application/json\r\n";

/// The limits admit one request of each kind an hour.
fn start() -> HttpServer {
    let hourly = |text: &str| text.parse().unwrap();
    let rates =
        Rates { by_address: hourly("3/hour"), by_user: hourly("3/hour"), overall: hourly("100/hour") };
    Setup::with_settings(
        HttpLimits { workers: 2, ..HttpLimits::default() },
        Settings { rates: Some(rates), ..settings() },
    )
    .start()
}

fn head(method: Method, path: &str, fields: &str, length: usize) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{fields}Content-Length: {length}\r\n\r\n"
    )
}

fn whole(server: &HttpServer, method: Method, path: &str, fields: &str, body: &str) -> RawResponse {
    let mut client = server.connect();
    let length = body.len();
    client.send(format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    ));
    client.response().expect("a response")
}

fn bearer(token: &Value) -> String {
    format!("Authorization: Bearer {}\r\n", token.as_str().unwrap())
}

/// The Authorization fields for the two tokens of user 1.
fn tokens(server: &HttpServer) -> (String, String) {
    let log_in = json!({"username": "user", "password": "password"}).to_string();
    let response = whole(server, Method::Post, "/auth/login", LABEL, &log_in);
    assert_eq!(response.status, 200, "{response:?}");
    let tokens = response.json();
    (bearer(&tokens["access_token"]), bearer(&tokens["refresh_token"]))
}

/// All stored data.
fn stored(server: &HttpServer) -> [Vec<u8>; 2] {
    ["/api/ships", "/api/users"].map(|path| whole(server, Method::Get, path, "", "").body)
}

#[test]
fn responds_at_once_when_the_head_decides() {
    let server = start();
    let (access, refresh) = tokens(&server);
    let large = 1_000_000;
    let cases = [
        (Method::Post, "/nothing", String::new(), 9, 404),
        (Method::Put, "/api/ships/01", access.clone(), 9, 404),
        (Method::Post, "/api//ships", access.clone(), 9, 404),
        (Method::Post, "/api/ships/1", access.clone(), 9, 405),
        (Method::Patch, "/api/ships", access.clone(), 9, 405),
        (Method::Post, "/api/ships", String::new(), 9, 401),
        (Method::Post, "/api/ships", refresh.clone(), 9, 422),
        (Method::Put, "/api/ships/1", "Authorization: Bearer x\r\n".to_owned(), large, 422),
        (Method::Put, "/api/users/2", access.clone(), 9, 403),
        (Method::Put, "/api/users/1", String::new(), large, 401),
        (Method::Post, "/api/ships", access.clone(), large, 413),
        (Method::Put, "/api/ships/1", access.clone(), 65_537, 413),
        (Method::Post, "/api/users", String::new(), large, 413),
        (Method::Put, "/api/users/1", access.clone(), large, 413),
        (Method::Post, "/auth/login", LABEL.to_owned(), large, 413),
        (Method::Post, "/auth/login", String::new(), 9, 400),
        // Operations without a body do not request one.
        (Method::Get, "/api/ships/2", String::new(), 9, 200),
        (Method::Delete, "/api/ships/1", String::new(), 9, 401),
        (Method::Delete, "/auth/logout", access.clone(), 9, 200),
        (Method::Post, "/auth/refresh", access.clone(), 9, 422),
        (Method::Options, "*", String::new(), 9, 204),
    ];
    let before = stored(&server);
    for (method, path, fields, length, status) in cases {
        let what = format!("{method} {path} {length}");
        let mut client = server.connect();
        client.send(head(method, path, &fields, length));
        let response = client.response().unwrap_or_else(|reason| panic!("{what}: {reason}"));
        assert_eq!(
            (response.status, response.header("Connection")),
            (status, Some("close")),
            "{what}: {response:?}"
        );
        client.finish();
        assert_eq!(client.end().0, State::Closed, "{what}");
        // The length of a chunked body is unknown.
        if status != 413 {
            let mut client = server.connect();
            let chunked = format!("Content-Length: {length}\r\n");
            client.send(
                head(method, path, &fields, length).replace(&chunked, "Transfer-Encoding: chunked\r\n"),
            );
            let expected = if path == "/auth/logout" { 401 } else { status };
            assert_eq!(client.response().expect("a response").status, expected, "{what}, chunked");
        }
    }
    assert_eq!(stored(&server), before);
}

/// Operations that read a body, each with a valid body.
fn with_bodies(access: &str) -> [(Method, &'static str, String, String, u16); 5] {
    let ship = json!({"affiliation": "a", "category": "b", "crew": 1, "length": 1, "manufacturer": "c", "model": "d",
        "roles": [], "ship_class": "e"})
    .to_string();
    let user = |name: &str| json!({"name": name, "password": "password"}).to_string();
    let log_in = json!({"username": "user", "password": "password"}).to_string();
    [
        (Method::Post, "/api/ships", access.to_owned(), ship.clone(), 201),
        (Method::Put, "/api/ships/1", access.to_owned(), ship, 200),
        (Method::Post, "/auth/login", LABEL.to_owned(), log_in, 200),
        (Method::Post, "/api/users", String::new(), user("new"), 201),
        (Method::Put, "/api/users/1", access.to_owned(), user("changed"), 200),
    ]
}

fn begin(server: &HttpServer, method: Method, path: &str, fields: &str, body: &str) -> RawClient {
    let mut client = server.connect();
    client.send(head(method, path, fields, body.len()));
    let interim = client.response().expect("a response");
    assert_eq!((interim.status, interim.headers.as_slice()), (100, &[][..]), "{method} {path}");
    client
}

#[test]
fn requests_a_needed_body_and_changes_nothing_before_it_arrives() {
    let server = start();
    let (access, _) = tokens(&server);
    let before = stored(&server);
    for (method, path, fields, body, _) in with_bodies(&access) {
        // More often than any rate limit allows.
        for _ in 0..5 {
            drop(begin(&server, method, path, &fields, &body));
        }
    }
    assert_eq!(stored(&server), before);
    for (method, path, fields, body, status) in with_bodies(&access) {
        let mut client = begin(&server, method, path, &fields, &body);
        client.send(&body);
        let response = client.response().expect("a response");
        assert_eq!(
            (response.status, response.header("Connection")),
            (status, None),
            "{method} {path}: {response:?}"
        );
        assert_eq!(client.state(), State::Open, "{method} {path}");
    }
}

/// A request with Expect counts like any other: otherwise a client could guess passwords without a limit.
#[test]
fn a_request_with_expect_counts_once() {
    let server = start();
    let wrong = json!({"username": "user", "password": "wrong"}).to_string();
    let statuses = [(); 5].map(|()| {
        let mut client = begin(&server, Method::Post, "/auth/login", LABEL, &wrong);
        client.send(&wrong);
        client.response().expect("a response").status
    });
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    let server = start();
    let (_, refresh) = tokens(&server);
    let statuses = [(); 5].map(|()| {
        let mut client = server.connect();
        client.send(head(Method::Post, "/auth/refresh", &refresh, 9));
        client.response().expect("a response").status
    });
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}

/// Otherwise a client with a stolen token could keep requests open for later.
#[test]
fn rejects_a_token_that_is_invalid_once_the_body_arrives() {
    let server = start();
    let (access, _) = tokens(&server);
    let before = stored(&server);
    let [(method, path, fields, body, _), ..] = with_bodies(&access);
    let mut client = begin(&server, method, path, &fields, &body);
    assert_eq!(whole(&server, Method::Delete, "/auth/logout", &access, "").status, 200);
    client.send(&body);
    assert_eq!(client.response().expect("a response").status, 401);
    assert_eq!(stored(&server), before);
}

#[test]
fn a_promised_body_that_never_arrives_times_out() {
    let limits = HttpLimits { body_timeout: std::time::Duration::from_millis(500), ..HttpLimits::default() };
    let server = HttpServer::start(limits);
    let mut client = server.connect();
    client.send(head(Method::Post, "/api/users", "", 9));
    assert_eq!(client.response().expect("a response").status, 100);
    assert_eq!(client.response().expect("a response").status, 408);
    // A body that is sent without waiting is read.
    let mut client = server.connect();
    let body = json!({"name": "new", "password": "password"}).to_string();
    client.send(head(Method::Post, "/api/users", "", body.len()) + &body);
    let first = client.response().expect("a response").status;
    let last = if first == 100 { client.response().expect("a response").status } else { first };
    assert_eq!(last, 201);
}
