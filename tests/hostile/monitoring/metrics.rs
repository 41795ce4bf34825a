//! Metrics: counts under load, of failures, and of hostile requests.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::TcpStream;

use rocket::http::Method;
use serde_json::json;
use shipyard::metrics::table::METRICS;

use super::{all_requests, ask, eventually, log_in, requests, scrape, start};
use test_support::http_server::RawClient;
use test_support::program::Serving;
use test_support::server::{unstarted, SHIP};

const SHIP_ROUTE: &str = "/api/ships/<id>";

fn connect(serving: &Serving) -> RawClient {
    RawClient::connect(([127, 0, 0, 1], serving.port).into())
}

#[test]
fn every_request_of_many_clients_is_counted_once() {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 50;
    let serving = start("counts", &[]);
    let (access, _) = log_in(&serving, "user", "password").tokens();
    let put = format!(
        "PUT /api/ships/2 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {access}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{SHIP}",
        SHIP.len()
    );
    let round = [
        ("GET /api/ships/2 HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        // Not from the response cache.
        ("GET /api/ships/2 HTTP/1.1\r\nHost: a\r\nX-Other: a\r\n\r\n", 200),
        ("GET /api/ships/99 HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (&put, 200),
        ("DELETE /api/ships/2 HTTP/1.1\r\nHost: a\r\n\r\n", 401),
    ];
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = connect(&serving);
                for _ in 0..ROUNDS {
                    for (request, status) in round {
                        client.send(request);
                        assert_eq!(client.response().unwrap().status, status, "{request}");
                    }
                }
            });
        }
    });
    let each = (CLIENTS * ROUNDS) as f64;
    let all = each * round.len() as f64 + 1.0;
    let metrics = eventually(&serving, "all are counted", |metrics| all_requests(metrics) >= all);
    for (route, method, status, count) in [
        (SHIP_ROUTE, "GET", "200", 2.0 * each),
        (SHIP_ROUTE, "GET", "404", each),
        (SHIP_ROUTE, "PUT", "200", each),
        (SHIP_ROUTE, "DELETE", "401", each),
        ("none", "GET", "404", each),
        ("/auth/login", "POST", "200", 1.0),
    ] {
        assert!((requests(&metrics, route, method, status) - count).abs() < 0.5, "{route} {method} {status}");
    }
    assert!((all_requests(&metrics) - all).abs() < 0.5, "no other request is counted");
    let durations = "shipyard_http_request_duration_seconds_count";
    for (route, count) in [(SHIP_ROUTE, 5.0 * each), ("none", each), ("/auth/login", 1.0)] {
        assert!((metrics.value(durations, &[("route", route)]) - count).abs() < 0.5, "{route}");
    }
    let lookups = |result| metrics.value("shipyard_response_cache_lookups_total", &[("result", result)]);
    // Those of the ships 2 and 99, and of /nowhere.
    assert!((lookups("hit") + lookups("miss") - 3.0 * each).abs() < 0.5);
    assert!(lookups("miss") >= 2.0 * each);
    assert!((metrics.value("shipyard_connections_accepted_total", &[]) - (CLIENTS as f64 + 1.0)).abs() < 0.5);
    let metrics = eventually(&serving, "no connection is open", |metrics| {
        metrics.value("shipyard_connections_open", &[]) < 0.5
    });
    assert!((all_requests(&metrics) - all).abs() < 0.5, "scrapes are not counted");
}

