//! Message framing: where a body ends and the next request begins.

use super::{last, served, Row, SECOND};
use test_support::http_server::State::{Closed, Open};

/// A request that returns its own body, with these fields and this body.
fn post(fields: &str, body: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

fn length(value: &str) -> String {
    post(&format!("Content-Length: {value}\r\n"), "hello")
}

fn coded(coding: &str) -> String {
    post(&format!("Transfer-Encoding: {coding}\r\n"), "5\r\nhello\r\n0\r\n\r\n")
}

fn chunks(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

/// A first chunk with this beginning, "hello" as its data, and an end.
fn chunk(size: &str) -> String {
    chunks(&format!("{size}hello\r\n0\r\n\r\n"))
}

pub fn rows() -> Vec<Row> {
    [lengths(), codings(), both(), sizes(), bodies(), trailers(), pipelines()].into_iter().flatten().collect()
}

/// RFC 9110, section 8.6.
fn lengths() -> Vec<Row> {
    let mut rows = vec![
        served("length", 200, length("5")).says("hello"),
        served("length with leading zeros", 200, length("0005")).says("hello"),
        served("length without space", 200, post("Content-Length:5\r\n", "hello")).says("hello"),
        served("length between tabs", 200, post("Content-Length:\t5\t\r\n", "hello")).says("hello"),
        served("length in odd case", 200, post("cONTENT-lENGTH: 5\r\n", "hello")).says("hello"),
        served("length twice, the same", 200, post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")),
        served("length of nothing", 200, post("Content-Length: 0\r\n", "")),
        served("no length", 200, post("", "")),
        last("length in HTTP/1.0", 200, length("5").replace("HTTP/1.1", "HTTP/1.0")).says("hello"),
        last("length twice, not the same", 400, post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")),
        last("length twice, one empty", 400, post("Content-Length: 5\r\nContent-Length:\r\n", "hello")),
        last("length folded", 400, post("Content-Length: 5\r\n 0\r\n", "hello")),
        last("length behind a space", 400, post(" Content-Length: 5\r\n", "hello")),
        last("length before a space", 400, post("Content-Length : 5\r\n", "hello")),
        last("length before a tab", 400, post("Content-Length\t: 5\r\n", "hello")),
        last("length before NUL", 400, post("Content-Length\0: 5\r\n", "hello")),
        last("length greater than the body", 400, length("6")).finished().says("body"),
        last("length greater than the body, and silence", 408, length("6")).says("body"),
        last("length of exabytes", 400, length("9223372036854775807")).finished(),
        // hyper cannot represent a larger length, and rejects the field as too large.
        last("length of 2^64 - 1", 431, length("18446744073709551615")),
        last("length of 2^64 - 2", 431, length("18446744073709551614")),
        Row::new(
            "length with an underscore is none",
            &[200, 404],
            Open,
            post("Content_Length: 44\r\n", SECOND),
        ),
        Row::new(
            "length less than what comes",
            &[200, 404],
            Open,
            post("Content-Length: 3\r\n", &format!("hel{SECOND}")),
        ),
    ];
    let wrong = [
        "",
        "+5",
        "-5",
        "-0",
        "5.0",
        "5e0",
        "0x5",
        "5 5",
        "5,5",
        "5, 5",
        "5,6",
        "five",
        "\"5\"",
        "5;",
        "5\u{0b}",
        "５",
        "18446744073709551616",
        "99999999999999999999999999",
    ];
    rows.extend(wrong.map(|value| last(format!("length {value:?}"), 400, length(value))));
    rows
}

/// RFC 9112, section 6.1.
fn codings() -> Vec<Row> {
    let twice = |first: &str, second: &str| {
        post(
            &format!("Transfer-Encoding: {first}\r\nTransfer-Encoding: {second}\r\n"),
            "5\r\nhello\r\n0\r\n\r\n",
        )
    };
    let mut rows = vec![
        served("coding", 200, coded("chunked")).says("hello"),
        served("coding in capitals", 200, coded("CHUNKED")).says("hello"),
        served("coding without space", 200, coded("chunked").replace(": chunked", ":chunked")).says("hello"),
        served("coding behind a bare LF", 200, coded("chunked").replace("a\r\nT", "a\nT")).says("hello"),
        last("coding behind a bare CR", 400, coded("chunked").replace("a\r\nT", "a\rT")),
        last("coding in a folded line", 400, coded("chunked").replace("a\r\nT", "a\r\n\tT")),
        last("coding before a space", 400, coded("chunked").replace("ng:", "ng :")),
        last("coding folded", 400, coded("\r\n chunked")),
        last("coding folded by LF", 400, coded("\n chunked")),
        last("coding in HTTP/1.0", 400, coded("chunked").replace("HTTP/1.1", "HTTP/1.0")),
        last("coding twice", 400, twice("chunked", "chunked")),
        last("coding, then none", 400, twice("chunked", "identity")),
        last("coding, then one that is unknown", 400, twice("chunked", "x")),
        last("coding, then nothing", 400, twice("chunked", "")),
        last("unknown, then coding", 501, twice("x", "chunked")),
        last("nothing, then coding", 400, twice("", "chunked")),
        Row::new(
            "coding with an underscore is none",
            &[200, 400],
            Closed,
            coded("chunked").replace("r-E", "r_E"),
        ),
    ];
    let unknown = ["gzip, chunked", "identity, chunked", "chunked, gzip, chunked", "x\tchunked, chunked"];
    rows.extend(unknown.map(|coding| last(format!("coding {coding:?}"), 501, coded(coding))));
    let wrong = [
        "",
        "gzip",
        "identity",
        "chunked, gzip",
        "chunked, chunked",
        ",chunked",
        "chunked,",
        "xchunked",
        "chunkedx",
        "chunked;q=1",
        "\"chunked\"",
        "chunked chunked",
        "\u{0b}chunked",
        "chunked\0",
        "chunKed\u{17f}",
        "chun\u{212a}ed",
    ];
    rows.extend(wrong.map(|coding| last(format!("coding {coding:?}"), 400, coded(coding))));
    rows
}

/// RFC 9112, section 6.3: the transfer coding wins, and the connection closes, whatever follows. (hyper removes the
/// length, so the server cannot reject it.)
fn both() -> Vec<Row> {
    let length_first = |length: &str, body: &str| {
        post(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"), body)
    };
    let coding_first = |length: &str, body: &str| {
        post(&format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"), body)
    };
    let hello = "5\r\nhello\r\n0\r\n\r\n";
    let behind = format!("0\r\n\r\n{SECOND}");
    vec![
        last("length and coding", 200, length_first("15", hello)).says("hello"),
        last("coding and length", 200, coding_first("15", hello)).says("hello"),
        last("length and coding, a request behind", 200, length_first("46", &behind)),
        last("coding and length, a request behind", 200, coding_first("46", &behind)),
        last("length and coding, half a request behind", 200, length_first("6", "0\r\n\r\nG")),
        last("length less than the chunks", 200, length_first("3", hello)).says("hello"),
        last("length of nothing, and coding", 200, length_first("0", hello)).says("hello"),
        last("malformed length, and coding", 400, length_first("x", hello)),
        last("coding, and malformed length", 200, coding_first("x", hello)).says("hello"),
        last("length between codings", 400, post("Transfer-Encoding: x\r\nContent-Length: 5\r\n", "hello")),
        last("length and coding that is cut off", 400, length_first("15", "5\r\nhel")).finished(),
    ]
}

/// RFC 9112, section 7.1.
fn sizes() -> Vec<Row> {
    let sixteen = "5;x=".to_owned() + &"y".repeat(16 * 1024) + "\r\n";
    let mut rows = vec![
        served("chunk with a name", 200, chunk("5;name\r\n")).says("hello"),
        served("chunk with a value", 200, chunk("5;name=value\r\n")).says("hello"),
        served("chunk with a quoted value", 200, chunk("5;name=\"a;b\"\r\n")).says("hello"),
        served("chunk with a space before the extension", 200, chunk("5 ;name\r\n")).says("hello"),
        served("chunk with leading zeros", 200, chunk("0000000000000000000005\r\n")).says("hello"),
        served("chunk with white space behind its size", 200, chunk("5 \t\r\n")).says("hello"),
        served("chunk of ten, in capitals", 200, chunks("A\r\n0123456789\r\n0\r\n\r\n")).says("0123456789"),
        served("chunk of ten", 200, chunks("a\r\n0123456789\r\n0\r\n\r\n")).says("0123456789"),
        last("chunk with a long extension", 400, chunk(&sixteen)),
        last("chunk of exabytes", 400, chunks("7fffffffffffffff\r\nhello")).finished(),
        last("chunk of 2^64 - 1", 400, chunks("ffffffffffffffff\r\nhello")).finished(),
    ];
    let wrong = [
        "\r\n",
        "+5\r\n",
        "-5\r\n",
        " 5\r\n",
        "\t5\r\n",
        "0x5\r\n",
        "x5\r\n",
        "5h\r\n",
        "5 5\r\n",
        "5,\r\n",
        "5_\r\n",
        "5\n",
        "5\r\r\n",
        "5\r",
        "5;a\n",
        "5;a\rb\r\n",
        "\r\n5\r\n",
        "５\r\n",
        "\x005\r\n",
        "10000000000000005\r\n",
        "g\r\n",
    ];
    rows.extend(wrong.map(|size| last(format!("chunk {size:?}"), 400, chunk(size))));
    rows
}

fn bodies() -> Vec<Row> {
    let user =
        |fields: &str, body: &str| format!("POST /api/users HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
    let most = "x".repeat(64 * 1024);
    let more = format!("{most}y");
    let chunked = |body: &str| format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let bytes = |body: &str| user(&format!("Content-Length: {}\r\n", body.len()), body);
    let in_chunks = |body: &str| user("Transfer-Encoding: chunked\r\n", &chunked(body));
    let ones = "1\r\nz\r\n".repeat(1000) + "0\r\n\r\n";
    vec![
        served("chunks of nothing", 200, chunks("0\r\n\r\n")),
        served("chunks of nothing, twice zero", 200, chunks("00\r\n\r\n")),
        served("last chunk with an extension", 200, chunks("0;x\r\n\r\n")),
        served("two chunks", 200, chunks("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")).says("hello"),
        served("a thousand chunks", 200, chunks(&ones)).says("zzzz"),
        served("as much as may be", 400, bytes(&most)).says("Malformed JSON"),
        served("as much as may be, in a chunk", 400, in_chunks(&most)).says("Malformed JSON"),
        last("a byte too much", 413, bytes(&more)).says("65536"),
        last("a byte too much, in a chunk", 413, in_chunks(&more)).says("65536"),
        last("far too much", 413, user("Content-Length: 1000000000\r\n", &more)).says("65536"),
        last("last chunk with a sign", 400, chunks("-0\r\n\r\n")),
        last("chunk shorter than it says", 400, chunks("5\r\nhell\r\n0\r\n\r\n")),
        last("chunk longer than it says", 400, chunks("5\r\nhello!\r\n0\r\n\r\n")),
        last("chunk that ends with LF", 400, chunks("5\r\nhello\n0\r\n\r\n")),
        last("chunk that ends with CR", 400, chunks("5\r\nhello\r0\r\n\r\n")),
        last("chunk that has no end", 400, chunks("5\r\nhello0\r\n\r\n")),
        last("no last chunk", 400, chunks("5\r\nhello\r\n")).finished(),
        last("no last chunk, and silence", 408, chunks("5\r\nhello\r\n")),
        last("last chunk cut off", 400, chunks("5\r\nhello\r\n0\r\n")).finished(),
        last("no chunk at all", 400, chunks("")).finished(),
        last("a body that is not in chunks", 400, chunks("{\"name\":1}")),
    ]
}

/// RFC 9112, section 7.1.2: trailers are read and dropped.
fn trailers() -> Vec<Row> {
    let trailer = |text: &str| chunks(&format!("5\r\nhello\r\n0\r\n{text}\r\n"));
    vec![
        served("trailer", 200, trailer("X: y\r\n")).says("hello"),
        served("trailer that names a length", 200, trailer("Content-Length: 1\r\n")).says("hello"),
        served("trailer that names a coding", 200, trailer("Transfer-Encoding: gzip\r\n")).says("hello"),
        served("trailer that names a host", 200, trailer("Host: b\r\nAuthorization: Bearer x\r\n")),
        last("trailer without a colon", 400, trailer("nothing\r\n")),
        last("trailer without a name", 400, trailer(": x\r\n")),
        last("trailer with NUL", 400, trailer("X: \0\r\n")),
        last("trailer with a space before the colon", 400, trailer("X : y\r\n")),
        last("1,025 trailers", 400, trailer(&"X: y\r\n".repeat(1025))),
        last("trailer of 16 KiB", 400, trailer(&format!("X: {}\r\n", "y".repeat(16 * 1024)))),
        last("a request in the place of a trailer", 400, chunks(&format!("0\r\n{SECOND}"))),
    ]
}

/// RFC 9112, section 9.3.2: a pipelined request is served only if the request before it was valid.
fn pipelines() -> Vec<Row> {
    let first = |fields: &str| format!("GET /api/ships/2 HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let then = |first: String| first + SECOND;
    vec![
        Row::new("two requests", &[200, 404], Open, then(first(""))),
        Row::new("twenty requests", &[404; 20], Open, SECOND.repeat(20)),
        Row::new(
            "a body that is not read, then a request",
            &[200, 404],
            Open,
            then(first("Content-Length: 5\r\n") + "hello"),
        ),
        Row::new("a request as the body", &[200, 404], Open, then(first("Content-Length: 41\r\n") + SECOND)),
        Row::new("chunks, then a request", &[200, 404], Open, then(chunks("5\r\nhello\r\n0\r\n\r\n"))),
        Row::new("a line end too much, then a request", &[200, 404], Open, then(length("5") + "\r\n")),
        Row::new("HEAD, then a request", &[200, 404], Open, then(first("").replace("GET", "HEAD"))).head(),
        Row::new(
            "HEAD, then what is no request",
            &[200, 400],
            Closed,
            first("").replace("GET", "HEAD") + "GET /api/ships/2 HTTP/1.1\r\nHost : a\r\n\r\n",
        )
        .head(),
        Row::new("OPTIONS, then a request", &[204, 404], Open, then(first("").replace("GET", "OPTIONS"))),
        Row::new("a wrong method, then a request", &[405, 404], Open, then(first("").replace("GET", "POST"))),
        Row::new(
            "an upgrade, then a request",
            &[200, 404],
            Open,
            then(first("Connection: upgrade\r\nUpgrade: h2c\r\n")),
        ),
        Row::new("a request, then garbage", &[200, 400], Closed, first("") + "garbage\r\n\r\n"),
        Row::new(
            "a request, then another version",
            &[200, 505],
            Closed,
            first("") + "GET / HTTP/3.0\r\n\r\n",
        ),
        Row::new(
            "a request, then one without a host",
            &[200, 400],
            Closed,
            first("") + "GET / HTTP/1.1\r\n\r\n",
        ),
        Row::new("a request, then half of one", &[200], Closed, first("") + "GET /api").finished(),
        Row::new("a request, then half of one, and silence", &[200], Closed, first("") + "GET /api").waits(),
        last("the last request, then another", 200, then(first("Connection: close\r\n"))),
        last("HTTP/1.0, then a request", 200, then(first("").replace("1.1", "1.0"))),
        last("garbage, then a request", 400, format!("garbage\r\n\r\n{SECOND}")),
        last("no host, then a request", 400, then(first("").replace("Host: a\r\n", ""))),
        last("an unknown coding, then a request", 501, then(coded("gzip, chunked"))),
        last("an unknown expectation, then a request", 417, then(first("Expect: x\r\n"))),
        last("a tunnel, then a request", 501, format!("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n{SECOND}")),
        last("a malformed chunk, then a request", 400, then(chunks("x\r\n\r\n"))),
        last(
            "too large a body, then a request",
            413,
            then(format!(
                "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n{}",
                "x".repeat(70000)
            )),
        ),
        last(
            "a malformed length, then another version",
            400,
            length("x").replace("hello", "GET / HTTP/3.0\r\n\r\n"),
        ),
    ]
}
