//! A clock that was ahead for a while: revoked tokens stay revoked, and the log warns once for each step back.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use rocket::http::Method;
use serde_json::json;
use shipyard::config::Settings;
use shipyard::store::StoreLimits;
use tracing::Level;

use test_support::server::{settings, Ask, Server, NOW};

const DAY: u64 = 24 * 3600;

/// The log output of `work` on this thread.
fn logged(work: impl FnOnce()) -> Vec<String> {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_max_level(Level::WARN).with_ansi(false).without_time();
    tracing::subscriber::with_default(log.with_writer(move || writer.clone()).finish(), work);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn check_warning(lines: &[String], seconds: u64) {
    let [line] = lines else { panic!("{lines:?}") };
    assert!(line.contains("WARN") && line.contains("the clock was set back"), "{line}");
    assert!(line.contains(&format!("seconds={seconds} ")) && line.contains("until=2026-1"), "{line}");
    assert!(!line.contains("eyJ"), "{line}");
}

fn status(server: &Server, method: Method, path: &str, token: &str) -> u16 {
    server.send(Ask::new(method, path).bearer(token)).status
}

#[test]
fn warns_once_of_a_logout_while_the_clock_was_ahead() {
    let server = Server::start();
    let (old, refresh) = server.log_in("user", "password").tokens();
    server.clock.set(NOW + DAY);
    let (ahead, _) = server.log_in("user", "password").tokens();
    assert_eq!(status(&server, Method::Delete, "/auth/logout", &ahead), 200);
    server.clock.set(NOW + 10);
    let lines = logged(|| {
        // Every access token, old or new, is rejected as revoked. Refresh tokens stay valid.
        for _ in 0..20 {
            assert_eq!(status(&server, Method::Delete, "/api/ships/999", &old), 401);
            let (new, _) = server.log_in("user", "password").tokens();
            assert_eq!(status(&server, Method::Delete, "/api/ships/999", &new), 401);
            assert_eq!(status(&server, Method::Post, "/auth/refresh", &refresh), 200);
        }
    });
    check_warning(&lines, DAY - 10);
    server.clock.set(NOW + DAY);
    let lines = logged(|| {
        let (new, _) = server.log_in("user", "password").tokens();
        assert_eq!(status(&server, Method::Delete, "/api/ships/999", &new), 404);
    });
    assert!(lines.is_empty(), "{lines:?}");
}

/// The other times that can lie in the future: the start, a logout of all tokens, a password change.
#[test]
fn warns_each_time_the_clock_is_set_back() {
    let change = json!({"name": "user", "password": "password"});
    for case in ["start", "logout", "password", "login"] {
        let caps = StoreLimits { revocations: 0, ..StoreLimits::default() };
        // The server's clock shows NOW, which is ahead.
        let server = Server::configured(Settings { store_limits: caps, ..settings() });
        let back = NOW + if case == "start" { 0 } else { 10 * DAY } - DAY;
        server.clock.set(back.max(NOW));
        let (access, _) = server.log_in("user", "password").tokens();
        server.clock.set(back + DAY);
        let (ahead, _) = server.log_in("guest", "guest").tokens();
        match case {
            "logout" => assert_eq!(status(&server, Method::Delete, "/auth/logout", &ahead), 200),
            "password" => {
                let (ahead, _) = server.log_in("user", "password").tokens();
                let change = Ask::new(Method::Put, "/api/users/1").bearer(&ahead).json(&change);
                assert_eq!(server.send(change).status, 200);
            }
            _ => {}
        }
        server.clock.set(back);
        let lines = logged(|| {
            let (access_of_guest, _) = server.log_in("guest", "guest").tokens();
            let (_, refresh_of_user) = server.log_in("user", "password").tokens();
            let guest = status(&server, Method::Delete, "/api/ships/999", &access_of_guest);
            let user = status(&server, Method::Post, "/auth/refresh", &refresh_of_user);
            assert_eq!(guest, if matches!(case, "start" | "logout") { 401 } else { 404 }, "{case}");
            assert_eq!(user, if matches!(case, "start" | "password") { 401 } else { 200 }, "{case}");
            server.send(Ask::new(Method::Delete, "/api/ships/999").bearer(&access));
        });
        check_warning(&lines, DAY);
    }
}

/// Time synchronisation makes small steps back.
#[test]
fn does_not_warn_of_small_clock_steps() {
    let server = Server::start();
    server.clock.set(NOW + 10);
    let lines = logged(|| {
        for now in [NOW + 20, NOW + 15, NOW + 30, NOW + 26, NOW + 30] {
            server.clock.set(now);
            assert_eq!(server.log_in("user", "password").status, 200);
        }
    });
    assert!(lines.is_empty(), "{lines:?}");
}
