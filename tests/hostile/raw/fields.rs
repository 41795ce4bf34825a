//! Header fields: syntax, and fields that change how a request is read.

use super::{last, served, Row, SECOND};
use test_support::http_server::State::{Closed, Open};

fn with(fields: impl AsRef<[u8]>) -> Vec<u8> {
    [b"GET /api/ships/2 HTTP/1.1\r\nHost: a\r\n", fields.as_ref(), b"\r\n"].concat()
}

fn host(value: &str) -> String {
    format!("GET /api/ships/2 HTTP/1.1\r\nHost: {value}\r\n\r\n")
}

fn older(fields: &str) -> String {
    format!("GET /api/ships/2 HTTP/1.0\r\n{fields}\r\n")
}

pub fn rows() -> Vec<Row> {
    [forms(), amounts(), hosts(), expectations(), upgrades(), connections()].into_iter().flatten().collect()
}

/// RFC 9112, section 5.
fn forms() -> Vec<Row> {
    let token = b"DELETE /api/ships/2 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xff\r\n\r\n";
    let mut rows = vec![
        served("empty value", 200, with("X:\r\n")),
        served("value of white space", 200, with("X: \t \r\n")),
        served("value of other bytes", 200, with(b"X: \x80\xff\r\n")),
        served("value in UTF-8", 200, with("X: ä\r\n")),
        served("value with a tab", 200, with("X: a\tb\r\n")),
        served("value with colons", 200, with("X: a: b: c\r\n")),
        served("a bare LF behind a field", 200, with("X: a\nY: b\r\n")),
        served("the head ends with LF", 200, "GET /api/ships/2 HTTP/1.1\r\nHost: a\r\n\n"),
        served("value with other bytes in the token", 422, token).says("Not enough segments"),
    ];
    let wrong = [
        "X : a",
        "X\t: a",
        " X: a",
        "\tX: a",
        ": a",
        ":",
        "X",
        "X a",
        "X: a\r\n b: c",
        "X: a\r\n\tb",
        "X: a\r\n ",
        "X: \0",
        "X: a\0b",
        "X\0: a",
        "X: \u{1}",
        "X: \u{7f}",
        "X: a\rb",
        "X: a\r",
        "X\r: a",
        "\rX: a",
        "Ä: a",
        "X(: a",
        "X,: a",
        "X/: a",
        "X;: a",
        "X<: a",
        "X=: a",
        "X@: a",
        "X[: a",
        "X]: a",
        "X{: a",
        "X\\: a",
        "\"X\": a",
        "X Y: a",
        "X\u{a0}: a",
        "X: \u{8}",
        "X: \u{1b}[31m",
    ];
    rows.extend(wrong.map(|field| last(format!("field {field:?}"), 400, with(format!("{field}\r\n")))));
    rows
}

/// RFC 6585, section 5.
fn amounts() -> Vec<Row> {
    // Together with the Host field, which is always sent.
    let fields = |count: usize| with("X: a\r\n".repeat(count - 1));
    let bytes = |count: usize| {
        let without = with("X: \r\n").len();
        with(format!("X: {}\r\n", "y".repeat(count - without)))
    };
    vec![
        served("64 fields", 200, fields(64)),
        last("65 fields", 431, fields(65)).says("64 fields"),
        last("a thousand fields", 431, fields(1000)).says("64 fields"),
        served("16 KiB", 200, bytes(16 * 1024)),
        last("16 KiB and a byte", 431, bytes(16 * 1024 + 1)).says("16384 bytes"),
        last("64 KiB", 431, bytes(64 * 1024)).says("16384 bytes"),
        last("16 KiB without an end", 431, format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(16 * 1024))),
        served("a name of 8 KiB", 200, with(format!("{}: a\r\n", "x".repeat(8 * 1024)))),
    ]
}

/// RFC 9112, section 3.2.
fn hosts() -> Vec<Row> {
    let long = "a".repeat(5000);
    let mut rows = vec![
        served("empty Host", 200, host("")),
        served("long Host", 200, host(&long)),
        last("no Host", 400, "GET /api/ships/2 HTTP/1.1\r\n\r\n").says("Host"),
        last("no Host in HTTP/1.0", 200, older("")),
        last("two Hosts", 400, with("Host: b\r\n")).says("Host"),
        last("the same Host twice", 400, with("Host: a\r\n")).says("Host"),
        last("two Hosts in HTTP/1.0", 400, older("Host: a\r\nHost: b\r\n")).says("Host"),
        last("a Host before a space", 400, "GET /api/ships/2 HTTP/1.1\r\nHost : a\r\n\r\n"),
        last("a Host in another name", 400, "GET /api/ships/2 HTTP/1.1\r\nX-Host: a\r\n\r\n"),
    ];
    let good = ["a:80", "a.", "localhost:5000", "127.0.0.1", "[::1]", "[::1]:80", "a-b.example", "a_b"];
    rows.extend(good.map(|value| served(format!("Host {value:?}"), 200, host(value))));
    let wrong = [
        "a b", "a/b", "/", "a/", "a?b", "a#b", "a:b", "a:99999", "a:-1", "a:80:80", ":80", "[::1", "::1]",
        "user@a", "user:x@a", "http://a", "ä", "\"a\"", "<a>", "a\\b", "a\tb", "a%zz", "a\0", "{a}", "a|b",
        "a^b", "a, b", "[::1]x",
    ];
    rows.extend(wrong.map(|value| last(format!("Host {value:?}"), 400, host(value))));
    rows
}

