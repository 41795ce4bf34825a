//! Headers of every response, whichever part of the server sends it.

use std::io::{Read, Write};
use std::net::TcpStream;

use rocket::http::Method;
use serde_json::json;

use test_support::program::{folder, here, shipyard, Serving, LIMIT};
use test_support::server::{Answer, Ask, Server};

const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";

fn ask(method: Method, path: &str) -> Ask {
    Ask::new(method, path).header("Host", "localhost")
}

/// The complete response to these bytes, until the connection closes.
fn response_to(port: u16, bytes: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    connection.write_all(bytes.as_bytes()).unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    text
}

fn no_store(response: &Answer) -> bool {
    response.header("Cache-Control") == Some("no-store")
}

#[test]
fn every_response_forbids_sniffing_and_scripts() {
    let serving = Serving::start(&mut shipyard(here(), &["--port", "0"]));
    let login = json!({"username": "user", "password": "password"});
    let wrong = json!({"username": "user", "password": "wrong"});
    let (token, _) = serving.send(&ask(Method::Post, "/auth/login").json(&login)).tokens();
    let etag = serving.send(&ask(Method::Get, "/openapi.json")).header("ETag").unwrap().to_owned();
    // The request, its status, and whether a cache may store the response.
    let cases = [
        (ask(Method::Get, "/api/ships"), 200, false),
        (ask(Method::Head, "/api/ships"), 200, false),
        (ask(Method::Options, "/api/ships"), 204, false),
        (ask(Method::Delete, "/api/ships/1"), 401, true),
        (ask(Method::Delete, "/api/users/2").bearer(&token), 403, true),
        (ask(Method::Delete, "/api/ships/1").bearer(&token), 204, false),
        (ask(Method::Get, "/api/nothing"), 404, false),
        (ask(Method::Patch, "/api/ships"), 405, false),
        (ask(Method::Post, "/api/ships").bearer(&token).body(" ".repeat(70_000)), 413, false),
        (ask(Method::Post, "/api/ships").bearer("x"), 422, false),
        (ask(Method::Get, "/openapi.json").header("If-None-Match", &etag), 304, false),
        (ask(Method::Post, "/auth/login").json(&login), 200, true),
        (ask(Method::Post, "/%61uth/login").json(&login), 200, true),
        (ask(Method::Post, "/auth/login").json(&wrong), 401, true),
        (ask(Method::Post, "/auth/login"), 400, true),
        (ask(Method::Get, "/auth/nothing"), 404, true),
        (ask(Method::Options, "/auth/login"), 204, true),
        (ask(Method::Get, "/authors"), 404, false),
        // Responses of the HTTP server itself.
        (ask(Method::Get, "/api/ships").header("Expect", "more"), 417, true),
        (ask(Method::Post, "/auth/login").header("Transfer-Encoding", "gzip"), 400, true),
    ];
    for (ask, status, private) in cases {
        let response = serving.send(&ask);
        let what = ask.line();
        assert_eq!(response.status, status, "{what}: {response:?}");
        assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"), "{what}");
        assert_eq!(response.header("Content-Security-Policy"), Some(NO_PAGE), "{what}");
        assert_eq!(no_store(&response), private, "{what}: {response:?}");
        assert!(response.header("X-Request-Id").is_some_and(|id| id.len() >= 18), "{what}");
        assert!(matches!(response.header("Server"), None | Some("Shipyard")), "{what}: {response:?}");
    }
    // Errors before there is a request: not HTTP, another version, a head that is too large.
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    for (bytes, status) in [("nonsense\r\n\r\n", 400), ("GET / HTTP/3.0\r\n\r\n", 505), (long.as_str(), 431)]
    {
        let response = response_to(serving.port, bytes);
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        for line in ["X-Content-Type-Options: nosniff", "Cache-Control: no-store", "X-Request-Id: "] {
            assert!(response.contains(&format!("\r\n{line}")), "{line}: {response}");
        }
        assert!(response.contains(&format!("\r\nContent-Security-Policy: {NO_PAGE}\r\n")), "{response}");
    }
}

/// The value of a directive of a policy.
fn directive<'a>(policy: &'a str, name: &str) -> Option<&'a str> {
    let mut directives = policy.split(';').map(str::trim);
    directives.find_map(|directive| {
        directive.strip_prefix(name).filter(|rest| rest.is_empty() || rest.starts_with(' '))
    })
}