#[test]
fn every_metric_is_in_the_table() {
    let serving = start("all_metrics", &[]);
    log_in(&serving, "user", "password");
    let metrics = eventually(&serving, "it is counted", |metrics| all_requests(metrics) > 0.5);
    for (name, family) in &metrics.0 {
        let metric = METRICS.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(family.help, metric.help);
        assert_eq!(family.kind, format!("{:?}", metric.kind).to_lowercase());
        for (_, labels) in family.samples.keys() {
            let names: BTreeSet<&str> =
                labels.keys().map(String::as_str).filter(|name| *name != "le").collect();
            assert_eq!(names, metric.labels.iter().copied().collect());
        }
    }
    let in_memory = METRICS.iter().filter(|metric| !metric.name.contains("_database_"));
    let missing: Vec<&str> =
        in_memory.map(|metric| metric.name).filter(|name| !metrics.0.contains_key(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert!((metrics.value("shipyard_build_info", &version) - 1.0).abs() < 0.5);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let age = now - metrics.value("process_start_time_seconds", &[]);
    assert!((-1.0..60.0).contains(&age), "{age}");
}

/// No label has a client's text.
#[test]
fn hostile_paths_and_methods_make_no_series() {
    let serving = start("cardinality", &[("MAX_HEADER_SIZE", "8192")]);
    let long = "a".repeat(6000);
    let sent = Cell::new(0.0);
    let send = |request: String| {
        let mut client = connect(&serving);
        client.send(request);
        client.response().expect("a response");
        sent.set(sent.get() + 1.0);
    };
    let mut after_some = 0;
    for number in 0..100 {
        for target in [
            format!("/{number}"),
            format!("/api/ships/{number}00"),
            format!("/api/ships/{number}\"}}%0A%00"),
            format!("/static/{number}"),
            format!("/docs/{number}"),
            format!("/api/ships/?{number}={number}"),
            format!("//api//users/{number}/"),
            format!("/{number}/{long}"),
        ] {
            send(format!("GET {target} HTTP/1.1\r\nHost: h{number}\r\n\r\n"));
        }
        for method in [format!("X{number}"), "get".to_owned(), format!("GET{number}")] {
            send(format!("{method} /api/ships/2 HTTP/1.1\r\nHost: a\r\n\r\n"));
        }
        send(format!("GET / HTTP/{}.7\r\nHost: a\r\n\r\n", number % 10));
        send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "b".repeat(9000 + number)));
        if number == 9 {
            after_some =
                eventually(&serving, "all are counted", |metrics| all_requests(metrics) >= sent.get())
                    .series();
        }
    }
    let metrics = eventually(&serving, "all are counted", |metrics| all_requests(metrics) >= sent.get());
    assert!((all_requests(&metrics) - sent.get()).abs() < 0.5, "{sent:?}");
    assert_eq!(metrics.series(), after_some, "ten times as many hostile requests make no more series");
    let rocket = unstarted();
    let routes: BTreeSet<&str> = rocket.routes().map(|route| route.uri.path()).chain(["none"]).collect();
    for (labels, _) in metrics.samples("shipyard_http_requests_total") {
        assert!(routes.contains(labels["route"].as_str()), "{labels:?}");
        assert!(["GET", "other"].contains(&labels["method"].as_str()), "{labels:?}");
        assert!(labels["status"].len() == 3, "{labels:?}");
    }
}

