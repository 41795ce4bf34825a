//! Health and metrics: on the admin listener, while clients are many, hostile or slow, and during a shutdown.

mod health;
mod metrics;
mod probe;

use std::path::Path;
use std::time::{Duration, Instant};

use rocket::http::Method;
use serde_json::{json, Value};
use shipyard::store::seed::EXAMPLE;

use test_support::exposition::{parse, Exposition};
use test_support::http_server::{RawClient, RawResponse};
use test_support::program::{folder, shipyard, Serving, LIMIT};
use test_support::server::{Answer, Ask};

const LOOPBACK: &[&str] = &["--admin-address", "127.0.0.1:0"];

/// Starts the program with an admin listener and those settings, without a log.
fn start(name: &str, settings: &[(&str, &str)]) -> Serving {
    start_with(name, LOOPBACK, settings)
}

fn start_with(name: &str, flags: &[&str], settings: &[(&str, &str)]) -> Serving {
    let here = folder(name);
    write_data(&here);
    let mut command = shipyard(&here, &[&["--port", "0"], flags].concat());
    let cheap = [("PASSWORD_MEMORY", "8"), ("PASSWORD_ITERATIONS", "1"), ("LOG_LEVEL", "off")];
    for (name, value) in cheap.iter().chain(settings) {
        command.env(format!("ROCKET_{name}"), value);
    }
    Serving::start(&mut command)
}

/// The example data, with hashes that cost little.
fn write_data(here: &Path) {
    let data: Value = serde_json::from_str(EXAMPLE).unwrap();
    std::fs::write(here.join("data.json"), data.to_string()).unwrap();
}

/// The address of the admin listener.
fn admin_address(serving: &Serving) -> std::net::SocketAddr {
    let address = serving.announcement.split("  Health  http://").nth(1).expect("an admin listener");
    address.split("/health").next().unwrap().parse().unwrap()
}

/// A response of the admin listener, which closes each connection.
fn admin(address: std::net::SocketAddr, method: &str, path: &str) -> Result<RawResponse, String> {
    let mut client = RawClient::connect(address);
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
    if method == "HEAD" {
        client.head()
    } else {
        client.response()
    }
}

fn scrape(serving: &Serving) -> Exposition {
    let response = admin(admin_address(serving), "GET", "/metrics").unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    parse(std::str::from_utf8(&response.body).unwrap())
}

/// Reads the metrics until it holds: a request is counted when its response has been sent, which is after its client has it.
fn eventually(serving: &Serving, what: &str, holds: impl Fn(&Exposition) -> bool) -> Exposition {
    let began = Instant::now();
    loop {
        let metrics = scrape(serving);
        if holds(&metrics) {
            return metrics;
        }
        assert!(began.elapsed() < LIMIT, "{what}: {metrics:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The number of requests with that route, method and status.
fn requests(metrics: &Exposition, route: &str, method: &str, status: &str) -> f64 {
    let labels = [("route", route), ("method", method), ("status", status)];
    metrics.value("shipyard_http_requests_total", &labels)
}

/// The number of all requests.
fn all_requests(metrics: &Exposition) -> f64 {
    metrics.samples("shipyard_http_requests_total").iter().map(|(_, value)| value).sum()
}

fn ask(method: Method, path: &str) -> Ask {
    Ask::new(method, path).header("Host", "localhost")
}

fn log_in(serving: &Serving, name: &str, password: &str) -> Answer {
    serving.send(&ask(Method::Post, "/auth/login").json(&json!({"username": name, "password": password})))
}
