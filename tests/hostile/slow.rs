//! Slow clients: each is closed at most a second after its deadline, and other clients are not affected.

mod attack;
mod shutdown;

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use shipyard::http::{rlimit, HttpLimits};
use socket2::{Domain, Socket, Type};

use self::attack::{attack, Attack, Seen};
use test_support::http_server::{short, HttpServer, RawClient, Setup, State, GOOD};
use test_support::program::{folder, shipyard, Serving};

/// The time after its deadline within which a connection closes, on an idle machine.
const SLACK: Duration = Duration::from_secs(1);

/// The same on a machine that runs other tests.
pub const LEEWAY: Duration = Duration::from_secs(3);

/// The number of attacking connections in a quick test.
const FEW: usize = 100;

fn all_ended(seen: &[Seen], status: Option<u16>, limit: Duration, slack: Duration) {
    for seen in seen {
        assert_eq!(seen.status, status, "{seen:?}");
        assert!(seen.took >= limit, "too early: {seen:?}, limit {limit:?}");
        assert!(seen.idled <= limit + slack, "too late: {seen:?}, limit {limit:?}");
    }
}

#[test]
fn closes_slow_heads() {
    let server = HttpServer::start(short());
    let seen = attack(server.address, FEW, Attack::Head);
    all_ended(&seen, Some(408), short().header_timeout, LEEWAY);
    server.is_well();
}

#[test]
fn closes_after_half_a_head() {
    let server = HttpServer::start(short());
    let seen = attack(server.address, FEW, Attack::HalfAHead);
    all_ended(&seen, Some(408), short().header_timeout, LEEWAY);
    server.is_well();
}

#[test]
fn closes_slow_bodies() {
    let server = HttpServer::start(short());
    let seen = attack(server.address, FEW, Attack::Body);
    all_ended(&seen, Some(408), short().body_timeout, LEEWAY);
    server.is_well();
}

#[test]
fn closes_slow_chunked_bodies() {
    let server = HttpServer::start(short());
    let seen = attack(server.address, FEW, Attack::Chunks);
    all_ended(&seen, Some(408), short().body_timeout, LEEWAY);
    server.is_well();
}

#[test]
fn closes_a_silent_connection_without_a_response() {
    let server = HttpServer::start(short());
    let seen = attack(server.address, FEW, Attack::Silence);
    all_ended(&seen, None, short().header_timeout, LEEWAY);
    server.is_well();
}

#[test]
fn closes_an_idle_connection_without_a_response() {
    let server = HttpServer::start(short());
    let seen = attack(server.address, FEW, Attack::Idle);
    all_ended(&seen, Some(200), short().keep_alive, LEEWAY);
    server.is_well();
}

/// A connection has one timer, which was set for an earlier deadline.
#[test]
fn enforces_a_deadline_earlier_than_the_previous_one() {
    let (short, long) = (Duration::from_millis(500), Duration::from_secs(20));
    let long_limits = HttpLimits {
        header_timeout: long,
        body_timeout: long,
        request_timeout: long,
        keep_alive: long,
        ..HttpLimits::default()
    };
    let ended_in_time = |mut client: RawClient, begun: &str| {
        let start = Instant::now();
        client.send(begun);
        assert_eq!(client.response().expect("a response").status, 408, "{begun}");
        let took = start.elapsed();
        assert!(took >= short && took <= short + LEEWAY, "{took:?} {begun}");
    };
    let server = HttpServer::start(HttpLimits { body_timeout: short, ..long_limits.clone() });
    ended_in_time(server.connect(), "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{");
    let server = HttpServer::start(HttpLimits { header_timeout: short, ..long_limits });
    let mut client = server.connect();
    client.send(GOOD);
    assert_eq!(client.response().expect("a response").status, 200);
    // The deadline of the first head is over, and the timer is set for the idle connection.
    std::thread::sleep(short * 2);
    ended_in_time(client, "GET /api");
}