#[test]
fn swagger_ui_runs_only_its_own_scripts_and_static_pages_run_none() {
    let server = Server::start();
    let policy = |path: &str| server.get(path).header("Content-Security-Policy").unwrap().to_owned();
    for path in ["/docs", "/docs/", "/docs/index.html", "/docs/docs.js", "/docs/nothing"] {
        let policy = policy(path);
        assert_eq!(directive(&policy, "default-src"), Some(" 'none'"), "{path}");
        assert_eq!(directive(&policy, "script-src"), Some(" 'self'"), "{path}");
        assert_eq!(directive(&policy, "connect-src"), Some(" 'self'"), "{path}");
        assert_eq!(directive(&policy, "frame-ancestors"), Some(" 'none'"), "{path}");
        assert!(!policy.contains("unsafe-eval") && !policy.contains("http"), "{policy}");
    }
    // The page has only scripts from files, which 'self' allows.
    let page = server.get("/docs/index.html").body;
    let scripts: Vec<&str> = page.split("<script").skip(1).collect();
    assert_eq!(scripts.len(), 2, "{page}");
    assert!(scripts.iter().all(|script| script.trim_start().starts_with("src=\"")), "{page}");
    for path in ["/static/ship.svg", "/static/nothing"] {
        let policy = policy(path);
        assert_eq!(
            (directive(&policy, "sandbox"), directive(&policy, "script-src")),
            (Some(""), None),
            "{path}"
        );
        assert_eq!(directive(&policy, "default-src"), Some(" 'none'"), "{path}");
    }
    for path in ["/documents", "/statics", "/openapi.json"] {
        assert_eq!(policy(path), NO_PAGE, "{path}");
    }
}

#[test]
fn docs_redirects_to_swagger_ui() {
    let serving = Serving::start(&mut shipyard(&folder("docs_redirect"), &["--port", "0"]));
    let response = serving.send(&ask(Method::Get, "/docs"));
    assert_eq!((response.status, response.header("Location")), (303, Some("docs/index.html")));
    let page = serving.send(&ask(Method::Get, "/docs/index.html"));
    assert_eq!(page.status, 200);
    assert!(page.body.contains("swagger-ui"));
}

#[test]
fn accepts_a_valid_request_id_and_replaces_any_other() {
    let serving = Serving::start(&mut shipyard(&folder("request_ids"), &["--port", "0"]));
    let id = |path: &str, sent: &str| {
        let response = serving.send(&ask(Method::Get, path).header("X-Request-Id", sent));
        let ids: Vec<String> = response
            .headers
            .iter()
            .filter(|(name, _)| name == "X-Request-Id")
            .map(|(_, id)| id.clone())
            .collect();
        assert_eq!(ids.len(), 1, "{response:?}");
        ids[0].clone()
    };
    let longest = "0".repeat(64);
    for sane in ["a", "4bf92f3577b34da6.A_3-7", longest.as_str()] {
        assert_eq!(id("/api/users", sane), sane);
        assert_eq!(id("/nothing", sane), sane);
    }
    let too_long = "0".repeat(65);
    for odd in ["", "a b", "a\"b", "{}", too_long.as_str()] {
        let (one, other) = (id("/api/users", odd), id("/api/users", odd));
        assert!(one != other && one != odd && one.len() >= 18, "{odd:?}: {one} {other}");
    }
    // Two request ids are not a valid one.
    let twice = ask(Method::Get, "/api/users").header("X-Request-Id", "a").header("X-Request-Id", "b");
    assert_eq!(
        serving.send(&twice).header("X-Request-Id").map(str::len).filter(|length| *length > 1),
        Some(18)
    );
    // An error of the HTTP server, for a complete request and for one that never completes.
    let refused = ask(Method::Get, "/api/users").header("Expect", "more").header("X-Request-Id", "mine");
    let refused = serving.send(&refused);
    assert_eq!((refused.status, refused.header("X-Request-Id")), (417, Some("mine")));
    let slow = Serving::start(
        shipyard(&folder("slow_request_ids"), &["--port", "0"]).env("ROCKET_BODY_TIMEOUT", "0.3"),
    );
    let head =
        "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: mine\r\nContent-Length: 9\r\n\r\n";
    let response = response_to(slow.port, head);
    assert!(
        response.starts_with("HTTP/1.1 408 ") && response.contains("\r\nX-Request-Id: mine\r\n"),
        "{response}"
    );
}
