//! Faults inside the server: panics, blocked handlers, exhausted file descriptors, clients that disconnect.

mod files;
mod panics;
mod swaps;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rocket::tokio::time::sleep;
use shipyard::http::HttpLimits;
use socket2::SockRef;

use crate::slow::LEEWAY;
use test_support::http_server::{short, HttpServer, RawClient, Setup, State, GOOD};
use test_support::program::{folder, Serving};

const SECOND: Duration = Duration::from_secs(1);

/// The CPU time of a process in hundredths of a second (proc(5): `utime` and `stime`).
#[cfg(target_os = "linux")]
fn work(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    [fields[11], fields[12]].map(|ticks| ticks.parse::<u64>().unwrap()).iter().sum()
}

#[cfg(target_os = "linux")]
#[test]
fn recovers_when_file_descriptors_run_out() {
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", "ulimit -n 64; exec \"$0\" --port 0", env!("CARGO_BIN_EXE_shipyard")]);
    let here = folder("descriptors");
    std::fs::create_dir(here.join("static")).unwrap();
    std::fs::write(here.join("static/file"), "a file").unwrap();
    limited.current_dir(here).env_clear();
    limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let serving = Serving::start(&mut limited);
    let address = ([127, 0, 0, 1], serving.port).into();
    let mut first = RawClient::connect(address);
    let file = "GET /static/file HTTP/1.1\r\nHost: a\r\n\r\n";
    first.send(file);
    assert_eq!(first.response().unwrap().status, 200);
    let kept: Vec<RawClient> = (0..200).map(|_| RawClient::connect(address)).collect();
    // All descriptors are taken: a new client waits.
    std::thread::sleep(Duration::from_millis(500));
    // A missing file would be cached.
    first.send(file);
    let response = first.response().unwrap();
    assert_eq!((response.status, response.error()), (500, String::new()));
    let before = work(serving.pid());
    let mut waiting = RawClient::connect(address);
    waiting.send(GOOD);
    std::thread::sleep(2 * SECOND);
    let spent = work(serving.pid()) - before;
    assert!(spent <= 20, "{spent} hundredths of a second of work in two seconds of waiting");
    drop(kept);
    let start = Instant::now();
    assert_eq!(waiting.response().unwrap().status, 200);
    assert_eq!(waiting.state(), State::Open);
    assert!(start.elapsed() < LEEWAY, "{:?}", start.elapsed());
    assert_eq!(RawClient::connect(address).state(), State::Open);
}

/// Few permits: those of disconnected clients must be free again.
fn few() -> HttpLimits {
    HttpLimits { max_connections: 8, ..HttpLimits::default() }
}