/// A server with a static file that is larger than the system's socket buffers.
fn with_a_big_file(name: &str, limits: HttpLimits) -> HttpServer {
    let files = folder(name);
    std::fs::write(files.join("big"), vec![b'x'; 8 * 1024 * 1024]).unwrap();
    std::fs::write(files.join("small"), vec![b'x'; 12 * 1024]).unwrap();
    Setup::with_files(limits, files).start()
}

/// A connection with a small receive buffer.
fn narrow(server: &HttpServer) -> RawClient {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    socket.connect(&server.address.into()).unwrap();
    RawClient::over(TcpStream::from(socket))
}

const BIG: &str = "GET /static/big HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn resets_a_client_that_reads_nothing() {
    let server = with_a_big_file("reads_nothing", short());
    let mut clients: Vec<RawClient> = (0..FEW).map(|_| narrow(&server)).collect();
    let start = Instant::now();
    for client in &mut clients {
        client.send(BIG);
    }
    let limit = short().request_timeout + LEEWAY;
    for client in &mut clients {
        // A write to a connection that was reset fails.
        while client.stream().take_error().unwrap().is_none() && client.stream().write(b"x").is_ok() {
            assert!(start.elapsed() <= limit, "not reset after {:?}", start.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    assert!(start.elapsed() >= short().request_timeout);
    server.is_well();
}

#[test]
fn resets_a_client_that_reads_byte_by_byte() {
    let server = with_a_big_file("reads_slowly", short());
    let mut clients: Vec<RawClient> = (0..FEW).map(|_| narrow(&server)).collect();
    let start = Instant::now();
    for client in &mut clients {
        client.send(BIG);
    }
    let limit = short().request_timeout + LEEWAY;
    while !clients.is_empty() {
        clients.retain_mut(|client| {
            use std::io::Read;
            let mut byte = [0];
            // Data from before the reset can still be read.
            client.stream().take_error().unwrap().is_none() && client.stream().read(&mut byte).is_ok()
        });
        assert!(start.elapsed() <= limit, "{} not reset after {:?}", clients.len(), start.elapsed());
        std::thread::sleep(Duration::from_millis(100));
    }
    server.is_well();
}

/// Reading fast first does not allow a client to read slowly afterwards.
#[test]
fn resets_a_client_that_stops_reading() {
    let server = with_a_big_file("reads_half", short());
    let mut client = narrow(&server);
    client.send(BIG);
    client.head().unwrap();
    client.skip(4 * 1024 * 1024);
    let start = Instant::now();
    let limit = short().request_timeout + LEEWAY;
    while client.stream().take_error().unwrap().is_none() {
        assert!(start.elapsed() <= limit, "not reset after {:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    server.is_well();
}

#[test]
fn a_reader_at_the_minimum_rate_gets_the_whole_response() {
    let limits = HttpLimits { request_timeout: Duration::from_millis(500), ..short() };
    let server = with_a_big_file("reads_in_time", limits);
    let mut client = narrow(&server);
    client.send(BIG);
    let response = client.head().unwrap();
    assert_eq!(response.header("Content-Length"), Some("8388608"));
    for _ in 0..64 {
        client.skip(128 * 1024);
        // In total longer than the request timeout, if the client read nothing meanwhile.
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(client.state(), State::Open);
}

/// The server has finished long before.
#[cfg(target_os = "linux")]
#[test]
fn a_client_that_pauses_before_the_last_response_gets_all_of_it() {
    let server = with_a_big_file("last_answer", HttpLimits::default());
    let mut client = narrow(&server);
    client.send("GET /static/small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(client.response().expect("all of it").body.len(), 12 * 1024);
    assert_eq!(client.end().0, State::Closed);
}

#[test]
fn rejects_one_connection_too_many_and_then_recovers() {
    let server =
        shutdown::with_a_slow_route(SLACK, SLACK, HttpLimits { max_connections: 4, ..HttpLimits::default() });
    let mut all: Vec<RawClient> = (0..4).map(|_| shutdown::begin(&server, 2000)).collect();
    std::thread::sleep(Duration::from_millis(200));
    for _ in 0..3 {
        let mut more = server.connect();
        more.send(GOOD);
        let refused = more.response().unwrap();
        assert_eq!((refused.status, refused.header("Retry-After")), (503, Some("1")));
        assert_eq!(refused.header("Connection"), Some("close"));
        assert!(refused.error().contains("connections"));
        assert_eq!(more.state(), State::Closed);
    }
    for client in &mut all {
        assert_eq!(client.response().expect("a response").body, b"done");
        assert_eq!(client.state(), State::Open);
    }
    drop(all);
    let start = Instant::now();
    let mut again = 503;
    while again == 503 && start.elapsed() < LEEWAY {
        let mut client = server.connect();
        client.send(GOOD);
        again = client.response().unwrap().status;
    }
    assert_eq!(again, 200);
}

#[test]
fn recovers_after_a_flood_of_connections() {
    let server = HttpServer::start(HttpLimits { max_connections: 4, ..short() });
    let flood: Vec<RawClient> = (0..300).map(|_| server.connect()).collect();
    std::thread::sleep(short().header_timeout + LEEWAY / 2);
    drop(flood);
    std::thread::sleep(Duration::from_millis(200));
    server.is_well();
}

/// The experience of a well-behaved client during an attack: one request after another on two connections, one that is
/// kept and one that is new each time.
fn good_client(port: u16, until: &std::sync::atomic::AtomicBool) -> (usize, Vec<Duration>) {
    use std::sync::atomic::Ordering;

    let address = ([127, 0, 0, 1], port).into();
    let mut kept = RawClient::connect(address);
    let (mut failed, mut times) = (0, Vec::new());
    while !until.load(Ordering::Relaxed) {
        for new in [false, true] {
            let mut fresh = new.then(|| RawClient::connect(address));
            let client = fresh.as_mut().unwrap_or(&mut kept);
            let start = Instant::now();
            client.send(GOOD);
            match client.response() {
                Ok(response) if response.status == 200 => times.push(start.elapsed()),
                _ => failed += 1,
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    (failed, times)
}

#[test]
#[ignore = "a thousand connections of each kind, at the default limits: a minute and a half"]
fn serves_a_client_next_to_a_thousand_slow_ones() {
    use std::sync::atomic::{AtomicBool, Ordering};

    const MANY: usize = 1000;
    rlimit::raise_nofile_limit();
    let here = folder("many_slow");
    std::fs::create_dir(here.join("static")).unwrap();
    std::fs::write(here.join("static/big"), vec![b'x'; 8 * 1024 * 1024]).unwrap();
    // All connections come from one address.
    let serving =
        Serving::start(shipyard(&here, &["--port", "0"]).env("ROCKET_MAX_CONNECTIONS_PER_ADDRESS", "2000"));
    let limits = HttpLimits::default();
    let kinds = [
        (Attack::Head, Some(408), limits.header_timeout),
        (Attack::HalfAHead, Some(408), limits.header_timeout),
        (Attack::Body, Some(408), limits.body_timeout),
        (Attack::Silence, None, limits.header_timeout),
        (Attack::Idle, Some(200), limits.keep_alive),
        (Attack::Reader, Some(200), limits.request_timeout),
    ];
    for (kind, status, limit) in kinds {
        let over = AtomicBool::new(false);
        let ((failed, mut times), seen) = std::thread::scope(|scope| {
            let good = scope.spawn(|| good_client(serving.port, &over));
            let seen = attack(([127, 0, 0, 1], serving.port).into(), MANY, kind);
            over.store(true, Ordering::Relaxed);
            (good.join().unwrap(), seen)
        });
        times.sort_unstable();
        let p99 = times[times.len() * 99 / 100];
        let slowest = seen.iter().map(|seen| seen.idled).max().unwrap();
        println!(
            "{kind:?}: {} good, {failed} failed, p99 {p99:?}; slowest ended after {slowest:?}",
            times.len()
        );
        all_ended(&seen, status, limit, SLACK);
        assert!(failed * 1000 <= times.len(), "{failed} of {} failed", times.len());
        assert!(p99 <= Duration::from_millis(250), "p99 {p99:?}");
    }
}
