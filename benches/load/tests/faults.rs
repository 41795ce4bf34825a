//! The load against a small server that errs: whatever is wrong must be found.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use load::job::{Job, Request};
use load::report::Report;
use load::template::Segment;

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// What the server does with one request.
enum Act {
    Answer(String),
    /// Answers, and closes.
    Last(String),
    Silence,
}

fn good() -> Act {
    Act::Answer(GOOD.into())
}

/// A server that does what `act` says of the n-th request, counted over all connections from 0. It lives as long as the
/// test.
fn serve(act: impl Fn(usize) -> Act + Send + Sync + 'static) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (act, count, asked) = (Arc::new(act), Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(vec![])));
    let seen = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (act, count, seen) = (act.clone(), count.clone(), seen.clone());
            std::thread::spawn(move || {
                serve_one(stream, |request| {
                    seen.lock().unwrap().push(request);
                    act(count.fetch_add(1, Ordering::SeqCst))
                })
            });
        }
    });
    (address, asked)
}

fn serve_one(mut stream: TcpStream, mut act: impl FnMut(String) -> Act) {
    let mut buffer = [0; 4096];
    loop {
        let Ok(count @ 1..) = stream.read(&mut buffer) else { return };
        match act(String::from_utf8_lossy(&buffer[..count]).into()) {
            Act::Silence => std::thread::sleep(Duration::from_secs(10)),
            Act::Answer(text) => stream.write_all(text.as_bytes()).unwrap(),
            Act::Last(text) => return stream.write_all(text.as_bytes()).unwrap(),
        }
    }
}

fn request(name: &str) -> Request {
    Request {
        bytes: format!("GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n"),
        status: 200,
        template: vec![Segment::Literal("hello".into())].try_into().unwrap(),
    }
}

fn job(address: SocketAddr, connections: usize, requests: u64) -> Job {
    Job {
        address,
        more_addresses: Vec::new(),
        connections,
        warmup_s: 0.0,
        seconds: 0.0,
        min_requests: requests,
        request_limit_s: 0.5,
        limit_s: 5.0,
        pids: vec![i32::try_from(std::process::id()).unwrap()],
        database: None,
        requests: vec![request("a"), request("b")],
        order: vec![0, 0, 1],
    }
}

fn run(connections: usize, requests: u64, act: impl Fn(usize) -> Act + Send + Sync + 'static) -> Report {
    load::run(&job(serve(act).0, connections, requests))
}

#[track_caller]
fn assert_found(report: &Report, reason: &str) {
    let error = report.error.as_deref().expect("an error");
    assert!(error.contains(reason), "{error}");
}

#[test]
fn a_good_server_is_measured() {
    let report = run(4, 1000, |_| good());
    assert_eq!(report.error, None);
    assert_eq!((report.requests, report.reconnects), (1000, 0));
    assert!(report.cpu_s > 0.0 && report.seconds > 0.0, "{report:?}");
    assert!(report.p50_us > 0.0 && report.p50_us <= report.p99_us && report.p99_us <= report.max_us);
}

#[test]
fn it_lasts_as_long_as_it_is_told() {
    let mut job = job(serve(|_| good()).0, 2, 0);
    job.seconds = 0.2;
    let report = load::run(&job);
    assert_eq!(report.error, None);
    assert!((0.2..1.0).contains(&report.seconds), "{report:?}");
}

#[test]
fn requests_come_in_their_order() {
    let (address, asked) = serve(|_| good());
    assert_eq!(load::run(&job(address, 1, 5)).error, None);
    // The first is the warm-up's.
    let asked: String = asked.lock().unwrap().iter().map(|request| &request[5..6]).collect();
    assert_eq!(asked, "aabaab");
}

