//! CORS: pages of other origins have no access unless it is configured.

use rocket::http::Method;
use serde_json::json;

use test_support::program::{folder, shipyard, Serving};
use test_support::server::{Answer, Ask};

const APP: &str = "https://app.example";
const EXPOSED: &str = "Location, Retry-After, WWW-Authenticate, X-Request-Id, ETag";

fn serving(name: &str, origins: &str) -> Serving {
    Serving::start(shipyard(&folder(name), &["--port", "0"]).env("ROCKET_CORS_ORIGINS", origins))
}

fn ask(method: Method, path: &str) -> Ask {
    Ask::new(method, path).header("Host", "localhost")
}

fn preflight(path: &str, origin: &str) -> Ask {
    ask(Method::Options, path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "PUT")
        .header("Access-Control-Request-Headers", "authorization,content-type")
}

/// The CORS headers.
fn cors(response: &Answer) -> Vec<(&str, &str)> {
    let of_cors = |name: &str| name == "Vary" || name.starts_with("Access-Control-");
    let headers = response.headers.iter().filter(|(name, _)| of_cors(name));
    let mut headers: Vec<_> = headers.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    headers.sort_unstable();
    headers
}

/// Requests with every kind of response, also those of the HTTP server itself, and their statuses.
fn every_kind() -> [(Ask, u16); 9] {
    let wrong = json!({"username": "user", "password": "wrong"});
    [
        (ask(Method::Get, "/api/ships"), 200),
        (ask(Method::Get, "/openapi.json"), 200),
        (ask(Method::Options, "/api/ships"), 204),
        (ask(Method::Post, "/auth/login").json(&wrong), 401),
        (ask(Method::Delete, "/api/ships/1"), 401),
        (ask(Method::Get, "/nothing"), 404),
        (ask(Method::Patch, "/api/ships"), 405),
        (ask(Method::Post, "/api/users").body(" ".repeat(70_000)), 413),
        (ask(Method::Get, "/api/ships").header("Expect", "more"), 417),
    ]
}

#[test]
fn allows_no_origin_by_default() {
    let serving = serving("cors_off", "[]");
    let mut asks: Vec<(Ask, u16)> = every_kind().into();
    asks.push((preflight("/api/ships/1", APP), 204));
    for (ask, status) in asks {
        let response = serving.send(&ask.clone().header("Origin", APP));
        assert_eq!((response.status, cors(&response)), (status, vec![]), "{}", ask.line());
    }
}

#[test]
fn a_listed_origin_can_read_every_response_and_error() {
    let serving = serving("cors_listed", r#"["http://localhost:3000", "https://app.example"]"#);
    let expected = vec![
        ("Access-Control-Allow-Origin", APP),
        ("Access-Control-Expose-Headers", EXPOSED),
        ("Vary", "Origin"),
    ];
    for (ask, status) in every_kind() {
        let response = serving.send(&ask.clone().header("Origin", APP));
        assert_eq!((response.status, cors(&response)), (status, expected.clone()), "{}", ask.line());
        for other in
            ["https://app.example.evil", "http://app.example", "https://app.example:8443", "null", ""]
        {
            let response = serving.send(&ask.clone().header("Origin", other));
            assert_eq!((response.status, cors(&response)), (status, vec![("Vary", "Origin")]), "{other}");
        }
        let response = serving.send(&ask);
        assert_eq!((response.status, cors(&response)), (status, vec![("Vary", "Origin")]), "{}", ask.line());
        let twice = serving.send(&ask.clone().header("Origin", APP).header("Origin", APP));
        assert_eq!(cors(&twice), vec![("Vary", "Origin")], "{}", ask.line());
    }
}

#[test]
fn a_preflight_lists_allowed_methods_and_headers() {
    let serving = serving("cors_preflight", r#"["https://app.example"]"#);
    let response = serving.send(&preflight("/api/ships/1", APP));
    let methods = "DELETE, GET, HEAD, OPTIONS, PUT";
    assert_eq!((response.status, response.body.as_str(), response.header("Allow")), (204, "", Some(methods)));
    let expected = vec![
        ("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, X-Request-Id"),
        ("Access-Control-Allow-Methods", methods),
        ("Access-Control-Allow-Origin", APP),
        ("Access-Control-Max-Age", "600"),
        ("Vary", "Origin"),
    ];
    assert_eq!(cors(&response), expected);
    let other = serving.send(&preflight("/api/ships/1", "https://other.example"));
    assert_eq!((other.status, cors(&other)), (204, vec![("Vary", "Origin")]));
    // A path without a resource allows nothing.
    let nothing = serving.send(&preflight("/nothing", APP));
    assert_eq!((nothing.status, nothing.header("Access-Control-Allow-Methods")), (404, None));
}

#[test]
fn a_star_allows_any_origin_without_credentials() {
    let serving = serving("cors_any", r#"["*"]"#);
    for (ask, status) in every_kind() {
        let response = serving.send(&ask.clone().header("Origin", "https://any.example"));
        assert_eq!(response.status, status);
        assert_eq!(response.header("Access-Control-Allow-Origin"), Some("*"), "{}", ask.line());
        assert_eq!(response.header("Access-Control-Allow-Credentials"), None, "{}", ask.line());
    }
    let response = serving.send(&preflight("/api/ships", "null"));
    assert_eq!(response.header("Access-Control-Allow-Methods"), Some("GET, HEAD, OPTIONS, POST"));
}