/// Which route a request counts under, if it is refused or broken off.
#[test]
fn a_failure_counts_under_its_route_if_that_is_known() {
    let serving = start("failures", &[("BODY_TIMEOUT", "0.3"), ("MAX_SHIPS", "15")]);
    let (access, _) = log_in(&serving, "user", "password").tokens();
    let bearer = format!("Authorization: Bearer {access}\r\nContent-Type: application/json\r\n");
    let post = |fields: &str, length: usize, body: &str| {
        format!("POST /api/ships HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
    };
    let large = "x".repeat(70_000);
    for (request, route, method, status) in [
        // Refused by a guard, a handler or the store: the route has matched.
        (post("", 2, "{}"), "/api/ships", "POST", "401"),
        (post(&bearer, 1, "x"), "/api/ships", "POST", "400"),
        (post(&bearer, SHIP.len(), SHIP), "/api/ships", "POST", "507"),
        (post(&bearer, large.len(), &large), "/api/ships", "POST", "413"),
        ("GET /api/ships/x HTTP/1.1\r\nHost: a\r\n\r\n".into(), SHIP_ROUTE, "GET", "404"),
        ("HEAD /api/ships/2 HTTP/1.1\r\nHost: a\r\n\r\n".into(), SHIP_ROUTE, "HEAD", "200"),
        // None has matched.
        ("GET /api/ships/2/ HTTP/1.1\r\nHost: a\r\n\r\n".into(), "none", "GET", "404"),
        ("POST /api/ships/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".into(), "none", "POST", "405"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".into(), "none", "OPTIONS", "204"),
        // Refused before a route is looked for.
        ("GET / HTTP/1.1\r\n\r\n".into(), "none", "GET", "400"),
        (post(&bearer, 100, "{"), "none", "POST", "408"),
        ("GET \r\n\r\n".into(), "none", "other", "400"),
    ] {
        let mut client = connect(&serving);
        client.send(&request);
        let response = if method == "HEAD" { client.head() } else { client.response() };
        assert_eq!(response.unwrap().status.to_string(), status, "{request:.60}");
        eventually(&serving, &format!("{route} {method} {status}"), |metrics| {
            (requests(metrics, route, method, status) - 1.0).abs() < 0.5
        });
    }
    // The client leaves before there is a response.
    let mut gone = connect(&serving);
    gone.send(post(&bearer, 100, "{"));
    drop(gone);
    eventually(&serving, "broken off", |metrics| {
        requests(metrics, "none", "POST", "none") + requests(metrics, "none", "POST", "400") > 0.5
    });
    // A connection without a request counts as a connection only.
    let before = all_requests(&scrape(&serving));
    drop(TcpStream::connect(("127.0.0.1", serving.port)).unwrap());
    let metrics =
        eventually(&serving, "none is open", |metrics| metrics.value("shipyard_connections_open", &[]) < 0.5);
    assert!((all_requests(&metrics) - before).abs() < 0.5);
}

#[test]
fn an_injected_failure_counts_under_the_route_that_it_hits() {
    let serving = start("injected", &[("FAIL", "\"100%\"")]);
    assert_eq!(serving.send(&ask(Method::Get, "/api/ships/2")).status, 503);
    assert_eq!(serving.send(&ask(Method::Delete, "/api/users/1")).status, 503);
    assert_eq!(serving.send(&ask(Method::Get, "/nowhere")).status, 404);
    let metrics = eventually(&serving, "three requests", |metrics| all_requests(metrics) > 2.5);
    for (route, method, status) in
        [(SHIP_ROUTE, "GET", "503"), ("/api/users/<id>", "DELETE", "503"), ("none", "GET", "404")]
    {
        assert!((requests(&metrics, route, method, status) - 1.0).abs() < 0.5, "{route} {method} {status}");
    }
}

#[test]
fn refusals_of_rate_limits_count_by_operation() {
    let serving = start("refusals", &[("RATE_BY_ADDRESS", "3/hour"), ("PASSWORD_QUEUE", "100")]);
    let (access, refresh) = log_in(&serving, "user", "password").tokens();
    for _ in 0..5 {
        serving.send(&ask(Method::Post, "/auth/refresh").bearer(&refresh));
    }
    for number in 0..5 {
        log_in(&serving, "user", "password");
        let user = json!({"name": format!("user {number}"), "password": "password"});
        serving.send(&ask(Method::Post, "/api/users").json(&user));
        let user = json!({"name": "user", "password": "password"});
        serving.send(&ask(Method::Put, "/api/users/1").bearer(&access).json(&user));
    }
    let metrics = eventually(&serving, "all are counted", |metrics| all_requests(metrics) > 20.5);
    // Six logins, and five of each other operation.
    for (operation, refused) in
        [("log_in", 3.0), ("refresh", 2.0), ("create_user", 2.0), ("update_user", 2.0)]
    {
        let counted = metrics.value("shipyard_rate_limit_refusals_total", &[("operation", operation)]);
        assert!((counted - refused).abs() < 0.5, "{operation}: {counted}");
    }
}

#[test]
fn refused_and_evicted_connections_are_counted() {
    let serving = start("connections", &[("MAX_CONNECTIONS_PER_ADDRESS", "4")]);
    let mut open: Vec<RawClient> = Vec::new();
    for _ in 0..10 {
        let mut client = connect(&serving);
        client.send("GET /api/ships/2 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().unwrap().status, 200);
        open.push(client);
    }
    let metrics = eventually(&serving, "the last ones are left", |metrics| {
        metrics.value("shipyard_connections_evicted_total", &[]) > 5.5
    });
    assert!((metrics.value("shipyard_connections_evicted_total", &[]) - 6.0).abs() < 0.5);
    assert!((metrics.value("shipyard_connections_accepted_total", &[]) - 10.0).abs() < 0.5);
    for reason in ["address", "server"] {
        assert!(metrics.value("shipyard_connections_refused_total", &[("reason", reason)]) < 0.5);
    }
}
