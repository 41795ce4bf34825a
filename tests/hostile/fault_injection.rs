//! Fault injection: delays and failures for tests of clients, of operations only.

use std::time::{Duration, Instant};

use rocket::http::Method;
use shipyard::api::cors::Cors;
use shipyard::config::Settings;
use shipyard::http::fault_injection::FaultSettings;
use shipyard::http::HttpLimits;

use test_support::http_server::{short, HttpServer, RawClient, RawResponse, Setup};
use test_support::program::{folder, run, shipyard, Serving};
use test_support::server::{settings, Ask, SHIP};

const APP: &str = "https://app.example";

fn start(delay: &str, fail: &str, limits: HttpLimits) -> HttpServer {
    let faults = FaultSettings { delay: delay.parse().unwrap(), fail: fail.parse().unwrap(), seed: 7 };
    let cors = Cors::parse(vec![APP.to_owned()]).unwrap();
    Setup::with_settings(limits, Settings { faults, cors, ..settings() }).start()
}

fn request(client: &mut RawClient, method: &str, path: &str, fields: &str, body: &str) -> RawResponse {
    let length = body.len();
    client.send(format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nOrigin: {APP}\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    ));
    let response = if method == "HEAD" { client.head() } else { client.response() };
    response.unwrap_or_else(|problem| panic!("{method} {path}: {problem}"))
}

fn once(server: &HttpServer, method: &str, path: &str, body: &str) -> RawResponse {
    request(&mut server.connect(), method, path, "", body)
}

#[test]
fn a_failure_is_a_503_like_any_other_and_changes_nothing() {
    let server = start("0", "100%", HttpLimits::default());
    for (method, path, body) in [
        ("GET", "/api/ships", ""),
        ("GET", "/api/ships/2", ""),
        ("POST", "/api/users", r#"{"name": "ann", "password": "secret"}"#),
        ("PUT", "/api/ships/2", SHIP),
        ("DELETE", "/api/users/1", ""),
        ("POST", "/auth/login", "{}"),
    ] {
        let response = once(&server, method, path, body);
        assert_eq!(response.status, 503, "{method} {path}");
        assert!(response.error().contains("for tests"), "{response:?}");
        assert_eq!(response.header("Retry-After"), Some("1"));
        assert_eq!(response.header("Access-Control-Allow-Origin"), Some(APP));
        assert!(response.header("X-Request-Id").is_some());
    }
    assert_eq!(once(&server, "HEAD", "/api/ships/2", "").status, 503);
    // The client that waits for a 100 gets the failure instead.
    let mut waiting = server.connect();
    waiting.send("POST /api/users HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(waiting.response().unwrap().status, 503);
}

#[test]
fn a_refused_write_is_not_made() {
    let faults = FaultSettings { fail: "50%".parse().unwrap(), ..FaultSettings::default() };
    let server = Setup::with_settings(HttpLimits::default(), Settings { faults, ..settings() }).start();
    let mut created = 0;
    for number in 0..40 {
        let user = format!(r#"{{"name": "user {number}", "password": "secret"}}"#);
        created += usize::from(once(&server, "POST", "/api/users", &user).status == 201);
    }
    assert!((5..35).contains(&created), "{created}");
    let users = loop {
        let users = once(&server, "GET", "/api/users", "");
        if users.status == 200 {
            break users.json();
        }
    };
    assert_eq!(users.as_array().unwrap().len(), 2 + created);
}

#[test]
fn only_operations_fail() {
    let server = start("0", "100%", HttpLimits::default());
    let mut client = server.connect();
    for (method, path, status) in [
        ("GET", "/", 200),
        ("GET", "/docs/index.html", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/static/ship.svg", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/api/ships", 405),
    ] {
        assert_eq!(request(&mut client, method, path, "", "").status, status, "{method} {path}");
    }
    let preflight =
        request(&mut client, "OPTIONS", "/api/ships/2", "Access-Control-Request-Method: PUT\r\n", "");
    assert_eq!(preflight.status, 204);
}

#[test]
fn the_same_seed_and_requests_give_the_same_failures() {
    let failures = || -> Vec<u16> {
        let server = start("0..3", "30%", HttpLimits::default());
        (0..60)
            .map(|number| {
                // Preflight requests and pages do not count.
                if number % 3 == 0 {
                    once(&server, "OPTIONS", "/api/ships/2", "");
                    once(&server, "GET", "/openapi.json", "");
                }
                once(&server, "GET", "/api/ships/2", "").status
            })
            .collect()
    };
    let first = failures();
    assert!(first.contains(&200) && first.contains(&503), "{first:?}");
    assert_eq!(first, failures());
}

#[test]
fn a_delay_holds_no_worker() {
    const DELAY: Duration = Duration::from_millis(400);
    let server = start("400", "0%", HttpLimits { workers: 1, ..HttpLimits::default() });
    let timed = |path: &str| {
        let began = Instant::now();
        assert_eq!(once(&server, "GET", path, "").status, 200);
        began.elapsed()
    };
    // The second comes from the response cache.
    assert!(timed("/api/ships/2") >= DELAY && timed("/api/ships/2") >= DELAY);
    assert!(timed("/openapi.json") < DELAY);
    let began = Instant::now();
    std::thread::scope(|scope| {
        (0..10).for_each(|_| drop(scope.spawn(|| timed("/api/ships/2"))));
    });
    assert!(began.elapsed() < 5 * DELAY, "{:?}", began.elapsed());
}

#[test]
fn a_body_is_not_late_because_of_a_delay() {
    // Longer than the body may take to arrive, which it does after the delay.
    let server = start("1000", "0%", short());
    let mut client = server.connect();
    let user = r#"{"name": "ann", "password": "secret"}"#;
    let (first, rest) = user.split_at(5);
    let length = user.len();
    client.send(format!("POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{first}"));
    std::thread::sleep(Duration::from_millis(1100));
    client.send(rest);
    assert_eq!(client.response().unwrap().status, 201);
    client.send(format!("POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{first}"));
    assert_eq!(client.response().unwrap().status, 408);
}

#[test]
fn the_program_says_that_faults_are_on() {
    let here = folder("fault_injection");
    let flags = ["--port", "0", "--delay", "1..2", "--fail", "100%", "--seed", "9"];
    let serving = Serving::start(&mut shipyard(&here, &flags));
    let said = "of operations: delay 1..2 ms, failures (503) 100%, seed 9";
    assert!(serving.announcement.contains(said), "{}", serving.announcement);
    let ask = Ask::new(Method::Get, "/api/ships").header("Host", "localhost");
    assert_eq!(serving.send(&ask).status, 503);
    let serving = Serving::start(&mut shipyard(&here, &["--port", "0"]));
    assert!(!serving.announcement.contains("Faults"), "{}", serving.announcement);
    for (delay, problem) in [
        ("15000", "delay: 15000 is not shorter than request_timeout = 15 seconds"),
        ("fast", "\"fast\" is neither a number of milliseconds nor a range of two, such as 200..800"),
    ] {
        let refused = run(&mut shipyard(&here, &["serve", "--delay", delay]), None);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(problem), "{refused:?}");
    }
    // A number in the environment is a number.
    let mut command = shipyard(&here, &["--port", "0"]);
    let serving = Serving::start(command.env("ROCKET_DELAY", "3").env("ROCKET_FAIL", "5%"));
    assert!(serving.announcement.contains("delay 3 ms, failures (503) 5%"), "{}", serving.announcement);
}
