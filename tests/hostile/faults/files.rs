//! Static files that are not regular files, or change while they are sent.
#![cfg(unix)]

use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use shipyard::http::HttpLimits;

use test_support::http_server::{HttpServer, RawClient, RawResponse, Setup, State};
use test_support::program::{folder, shipyard, Serving};

const MIB: usize = 1024 * 1024;

fn with(files: &Path) -> HttpServer {
    Setup::with_files(HttpLimits::default(), files.to_owned()).start()
}

fn ask(path: &str, fields: &str) -> String {
    format!("GET /static/{path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

fn get(server: &HttpServer, path: &str) -> RawResponse {
    let mut client = server.connect();
    client.send(ask(path, ""));
    let response = client.response().unwrap_or_else(|reason| panic!("{path}: {reason}"));
    assert_eq!(client.state(), State::Open, "{path}");
    response
}

#[test]
fn responds_404_for_anything_but_a_regular_file_in_the_folder() {
    let root = folder("odd_files");
    let files = root.join("files");
    std::fs::create_dir_all(files.join("folder/.hidden")).unwrap();
    std::fs::write(root.join("secret"), "secret").unwrap();
    std::fs::write(files.join("file"), "a file").unwrap();
    std::fs::write(files.join(".hidden"), "hidden").unwrap();
    std::fs::write(files.join("folder/.hidden/file"), "hidden").unwrap();
    symlink("file", files.join("within")).unwrap();
    symlink(files.join("folder/../file"), files.join("within_absolute")).unwrap();
    symlink("../secret", files.join("out")).unwrap();
    symlink(root.join("secret"), files.join("out_absolute")).unwrap();
    symlink("..", files.join("up")).unwrap();
    symlink("loop", files.join("loop")).unwrap();
    symlink("nowhere", files.join("dangling")).unwrap();
    symlink("/dev/zero", files.join("zero")).unwrap();
    // Next to the folder, with a name that begins with the folder's name.
    std::fs::create_dir(root.join("files-of-others")).unwrap();
    std::fs::write(root.join("files-of-others/file"), "secret").unwrap();
    symlink("../files-of-others/file", files.join("neighbour")).unwrap();
    assert!(Command::new("mkfifo").arg(files.join("fifo")).status().unwrap().success());
    let server = with(&files);
    for path in ["file", "within", "within_absolute"] {
        let response = get(&server, path);
        assert_eq!((response.status, response.body.as_slice()), (200, &b"a file"[..]), "{path}");
    }
    let long = "x".repeat(300);
    let none = [
        "folder",
        "folder/",
        "out",
        "out_absolute",
        "up/secret",
        "loop",
        "dangling",
        "zero",
        "neighbour",
        "fifo",
        ".hidden",
        "folder/.hidden/file",
        "file/file",
        "nothing",
        "../secret",
        "%2e%2e/secret",
        long.as_str(),
    ];
    for path in none {
        let response = get(&server, path);
        assert_eq!(response.status, 404, "{path}");
        response.error();
    }
    server.is_well();
}

#[test]
fn does_not_resend_an_unchanged_file_and_head_has_its_size() {
    let files = folder("known_file");
    std::fs::write(files.join("file.txt"), "a file").unwrap();
    let server = with(&files);
    let first = get(&server, "file.txt");
    assert_eq!(first.header("Content-Length"), Some("6"));
    let etag = first.header("ETag").unwrap().to_owned();
    let mut client = server.connect();
    client.send(ask("file.txt", "").replace("GET", "HEAD"));
    let head = client.head().unwrap();
    assert_eq!((head.status, head.header("Content-Length")), (200, Some("6")));
    assert_eq!(head.header("ETag"), Some(etag.as_str()));
    for known in [etag.clone(), format!("\"x\", {etag}"), "*".to_owned()] {
        client.send(ask("file.txt", &format!("If-None-Match: {known}\r\n")));
        let response = client.response().unwrap();
        assert_eq!((response.status, response.header("ETag")), (304, Some(etag.as_str())), "{known}");
        assert_eq!((response.header("Content-Length"), response.header("Transfer-Encoding")), (None, None));
    }
    std::fs::write(files.join("file.txt"), "another file").unwrap();
    client.send(ask("file.txt", &format!("If-None-Match: {etag}\r\n")));
    let response = client.response().unwrap();
    assert_eq!((response.status, response.body.as_slice()), (200, &b"another file"[..]));
}

/// Requests a file of 20 MB and reads the head of the response.
fn begun(server: &HttpServer) -> RawClient {
    let mut client = server.connect();
    client.send(ask("big", ""));
    let head = client.head().unwrap();
    assert_eq!((head.status, head.header("Content-Length")), (200, Some("20971520")));
    client
}

#[test]
fn a_shrinking_file_is_cut_off_and_a_growing_one_keeps_its_length() {
    let files = folder("changing_file");
    let big = files.join("big");
    let server = with(&files);
    std::fs::write(&big, vec![b'x'; 20 * MIB]).unwrap();
    let client = begun(&server);
    std::fs::File::options().write(true).open(&big).unwrap().set_len(10 * MIB as u64).unwrap();
    let mut rest = Vec::new();
    // The connection is closed or reset: neither is a complete response.
    let _ = client.stream().read_to_end(&mut rest);
    assert!(rest.len() < 20 * MIB);
    server.is_well();

    std::fs::write(&big, vec![b'x'; 20 * MIB]).unwrap();
    let mut client = begun(&server);
    std::fs::File::options().write(true).open(&big).unwrap().set_len(30 * MIB as u64).unwrap();
    client.skip(20 * MIB);
    assert_eq!(client.state(), State::Open);
}

/// The maximum memory of a process so far, in KiB (proc(5)).
#[cfg(target_os = "linux")]
fn most_memory(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn streams_a_big_file() {
    let here = folder("big_file");
    std::fs::create_dir(here.join("static")).unwrap();
    std::fs::write(here.join("static/big"), vec![b'x'; 20 * MIB]).unwrap();
    let serving = Serving::start(&mut shipyard(&here, &["--port", "0"]));
    let before = most_memory(serving.pid());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = RawClient::connect(([127, 0, 0, 1], serving.port).into());
                client.send(ask("big", ""));
                assert_eq!(client.head().unwrap().status, 200);
                client.skip(20 * MIB);
                assert_eq!(client.state(), State::Open);
            });
        }
    });
    let more = most_memory(serving.pid()) - before;
    assert!(more < 16 * 1024, "{more} KiB for 8 downloads");
}