#[test]
fn a_wrong_body_is_found() {
    let report = run(3, 100, |n| if n == 60 { Act::Answer(GOOD.replace("llo", "l10")) } else { good() });
    assert_found(&report, r#"HTTP/1.1: body, byte 3: expected "lo", found "10""#);
}

#[test]
fn a_wrong_status_is_found() {
    let report = run(3, 100, |n| if n == 60 { Act::Answer(GOOD.replace("200", "503")) } else { good() });
    assert_found(&report, "status 503");
}

#[test]
fn an_answer_that_breaks_off_is_found() {
    for cut in [1, 20, GOOD.len() - 1] {
        let report = run(3, 100, move |n| if n == 60 { Act::Last(GOOD[..cut].into()) } else { good() });
        assert_found(&report, "closed before the end of the answer");
    }
}

#[test]
fn a_server_that_closes_at_once_is_found() {
    assert_found(&run(1, 10, |_| Act::Last(String::new())), "closed before the end of the answer");
}

#[test]
fn an_answer_too_many_is_found() {
    let report = run(1, 100, |n| Act::Answer(GOOD.repeat(if n == 60 { 2 } else { 1 })));
    assert_found(&report, "after the answer");
}

#[test]
fn silence_is_found() {
    let report = run(2, 100, |n| if n == 60 { Act::Silence } else { good() });
    assert_found(&report, "no answer within 0.5 s");
}

#[test]
fn a_whole_that_takes_too_long_is_found() {
    let mut job = job(serve(|_| good()).0, 1, u64::MAX);
    job.limit_s = 0.3;
    assert_found(&load::run(&job), "not done within 0.3 s");
}

#[test]
fn nobody_at_the_address_is_found() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_found(&load::run(&job(address, 1, 1)), "refused");
}

#[test]
fn a_connection_may_end_between_answers() {
    let close = GOOD.replace("OK\r\n", "OK\r\nConnection: close\r\n");
    for last in [close, GOOD.into()] {
        let report = run(3, 100, move |n| if n % 10 == 9 { Act::Last(last.clone()) } else { good() });
        assert_eq!(report.error, None);
        assert_eq!(report.requests, 100);
        assert!((7..=11).contains(&report.reconnects), "{report:?}");
    }
}

#[test]
fn a_body_of_many_reads_is_compared_to_its_end() {
    let body = "0123456789".repeat(100_000);
    let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n{body}\r\n0\r\n\r\n");
    let wrong = answer.replace("9\r\n0", "8\r\n0");
    let (address, _) = serve(move |n| Act::Answer(if n == 6 { wrong.clone() } else { answer.clone() }));
    let mut job = job(address, 1, 5);
    for request in &mut job.requests {
        request.template = vec![Segment::Literal(body.clone())].try_into().unwrap();
    }
    assert_eq!(load::run(&job).error, None);
    assert_found(&load::run(&job), r#"body, byte 999999: expected "9", found "8""#);
}

#[test]
fn a_job_that_cannot_be_done_is_refused() {
    let text = |order: &str, connections: usize, template: &str| {
        format!(
            r#"{{"address":"127.0.0.1:1","connections":{connections},"warmup_s":0.1,"seconds":1,"min_requests":0,
            "request_limit_s":1,"limit_s":1,"pids":[],"order":{order},
            "requests":[{{"bytes":"x","status":200,"template":{template}}}]}}"#
        )
    };
    let template = r#"[{"literal":"\""},"jwt",{"literal":"\""}]"#;
    assert!(Job::read(text("[0]", 1, template).as_bytes()).is_ok());
    for wrong in [text("[]", 1, template), text("[1]", 1, template), text("[0]", 0, template)] {
        assert!(Job::read(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert!(Job::read(text("[0]", 1, r#"["jwt","jwt"]"#).as_bytes()).is_err());
}

#[test]
fn the_connections_are_spread_over_all_nodes() {
    let ((first, asked_first), (second, asked_second)) = (serve(|_| good()), serve(|_| good()));
    let mut job = job(first, 4, 40);
    job.more_addresses.push(second);
    assert_eq!(load::run(&job).error, None);
    let (one, other) = (asked_first.lock().unwrap().len(), asked_second.lock().unwrap().len());
    assert!(one >= 2 && other >= 2, "{one} and {other}");
}
