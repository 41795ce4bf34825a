//! `shipyard health`, as the health check of a container runs it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use super::{admin_address, start};
use test_support::program::{folder, free_port, run, shipyard, Run};

fn probe(name: &str, address: Option<SocketAddr>, flags: &[&str]) -> Run {
    let mut command = shipyard(&folder(name), &[&["health"], flags].concat());
    if let Some(address) = address {
        command.env("ROCKET_ADMIN_ADDRESS", address.to_string());
    }
    run(&mut command, None)
}

/// Gives these answers, one for each connection. Returns its address.
fn answer(statuses: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for status in statuses {
            let mut stream = listener.accept().unwrap().0;
            let _ = stream.read(&mut [0; 1024]);
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nword\n").unwrap();
        }
    });
    address
}

#[test]
fn a_server_that_serves_is_healthy() {
    let serving = start("probe", &[("JSON", "compact")]);
    for (flags, expected) in [(&[][..], "{\"status\":\"ready\"}\n"), (&["--live"], "{\"status\":\"live\"}\n")]
    {
        let run = probe("probe-healthy", Some(admin_address(&serving)), flags);
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), expected, ""));
    }
}

#[test]
fn a_server_that_is_not_ready_or_not_there_is_not() {
    let address = answer(&["503 Service Unavailable"]);
    let run = probe("probe-unready", Some(address), &[]);
    let expected = format!("shipyard: http://{address}/health/ready says 503: word\n");
    assert_eq!((run.code, run.stdout.as_str(), run.stderr), (Some(1), "", expected));

    let run = probe("probe-missing", Some(([127, 0, 0, 1], free_port()).into()), &[]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.starts_with("shipyard: cannot connect to http://127.0.0.1:"), "{run:?}");
}

#[test]
fn it_asks_again_while_it_waits() {
    let address = answer(&["503 Service Unavailable", "503 Service Unavailable", "200 OK"]);
    let run = probe("probe-wait", Some(address), &["--wait", "30"]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "word\n", ""));
}

#[test]
fn it_needs_an_admin_address() {
    let run = probe("probe-unset", None, &[]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("no admin_address is set"), "{run:?}");
}
