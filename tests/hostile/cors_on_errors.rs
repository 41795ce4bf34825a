//! CORS headers on early errors: a page of a listed origin can read a response that is sent before a request is
//! complete, or instead of one that took too long.

use std::time::Duration;

use rocket::tokio::time::sleep;
use shipyard::api::cors::Cors;
use shipyard::config::Settings;
use shipyard::http::HttpLimits;

use test_support::http_server::{short, HttpServer, RawClient, RawResponse, Setup, State};
use test_support::server::settings;

const APP: &str = "https://app.example";

#[rocket::get("/slow/<milliseconds>")]
async fn slow(milliseconds: u64) -> &'static str {
    sleep(Duration::from_millis(milliseconds)).await;
    "done"
}

fn start(origins: &[&str], limits: HttpLimits) -> HttpServer {
    let cors = Cors::parse(origins.iter().map(|&origin| origin.to_owned()).collect()).unwrap();
    let setup = Setup::with_settings(limits, Settings { cors, ..settings() });
    let rocket = setup.rocket.mount("/", rocket::routes![slow]);
    Setup { rocket, ..setup }.start()
}

fn limits() -> HttpLimits {
    HttpLimits { keep_alive: Duration::from_secs(20), ..short() }
}

/// Beginnings of requests that fail early, with these fields, and the expected statuses.
fn beginnings(fields: &str) -> Vec<(String, u16)> {
    let many = "X: y\r\n".repeat(70);
    let long = "y".repeat(20_000);
    let text = |rest: &str| format!("GET /api/ships/2 HTTP/1.1\r\nHost: a\r\n{fields}{rest}");
    let body = |rest: &str| format!("POST /api/users HTTP/1.1\r\nHost: a\r\n{fields}{rest}");
    vec![
        // The head, or the body, arrives too slowly.
        (text(""), 408),
        (text("X: y"), 408),
        (body("Content-Length: 9\r\n\r\n{"), 408),
        (body("Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"), 408),
        // The head is too large.
        (text(&format!("{many}\r\n")), 431),
        (text(&format!("X: {long}\r\n\r\n")), 431),
        // Malformed requests, also where hyper has already read the head.
        (text("no field\r\n\r\n"), 400),
        (text("Content-Length: x\r\n\r\n"), 400),
        (text("Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400),
        (text("Transfer-Encoding: gzip\r\n\r\n"), 400),
        (text("Transfer-Encoding: gzip, chunked\r\n\r\n"), 501),
        (text("Expect: more\r\n\r\n"), 417),
        (body("Transfer-Encoding: chunked\r\n\r\nno size\r\n"), 400),
        (body("Content-Length: 10000000\r\n\r\n") + &" ".repeat(70_000), 413),
        // The handler takes too long.
        (format!("GET /slow/60000 HTTP/1.1\r\nHost: a\r\n{fields}\r\n"), 503),
    ]
}

fn allowed(response: &RawResponse) -> (Option<&str>, Option<&str>) {
    let exposed = response.header("Access-Control-Expose-Headers").is_some();
    let allowed = response.header("Access-Control-Allow-Origin");
    assert_eq!(allowed.is_some(), exposed, "{response:?}");
    (allowed, response.header("Vary"))
}

fn answers(server: &HttpServer, fields: &str) -> Vec<(String, RawResponse)> {
    let ask = |(text, status): (String, u16)| {
        let mut client = server.connect();
        client.send(&text);
        (client, text, status)
    };
    let clients: Vec<(RawClient, String, u16)> = beginnings(fields).into_iter().map(ask).collect();
    let answered = clients.into_iter().map(|(mut client, text, status)| {
        let response = client.response().unwrap_or_else(|reason| panic!("{text:.200}: {reason}"));
        assert_eq!(response.status, status, "{text:.200}");
        response.error();
        (text, response)
    });
    answered.collect()
}

#[test]
fn a_page_of_a_listed_origin_can_read_early_errors() {
    let server = start(&["http://localhost:3000", APP], limits());
    for (text, response) in answers(&server, &format!("Origin: {APP}\r\n")) {
        assert_eq!(allowed(&response), (Some(APP), Some("Origin")), "{text:.200}");
    }
    for fields in
        ["Origin: https://app.example.evil\r\n", "", "Origin: https://app.example\r\nOrigin: null\r\n"]
    {
        for (text, response) in answers(&server, fields) {
            assert_eq!(allowed(&response), (None, Some("Origin")), "{text:.200}");
        }
    }
}

#[test]
fn early_errors_honour_a_star_and_an_empty_origin_list() {
    for (origins, expected) in [(&["*"][..], (Some("*"), Some("Origin"))), (&[], (None, None))] {
        let server = start(origins, limits());
        for (text, response) in answers(&server, "Origin: https://any.example\r\n") {
            assert_eq!(allowed(&response), expected, "{text:.200}");
        }
    }
}

/// Each request of a connection has its own Origin, or none.
#[test]
fn early_errors_use_the_origin_of_the_current_request() {
    let server = start(&[APP], limits());
    let good = |fields: &str| format!("GET /api/ships/2 HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let app = format!("Origin: {APP}\r\n");
    let mut cases = Vec::new();
    for (text, status) in beginnings("") {
        cases.push((good(&app), text, status, None));
    }
    for (text, status) in beginnings(&app) {
        cases.push((good(""), text, status, Some(APP)));
    }
    let begin = |(first, text, status, expected): (String, String, u16, Option<&'static str>)| {
        let mut client = server.connect();
        client.send(first);
        assert_eq!(client.response().expect("a response").status, 200);
        client.send(&text);
        (client, text, status, expected)
    };
    let clients: Vec<_> = cases.into_iter().map(begin).collect();
    for (mut client, text, status, expected) in clients {
        let response = client.response().unwrap_or_else(|reason| panic!("{text:.200}: {reason}"));
        assert_eq!((response.status, allowed(&response).0), (status, expected), "{text:.200}");
    }
}

#[test]
fn a_page_can_read_the_503_of_a_full_server() {
    let server = start(&[APP], HttpLimits { max_connections: 1, workers: 1, ..HttpLimits::default() });
    let mut served = server.connect();
    served.send("GET /slow/3000 HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(Duration::from_millis(200));
    for (fields, expected) in [(format!("Origin: {APP}\r\n"), Some(APP)), (String::new(), None)] {
        let mut client = server.connect();
        client.send(format!("GET /api/ships HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        let response = client.response().expect("a response");
        assert_eq!((response.status, allowed(&response)), (503, (expected, Some("Origin"))));
        response.error();
    }
    // The response to HEAD has no body here either.
    let mut client = server.connect();
    client.send(format!("HEAD /api/ships HTTP/1.1\r\nHost: a\r\nOrigin: {APP}\r\n\r\n"));
    let response = client.head().expect("a response");
    assert_eq!((response.status, allowed(&response).0), (503, Some(APP)));
    client.finish();
    assert_eq!(client.end().0, State::Closed);
    // The server does not wait for a silent client.
    let response = server.connect().response().expect("a response");
    assert_eq!((response.status, allowed(&response)), (503, (None, Some("Origin"))));
    assert_eq!(served.response().expect("a response").body, b"done");
}

#[test]
fn a_page_can_read_the_503_of_a_shutdown() {
    let server = start(&[APP], HttpLimits { workers: 1, ..HttpLimits::default() });
    let mut client = server.connect();
    client.send(format!("GET /slow/60000 HTTP/1.1\r\nHost: a\r\nOrigin: {APP}\r\n\r\n"));
    std::thread::sleep(Duration::from_millis(200));
    server.ask_to_end();
    let response = client.response().expect("a response");
    assert_eq!((response.status, allowed(&response).0), (503, Some(APP)));
}
