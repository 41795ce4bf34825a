//! Files that are swapped for links and pipes while they are opened.
#![cfg(unix)]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use shipyard::auth::keys::file::KeyFile;
use shipyard::http::HttpLimits;

use test_support::http_server::{HttpServer, Setup};
use test_support::program::{folder, run, shipyard, Serving, LIMIT};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Replaces `path` atomically, again and again, until it is told to stop. `put` makes the replacement with the given
/// number at the given path.
fn swap(path: &Path, kinds: usize, stop: &AtomicBool, put: impl Fn(usize, &Path)) {
    let next = path.with_extension("next");
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        put(turn % kinds, &next);
        std::fs::rename(&next, path).unwrap();
    }
}

/// Swaps a folder for a link to one outside, and back.
fn swap_folder(root: &Path, stop: &AtomicBool) {
    let (place, parked) = (root.join("files/d"), root.join("parked"));
    while !stop.load(Ordering::Relaxed) {
        std::fs::rename(&place, &parked).unwrap();
        symlink("../outside", &place).unwrap();
        std::thread::yield_now();
        std::fs::remove_file(&place).unwrap();
        std::fs::rename(&parked, &place).unwrap();
        std::thread::yield_now();
    }
}

/// The number of requests, out of `count`, that get the file; all others get a 404.
fn found(server: &HttpServer, path: &str, count: usize) -> usize {
    let mut client = server.connect();
    let mut found = 0;
    for _ in 0..count {
        client.send(format!("GET /static/{path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.response().unwrap_or_else(|reason| panic!("{path}: {reason}"));
        match response.status {
            200 => assert_eq!(response.body, b"inside", "from outside the folder"),
            404 => {}
            _ => panic!("{path}: {response:?}"),
        }
        found += usize::from(response.status == 200);
    }
    found
}

#[test]
fn never_serves_outside_the_static_folder_while_files_are_swapped() {
    let root = folder("swapped_files");
    for inner in ["files/d", "outside"] {
        std::fs::create_dir_all(root.join(inner)).unwrap();
    }
    std::fs::write(root.join("outside/file"), "secret").unwrap();
    std::fs::write(root.join("files/d/file"), "inside").unwrap();
    std::fs::write(root.join("files/swapped"), "inside").unwrap();
    let server = Setup::with_files(HttpLimits::default(), root.join("files")).start();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            swap(&root.join("files/swapped"), 5, &stop, |kind, path| match kind {
                0 => std::fs::write(path, "inside").unwrap(),
                1 => symlink("../outside/file", path).unwrap(),
                2 => symlink(root.join("outside/file"), path).unwrap(),
                3 => symlink("d/file", path).unwrap(),
                _ => pipe_by_link(&root, path),
            });
        });
        scope.spawn(|| swap_folder(&root, &stop));
        let clients = ["swapped", "swapped", "d/file"].map(|path| scope.spawn(|| found(&server, path, 2000)));
        let results = clients.map(|client| client.join());
        stop.store(true, Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok), "only what is in the folder");
    });
    // How often the file was there depends on the system; from now on it stays.
    std::fs::remove_file(root.join("files/swapped")).unwrap();
    symlink("d/file", root.join("files/swapped")).unwrap();
    assert_eq!(["swapped", "d/file"].map(|path| found(&server, path, 10)), [10, 10]);
    server.is_well();
}

/// Making a pipe starts a program, which is slow; making a hard link is fast.
fn pipe_by_link(root: &Path, path: &Path) {
    let made = root.join("pipe");
    if !made.exists() {
        pipe(&made);
    }
    std::fs::hard_link(made, path).unwrap();
}

