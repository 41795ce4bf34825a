//! CORS: by default pages of this machine have access, and pages of other origins only if it is configured.

use rocket::http::Method;
use serde_json::json;

use test_support::program::{folder, shipyard, Serving};
use test_support::server::{Answer, Ask};

const APP: &str = "https://app.example";
const EXPOSED: &str =
    "Location, Retry-After, WWW-Authenticate, X-Request-Id, ETag, Link, X-Total-Count, Accept-Post";

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
        .header("Access-Control-Request-Headers", "authorization,content-type,traceparent")
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
fn allows_pages_of_this_machine_by_default() {
    let serving = Serving::start(&mut shipyard(&folder("cors_default"), &["--port", "0"]));
    for (ask, status) in every_kind() {
        for origin in ["http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:8080"] {
            let response = serving.send(&ask.clone().header("Origin", origin));
            let expected = vec![
                ("Access-Control-Allow-Origin", origin),
                ("Access-Control-Expose-Headers", EXPOSED),
                ("Vary", "Origin"),
            ];
            assert_eq!((response.status, cors(&response)), (status, expected), "{}", ask.line());
        }
        for other in [APP, "null", "http://localhost.example", "https://localhost:5173"] {
            let response = serving.send(&ask.clone().header("Origin", other));
            assert_eq!((response.status, cors(&response)), (status, vec![("Vary", "Origin")]), "{other}");
        }
    }
}

#[test]
fn an_empty_list_and_an_address_that_others_reach_allow_no_origin() {
    let folder = folder("cors_off");
    let mut empty = shipyard(&folder, &["--port", "0"]);
    empty.env("ROCKET_CORS_ORIGINS", "[]");
    let mut reachable = shipyard(&folder, &["--port", "0", "--address", "0.0.0.0"]);
    for command in [&mut empty, &mut reachable] {
        let serving = Serving::start(command);
        let mut asks: Vec<(Ask, u16)> = every_kind().into();
        asks.push((preflight("/api/ships/1", "http://localhost:5173"), 204));
        for (ask, status) in asks {
            let response = serving.send(&ask.clone().header("Origin", "http://localhost:5173"));
            assert_eq!((response.status, cors(&response)), (status, vec![]), "{}", ask.line());
        }
    }
}

#[test]
fn a_refused_origin_is_logged_once_with_the_setting_that_allows_it() {
    let folder = folder("cors_log");
    let output = folder.join("output");
    let mut command = shipyard(&folder, &["--port", "0"]);
    let serving = Serving::start_into(command.env("ROCKET_LOG_FORMAT", "text"), &output);
    for origin in [APP, APP, "http://localhost:5173", "null", "\"\r", "https://b.example", APP] {
        serving.send(&ask(Method::Get, "/api/ships").header("Origin", origin));
    }
    // A page of the server itself.
    serving.send(&ask(Method::Post, "/auth/login").header("Origin", "http://localhost"));
    assert_eq!(serving.interrupt(), Some(0));
    let log = std::fs::read_to_string(output).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("cors_origins")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].contains(r#"cors_origins = ["https://app.example"]"#), "{log}");
    assert!(lines[1].contains("https://b.example"), "{log}");
}

#[test]
fn a_single_origin_needs_no_list() {
    let serving = serving("cors_single", APP);
    let response = serving.send(&ask(Method::Get, "/api/ships").header("Origin", APP));
    assert_eq!(response.header("Access-Control-Allow-Origin"), Some(APP));
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
    let methods = "DELETE, GET, HEAD, OPTIONS, PATCH, PUT";
    assert_eq!((response.status, response.body.as_str(), response.header("Allow")), (204, "", Some(methods)));
    let expected = vec![
        ("Access-Control-Allow-Headers", "authorization,content-type,traceparent"),
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
