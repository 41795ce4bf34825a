//! A node whose database goes away.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use rocket::http::Method;
use test_support::program::{folder, run as run_program, shipyard, Serving};
use test_support::server::Ask;

use super::*;

/// The status and the response of the admin listener.
fn ask_admin(port: u16, request: &str) -> (u16, String) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        connection,
        "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    )
    .unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).unwrap();
    (response.split(' ').nth(1).unwrap().parse().unwrap(), response)
}

#[test]
fn an_outage_is_503_and_two_lines_of_the_log() {
    let here = folder("node_outage");
    fs::write(here.join("data.json"), r#"{"users": [], "ships": []}"#).unwrap();
    let cluster = Cluster::start(Version::V15, &[]);
    let url = cluster.new_url().replace("postgres@", "postgres:hunter2@");
    let node = |arguments: &[&str]| {
        let mut command = shipyard(&here, arguments);
        command.env("ROCKET_DATABASE_URL", &url).env("ROCKET_JWT_SECRET", "0123456789abcdef0123456789abcdef");
        command
    };
    let init = run_program(&mut node(&["store", "init", "--data", "data.json"]), None);
    assert_eq!(init.code, Some(0), "{init:?}");
    let output = here.join("output");
    let admin = test_support::program::free_port();
    let mut serve = node(&["serve", "--port", "0", "--admin-address", &format!("127.0.0.1:{admin}")]);
    let server = Serving::start_into(&mut serve, &output);
    let get = |path: &str| server.send(&Ask::new(Method::Get, path).header("Host", "localhost"));
    assert_eq!(get("/api/ships/1").status, 404);
    cluster.kill();
    for _ in 0..20 {
        let answer = get("/api/ships/1");
        assert_eq!((answer.status, answer.header("Retry-After").is_some()), (503, true), "{}", answer.body);
    }
    // What needs no database is there.
    assert_eq!(get("/openapi.json").status, 200);
    let (ready, body) = ask_admin(admin, "GET /health/ready");
    assert!(ready == 503 && body.contains("database") && !body.contains("hunter2"), "{ready} {body}");
    assert_eq!(ask_admin(admin, "GET /health/live").0, 200);
    cluster.restart();
    let start = Instant::now();
    while get("/api/ships/1").status == 503 {
        assert!(start.elapsed() < seconds(5.0), "no recovery");
    }
    assert_eq!(get("/api/ships/1").status, 404);
    assert_eq!(ask_admin(admin, "GET /health/ready").0, 200);
    // One node must not put back what all nodes share.
    assert_eq!(ask_admin(admin, "POST /reset").0, 403);
    assert_eq!(server.interrupt(), Some(0));
    let log = fs::read_to_string(&output).unwrap();
    let about = |what: &str| log.lines().filter(|line| line.contains(what)).collect::<Vec<_>>();
    let (down, up) = (about("the database is unavailable"), about("the database is available again"));
    assert_eq!((down.len(), up.len()), (1, 1), "{log}");
    let host = format!("127.0.0.1:{}", cluster.port());
    assert!(down[0].contains(&host) && up[0].contains(&host) && up[0].contains("seconds"), "{down:?} {up:?}");
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn a_node_waits_for_a_database_that_starts_later() {
    let here = folder("node_waits");
    fs::write(here.join("data.json"), r#"{"users": [], "ships": []}"#).unwrap();
    let cluster = Cluster::start(Version::V18, &[]);
    let url = cluster.new_url();
    let node = |arguments: &[&str]| {
        let mut command = shipyard(&here, arguments);
        command.env("ROCKET_DATABASE_URL", &url).env("ROCKET_JWT_SECRET", "0123456789abcdef0123456789abcdef");
        command
    };
    assert_eq!(run_program(&mut node(&["store", "init", "--data", "data.json"]), None).code, Some(0));
    cluster.stop();
    let child = node(&["serve", "--port", "0"]).spawn().unwrap();
    std::thread::sleep(seconds(1.0));
    cluster.restart();
    let server = Serving::announced(child);
    let answer = server.send(&Ask::new(Method::Get, "/api/ships").header("Host", "localhost"));
    assert_eq!(answer.status, 200);
}
