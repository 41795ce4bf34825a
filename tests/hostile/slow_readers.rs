//! Clients that read a long response slowly: the memory for them does not grow with the response.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::TcpStream;

use rocket::http::Method;
use serde_json::{json, Value};

use test_support::program::{folder, shipyard, Serving, LIMIT};
use test_support::server::{Ask, SHIP};

/// Enough users for a list that is long, but not too long for a test.
const COUNT: usize = 20_000;

const READERS: usize = 60;

/// The maximum memory for one reader: a piece of the list, the connection's buffers, and what a write leaves in the
/// allocator.
const MOST_PER_READER: u64 = 150 * 1024;

/// Resident memory in bytes.
fn memory(server: &Serving) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn server(name: &str, style: &str) -> Serving {
    let folder = folder(name);
    let hash = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let ship: Value = serde_json::from_str(SHIP).unwrap();
    let with_id = |id: usize| {
        let mut ship = ship.clone();
        ship["id"] = id.into();
        ship
    };
    let users = (2..=COUNT).map(|id| json!({"id": id, "name": format!("user {id}"), "password_hash": hash}));
    let writer = json!({"id": 1, "name": "user", "password": "password"});
    let users: Vec<Value> = std::iter::once(writer).chain(users).collect();
    let ships: Vec<Value> = (1..=COUNT).map(with_id).collect();
    std::fs::write(folder.join("data.json"), json!({"users": users, "ships": ships}).to_string()).unwrap();
    let mut command = shipyard(&folder, &["--port", "0", "--json", style]);
    Serving::start(command.env("ROCKET_PASSWORD_MEMORY", "8").env("ROCKET_REQUEST_TIMEOUT", "60"))
}

/// Requests the list and reads the beginning of the response.
fn reader(server: &Serving, path: &str) -> TcpStream {
    let mut reader = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    reader.set_read_timeout(Some(LIMIT)).unwrap();
    write!(reader, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut beginning = [0; 200];
    reader.read_exact(&mut beginning).unwrap();
    assert!(beginning.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&beginning));
    reader
}

#[test]
fn slow_readers_share_one_copy_of_the_response() {
    for style in ["compact", "pretty"] {
        let server = server(&format!("slow_readers_{style}"), style);
        let send = |ask: Ask| server.send(&ask.header("Host", "a"));
        let credentials = json!({"username": "user", "password": "password"});
        let (token, _) = send(Ask::new(Method::Post, "/auth/login").json(&credentials)).tokens();
        let write = |crew: usize| {
            let mut ship: Value = serde_json::from_str(SHIP).unwrap();
            ship["crew"] = crew.into();
            let path = format!("/api/ships/{}", crew % 7 + 1);
            let response = send(Ask::new(Method::Put, &path).bearer(&token).json(&ship));
            assert_eq!(response.status, 200, "{response:?}");
        };
        write(READERS);
        let alone = memory(&server);
        let mut readers = Vec::new();
        for path in ["/api/ships", "/api/users", "/docs/swagger-ui-bundle.js"] {
            for number in 1..=READERS {
                write(number);
                readers.push(reader(&server, path));
            }
        }
        let most = alone + readers.len() as u64 * MOST_PER_READER;
        let now = memory(&server);
        assert!(now < most, "{style}: {} KB beyond {} KB", (now - alone) / 1024, alone / 1024);
        // Each response is complete, and has the data from the time of its request.
        let mut rest = String::new();
        readers.swap_remove(0).read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("]\n") && rest.matches("\"id\"").count() >= COUNT - 1, "{style}");
    }
}
