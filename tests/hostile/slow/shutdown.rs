//! Shutdown while clients are busy.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rocket::http::Method;
use rocket::tokio::time::sleep;
use shipyard::http::HttpLimits;

use super::LEEWAY;
use test_support::http_server::{HttpServer, RawClient, Setup, State, GOOD};
use test_support::program::{folder, shipyard, Serving};
use test_support::server::Ask;

/// Responds after this number of milliseconds.
#[rocket::get("/slow/<milliseconds>")]
async fn slow(milliseconds: u64) -> &'static str {
    sleep(Duration::from_millis(milliseconds)).await;
    "done"
}

pub(super) fn with_a_slow_route(grace: Duration, mercy: Duration, limits: HttpLimits) -> HttpServer {
    let setup = Setup::new(limits);
    let rocket = setup.rocket.mount("/", rocket::routes![slow]);
    Setup { rocket, grace, mercy, ..setup }.start()
}

pub(super) fn begin(server: &HttpServer, milliseconds: u64) -> RawClient {
    let mut client = server.connect();
    client.send(format!("GET /slow/{milliseconds} HTTP/1.1\r\nHost: a\r\n\r\n"));
    client
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn finishes_requests_in_flight_with_connection_close() {
    let server = with_a_slow_route(2 * SECOND, SECOND, HttpLimits::default());
    let mut idle = server.connect();
    assert_eq!(idle.state(), State::Open);
    let mut silent = server.connect();
    let mut slow = begin(&server, 800);
    let mut body = server.connect();
    body.send("POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{");
    std::thread::sleep(Duration::from_millis(200));
    server.ask_to_end();
    std::thread::sleep(Duration::from_millis(100));
    let refused = TcpStream::connect(server.address).expect_err("no process listens any more");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    // A request that is already on its way is not lost.
    idle.send(GOOD);
    let last = idle.response().unwrap();
    assert_eq!((last.status, last.header("Connection")), (200, Some("close")));
    assert_eq!(idle.end().0, State::Closed);
    assert_eq!(silent.end().0, State::Closed);
    body.send("}");
    let response = body.response().unwrap();
    assert_eq!((response.status, response.header("Connection")), (400, Some("close")));
    let response = slow.response().unwrap();
    assert_eq!((response.status, response.header("Connection")), (200, Some("close")));
    assert_eq!(response.body, b"done");
    assert_eq!(slow.end().0, State::Closed);
    let rest = server.end();
    assert!(rest < 2 * SECOND, "{rest:?}");
}

#[test]
fn answers_clients_that_wait_in_the_backlog() {
    for _ in 0..5 {
        let server = with_a_slow_route(2 * SECOND, SECOND, HttpLimits::default());
        // Faster than the server accepts them: some wait in the backlog when shutdown begins.
        let ask = |_| {
            let mut client = server.connect();
            client.send(GOOD);
            client
        };
        let mut clients: Vec<RawClient> = (0..200).map(ask).collect();
        server.ask_to_end();
        for client in &mut clients {
            assert_eq!(client.response().expect("a response").status, 200);
        }
    }
}

#[test]
fn a_request_beyond_the_grace_period_gets_a_503() {
    let server = with_a_slow_route(SECOND, SECOND, HttpLimits::default());
    let mut slow = begin(&server, 10_000);
    let mut half = server.connect();
    half.send("GET / HTTP/1.1\r\nHost: a\r\n");
    std::thread::sleep(Duration::from_millis(200));
    let client = std::thread::spawn(move || (slow.response(), half.end()));
    let took = server.end();
    assert!((SECOND..SECOND + LEEWAY).contains(&took), "{took:?}");
    let (response, (state, _)) = client.join().unwrap();
    let response = response.expect("a response");
    assert_eq!((response.status, response.header("Connection")), (503, Some("close")));
    assert!(response.error().contains("ends"));
    assert_eq!(state, State::Closed);
}

fn serving(name: &str) -> Serving {
    Serving::start(&mut shipyard(&folder(name), &["--port", "0"]))
}

fn half_a_login() -> Ask {
    let body = serde_json::json!({"username": "user", "password": "password"});
    Ask::new(Method::Post, "/auth/login").header("Host", "localhost").json(&body)
}

#[test]
fn exits_when_the_last_request_is_answered() {
    let serving = serving("sigterm");
    let half = serving.begin(&half_a_login());
    std::thread::sleep(Duration::from_millis(200));
    serving.signal("TERM");
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    assert_eq!(half.finish().status, 200);
    assert_eq!(serving.ended(), Some(0));
    // Long before the grace period ends.
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
}

#[test]
fn exits_in_time_with_unfinished_clients() {
    let serving = serving("sigterm_grace");
    let _half = serving.begin(&half_a_login());
    let _silent = TcpStream::connect(("127.0.0.1", serving.port)).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
    // The default: 2 seconds of grace.
    let (least, most) = (2 * SECOND, 2 * SECOND + LEEWAY);
    assert!((least..most).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[test]
fn a_second_signal_ends_the_program_at_once() {
    for (first, second, code) in [("TERM", "TERM", 143), ("INT", "INT", 130), ("TERM", "INT", 130)] {
        let serving = serving(&format!("twice_{first}_{second}"));
        let _half = serving.begin(&half_a_login());
        std::thread::sleep(Duration::from_millis(200));
        serving.signal(first);
        std::thread::sleep(Duration::from_millis(300));
        let start = Instant::now();
        serving.signal(second);
        assert_eq!(serving.ended(), Some(code), "{first}, {second}");
        assert!(start.elapsed() < LEEWAY, "{:?}", start.elapsed());
    }
}

/// Sends requests over one connection after another, each for as long as it stays open, until no process listens.
/// Returns the number of responses, and the failures of the other requests.
fn busy_client(address: SocketAddr, answered: &AtomicUsize) -> Vec<String> {
    let mut wrong = Vec::new();
    while let Ok(stream) = TcpStream::connect(address) {
        let mut client = RawClient::over(stream);
        let mut is_kept = false;
        loop {
            client.send(GOOD);
            match client.response() {
                Ok(response) if response.status == 200 => {
                    answered.fetch_add(1, Ordering::Relaxed);
                    is_kept = response.header("Connection") != Some("close");
                }
                Ok(response) => wrong.push(format!("{response:?}")),
                // Reset before any response on it: the server had exited, and the system did not report it.
                Err(_) if !is_kept => return wrong,
                Err(reason) => wrong.push(reason),
            }
            if !is_kept {
                break;
            }
        }
    }
    wrong
}

#[test]
fn shutdown_loses_no_request_of_busy_clients() {
    for run in 0..10 {
        let serving = serving(&format!("busy_{run}"));
        let address = ([127, 0, 0, 1], serving.port).into();
        let answered = AtomicUsize::new(0);
        let start = std::thread::scope(|scope| {
            let client = || busy_client(address, &answered);
            let clients: Vec<_> = (0..32).map(|_| scope.spawn(client)).collect();
            std::thread::sleep(Duration::from_millis(200));
            let start = Instant::now();
            serving.signal("TERM");
            for client in clients {
                let wrong = client.join().unwrap();
                assert!(wrong.is_empty(), "{wrong:?}");
            }
            start
        });
        assert_eq!(serving.ended(), Some(0));
        assert!(start.elapsed() < 2 * SECOND + LEEWAY, "{:?}", start.elapsed());
        let answered = answered.into_inner();
        assert!(answered > 32, "{answered} requests prove little");
    }
}