/// Only Linux can exchange two files atomically, fast enough to fall between a check and the opening.
#[cfg(target_os = "linux")]
#[test]
fn reads_or_rejects_keys_at_once_while_their_file_is_swapped() {
    use rustix::fs::{renameat_with, RenameFlags, CWD};

    let root = folder("swapped_keys");
    let (file, other) = (root.join("keys"), root.join("pipe"));
    std::fs::write(&file, KEY).unwrap();
    pipe(&other);
    let stop = AtomicBool::new(false);
    let (done, read) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &file, CWD, &other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let keys = KeyFile::at(file.clone());
        std::thread::spawn(move || {
            let (mut good, mut refused) = (0, 0);
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(2) {
                if keys.read().is_ok() {
                    good += 1;
                } else {
                    refused += 1;
                }
            }
            let _ = done.send((good, refused));
        });
        let read = read.recv_timeout(LIMIT);
        stop.store(true, Ordering::Relaxed);
        let (good, refused) = read.expect("a pipe in the place of the keys is not waited for");
        assert!(good > 0 && refused > 0, "{good} {refused}");
    });
}

/// Waits until the log contains this text.
fn says(output: &Path, text: &str) {
    let start = Instant::now();
    while !std::fs::read_to_string(output).unwrap().contains(text) {
        assert!(start.elapsed() < LIMIT, "{text:?} is not in the output");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_pipe_as_key_file_does_not_block_later_signals() {
    let here = folder("piped_keys");
    let (keys, output) = (here.join("keys"), here.join("output"));
    std::fs::write(&keys, KEY).unwrap();
    let arguments = ["--port", "0", "--jwt-secret-file", "keys"];
    let serving = Serving::start_into(&mut shipyard(&here, &arguments), &output);
    std::fs::remove_file(&keys).unwrap();
    pipe(&keys);
    serving.signal("HUP");
    says(&output, "keys stay as they were: jwt_secret_file: keys: not a file");
    std::fs::remove_file(&keys).unwrap();
    std::fs::write(&keys, format!("kid=later {KEY}")).unwrap();
    serving.signal("HUP");
    says(&output, "keys read again: the key later signs");
    assert_eq!(serving.interrupt(), Some(0));
}

/// Every file that the program reads: a pipe, a folder or a device is rejected at once, and by name.
#[test]
fn no_command_blocks_on_a_pipe() {
    let here = folder("piped_commands");
    std::fs::create_dir_all(here.join("fixtures/odd")).unwrap();
    pipe(&here.join("fixtures/odd/01-pipe.txt"));
    for (odd, arguments) in [
        ("pipe", &["--data", "pipe"][..]),
        ("folder", &["--data", "folder"]),
        ("/dev/zero", &["--data", "/dev/zero"]),
        ("pipe", &["--jwt-secret-file", "pipe"]),
        ("/dev/zero", &["--jwt-secret-file", "/dev/zero"]),
        ("pipe", &["record", "--scenario", "new", "pipe"]),
        ("folder", &["record", "--scenario", "new", "folder"]),
        ("/dev/zero", &["record", "--scenario", "new", "/dev/zero"]),
        ("pipe", &["spec", "--check", "pipe"]),
        ("01-pipe.txt", &["verify", "--scenario", "odd"]),
        ("01-pipe.txt", &["export", "--har"]),
    ] {
        let _ = std::fs::remove_file(here.join("pipe"));
        let _ = std::fs::create_dir(here.join("folder"));
        pipe(&here.join("pipe"));
        let ended = run(&mut shipyard(&here, arguments), None);
        assert!(matches!(ended.code, Some(1 | 2)), "{arguments:?}: {ended:?}");
        let output = ended.stdout + &ended.stderr;
        assert!(output.contains(odd), "{arguments:?}: {output}");
        assert!(
            output.contains("not a regular file") || output.contains("not a file"),
            "{arguments:?}: {output}"
        );
    }
    for name in ["Rocket.toml", "data.json"] {
        let here = folder("piped_defaults");
        pipe(&here.join(name));
        let ended = run(&mut shipyard(&here, &["--port", "0"]), None);
        assert!(matches!(ended.code, Some(1 | 2)), "{name}: {ended:?}");
        assert!(ended.stderr.contains(&format!("{name}: not a regular file")), "{name}: {ended:?}");
    }
}
