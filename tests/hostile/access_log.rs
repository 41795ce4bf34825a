//! Access log: what a line holds and never holds, and that no request waits for the reader of the log.

use std::fs::File;
use std::io::{pipe, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rocket::http::Method;
use serde_json::{json, Map, Value};

use test_support::http_server::RawClient;
use test_support::program::{folder, shipyard, Serving, LIMIT};
use test_support::server::Ask;

/// A server whose log goes to a file.
struct Logged {
    serving: Serving,
    file: PathBuf,
}

impl Logged {
    fn start(name: &str, settings: &[(&str, &str)]) -> Self {
        let here = folder(name);
        let file = here.join("log");
        let mut command = shipyard(&here, &["--port", "0"]);
        command.env("ROCKET_LOG_FORMAT", "text");
        for (name, value) in settings {
            command.env(format!("ROCKET_{name}"), value);
        }
        command.stderr(Stdio::from(File::create(&file).unwrap()));
        Self { serving: Serving::start(&mut command), file }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap()
    }

    /// Waits until the log has that many lines, and returns them.
    fn lines(&self, count: usize) -> Vec<String> {
        let start = Instant::now();
        loop {
            let text = self.text();
            if text.lines().count() >= count && text.ends_with('\n') {
                return text.lines().map(str::to_owned).collect();
            }
            assert!(start.elapsed() < LIMIT, "not {count} lines: {text}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn connect(&self) -> TcpStream {
        connect(self.serving.port)
    }
}

fn connect(port: u16) -> TcpStream {
    let connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    connection
}

fn ask(method: Method, path: &str) -> Ask {
    Ask::new(method, path).header("Host", "localhost")
}

/// A line of the text log, with `*` for the values that vary: time, duration and generated ids.
fn settled(line: &str) -> String {
    let (time, rest) = line.split_once(' ').unwrap();
    let shape: String =
        time.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{line}");
    let field = |word: &str| match word.split_once('=') {
        Some(("duration_us", value)) => {
            assert!(value.parse::<u64>().is_ok_and(|micros| micros > 0 && micros < 30_000_000), "{line}");
            "duration_us=*".to_owned()
        }
        Some(("id", value)) if value.len() >= 18 => "id=*".to_owned(),
        _ => word.to_owned(),
    };
    rest.split_whitespace().map(field).collect::<Vec<_>>().join(" ")
}

/// Secrets that no line may contain.
const SECRETS: [&str; 6] = ["hunter2", "letmein", "eyJ0eXA", "sesame", "/7?", "Zed"];

/// Sends requests full of secrets. Returns the number of log lines that they cause, and the tokens.
fn secret_requests(serving: &Serving) -> (usize, Vec<String>) {
    let user = json!({"name": "Zed", "password": "hunter2-hunter2"});
    assert_eq!(serving.send(&ask(Method::Post, "/api/users?key=letmein").json(&user)).status, 201);
    let login = json!({"username": "Zed", "password": "hunter2-hunter2"});
    let (access, refresh) = serving.send(&ask(Method::Post, "/auth/login?letmein").json(&login)).tokens();
    let put =
        ask(Method::Put, "/api/users/3?letmein").bearer(&access).json(&user).header("X-Request-Id", "abc-1");
    assert_eq!(serving.send(&put).status, 200);
    let other = ask(Method::Delete, "/api/users/1").bearer(&access).header("Cookie", "session=sesame");
    assert_eq!(serving.send(&other).status, 403);
    assert_eq!(serving.send(&ask(Method::Delete, "/api/users/3").bearer("letmein")).status, 422);
    assert_eq!(
        serving.send(&ask(Method::Get, "/hunter2/letmein").header("X-Request-Id", "open sesame")).status,
        404
    );
    assert_eq!(serving.send(&ask(Method::Get, "/static/hunter2.svg")).status, 404);
    assert_eq!(serving.send_as("HUNTER2-letmein", &ask(Method::Get, "/api/ships")).status, 405);
    assert_eq!(serving.send(&ask(Method::Head, "/api/ships/7?letmein")).status, 200);
    // The password change has revoked the token, but the log still names its user.
    assert_eq!(serving.send(&ask(Method::Delete, "/auth/logout2").bearer(&refresh)).status, 401);
    assert_eq!(serving.send(&ask(Method::Get, "/api/users").header("Expect", "letmein")).status, 417);
    (11, vec![access, refresh])
}

fn holds_no_secret(text: &str, tokens: &[String]) {
    for secret in SECRETS {
        assert!(!text.to_lowercase().contains(&secret.to_lowercase()), "{secret}: {text}");
    }
    for token in tokens {
        for part in token.split('.') {
            assert!(!text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn a_line_has_the_outcome_of_a_request_and_no_secret() {
    let logged = Logged::start("log_text", &[]);
    let (count, tokens) = secret_requests(&logged.serving);
    let lines = logged.lines(count);
    assert_eq!(lines.len(), count);
    let settled: Vec<String> = lines.iter().map(|line| settled(line)).collect();
    let expected = [
        "INFO request method=POST route=/api/users status=201 outcome=answered duration_us=* bytes=32 id=* client=127.0.0.1",
        "INFO request method=POST route=/auth/login status=200 outcome=answered duration_us=* bytes=568 id=* client=127.0.0.1",
        "INFO request method=PUT route=/api/users/<id> status=200 outcome=answered duration_us=* bytes=32 id=abc-1 user=3 client=127.0.0.1",
        "INFO request method=DELETE route=/api/users/<id> status=403 outcome=answered duration_us=* bytes=27 id=* user=3 client=127.0.0.1",
        "INFO request method=DELETE route=/api/users/<id> status=422 outcome=answered duration_us=* bytes=37 id=* client=127.0.0.1",
        "INFO request method=GET route=- status=404 outcome=answered duration_us=* bytes=27 id=* client=127.0.0.1",
        "INFO request method=GET route=/static/<path..> status=404 outcome=answered duration_us=* bytes=27 id=* client=127.0.0.1",
        "INFO request method=- route=- status=405 outcome=answered duration_us=* bytes=36 id=* client=127.0.0.1",
        "INFO request method=HEAD route=/api/ships/<id> status=200 outcome=answered duration_us=* bytes=0 id=* client=127.0.0.1",
        "INFO request method=DELETE route=/auth/logout2 status=401 outcome=answered duration_us=* bytes=40 id=* user=3 client=127.0.0.1",
        "INFO request method=GET route=- status=417 outcome=answered duration_us=* bytes=36 id=* client=127.0.0.1",
    ];
    assert_eq!(settled, expected);
    holds_no_secret(&logged.text(), &tokens);
}

#[test]
fn json_lines_have_the_same_fields() {
    let logged = Logged::start("log_json", &[("LOG_FORMAT", "json")]);
    let (count, tokens) = secret_requests(&logged.serving);
    let lines: Vec<Map<String, Value>> =
        logged.lines(count).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut put = lines[2].clone();
    assert!(put.remove("duration_us").is_some_and(|micros| micros.as_u64().is_some()));
    assert!(put
        .remove("timestamp")
        .is_some_and(|time| time.as_str().is_some_and(|time| time.ends_with('Z'))));
    let expected = json!({
        "level": "INFO", "message": "request", "method": "PUT", "route": "/api/users/<id>", "status": 200,
        "outcome": "answered", "bytes": 32, "id": "abc-1", "user": 3, "client": "127.0.0.1",
    });
    assert_eq!(Value::Object(put), expected);
    let ids: Vec<&Value> = lines.iter().map(|line| &line["id"]).collect();
    assert!(ids.iter().enumerate().all(|(index, id)| !ids[..index].contains(id)), "{ids:?}");
    holds_no_secret(&logged.text(), &tokens);
}

/// The recorded body has no message, so the log says what the developer of a client has to change. It names the media types
/// that clients send by default, and never another text of a client.
#[test]
fn the_log_says_what_a_login_without_a_json_content_type_lacks() {
    let logged = Logged::start("log_login_not_json", &[]);
    let login = json!({"username": "user", "password": "password"}).to_string();
    let cases = [
        (None, "no Content-Type"),
        (Some("text/plain;charset=UTF-8"), "Content-Type is text/plain"),
        (Some("application/x-www-form-urlencoded"), "Content-Type is application/x-www-form-urlencoded"),
        (Some("multipart/form-data; boundary=hunter2"), "Content-Type is multipart/form-data"),
        (Some("application/hunter2"), "Content-Type is not JSON"),
    ];
    for (content_type, _) in cases {
        let ask = ask(Method::Post, "/auth/login").body(login.as_str());
        let ask = content_type.map_or_else(|| ask.clone(), |value| ask.clone().header("Content-Type", value));
        let answer = logged.serving.send(&ask);
        assert_eq!((answer.status, answer.body.as_str()), (400, "{\n  \"error\": \"Bad Request\"\n}\n"));
        assert_eq!(answer.header("Accept-Post"), Some("application/json"), "{answer:?}");
    }
    for ((_, reason), line) in cases.iter().zip(logged.lines(cases.len())) {
        let expected = format!(" reason=\"login refused: {reason}; it must be application/json\"");
        assert!(line.contains(" status=400 ") && line.ends_with(&expected), "{expected}: {line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
    // Another 400 says itself what is wrong.
    let incomplete = ask(Method::Post, "/auth/login").json(&json!({"username": "user"}));
    assert_eq!(logged.serving.send(&incomplete).header("Accept-Post"), None);
}

#[test]
fn logs_the_client_address_that_a_trusted_proxy_names() {
    let logged = Logged::start("log_client", &[("TRUSTED_PROXIES", "[\"127.0.0.0/8\"]")]);
    let forwarded = ask(Method::Get, "/api/users").header("X-Forwarded-For", "6.6.6.6, 203.0.113.9");
    assert_eq!(logged.serving.send(&forwarded).status, 200);
    assert!(logged.lines(1)[0].ends_with(" client=203.0.113.9"));
}

/// The only line, without the values that vary.
fn only_line(logged: &Logged) -> String {
    let lines = logged.lines(1);
    assert_eq!(lines.len(), 1, "{lines:?}");
    settled(&lines[0])
}

const UNFINISHED: &str =
    "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: mine\r\nContent-Length: 9\r\n\r\n{";

#[test]
fn logs_a_slow_head_or_body_as_a_timeout() {
    let mut response = String::new();
    let logged = Logged::start("log_slow_body", &[("BODY_TIMEOUT", "0.2")]);
    let mut connection = logged.connect();
    connection.write_all(UNFINISHED.as_bytes()).unwrap();
    connection.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    let line = only_line(&logged);
    assert_eq!(
        line,
        "INFO request method=POST route=- status=408 outcome=timeout duration_us=* bytes=111 id=mine client=127.0.0.1"
    );

    let logged = Logged::start("log_slow_head", &[("HEADER_TIMEOUT", "0.2")]);
    let mut connection = logged.connect();
    connection.write_all(b"GET /hunter2").unwrap();
    response.clear();
    connection.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    let id = response.split("\r\nX-Request-Id: ").nth(1).unwrap().split("\r\n").next().unwrap();
    assert!(logged.lines(1)[0].contains(&format!(" id={id} ")));
    assert!(only_line(&logged).starts_with("INFO request method=- route=- status=408 outcome=timeout "));
}

/// Bytes in the client's socket buffer count as read, and extend the deadline.
#[ignore = "takes 20 seconds"]
#[test]
fn logs_an_unread_response_as_a_timeout() {
    let here = folder("log_slow_reader_files");
    std::fs::write(here.join("large"), vec![b'x'; 32 * 1024 * 1024]).unwrap();
    let settings = [("REQUEST_TIMEOUT", "0.3"), ("STATIC_DIR", here.to_str().unwrap())];
    let logged = Logged::start("log_slow_reader", &settings);
    let mut connection = logged.connect();
    connection.write_all(b"GET /static/large HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let line = only_line(&logged);
    assert!(
        line.starts_with("INFO request method=GET route=/static/<path..> status=200 outcome=timeout "),
        "{line}"
    );
}

#[test]
fn logs_a_client_that_disconnects() {
    let logged = Logged::start("log_client_gone", &[]);
    let mut connection = logged.connect();
    connection.write_all(UNFINISHED.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    // The system resets a connection that is closed without lingering.
    socket2::SockRef::from(&connection).set_linger(Some(Duration::ZERO)).unwrap();
    drop(connection);
    let line = only_line(&logged);
    assert!(line.starts_with("INFO request method=POST route=- "), "{line}");
    assert!(line.contains(" outcome=client_gone "), "{line}");
}

#[cfg(unix)]
#[test]
fn logs_a_request_that_a_shutdown_cuts_off() {
    let logged = Logged::start("log_shutdown", &[("SHUTDOWN", "{grace=0,mercy=2}")]);
    let mut connection = logged.connect();
    connection.write_all(UNFINISHED.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(logged.serving.interrupt(), Some(0));
    let text = std::fs::read_to_string(&logged.file).unwrap();
    let line = settled(text.trim_end());
    assert_eq!(
        line,
        "INFO request method=POST route=- outcome=shutdown duration_us=* bytes=0 id=mine client=127.0.0.1"
    );
}

#[cfg(unix)]
#[test]
fn logs_an_unread_response_at_shutdown() {
    let files = folder("log_untaken_files");
    std::fs::write(files.join("big.bin"), vec![0; 20_000_000]).unwrap();
    let settings = [("SHUTDOWN", "{grace=0,mercy=0}"), ("STATIC_DIR", files.to_str().unwrap())];
    let logged = Logged::start("log_untaken", &settings);
    let mut connection = logged.connect();
    connection.write_all(b"GET /static/big.bin HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(logged.serving.interrupt(), Some(0));
    let text = std::fs::read_to_string(&logged.file).unwrap();
    assert!(text.contains(" status=200 outcome=shutdown ") && text.contains(" id=mine "), "{text:?}");
    drop(connection);
}

#[test]
fn counts_rejected_connections_in_one_line() {
    // The server spends a while on one login.
    let cost = [("PASSWORD_MEMORY", "131072"), ("PASSWORD_ITERATIONS", "16")];
    let settings = [&[("MAX_CONNECTIONS", "1")], &cost[..]].concat();
    let logged = Logged::start("log_crowd", &settings);
    let mut first = logged.connect();
    let log_in = "{\"username\":\"user\",\"password\":\"wrong\"}";
    let head = "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    first.write_all(format!("{head}Content-Length: {}\r\n\r\n{log_in}", log_in.len()).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    for _ in 0..5 {
        let mut text = String::new();
        let mut more = logged.connect();
        more.write_all(b"GET /api/users HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        more.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("\r\nX-Request-Id: "), "{text}");
    }
    let lines = logged.lines(1);
    assert!(settled(&lines[0])
        .starts_with("WARN no room for connections; the last was this client's connections=1 "));
    assert!(lines.len() < 5, "{lines:?}");
}

#[test]
fn counts_evicted_connections_in_one_line() {
    let logged = Logged::start("log_evicted", &[("MAX_CONNECTIONS", "1"), ("LOG_LEVEL", "critical")]);
    let connect = |_| {
        // Each connection has its permit before the next one opens.
        std::thread::sleep(Duration::from_millis(100));
        logged.connect()
    };
    let mut connections: Vec<_> = (0..5).map(connect).collect();
    let last = connections.last_mut().unwrap();
    last.write_all(b"GET /api/users HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    last.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    let lines = logged.lines(1);
    assert!(settled(&lines[0]).starts_with(
        "WARN closed connections that waited for their client, to make room; the last was this client's connections=1 "
    ));
    assert!(lines.len() < 4, "{lines:?}");
}

#[test]
fn the_log_level_selects_what_is_logged() {
    for level in ["off", "critical"] {
        let logged = Logged::start(&format!("log_{level}"), &[("LOG_LEVEL", level)]);
        assert_eq!(logged.serving.send(&ask(Method::Get, "/api/users")).status, 200);
        let file = logged.file.clone();
        assert_eq!(logged.serving.interrupt(), Some(0));
        assert_eq!(std::fs::read_to_string(file).unwrap(), "", "{level}");
    }
}

/// An operator who changes keys must see whether they have changed, also at the level `critical`.
#[cfg(unix)]
#[test]
fn logs_a_key_reload_at_every_level_but_off() {
    let keys = folder("log_keys").join("keys");
    std::fs::write(&keys, "0123456789012345678901234567890123456789\n").unwrap();
    let settings = [("LOG_LEVEL", "critical"), ("JWT_SECRET_FILE", keys.to_str().unwrap())];
    let logged = Logged::start("log_keys_read", &settings);
    // The server listens for the signal before it responds.
    assert_eq!(logged.serving.send(&ask(Method::Get, "/api/users")).status, 200);
    logged.serving.signal("HUP");
    // The first line warns that other users can read the file.
    let lines = logged.lines(2);
    assert!(lines.iter().any(|line| line.contains("keys read again")), "{lines:?}");
}

/// Requests all users `count` times over one connection. Returns the number of 200 responses.
fn ask_often(port: u16, count: usize) -> usize {
    const AT_A_TIME: usize = 50;
    let request =
        format!("GET /api/users HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {}\r\n\r\n", "x".repeat(64));
    let mut client = RawClient::over(connect(port));
    let mut good = 0;
    for _ in 0..count / AT_A_TIME {
        client.send(request.repeat(AT_A_TIME));
        for _ in 0..AT_A_TIME {
            good += usize::from(client.response().expect("a response").status == 200);
        }
    }
    good
}

const MANY: usize = 20_000;

fn started_with(here: &Path, stderr: impl Into<Stdio>) -> Serving {
    let mut command: Command = shipyard(here, &["--port", "0"]);
    Serving::start(command.env("ROCKET_LOG_FORMAT", "text").stderr(stderr))
}

#[cfg(unix)]
#[test]
fn an_unread_log_does_not_block_and_lost_lines_are_counted() {
    let (reader, writer) = pipe().unwrap();
    let serving = started_with(&folder("log_unread"), writer);
    assert_eq!(ask_often(serving.port, MANY), MANY);
    let read =
        std::thread::spawn(move || BufReader::new(reader).lines().map(Result::unwrap).collect::<Vec<_>>());
    assert_eq!(serving.interrupt(), Some(0));
    let lines = read.join().unwrap();
    let requests = lines.iter().filter(|line| line.contains(" INFO request ")).count();
    let lost: usize =
        lines.iter().filter_map(|line| line.split(" lines=").nth(1)?.parse::<usize>().ok()).sum();
    assert!(lost > 0, "{requests} lines had room");
    assert_eq!(requests + lost, MANY);
}

#[cfg(unix)]
#[test]
fn shutdown_does_not_wait_for_a_log_reader() {
    let (reader, writer) = pipe().unwrap();
    let serving = started_with(&folder("log_unread_end"), writer);
    assert_eq!(ask_often(serving.port, 2_000), 2_000);
    let start = Instant::now();
    assert_eq!(serving.interrupt(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    drop(reader);
}

#[test]
fn a_closed_log_does_not_block_the_server() {
    let (reader, writer) = pipe().unwrap();
    let serving = started_with(&folder("log_closed"), writer);
    drop(reader);
    assert_eq!(ask_often(serving.port, MANY), MANY);
}
