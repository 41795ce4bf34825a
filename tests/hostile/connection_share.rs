//! Connection limits by address: one client cannot take every connection, and the connection that has waited longest
//! for its client is evicted first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rocket::tokio::time::sleep;
use shipyard::http::{HttpLimits, TrustedProxies};

use test_support::http_server::{HttpServer, RawClient, Setup, State, GOOD};

const GREEDY: [u8; 4] = [127, 0, 0, 2];
const OTHER: [u8; 4] = [127, 0, 0, 3];

/// Longer than the time for which a connection between two requests counts as active.
const LONG_IDLE: Duration = Duration::from_millis(350);

/// The maximum time in which an evicted connection closes.
const MOMENT: Duration = Duration::from_millis(200);

fn limits(max_connections: usize, max_connections_per_address: usize) -> HttpLimits {
    HttpLimits {
        max_connections,
        max_connections_per_address,
        workers: 2,
        keep_alive: Duration::from_secs(20),
        header_timeout: Duration::from_secs(20),
        body_timeout: Duration::from_secs(20),
        request_timeout: Duration::from_secs(20),
        ..HttpLimits::default()
    }
}

#[rocket::get("/slow/<milliseconds>")]
async fn slow(milliseconds: u64) -> &'static str {
    sleep(Duration::from_millis(milliseconds)).await;
    "done"
}

fn start(limits: HttpLimits) -> HttpServer {
    let setup = Setup::new(limits);
    let rocket = setup.rocket.mount("/", rocket::routes![slow]);
    Setup { rocket, ..setup }.start()
}

/// A connection that has received one response.
fn idle(server: &HttpServer, client: [u8; 4]) -> RawClient {
    let mut connection = server.connect_from(client);
    ask(&mut connection);
    connection
}

fn ask(connection: &mut RawClient) {
    connection.send(GOOD);
    assert_eq!(connection.response().expect("a response").status, 200);
    // Opened one after another, so that the idle times differ.
    std::thread::sleep(Duration::from_millis(5));
}

/// Whether the server has closed the connection.
fn is_closed(connection: &RawClient) -> bool {
    connection.stream().set_nonblocking(true).unwrap();
    let mut byte = [0];
    let peeked = connection.stream().peek(&mut byte);
    connection.stream().set_nonblocking(false).unwrap();
    matches!(peeked, Ok(0)) || peeked.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
}

fn closed(connections: &[&RawClient]) -> Vec<bool> {
    std::thread::sleep(MOMENT);
    connections.iter().map(|connection| is_closed(connection)).collect()
}

#[test]
fn one_address_cannot_take_every_connection() {
    let server = start(limits(32, 8));
    let greedy: Vec<RawClient> = (0..40).map(|_| idle(&server, GREEDY)).collect();
    for _ in 0..20 {
        server.is_well();
    }
    let open: Vec<bool> =
        closed(&greedy.iter().collect::<Vec<_>>()).iter().map(|is_closed| !is_closed).collect();
    // Its share stays open: the connections with the shortest idle time.
    assert_eq!(open.iter().filter(|is_open| **is_open).count(), 8, "{open:?}");
    assert!(open[32..].iter().all(|is_open| *is_open), "{open:?}");
}

#[test]
fn evicts_the_longest_idle_connection_of_an_address() {
    let server = start(limits(32, 4));
    let [mut first, second, third, fourth] = [0; 4].map(|_| idle(&server, GREEDY));
    let other = idle(&server, OTHER);
    ask(&mut first);
    let mut fifth = idle(&server, GREEDY);
    assert_eq!(closed(&[&first, &second, &third, &fourth, &other]), [false, true, false, false, false]);
    let mut second = second;
    assert_eq!(second.end().0, State::Closed);
    assert_eq!([first.state(), fifth.state()], [State::Open; 2]);
}

#[test]
fn evicts_from_the_address_with_most_connections() {
    let server = start(limits(6, 6));
    let other = idle(&server, OTHER);
    let greedy: Vec<RawClient> = (0..4).map(|_| idle(&server, GREEDY)).collect();
    let another = idle(&server, OTHER);
    server.is_well();
    let [first, second] = [&greedy[0], &greedy[1]];
    assert_eq!(closed(&[&other, &another, first, second]), [false, false, true, false]);
}

#[test]
fn evicts_idle_connections_first_and_then_partial_requests_with_a_503() {
    let server = start(limits(32, 3));
    let mut head = server.connect_from(GREEDY);
    head.send("GET /api/ships/2 HTTP/1.1\r\n");
    std::thread::sleep(Duration::from_millis(5));
    let mut body = server.connect_from(GREEDY);
    body.send("POST /api/ships HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{");
    let long_idle = idle(&server, GREEDY);
    std::thread::sleep(LONG_IDLE);
    let mut fresh = idle(&server, GREEDY);
    assert_eq!(closed(&[&head, &body, &long_idle, &fresh]), [false, false, true, false]);
    // The next connection to be evicted is one that has waited longer than a client needs for its next request.
    ask(&mut fresh);
    for waiting in [&mut head, &mut body] {
        ask(&mut fresh);
        let mut more = server.connect_from(GREEDY);
        more.send("GET ");
        let response = waiting.response().expect("a response");
        assert_eq!((response.status, response.header("Connection")), (408, Some("close")));
        assert!(response.error().contains("needed the connection"), "{response:?}");
        assert_eq!(waiting.end().0, State::Closed);
        drop(more);
        std::thread::sleep(MOMENT);
        *waiting = server.connect_from(GREEDY);
    }
    assert_eq!(fresh.state(), State::Open);
}

