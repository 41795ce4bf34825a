//! Request line: method, target and version.

use super::{last, served, silent, Row};
use test_support::http_server::State::{Closed, Open};

fn line(line: &str) -> String {
    format!("{line}\r\nHost: a\r\n\r\n")
}

fn target(target: &str) -> String {
    line(&format!("GET {target} HTTP/1.1"))
}

fn method(method: &str) -> String {
    line(&format!("{method} /api/ships/2 HTTP/1.1"))
}

fn version(version: &str) -> String {
    line(&format!("GET /api/ships/2 {version}"))
}

pub fn rows() -> Vec<Row> {
    [shapes(), not_http(), targets(), paths(), methods(), versions()].into_iter().flatten().collect()
}

/// RFC 9112, section 3.
fn shapes() -> Vec<Row> {
    let mut rows = vec![
        served("empty lines first", 200, format!("\r\n\r\n{}", target("/api/ships/2"))),
        served("bare LFs", 200, target("/api/ships/2").replace("\r\n", "\n")),
        last("a bare CR first", 400, format!("\r{}", target("/api/ships/2"))),
        last("bare CRs", 400, target("/api/ships/2").replace("\r\n", "\r")),
        last("no line end", 408, "GET /api/ships/2 HTTP/1.1").says("head"),
        silent("no line end, and no more", "GET /api/ships/2 HTTP/1.1").finished(),
        silent("no empty line, and no more", "GET /api/ships/2 HTTP/1.1\r\nHost: a\r\n").finished(),
        silent("nothing at all", "").finished(),
        silent("an empty line, and no more", "\r\n").finished(),
        last("an empty line, and silence", 408, "\r\n"),
        last("16 KiB of empty lines", 431, "\r\n".repeat(8 * 1024)),
    ];
    let wrong = [
        "GET",
        "GET ",
        "GET  /api/ships/2 HTTP/1.1",
        "GET /api/ships/2  HTTP/1.1",
        "GET /api/ships/2 HTTP/1.1 ",
        " GET /api/ships/2 HTTP/1.1",
        "\tGET /api/ships/2 HTTP/1.1",
        "GET\t/api/ships/2\tHTTP/1.1",
        "GET\t/api/ships/2 HTTP/1.1",
        "GET /api/ships/2\tHTTP/1.1",
        "GET HTTP/1.1",
        "GET  HTTP/1.1",
        "/api/ships/2 HTTP/1.1",
        "GET /api/ships/2",
        "GET /api/ships/2 ",
        "GET /api/ships/2 HTTP/1.1 HTTP/1.1",
        "GET /api ships/2 HTTP/1.1",
        "\0GET /api/ships/2 HTTP/1.1",
        "GET\0/api/ships/2 HTTP/1.1",
        "GET /api/ships/2\0 HTTP/1.1",
        "GET\u{a0}/api/ships/2 HTTP/1.1",
        "\u{feff}GET /api/ships/2 HTTP/1.1",
        "GET /api/ships/2\u{0b}HTTP/1.1",
    ];
    rows.extend(wrong.map(|wrong| last(format!("line {wrong:?}"), 400, line(wrong))));
    rows
}