fn reset(client: RawClient) {
    SockRef::from(client.stream()).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Checks that all permits are free within a second.
fn has_room(http_server: &HttpServer) {
    let start = Instant::now();
    loop {
        let mut clients: Vec<RawClient> = (0..8).map(|_| http_server.connect()).collect();
        let statuses = clients.iter_mut().map(|client| {
            client.send(GOOD);
            client.response().map(|response| response.status)
        });
        if statuses.collect::<Vec<_>>().iter().all(|status| *status == Ok(200)) {
            return;
        }
        assert!(start.elapsed() < LEEWAY, "no room after {:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn clients_that_disconnect_in_a_request_free_their_permits() {
    let halves = [
        "",
        "GET /api/ships/2 HT",
        "GET /api/ships/2 HTTP/1.1\r\nHost: a\r\n",
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{\"user",
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    ];
    for half in halves {
        for is_reset in [true, false] {
            let http_server = HttpServer::start(few());
            let mut clients: Vec<RawClient> = (0..8).map(|_| http_server.connect()).collect();
            for client in &mut clients {
                client.send(half);
            }
            std::thread::sleep(Duration::from_millis(50));
            for client in clients {
                if is_reset {
                    reset(client);
                }
            }
            has_room(&http_server);
        }
    }
}

#[test]
fn clients_that_disconnect_in_a_response_free_their_permits() {
    let folder = folder("gone_within_answer");
    std::fs::write(folder.join("big"), vec![b'x'; 4 * 1024 * 1024]).unwrap();
    for is_reset in [true, false] {
        let http_server = Setup::with_files(few(), folder.clone()).start();
        let mut clients: Vec<RawClient> = (0..8).map(|_| http_server.connect()).collect();
        for client in &mut clients {
            client.send("GET /static/big HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.head().unwrap().status, 200);
        }
        for client in clients {
            if is_reset {
                reset(client);
            }
        }
        has_room(&http_server);
    }
}

#[test]
fn responds_to_a_client_that_half_closes() {
    let http_server = HttpServer::start(HttpLimits::default());
    let mut client = http_server.connect();
    client.send(GOOD);
    client.finish();
    assert_eq!(client.response().unwrap().status, 200);
    assert_eq!(client.end().0, State::Closed);
}

#[rocket::get("/patient")]
async fn patient() -> &'static str {
    sleep(10 * SECOND).await;
    "too late"
}

#[test]
fn gives_up_a_response_that_takes_too_long() {
    let setup = Setup::new(short());
    let rocket = setup.rocket.mount("/", rocket::routes![patient]);
    let http_server = Setup { rocket, ..setup }.start();
    for method in ["GET", "HEAD"] {
        let mut client = http_server.connect();
        let start = Instant::now();
        client.send(format!("{method} /patient HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = if method == "HEAD" { client.head() } else { client.response() }.unwrap();
        assert_eq!((response.status, response.header("Retry-After")), (503, Some("1")));
        assert_eq!(response.header("Connection"), Some("close"));
        let limit = short().request_timeout;
        assert!((limit..limit + LEEWAY).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert_eq!(client.end().0, State::Closed);
    }
    http_server.is_well();
}

/// Blocks the thread that serves its connection, as no handler should.
#[rocket::get("/blocking/<milliseconds>")]
fn blocking(milliseconds: u64) -> &'static str {
    std::thread::sleep(Duration::from_millis(milliseconds));
    "done"
}

fn with_a_blocking_route(limits: HttpLimits) -> HttpServer {
    let setup = Setup::new(limits);
    let rocket = setup.rocket.mount("/", rocket::routes![blocking]);
    Setup { rocket, ..setup }.start()
}

fn block(http_server: &HttpServer, milliseconds: u64) -> RawClient {
    let mut client = http_server.connect();
    client.send(format!("GET /blocking/{milliseconds} HTTP/1.1\r\nHost: a\r\n\r\n"));
    std::thread::sleep(Duration::from_millis(100));
    client
}

/// Connections are assigned to the threads in turn, and stay there. So a blocked handler delays only the connections of
/// its own thread.
#[test]
fn a_blocked_handler_occupies_one_thread() {
    let http_server = with_a_blocking_route(HttpLimits { workers: 2, ..HttpLimits::default() });
    let mut blocking = block(&http_server, 4000);
    let start = Instant::now();
    http_server.is_well();
    assert!(start.elapsed() < LEEWAY, "{:?}", start.elapsed());
    assert_eq!(blocking.response().unwrap().body, b"done");
}

/// Then no request is served, but each connection is accepted, in place of an idle one, or rejected because the server
/// is full. As soon as one handler is done, requests are served again: the request of the other thread arrives first.
#[test]
fn accepts_connections_while_handlers_block_all_threads() {
    let http_server = with_a_blocking_route(HttpLimits {
        workers: 2,
        max_connections: 4,
        request_timeout: 9 * SECOND,
        ..short()
    });
    let mut blocking = [block(&http_server, 4000), block(&http_server, 4000)];
    let start = Instant::now();
    let (mut waiting, mut silent) = (http_server.connect(), http_server.connect());
    waiting.send(GOOD);
    std::thread::sleep(Duration::from_millis(100));
    // Only a bounded number is accepted at a time; these connections go to the blocked threads.
    let _accepted: Vec<RawClient> = (0..4).map(|_| http_server.connect()).collect();
    let mut refused = http_server.connect();
    refused.send(GOOD);
    assert_eq!(refused.response().unwrap().status, 503);
    assert!(start.elapsed() < LEEWAY, "{:?}", start.elapsed());
    assert_eq!(waiting.response().unwrap().status, 200);
    assert!(start.elapsed() > SECOND);
    for blocking in &mut blocking {
        assert_eq!(blocking.response().unwrap().body, b"done");
    }
    // Its deadline is that of the head, from the time when its thread accepted it.
    assert_eq!(silent.end().0, State::Closed);
    assert!(start.elapsed() < 4 * SECOND + LEEWAY, "{:?}", start.elapsed());
}
