//! Starting over without a restart: `POST /reset` on the admin listener, and the watch over the data file.

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rocket::http::Method;
use serde_json::{json, Value};
use shipyard::contract::client::response_reader::ResponseReader;
use shipyard::store::seed::EXAMPLE;

use test_support::program::{folder, run, shipyard, Serving, LIMIT};
use test_support::server::{Answer, Ask, SHIP};

/// The example data, with hashes that cost little.
fn data_file(here: &Path, change: impl FnOnce(&mut Value)) {
    let mut data: Value = serde_json::from_str(EXAMPLE).unwrap();
    change(&mut data);
    std::fs::write(here.join("data.json"), data.to_string()).unwrap();
}

fn start(name: &str, flags: &[&str]) -> (Serving, PathBuf) {
    let here = folder(name);
    data_file(&here, |_| ());
    let flags = [&["--port", "0"], flags].concat();
    let mut command = shipyard(&here, &flags);
    command.env("ROCKET_PASSWORD_MEMORY", "8").env("ROCKET_PASSWORD_ITERATIONS", "1");
    (Serving::start_into(&mut command, &here.join("output")), here)
}

fn ask(method: Method, path: &str) -> Ask {
    Ask::new(method, path).header("Host", "localhost")
}

fn get(serving: &Serving, path: &str) -> Answer {
    let answer = serving.send(&ask(Method::Get, path));
    assert_eq!(answer.status, 200, "{path}");
    answer
}

fn log_in(serving: &Serving, name: &str, password: &str) -> Answer {
    serving.send(&ask(Method::Post, "/auth/login").json(&json!({"username": name, "password": password})))
}

/// A response of the admin listener, which closes each connection.
fn admin(serving: &Serving, method: &str, path: &str, fields: &str) -> (u16, Vec<(String, String)>, String) {
    let address = serving.announcement.split("  Admin   POST http://").nth(1).expect("an admin listener");
    let address = address.split("/reset").next().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").unwrap();
    let response = ResponseReader::new(stream).next(Method::Get, LIMIT).expect("a response");
    let header = |name: &str| response.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    assert!(header("X-Content-Type-Options"), "{response:?}");
    (response.status, response.headers.clone(), String::from_utf8(response.body).unwrap())
}

fn reset(serving: &Serving) {
    assert_eq!(admin(serving, "POST", "/reset", "Content-Length: 0\r\n").0, 204);
}

#[test]
fn a_reset_puts_the_data_back_and_ends_all_tokens() {
    let (serving, _) = start("reset", &["--admin-address", "127.0.0.1:0"]);
    let state = || [get(&serving, "/api/ships").body, get(&serving, "/api/users").body];
    let before = state();
    for _ in 0..3 {
        let (access, refresh) = log_in(&serving, "user", "password").tokens();
        let created = serving.send(&ask(Method::Post, "/api/ships").bearer(&access).body(SHIP));
        assert_eq!((created.status, &created.json()["id"]), (201, &json!(16)));
        let user = json!({"name": "renamed", "password": "renamed"});
        assert_eq!(serving.send(&ask(Method::Put, "/api/users/1").bearer(&access).json(&user)).status, 200);
        let deleted = ask(Method::Delete, "/api/ships/2").bearer(&access);
        assert_eq!(serving.send(&deleted).status, 204);
        assert_ne!(state(), before);
        // Now in the response cache.
        get(&serving, "/api/ships/16");
        get(&serving, "/api/ships");
        reset(&serving);
        assert_eq!(state(), before);
        get(&serving, "/api/ships/2");
        assert_eq!(serving.send(&ask(Method::Get, "/api/ships/16")).status, 404);
        let revoked = json!({"error": "Token has been revoked"});
        let refused = serving.send(&deleted);
        assert_eq!((refused.status, refused.json()), (401, revoked.clone()));
        let refused = serving.send(&ask(Method::Post, "/auth/refresh").bearer(&refresh));
        assert_eq!((refused.status, refused.json()), (401, revoked));
        assert_eq!(log_in(&serving, "renamed", "renamed").status, 401);
    }
}