#[test]
fn never_evicts_a_connection_that_is_being_served() {
    for limits in [limits(32, 3), limits(3, 32)] {
        let server = start(limits);
        let mut served: Vec<RawClient> = (0..3).map(|_| server.connect_from(GREEDY)).collect();
        for connection in &mut served {
            connection.send("GET /slow/1500 HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        std::thread::sleep(MOMENT);
        let mut refused = server.connect_from(GREEDY);
        refused.send(GOOD);
        let response = refused.response().expect("a response");
        assert_eq!((response.status, response.header("Retry-After")), (503, Some("1")));
        assert!(response.error().contains("connections"));
        for connection in &mut served {
            assert_eq!(connection.response().expect("a response").body, b"done");
        }
        // As soon as one of the connections is idle, it is evicted.
        ask(&mut server.connect_from(GREEDY));
    }
}

#[test]
fn evicts_a_client_that_does_not_read() {
    let folder = test_support::program::folder("stalled_readers");
    std::fs::write(folder.join("big"), vec![b'x'; 8 * 1024 * 1024]).unwrap();
    let server = Setup::with_files(limits(32, 2), folder).start();
    // Otherwise the system would buffer the whole response.
    let room = Some(64 * 1024);
    let mut stalled = server.connect_with(GREEDY, room);
    stalled.send("GET /static/big HTTP/1.1\r\nHost: a\r\n\r\n");
    stalled.head().unwrap();
    let mut reading = server.connect_with(GREEDY, room);
    reading.send("GET /static/big HTTP/1.1\r\nHost: a\r\n\r\n");
    reading.head().unwrap();
    for _ in 0..15 {
        reading.skip(400 * 1024);
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut new = server.connect_from(GREEDY);
    ask(&mut new);
    reading.skip(8 * 1024 * 1024 - 15 * 400 * 1024);
    assert_eq!(reading.state(), State::Open);
    std::thread::sleep(MOMENT);
    assert!(stalled.stream().take_error().unwrap().is_some(), "it has been reset");
}

#[test]
fn trusted_proxies_are_not_limited_to_a_share() {
    let trusted_proxies = TrustedProxies::parse(&["127.0.0.2".to_owned()]).unwrap();
    let server = start(HttpLimits { trusted_proxies, ..limits(12, 2) });
    let mut proxy: Vec<RawClient> = (0..10).map(|_| idle(&server, GREEDY)).collect();
    let direct = [idle(&server, OTHER), idle(&server, OTHER)];
    for connection in &mut proxy {
        ask(connection);
    }
    // When all permits are taken, it is evicted last.
    server.is_well();
    assert_eq!(closed(&[&direct[0], &direct[1], &proxy[0], &proxy[9]]), [true, false, false, false]);
    assert_eq!(proxy[0].state(), State::Open);
}

/// Keeps `count` connections open, and reopens each that is closed. Each sends a request, or one byte of it at a
/// time.
fn attack(server: &HttpServer, count: usize, is_dripping: bool, is_over: &AtomicBool) {
    let first = if is_dripping { "GET /api/ships/2 HTTP/1.1\r\nX: " } else { GOOD };
    let mut connections: Vec<RawClient> = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        connections.retain(|connection| !has_ended(connection));
        while connections.len() < count {
            let mut connection = server.connect_from(GREEDY);
            connection.send(first);
            connections.push(connection);
        }
        connections.iter_mut().filter(|_| is_dripping).for_each(|connection| connection.send("x"));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the server has closed the connection, with or without a response.
fn has_ended(connection: &RawClient) -> bool {
    use std::io::Read;

    connection.stream().set_nonblocking(true).unwrap();
    let read = connection.stream().read(&mut [0; 4096]);
    let has_ended = is_closed(connection);
    connection.stream().set_nonblocking(false).unwrap();
    matches!(read, Ok(0)) || has_ended
}

/// The number of requests of a well-behaved client that fail.
fn failures(server: &HttpServer, client: [u8; 4], count: usize) -> usize {
    let mut connection = server.connect_from(client);
    let mut failed = 0;
    for request in 0..count {
        if request % 10 == 9 {
            connection = server.connect_from(client);
        }
        connection.send(GOOD);
        if !connection.response().is_ok_and(|response| response.status == 200) {
            failed += 1;
            connection = server.connect_from(client);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    failed
}

#[test]
fn serves_a_client_next_to_a_greedy_one() {
    for is_dripping in [true, false] {
        let server = start(limits(256, 64));
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| attack(&server, 100, is_dripping, &is_over));
            std::thread::sleep(MOMENT);
            let near = scope.spawn(|| failures(&server, GREEDY, 400));
            let far = failures(&server, OTHER, 400);
            let near = near.join().unwrap();
            is_over.store(true, Ordering::Relaxed);
            assert!(far == 0 && near <= 4, "dripping: {is_dripping}; {far} and {near} of 400 failed");
        });
    }
}
