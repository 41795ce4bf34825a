//! Signals during startup: none is lost, and none kills the server.
#![cfg(target_os = "linux")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rocket::http::Method;
use serde_json::json;

use test_support::program::{folder, shipyard, signal, wait, Serving, LIMIT};
use test_support::server::Ask;

const OLD: &str = "kid=old old-old-old-old-old-old-old-old-old-";
const NEW: &str = "kid=new new-new-new-new-new-new-new-new-new-";

/// A folder with keys and data, and the command that starts the server there. Hashing the passwords takes a while.
fn setup(name: &str, users: usize, flags: &[&str]) -> (PathBuf, Command) {
    let folder = folder(name);
    std::fs::write(folder.join("keys"), OLD).unwrap();
    let users: Vec<_> = (1..=users)
        .map(|id| json!({"id": id, "name": format!("user {id}"), "password": "password"}))
        .collect();
    std::fs::write(folder.join("data.json"), json!({"users": users, "ships": []}).to_string()).unwrap();
    let flags = [&["--port", "0", "--jwt-secret-file", "keys"], flags].concat();
    let mut command = shipyard(&folder, &flags);
    command.env("ROCKET_PASSWORD_ITERATIONS", "8");
    (folder, command)
}

/// Starts the server, and waits until it handles signals, but only as long as it takes if it does so first.
fn begun(command: &mut Command) -> Child {
    const MOST: Duration = Duration::from_millis(500);
    // SIGHUP, SIGINT, SIGTERM, by their bits.
    const LISTENED_FOR: u64 = 1 << 0 | 1 << 1 | 1 << 14;
    let child = command.spawn().expect("the program starts");
    let start = Instant::now();
    while start.elapsed() < MOST && caught(child.id()) & LISTENED_FOR != LISTENED_FOR {
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

/// The signals for which a process has handlers (proc(5): `SigCgt`).
fn caught(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap()
}

/// The id of the signing key.
fn signing_key(serving: &Serving) -> String {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use base64::Engine;

    let log_in = json!({"username": "user 1", "password": "password"});
    let log_in = Ask::new(Method::Post, "/auth/login").header("Host", "localhost").json(&log_in);
    let (token, _) = serving.send(&log_in).tokens();
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn replace_keys(folder: &Path) {
    std::fs::write(folder.join("keys.new"), format!("{NEW}\n{OLD}")).unwrap();
    std::fs::rename(folder.join("keys.new"), folder.join("keys")).unwrap();
}

#[test]
fn obeys_a_sighup_during_startup() {
    for pause in [0, 20, 100] {
        let (folder, mut command) = setup(&format!("hangup_at_{pause}"), 16, &[]);
        let child = begun(&mut command);
        std::thread::sleep(Duration::from_millis(pause));
        replace_keys(&folder);
        signal(child.id(), "HUP");
        let serving = Serving::announced(child);
        assert_eq!(signing_key(&serving), "new", "{pause} ms");
        // Another SIGHUP: the server still handles it.
        std::fs::write(folder.join("keys"), OLD).unwrap();
        serving.signal("HUP");
        let start = Instant::now();
        while signing_key(&serving) != "old" {
            assert!(start.elapsed() < LIMIT, "the keys stay as they were");
        }
        assert_eq!(serving.interrupt(), Some(0));
    }
}

#[test]
fn a_shutdown_signal_ends_startup() {
    for name in ["TERM", "INT"] {
        // The server does not wait for a minute of hashing.
        let (_, mut command) = setup(&format!("{name}_at_the_start"), 2000, &[]);
        let mut child = begun(&mut command);
        let start = Instant::now();
        signal(child.id(), name);
        assert_eq!(wait(&mut child), Some(0), "{name}");
        assert!(start.elapsed() < Duration::from_secs(5), "{name}: {:?}", start.elapsed());
        let mut stdout = String::new();
        child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        assert_eq!(stdout, "", "it never served");
    }
}

/// A signal that is configured to end the server also ends its startup, once the settings have been read.
#[test]
fn configured_signals_end_startup() {
    for (configured, name) in [("[\"usr1\"]", "USR1"), ("[\"hup\"]", "HUP")] {
        let (_, mut command) = setup(&format!("{name}_at_the_start"), 2000, &[]);
        command.env("ROCKET_SHUTDOWN", format!("{{signals={configured}}}"));
        let mut child = begun(&mut command);
        std::thread::sleep(Duration::from_millis(500));
        signal(child.id(), name);
        assert_eq!(wait(&mut child), Some(0), "{name}");
    }
}

/// SIGTERM is handled from the start, whether it shuts the server down gracefully or not.
#[test]
fn an_unconfigured_signal_kills_the_program_at_once() {
    let (_, mut command) = setup("ungentle", 1, &[]);
    command.env("ROCKET_SHUTDOWN", "{ctrlc=false,signals=[\"usr1\"]}");
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let serving = Serving::start(&mut command);
        serving.signal(name);
        assert_eq!(serving.ended(), Some(code), "{name}");
    }
}

#[test]
fn other_commands_die_of_signals_as_usual() {
    use std::os::unix::process::ExitStatusExt;

    // The command waits for a password.
    let mut child = shipyard(&folder("not_a_server"), &["hash-password"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(Duration::from_millis(300));
    signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}
