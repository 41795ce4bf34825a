//! `shipyard verify` against servers that hang, crash, misbehave or fail to start: it reports each in time and leaves
//! no process running.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use test_support::program::{folder, free_port, here, own_server, shipyard, verify};

/// A server on a free port that runs `serve` with each connection. Returns its address.
fn fake(mut serve: impl FnMut(usize, TcpStream) -> bool + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (number, connection) in listener.incoming().enumerate() {
            if !serve(number, connection.unwrap()) {
                break;
            }
        }
    });
    address
}

/// Reads a request, so that closing the connection does not reset it, and responds with these bytes.
fn answer(mut connection: TcpStream, text: &str) {
    let mut head = [0; 4096];
    let _ = connection.read(&mut head);
    let _ = connection.write_all(text.as_bytes());
}

#[test]
fn reports_a_misbehaving_server_in_time() {
    let users = "[\n  {\n    \"id\": 1\n  }\n]\n";
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let body = |headers: &str, body: &str| format!("{head}{headers}\r\n{body}");
    let answers = [
        (body("Content-Length: 99\r\n", users), "Content-Length is 99, the body has 24 bytes"),
        (
            body("Content-Length: 2\r\n", users),
            "Content-Length is 2, the body has 22 bytes more or a second answer",
        ),
        (body("Content-Length: +24\r\n", users), "Content-Length is \"+24\""),
        (body("Transfer-Encoding: chunked\r\n", "+3\r\n[]\n\r\n0\r\n\r\n"), "\"+3\" is no size of a chunk"),
        (body("Content-Type: text/html\r\n", "[]"), "+      | Content-Type: text/html"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(), "+      | HTTP/1.1 101 Switching Protocols"),
        (body("", &"[1,\n".repeat(500_000)), "  ... and more\n"),
        (body("", &"[1,".repeat(500_000)), "bytes more"),
        (body("Content-Length: x\r\n", users), "Content-Length is \"x\""),
        (
            body("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            "the length of the body is ambiguous",
        ),
        (body("Transfer-Encoding: chunked\r\n", "zz\r\n"), "\"zz\" is no size of a chunk"),
        (body("Transfer-Encoding: chunked\r\n", "3\r\n[]\n"), "the last chunk is missing"),
        ("HTTP/1.1 204 No Content\r\n\r\nmore".to_owned(), "4 bytes after the end of the answer"),
        (
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            "a 204 has no Transfer-Encoding",
        ),
        (body("Content-Length: 24\r\nConnection: close\r\n", "[\u{feff}\u{a0}]"), "the body has 7 bytes"),
        (body("", "\u{feff}[]"), "+      | \\u{feff}[]"),
        (body("", "\u{feff}[]"), "the body is not JSON as it must be: unexpected byte order mark"),
        (body("", "[] x"), "the body is not JSON as it must be: trailing characters"),
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), "not an HTTP/1 response"),
        ("\u{1}\u{2}".to_owned(), "not an HTTP/1 response"),
        (body("content-encoding: gzip\r\n", "[]"), "the body is encoded (gzip), and is not decoded here"),
        (head.to_owned(), "the headers have no end"),
        (String::new(), "the connection was closed without a response"),
        (body("", "no JSON"), "+      | no JSON (no line end)"),
        (body("", "{\"a\": 1, \"a\": 2}\n"), "+      | {\"a\": 1, \"a\": 2}"),
        (body("", "{\"a\": 1, \"a\": 2}\n"), "the body is not JSON as it must be: duplicate name \"a\""),
        ("HTTP/1.1 401 Unauthorized\r\n\r\n".to_owned(), "Is it freshly started"),
    ];
    for (text, expected) in answers {
        // The first response is to the probe whether a server is there.
        let url = fake(move |number, connection| {
            answer(connection, if number == 0 { "HTTP/1.1 404 Not Found\r\n\r\n" } else { &text });
            true
        });
        let done = verify(&["--url", &url, "--timeout", "5"]);
        assert_eq!(done.code, Some(1), "{expected}: {done:?}");
        assert!(done.stdout.contains(expected), "{expected}: {}", done.stdout);
    }
}