/// RFC 9110, section 10.1.1.
fn expectations() -> Vec<Row> {
    let post =
        |fields: &str| format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n{fields}\r\nhello");
    let mut rows = vec![
        Row::new("100-continue", &[100, 200], Open, post("Expect: 100-continue\r\n")).says("hello"),
        Row::new("100-Continue", &[100, 200], Open, post("Expect: 100-Continue\r\n")).says("hello"),
        Row::new(
            "100-continue twice",
            &[100, 200],
            Open,
            post("Expect: 100-continue\r\nExpect: 100-continue\r\n"),
        ),
        Row::new(
            "100-continue, then a request",
            &[100, 200, 404],
            Open,
            post("Expect: 100-continue\r\n") + SECOND,
        ),
        Row::new(
            "100-continue, and no body comes",
            &[100, 408],
            Closed,
            post("Expect: 100-continue\r\n").replace("hello", ""),
        ),
        served("100-continue without a body", 200, with("Expect: 100-continue\r\n")),
        last("100-continue in HTTP/1.0", 200, post("Expect: 100-continue\r\n").replace("1.1", "1.0")),
        last("100-continue, but no Host", 400, post("Expect: 100-continue\r\n").replace("Host: a\r\n", "")),
    ];
    let other = [
        "",
        "x",
        "100",
        "200-ok",
        "100-continue, x",
        "x, 100-continue",
        "100-continue;q=1",
        "\"100-continue\"",
    ];
    rows.extend(
        other.map(|other| last(format!("Expect {other:?}"), 417, post(&format!("Expect: {other}\r\n")))),
    );
    rows
}

/// RFC 9110, section 7.8: the server accepts no upgrade.
fn upgrades() -> Vec<Row> {
    let settings =
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
    let socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let too_large = format!(
        "POST /api/users HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: 70000\r\n\r\n{}",
        "x".repeat(70000)
    );
    vec![
        served("upgrade to HTTP/2", 200, with(settings)),
        served("upgrade to WebSocket", 200, with(socket)),
        served("upgrade to TLS", 200, with("Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n")),
        served("upgrade that Connection does not name", 200, with("Upgrade: x\r\n")),
        last("upgrade and close", 200, with("Connection: upgrade, close\r\nUpgrade: x\r\n")),
        last("upgrade in HTTP/1.0", 200, older("Connection: upgrade\r\nUpgrade: x\r\n")),
        last("upgrade with too large a body", 413, too_large).says("65536"),
        last("upgrade without a host", 400, "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
    ]
}

/// RFC 9112, section 9.
fn connections() -> Vec<Row> {
    let mut rows = vec![
        served("keep-alive", 200, with("Connection: keep-alive\r\n")),
        served("empty Connection", 200, with("Connection:\r\n")),
        served(
            "Connection that names fields",
            200,
            with("Connection: Host, Authorization, Content-Length\r\n"),
        ),
        served("Connection of nonsense", 200, with("Connection: clos, closed, x close\r\n")),
        served("Keep-Alive that asks for much", 200, with("Keep-Alive: timeout=1000000\r\n")),
        served("keep-alive in HTTP/1.0", 200, older("Connection: keep-alive\r\n")),
        served("Keep-Alive in HTTP/1.0", 200, older("Connection: Keep-Alive\r\n")),
        last("neither in HTTP/1.0", 200, older("")),
        last("Proxy-Connection in HTTP/1.0", 200, older("Proxy-Connection: keep-alive\r\n")),
        last("both in HTTP/1.0", 200, older("Connection: keep-alive, close\r\n")),
    ];
    let close = [
        "close",
        "Close",
        "CLOSE",
        "x, close",
        "close, keep-alive",
        "keep-alive,close",
        "close\r\nConnection: keep-alive",
    ];
    rows.extend(
        close.map(|value| {
            last(format!("Connection {value:?}"), 200, with(format!("Connection: {value}\r\n")))
        }),
    );
    rows
}