#[test]
fn the_admin_listener_does_nothing_else() {
    let (serving, _) = start("admin_listener", &["--admin-address", "[::1]:0"]);
    let (access, _) = log_in(&serving, "user", "password").tokens();
    assert_eq!(serving.send(&ask(Method::Delete, "/api/ships/2").bearer(&access)).status, 204);
    for (method, path, fields, status) in [
        ("GET", "/reset", "", 405),
        ("OPTIONS", "/reset", "", 405),
        ("POST", "/reset/", "Content-Length: 0\r\n", 404),
        ("GET", "/api/ships", "", 404),
        ("GET", "/", "", 404),
        // Pages of any site can send such a request.
        ("POST", "/reset", "Origin: https://evil.example\r\nContent-Length: 0\r\n", 403),
        ("POST", "/reset", "Origin: null\r\nContent-Length: 0\r\n", 403),
    ] {
        let (found, headers, body) = admin(&serving, method, path, fields);
        assert_eq!(found, status, "{method} {path}");
        assert!(serde_json::from_str::<Value>(&body).unwrap()["error"].is_string(), "{body}");
        let header = |name: &str| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        assert_eq!(header("Content-Type").unwrap().1, "application/json");
        assert_eq!(header("Allow").map(|(_, methods)| methods.as_str()), (status == 405).then_some("POST"));
    }
    assert_eq!(serving.send(&ask(Method::Get, "/api/ships/2")).status, 404);
    // The public address has no such operation.
    assert_eq!(serving.send(&ask(Method::Post, "/reset")).status, 404);
}

#[test]
fn the_admin_listener_has_an_address_and_a_port() {
    let here = folder("admin_address");
    for address in ["localhost", "example.com:5001", "127.0.0.1"] {
        let refused = run(&mut shipyard(&here, &["serve", "--admin-address", address]), None);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("is not an IP address or localhost and a port"), "{refused:?}");
    }
    let serving = Serving::start(&mut shipyard(&here, &["--port", "0"]));
    assert!(!serving.announcement.contains("Admin"), "{}", serving.announcement);
    assert!(!serving.announcement.contains("Health"), "{}", serving.announcement);
}

/// Waits until it holds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_changed_data_file_replaces_the_data() {
    let (serving, here) = start("watch", &["--watch", "--admin-address", "127.0.0.1:0"]);
    assert!(serving.announcement.contains("read again when it changes"), "{}", serving.announcement);
    let crew = || get(&serving, "/api/ships/2").json()["crew"].clone();
    let log = || std::fs::read_to_string(here.join("output")).unwrap();
    let (access, _) = log_in(&serving, "user", "password").tokens();
    let renamed = |name: &'static str| move |data: &mut Value| data["users"][0]["name"] = json!(name);
    data_file(&here, |data| {
        data["ships"][1]["crew"] = json!(77);
        renamed("ann")(data);
    });
    eventually("the file is read again", || crew() == 77);
    assert_eq!(serving.send(&ask(Method::Delete, "/api/ships/2").bearer(&access)).status, 401);
    assert_eq!(
        (log_in(&serving, "user", "password").status, log_in(&serving, "ann", "password").status),
        (401, 200)
    );
    let page = serving.send(&ask(Method::Get, "/").header("Accept", "text/html")).body;
    assert!(!page.contains("Example users"), "{page}");
    assert!(log().contains("data read again"), "{}", log());

    // An invalid file leaves everything as it is, tokens included.
    let (access, _) = log_in(&serving, "ann", "password").tokens();
    std::fs::write(here.join("data.json"), "{\n  \"users\": [],\n  \"ships\": [}\n").unwrap();
    eventually("the error is logged", || log().contains("stay as they were"));
    assert!(log().contains("line 3 column 13"), "{}", log());
    assert_eq!(crew(), 77);
    assert_eq!(serving.send(&ask(Method::Delete, "/api/ships/3").bearer(&access)).status, 204);
    std::fs::remove_file(here.join("data.json")).unwrap();
    eventually("the error is logged", || log().matches("stay as they were").count() == 2);
    // A reset goes back to the file that was read last.
    reset(&serving);
    assert_eq!((crew(), get(&serving, "/api/ships/3").status), (json!(77), 200));
    data_file(&here, renamed("user"));
    eventually("the file is read again", || crew() != 77);
}

#[test]
fn only_a_file_can_be_watched() {
    let refused = run(&mut shipyard(&folder("watch_nothing"), &["--watch"]), None);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("there is no data file to watch: name one with --data"), "{refused:?}");
}