#[test]
fn ends_the_scenario_when_the_server_hangs_or_exits() {
    let silent = fake(|number, connection| {
        if number == 0 {
            answer(connection, "HTTP/1.1 200 OK\r\n\r\n");
        } else {
            std::thread::sleep(Duration::from_secs(20));
        }
        true
    });
    let slow = fake(|number, mut connection| {
        if number == 0 {
            answer(connection, "HTTP/1.1 200 OK\r\n\r\n");
        } else {
            // Sends a byte at a time without end: each byte comes soon, the response never.
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nX: ");
            while connection.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        true
    });
    let gone = fake(|_, connection| {
        answer(connection, "HTTP/1.1 200 OK\r\n\r\n");
        false
    });
    for (url, expected) in [
        (silent, "no response within 1 s"),
        (slow, "the response was not complete within 1 s"),
        (gone, "cannot connect to"),
    ] {
        let start = Instant::now();
        let done = verify(&["--url", &url, "--timeout", "1"]);
        assert_eq!(done.code, Some(1), "{expected}: {done:?}");
        assert!(done.stdout.contains(expected), "{expected}: {done:?}");
        assert!(done.stdout.contains("\nnot run   readme/14-logout-refresh-token"), "{expected}: {done:?}");
        assert!(start.elapsed() < Duration::from_secs(10), "{expected}");
    }
}

#[test]
fn reports_the_output_of_a_server_that_fails_to_start() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_url = format!("http://{}", taken.local_addr().unwrap());
    for (command, url, expected) in [
        ("echo some reason >&2; exit 3", &url, "ended (exit code 3) before it responded"),
        ("echo some reason", &url, "ended (exit code 0) before it responded and left nothing running"),
        ("printf 'some reason \\033[2J'; exit 3", &url, "some reason \\u{1b}[2J"),
        ("echo some reason; sleep 60", &url, "did not respond within 1.5 s: cannot connect to"),
        ("true", &taken_url, "something listens at"),
    ] {
        let flags = ["--start", command, "--url", url, "--start-timeout", "1.5", "--scenario", "readme"];
        let done = verify(&flags);
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.stdout.contains(expected), "{expected}: {done:?}");
        assert_eq!(done.stdout.contains("some reason"), command.contains("reason"), "{done:?}");
    }
    let done = verify(&["--url", &url]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.stdout.contains("BROKEN    readme: cannot connect to"), "{done:?}");
}

/// Whether a process with this id is running.
#[cfg(target_os = "linux")]
fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}

/// The command starts processes in the background, in another session, or that ignore SIGTERM.
#[cfg(target_os = "linux")]
#[test]
fn leaves_no_process_running() {
    let notes = folder("left_behind").join("pids");
    let file = notes.to_str().unwrap();
    let (command, url) = own_server("");
    let background =
        format!("sleep 300 & echo $! >>'{file}'; setsid sh -c 'echo $$ >>\"{file}\"; exec sleep 300' & ");
    let deaf = format!("sh -c 'trap \"\" TERM; echo $$ >>\"{file}\"; exec sleep 300' & {command}");
    for (command, processes, code) in [(deaf, 3, 0), ("sleep 300".to_owned(), 2, 2)] {
        std::fs::write(&notes, "").unwrap();
        let command = format!("{background}{command}");
        let flags =
            ["--start", &command, "--url", &url, "--start-timeout", "3", "--scenario", "login-errors"];
        let done = verify(&[&flags, ["--stop-timeout", "0.5"].as_slice()].concat());
        assert_eq!(done.code, Some(code), "{done:?}");
        let pids = std::fs::read_to_string(&notes).unwrap();
        assert_eq!(pids.lines().count(), processes);
        assert_eq!(pids.lines().filter(|pid| runs(pid)).count(), 0, "{pids}");
    }
}