/// Other protocols.
fn not_http() -> Vec<Row> {
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefghijklmnopqrstuvwxyz";
    vec![
        last("TLS", 400, hello),
        last("SSH", 400, "SSH-2.0-OpenSSH_9.6\r\n"),
        last("SOCKS 5", 400, b"\x05\x01\x00"),
        last(
            "PROXY, version 1",
            400,
            format!("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n{}", target("/api/ships/2")),
        ),
        last("PROXY, version 2", 400, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"),
        last("HTTP/2, all of its preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").says("HTTP/1.1"),
        last("HTTP/2, half of its preface", 505, "PRI * HTTP/2.0\r\n\r\n"),
        last("JSON", 400, "{\"username\":\"user\"}\n"),
        last("a response", 400, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        last("zeros", 400, [0; 100]),
        last("ones", 400, [0xff; 100]),
        last("SMTP", 400, "EHLO localhost\r\n"),
        last("Redis", 400, "*1\r\n$4\r\nPING\r\n"),
    ]
}

/// RFC 9112, section 3.2.
fn targets() -> Vec<Row> {
    let absolute = |uri: &str| format!("GET {uri} HTTP/1.1\r\nHost: b\r\n\r\n");
    let mut rows = vec![
        served("absolute", 200, absolute("http://a/api/ships/2")),
        served("absolute with a port", 200, absolute("http://a:81/api/ships/2")),
        served("absolute in capitals", 200, absolute("HTTP://A/api/ships/2")),
        served("absolute IPv6", 200, absolute("http://[::1]:81/api/ships/2")),
        served("absolute without a path", 200, absolute("http://a")),
        served("absolute with a query only", 200, absolute("http://a?b")),
        last("absolute, and no Host", 400, "GET http://a/api/ships/2 HTTP/1.1\r\n\r\n"),
        last("absolute, and a malformed Host", 400, "GET http://a/api/ships/2 HTTP/1.1\r\nHost: b c\r\n\r\n"),
        Row::new("the whole server", &[204], Open, line("OPTIONS * HTTP/1.1")),
        Row::new("the whole server, in HTTP/1.0", &[204], Closed, "OPTIONS * HTTP/1.0\r\n\r\n"),
        last("the whole server, but not OPTIONS", 400, target("*")),
        last("discovery", 400, line("M-SEARCH * HTTP/1.1")),
        // The http crate removes the fragment, so the server cannot reject it.
        served("fragment", 200, target("/api/ships/2#fragment")),
    ];
    let wrong = [
        "api/ships/2",
        "?",
        "a:80",
        "a",
        "//",
        "http:///api/ships/2",
        "http:/api/ships/2",
        "http://",
        "http://a:99999/",
        "http://a:b/",
        "http://user@a/api/ships/2",
        "http://user:password@a/",
        "http://a b/",
        "https://a/api/ships/2",
        "ftp://a/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://[::1/",
        "http://a\\b/",
        "**",
        "*/api",
        "http://%zz/",
    ];
    rows.extend(wrong.map(|wrong| {
        // Two slashes are a path.
        if wrong == "//" {
            served("target \"//\"", 404, target(wrong))
        } else {
            last(format!("target {wrong:?}"), 400, absolute(wrong))
        }
    }));
    rows
}

/// RFC 3986: no path is normalised to another one.
fn paths() -> Vec<Row> {
    let mut rows = vec![
        served("path of one slash", 200, target("/")),
        served("path, encoded", 200, target("/api/ships/%32")),
        served("path and query", 200, target("/api/ships/2?a=b&c")),
        served("path and a query of anything", 200, target("/api/ships/2?%00%ff'()*?/")),
        served("path and a long query", 200, target(&format!("/api/ships/2?{}", "q".repeat(8000)))),
        served("path of 8000 bytes", 404, target(&format!("/{}", "p".repeat(8000)))),
        served("path of a thousand segments", 404, target(&"/p".repeat(1000))),
        last("path of 16 KiB", 431, target(&format!("/{}", "p".repeat(16 * 1024)))).says("16384"),
    ];
    let unknown = [
        "/api/ships/2/",
        "//api/ships/2",
        "/api//ships/2",
        "/./api/ships/2",
        "/api/../api/ships/2",
        "/api/ships/02",
        "/api/ships/+2",
        "/api/ships/-2",
        "/api/ships/2.0",
        "/api/ships/2;v=1",
        "/api/ships/2%00",
        "/api/ships/%002",
        "/api/ships/2%20",
        "/api/ships/2%0d%0a",
        "/api/ships/%EF%BC%92",
        "/api/ships/2%2f",
        "/api%2fships%2f2",
        "/api/ships/%c0%b2",
        "/api/ships/%ff",
        "/API/ships/2",
        "/static/../Cargo.toml",
        "/static/%2e%2e/Cargo.toml",
        "/static/%2E%2E%2FCargo.toml",
        "/static/..%2fCargo.toml",
        "/static/..%5cCargo.toml",
        "/static/%2fetc/passwd",
        "/static//etc/passwd",
        "/static/ship.svg%00",
        "/static/ship.svg/",
        "/static/./ship.svg/.",
        "/static/%c0%ae%c0%ae/Cargo.toml",
        "/static/%252e%252e/Cargo.toml",
        "/static/.hidden",
        "/static/",
        "/static/%00",
        "/static/~",
        "/[",
        "/static/ship.svg:stream",
    ];
    rows.extend(unknown.map(|path| served(format!("path {path:?}"), 404, target(path))));
    let wrong = [
        "/%zz",
        "/%",
        "/api/ships/%",
        "/api/ships/2%",
        "/api/ships/%3",
        "/static/%2",
        "/static/%u002e%u002e/Cargo.toml",
    ];
    rows.extend(wrong.map(|path| last(format!("path {path:?}"), 400, target(path))));
    let awkward = ["/ä", "/\u{7f}", "/\"", "/<", "/\\", "/^", "/`", "/{", "/|", "/\u{202e}"];
    rows.extend(awkward.map(|path| last(format!("path {path:?}"), 400, target(path))));
    rows
}

/// RFC 9110, section 9: an unknown method is a 405, as in the contract.
fn methods() -> Vec<Row> {
    let mut rows = vec![
        served("GET", 200, method("GET")),
        served("HEAD", 200, method("HEAD")).head(),
        served("OPTIONS", 204, method("OPTIONS")),
        served("PUT without a token", 401, method("PUT")),
        served("DELETE without a token", 401, method("DELETE")),
        last("HEAD without a host", 400, method("HEAD").replace("Host", "X")).head(),
        last(
            "HEAD whose body does not come",
            408,
            method("HEAD").replace("Host", "Content-Length: 5\r\nHost"),
        )
        .head()
        .waits(),
        served("HEAD of nothing", 404, method("HEAD").replace("ships/2", "ships/9999")).head(),
        served(
            "a method that a field names",
            200,
            method("GET").replace("Host: a", "Host: a\r\nX-HTTP-Method-Override: DELETE"),
        ),
        last("CONNECT", 501, line("CONNECT a:80 HTTP/1.1")),
        last("CONNECT with a path", 501, method("CONNECT")),
        last("a method of 16 KiB", 431, method(&"M".repeat(16 * 1024))),
    ];
    let other = [
        "POST",
        "TRACE",
        "TRACK",
        "PROPFIND",
        "get",
        "Get",
        "GETX",
        "G",
        "0",
        "CONNECTX",
        "connect",
        "!#$%&'*+-.^_`|~",
        "LONG-LONG-LONG-LONG-LONG-LONG-LONG-LONG-LONG-LONG",
    ];
    rows.extend(other.map(|other| served(format!("method {other:?}"), 405, method(other))));
    rows.push(served("a method of 1000 bytes", 405, method(&"M".repeat(1000))));
    let wrong = ["G(T", "G/T", "G:T", "G\"T", "G[T", "GÄT", "G\0T", "G\u{7f}T", "<GET>", "GET,"];
    rows.extend(wrong.map(|wrong| last(format!("method {wrong:?}"), 400, method(wrong))));
    rows
}

/// RFC 9112, section 2.3. (hyper rejects HTTP/1.2, which could be answered as HTTP/1.1.)
fn versions() -> Vec<Row> {
    let mut rows =
        vec![served("HTTP/1.1", 200, version("HTTP/1.1")), last("HTTP/1.0", 200, version("HTTP/1.0"))];
    let other = ["HTTP/0.9", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9", "HTTP/0.0"];
    rows.extend(other.map(|other| last(other, 505, version(other)).says("HTTP/1.1")));
    let wrong = [
        "http/1.1",
        "Http/1.1",
        "HTTP/1",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/11",
        "HTTP/1.10",
        "HTTP/01.1",
        "HTTP/1.01",
        "HTTP/ 1.1",
        "HTTP /1.1",
        "HTTP/1,1",
        "HTTP/1.1x",
        "HTTP/a.b",
        "HTTP/-1.1",
        "HTTP/+1.1",
        "HTTPS/1.1",
        "HTP/1.1",
        "HTTP1.1",
        "HTTP/２.0",
        "ICY/1.0",
        "RTSP/1.0",
        "HTTP/2",
        "HTTP\\1.1",
        "HTTP/1.1\0",
        "1.1",
    ];
    rows.extend(wrong.map(|wrong| last(format!("version {wrong:?}"), 400, version(wrong))));
    rows
}
