//! Lingering close: a client gets the early response to a body that it is still sending. Many clients read nothing
//! before they have sent everything.

use std::io::Write;
use std::time::{Duration, Instant};

use shipyard::http::HttpLimits;

use crate::slow::LEEWAY;
use test_support::http_server::{short, HttpServer, RawClient, State};

const MIB: usize = 1024 * 1024;

/// Sends a body of `length` bytes without reading, and is not cut off.
fn send_body(client: &mut RawClient, is_chunked: bool, length: usize) {
    let mut piece = vec![b' '; 64 * 1024];
    let pieces = length / piece.len();
    if is_chunked {
        piece = [format!("{:x}\r\n", piece.len()).into_bytes(), piece, b"\r\n".to_vec()].concat();
    }
    for _ in 0..pieces {
        client.stream().write_all(&piece).expect("the server goes on reading");
    }
    if is_chunked {
        client.stream().write_all(b"0\r\n\r\n").expect("the server goes on reading");
    }
}

fn head(line: &str, fields: &str, is_chunked: bool, length: usize) -> String {
    let framing = match (fields.contains("Transfer-Encoding"), is_chunked) {
        (true, _) => String::new(),
        (false, true) => "Transfer-Encoding: chunked\r\n".to_owned(),
        (false, false) => format!("Content-Length: {length}\r\n"),
    };
    format!("{line} HTTP/1.1\r\nHost: a\r\n{fields}{framing}\r\n")
}

#[test]
fn delivers_the_413_of_a_body_far_above_the_limit() {
    let server = HttpServer::start(HttpLimits { workers: 2, ..HttpLimits::default() });
    let many = format!("{}\r\n", "X: y\r\n".repeat(80).trim_end());
    let long = format!("X: {}\r\n", "y".repeat(20_000));
    let cases = [
        ("POST /api/users", "", 413),
        ("POST /auth/login", "Content-Type: application/json\r\n", 413),
        ("POST /auth/login", "", 400),
        ("POST /api/ships", "", 401),
        ("PUT /api/ships/1", "Authorization: Bearer x\r\n", 422),
        ("POST /nothing", "", 404),
        ("PATCH /api/ships", "", 405),
        ("POST /api/users", "Expect: more\r\n", 417),
        ("POST /api/users", "Transfer-Encoding: gzip\r\n", 400),
        ("POST /api/users", "Transfer-Encoding: gzip, chunked\r\n", 501),
        ("POST /api/users", many.as_str(), 431),
        ("POST /api/users", long.as_str(), 431),
    ];
    for (line, fields, status) in cases {
        for (is_chunked, length) in [(false, 8 * MIB), (true, 8 * MIB), (false, 32 * MIB)] {
            let what = format!("{line} {:.40} {is_chunked} {length}", fields.trim_end());
            let mut client = server.connect();
            client.send(head(line, fields, is_chunked, length));
            send_body(&mut client, is_chunked, length);
            let response = client.response().unwrap_or_else(|reason| panic!("{what}: {reason}"));
            assert_eq!((response.status, response.header("Connection")), (status, Some("close")), "{what}");
            client.finish();
            assert_eq!(client.end().0, State::Closed, "{what}");
        }
    }
    server.is_well();
}

#[test]
fn delivers_the_408_of_a_slow_body() {
    let server = HttpServer::start(short());
    let mut client = server.connect();
    client.send(head("POST /api/users", "", false, 8 * MIB));
    std::thread::sleep(short().body_timeout + Duration::from_millis(200));
    send_body(&mut client, false, 8 * MIB);
    assert_eq!(client.response().expect("a response").status, 408);
}

/// Sends as fast as possible until the connection breaks. Returns the number of bytes.
fn sent_until_reset(client: &mut RawClient, pause: Duration) -> usize {
    let piece = [b' '; 64 * 1024];
    let mut sent = 0;
    while let Ok(count) = client.stream().write(&piece) {
        sent += count;
        std::thread::sleep(pause);
        assert!(sent < 1024 * MIB, "it never ends");
    }
    sent
}

#[test]
fn cuts_off_a_client_that_never_stops_sending() {
    let server = HttpServer::start(HttpLimits { workers: 2, ..HttpLimits::default() });
    let mut client = server.connect();
    client.send(head("POST /api/users", "", false, 1 << 40));
    let sent = sent_until_reset(&mut client, Duration::ZERO);
    assert!((64 * MIB..96 * MIB).contains(&sent), "{sent} bytes");
    // A slower client is cut off by time.
    let server = HttpServer::start(short());
    let mut client = server.connect();
    client.send(head("POST /api/users", "", false, 1 << 40));
    let start = Instant::now();
    sent_until_reset(&mut client, Duration::from_millis(20));
    let limit = Duration::from_secs(1);
    assert!((limit / 2..limit + LEEWAY).contains(&start.elapsed()), "{:?}", start.elapsed());
    server.is_well();
}

#[test]
fn lingering_connections_block_neither_clients_nor_shutdown() {
    let limits = HttpLimits { max_connections: 4, workers: 2, ..HttpLimits::default() };
    let server = HttpServer::start(limits);
    let mut lingering: Vec<RawClient> = (0..4).map(|_| server.connect()).collect();
    for client in &mut lingering {
        client.send(head("POST /nothing", "", false, 1 << 30));
        send_body(client, false, MIB);
        assert_eq!(client.response().expect("a response").status, 404);
    }
    server.is_well();
    let sender = std::thread::spawn(move || {
        let mut client = lingering.pop().unwrap();
        sent_until_reset(&mut client, Duration::from_millis(20));
    });
    std::thread::sleep(Duration::from_millis(100));
    let took = server.end();
    assert!(took < Duration::from_millis(1500), "{took:?}");
    sender.join().unwrap();
}