/// Ctrl-C also ends the server.
#[cfg(target_os = "linux")]
#[test]
fn stops_its_server_when_interrupted() {
    let notes = folder("interrupted").join("pid");
    let command = format!("echo $$ >'{}'; exec sleep 300", notes.display());
    let url = format!("http://127.0.0.1:{}", free_port());
    let mut verify = shipyard(here(), &["verify", "--start", &command, "--url", &url]).spawn().unwrap();
    let start = Instant::now();
    let pid = loop {
        match std::fs::read_to_string(&notes) {
            Ok(pid) if pid.ends_with('\n') => break pid.trim().to_owned(),
            _ => assert!(start.elapsed() < Duration::from_secs(20)),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    // The handler is installed by another thread, before the program waits for the command.
    std::thread::sleep(Duration::from_millis(300));
    Command::new("kill").args(["-INT", &verify.id().to_string()]).status().unwrap();
    assert_eq!(verify.wait().unwrap().code(), Some(130));
    assert!(!runs(&pid));
}

/// No process is started once this program is shutting down, however long that takes.
#[cfg(target_os = "linux")]
#[test]
fn starts_no_server_after_an_interrupt() {
    let notes = folder("interrupted_once").join("pids");
    let file = notes.display();
    let deaf = format!("sh -c 'trap \"\" TERM; echo $$ >>\"{file}\"; exec sleep 300' & ");
    let command = format!("{deaf} sleep 0.2; echo $$ >>'{file}'; exec sleep 300");
    let url = format!("http://127.0.0.1:{}", free_port());
    let flags = ["verify", "--start", &command, "--url", &url, "--stop-timeout", "1"];
    let mut verify = shipyard(here(), &flags).spawn().unwrap();
    let start = Instant::now();
    while std::fs::read_to_string(&notes).unwrap_or_default().lines().count() < 2 {
        assert!(start.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
    let start = Instant::now();
    Command::new("kill").args(["-TERM", &verify.id().to_string()]).status().unwrap();
    assert_eq!(verify.wait().unwrap().code(), Some(143));
    // The process that ignores SIGTERM got the grace period, and no more.
    assert!((1..10).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    let pids = std::fs::read_to_string(&notes).unwrap();
    assert_eq!(pids.lines().count(), 2, "{pids}");
    assert_eq!(pids.lines().filter(|pid| runs(pid)).count(), 0, "{pids}");
}

#[test]
fn skips_all_scenarios_when_the_server_does_not_start() {
    let url = format!("http://127.0.0.1:{}", free_port());
    let start = Instant::now();
    let done = verify(&["--start", "sleep 60", "--url", &url, "--start-timeout", "1"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert_eq!(done.stdout.matches("BROKEN").count(), 1, "{done:?}");
    assert!(done.stdout.contains("not run   readme/01-login"), "{done:?}");
    assert!(done.stdout.contains("not run; scenarios that could not be run: 1"), "{done:?}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// A server that listens once the command has run, and runs `serve` with each connection.
fn started(name: &str, mut serve: impl FnMut(usize, TcpStream) -> bool + Send + 'static) -> (String, String) {
    let flag = folder(name).join("started");
    let address = format!("127.0.0.1:{}", free_port());
    let command = format!("touch '{}'", flag.display());
    let url = format!("http://{address}");
    std::thread::spawn(move || {
        while !flag.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let listener = TcpListener::bind(address).unwrap();
        for (number, connection) in listener.incoming().enumerate() {
            if !serve(number, connection.unwrap()) {
                break;
            }
        }
    });
    (command, url)
}

/// Reads a request and responds with 404. Returns whether it was the last of its scenario.
fn nothing_is_found(mut connection: TcpStream) -> bool {
    let mut bytes = [0; 4096];
    let count = connection.read(&mut bytes).unwrap_or_default();
    let _ = connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    String::from_utf8_lossy(&bytes[..count]).contains("\"guest\"")
}

/// The shell that started a server in the background has exited; the server may still run.
#[test]
fn survives_a_dropped_connection_to_a_background_server() {
    let mut requests = 0;
    let (command, url) = started("background", move |_, connection| {
        let mut first = [0];
        // Connections that only test whether it listens do not count.
        if connection.peek(&mut first).unwrap_or_default() == 0 {
            return true;
        }
        requests += 1;
        if requests == 3 {
            return true;
        }
        !nothing_is_found(connection)
    });
    let done = verify(&["--start", &command, "--url", &url, "--scenario", "login-errors"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stdout.contains("6 do not match, 1 failed\n"), "{done:?}");
}

#[test]
fn waits_for_a_server_that_is_still_starting() {
    let mut requests = 0;
    let (command, url) = started("warming_up", move |_, connection| {
        requests += 1;
        if requests < 5 {
            answer(connection, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
            return true;
        }
        !nothing_is_found(connection)
    });
    let done = verify(&["--start", &command, "--url", &url, "--scenario", "login-errors"]);
    assert!(done.stdout.contains("7 exchanges: 0 match, 7 do not match\n"), "{done:?}");
}
