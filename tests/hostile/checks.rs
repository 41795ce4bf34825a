//! Order of checks over the network: the requests come from the order in the code.

use serde_json::{json, Value};
use shipyard::api::checks::{Check, HeadCheck, OperationCheck, RouteCheck};
use shipyard::auth::rate_limit::Rates;
use shipyard::config::Settings;
use shipyard::http::HttpLimits;
use shipyard::store::StoreLimits;

use test_support::http_server::{HttpServer, RawResponse, Setup};
use test_support::server::settings;

/// A server with the maximum number of users. If `is_limited`, `PUT /api/users/<id>` is allowed once an hour.
fn start(is_limited: bool) -> HttpServer {
    let allow = |text: &str| text.parse().unwrap();
    let rates = Rates { by_address: allow("1/hour"), by_user: allow("1/hour"), overall: allow("100/hour") };
    let store_limits = StoreLimits { users: 2, ..StoreLimits::DEFAULT };
    let settings = Settings { rates: is_limited.then_some(rates), store_limits, ..settings() };
    Setup::with_settings(HttpLimits { workers: 2, ..HttpLimits::default() }, settings).start()
}

fn send(server: &HttpServer, method: &str, path: &str, fields: &str, body: &str) -> RawResponse {
    let length = body.len();
    let mut client = server.connect();
    client.send(format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    ));
    client.response().expect("a response")
}

/// The access token of user 1, as a header field.
fn token(server: &HttpServer) -> String {
    let log_in = json!({"username": "user", "password": "password"}).to_string();
    let tokens = send(server, "POST", "/auth/login", "Content-Type: application/json\r\n", &log_in);
    let tokens: Value = tokens.json();
    format!("Authorization: Bearer {}\r\n", tokens["access_token"].as_str().unwrap())
}

/// Sends a request that fails `check` and as many later checks as one request can.
fn fail_from(check: Check) -> RawResponse {
    let order: Vec<Check> = Check::order().collect();
    let position = |check| order.iter().position(|other| *other == check).expect("a check");
    let fails = |other| position(check) <= position(other);
    use OperationCheck::{Body, Capacity, Existence, Id, Name, Owner, Precondition, Rate, Token};
    let server = start(fails(Check::Operation(Rate)));
    let token = token(&server);
    if fails(Check::Operation(Rate)) {
        let user = json!({"name": "user", "password": "password"}).to_string();
        assert_eq!(send(&server, "PUT", "/api/users/1", &token, &user).status, 200, "the rate allows one");
    }
    if check == Check::Operation(Existence) {
        assert_eq!(send(&server, "DELETE", "/api/users/1", &token, "").status, 204);
    }
    if check == Check::Operation(Capacity) {
        let user = json!({"name": "new", "password": "password"}).to_string();
        return send(&server, "POST", "/api/users", "", &user);
    }
    let method = match () {
        () if fails(Check::Head(HeadCheck::Tunnel)) => "CONNECT",
        () if fails(Check::Route(RouteCheck::Method)) => "POST",
        () => "PUT",
    };
    let path = match () {
        () if fails(Check::Head(HeadCheck::Target)) => "/api/%zz",
        () if fails(Check::Route(RouteCheck::Path)) => "/api/users/x",
        () if fails(Check::Operation(Owner)) => "/api/users/2",
        () => "/api/users/1",
    };
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n");
    if fails(Check::Head(HeadCheck::FieldCount)) {
        head += &"X: y\r\n".repeat(HttpLimits::DEFAULT.max_headers);
    }
    if fails(Check::Head(HeadCheck::Host)) {
        head += "Host: b\r\n";
    }
    if fails(Check::Head(HeadCheck::Expectation)) {
        head += "Expect: something-else\r\n";
    }
    if !fails(Check::Operation(Token)) {
        head += &token;
    }
    if fails(Check::Operation(Precondition)) {
        head += "If-Match: \"0\"\r\n";
    }
    let body = match () {
        () if fails(Check::Operation(Body)) => "{".to_owned(),
        () => {
            let name = if fails(Check::Operation(Name)) { "guest" } else { "user" };
            let id = if fails(Check::Operation(Id)) { 7 } else { 1 };
            json!({"id": id, "name": name, "password": "password"}).to_string()
        }
    };
    head += &match () {
        () if fails(Check::Head(HeadCheck::TransferCoding)) => {
            "Transfer-Encoding: gzip, chunked\r\n\r\nzz\r\n".to_owned()
        }
        () if fails(Check::BodyArrival) => "Transfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(),
        () => format!("Content-Length: {}\r\n\r\n{body}", body.len()),
    };
    let mut client = server.connect();
    client.send(head);
    client.response().expect("a response")
}

/// The expected status of a request that fails this check first, and a part of the body.
fn expected(check: Check) -> (u16, &'static str) {
    match check {
        Check::Head(HeadCheck::FieldCount) => (431, "fields at most"),
        Check::Head(HeadCheck::Tunnel) => (501, "CONNECT"),
        Check::Head(HeadCheck::TransferCoding) => (501, "transfer coding"),
        Check::Head(HeadCheck::Expectation) => (417, ""),
        Check::Head(HeadCheck::Host) => (400, "more than one Host header"),
        Check::Head(HeadCheck::Target) => (400, "the target is no path"),
        Check::BodyArrival => (400, "The body cannot be read"),
        Check::Route(RouteCheck::Path) => (404, ""),
        Check::Route(RouteCheck::Method) => (405, ""),
        Check::Route(RouteCheck::Guards) => unreachable!("the checks of operations stand for it"),
        Check::Operation(OperationCheck::Token) => (401, "Missing Authorization Header"),
        Check::Operation(OperationCheck::Owner) => (403, ""),
        Check::Operation(OperationCheck::Body) => (400, "Malformed JSON"),
        Check::Operation(OperationCheck::Rate) => (429, ""),
        Check::Operation(OperationCheck::Existence) => (404, ""),
        Check::Operation(OperationCheck::Id) => (400, "has to match resource id"),
        Check::Operation(OperationCheck::Name) => (400, "User already exists."),
        Check::Operation(OperationCheck::Precondition) => (412, "not the version that the request requires"),
        Check::Operation(OperationCheck::Capacity) => (507, "No room is left."),
    }
}

#[test]
fn the_first_failed_check_decides_the_response() {
    assert_eq!(Check::order().count(), 18);
    for check in Check::order() {
        let (status, text) = expected(check);
        let response = fail_from(check);
        let body = String::from_utf8_lossy(&response.body);
        assert!(response.status == status && body.contains(text), "{check:?}: {} {body}", response.status);
    }
}

/// Caches, proxies and the browser's same-origin rules take such a request for a POST.
#[test]
fn a_form_field_does_not_change_the_method() {
    let server = HttpServer::start(HttpLimits { workers: 2, ..HttpLimits::default() });
    for body in ["_method=delete", "%5Fmethod=delete", "_method=delete&a=b", "_method=DELETE"] {
        let label = "Content-Type: application/x-www-form-urlencoded\r\n";
        assert_eq!(send(&server, "POST", "/api/ships/1", label, body).status, 405, "{body}");
    }
    server.is_well();
}
