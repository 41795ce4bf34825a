//! Key rotation under load (`docs/key-rotation.md`), and that no secret is printed or logged.
#![cfg(unix)]

use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rocket::http::Method;
use serde_json::json;

use test_support::forge::{hs256, sign_with};
use test_support::program::{folder, shipyard, Serving, LIMIT};
use test_support::server::{Answer, Ask};

const SHIP: &str = r#"{"affiliation":"a","category":"b","crew":1,"length":1,"manufacturer":"c","model":"d","roles":[],"ship_class":"e"}"#;

/// The number of clients that work without a pause.
const CLIENTS: usize = 4;

/// The number of rounds of each client between two key changes.
const TURNS: usize = 3;

/// A key as a line of the file.
#[derive(Clone, Copy, Debug)]
struct Key {
    id: Option<&'static str>,
    secret: &'static str,
}

/// Each key replaces the one before: with and without ids, in all four orders.
const KEYS: [Key; 6] = [
    Key { id: None, secret: "first-first-first-first-first-first-" },
    Key { id: None, secret: "second-second-second-second-second-" },
    Key { id: Some("third"), secret: "third-third-third-third-third-third-" },
    Key { id: Some("fourth"), secret: "fourth-fourth-fourth-fourth-fourth-" },
    Key { id: None, secret: "fifth-fifth-fifth-fifth-fifth-fifth-" },
    Key { id: None, secret: "sixth-sixth-sixth-sixth-sixth-sixth-" },
];

impl Key {
    fn line(self) -> String {
        self.id.map_or_else(|| format!("{}\n", self.secret), |id| format!("kid={id} {}\n", self.secret))
    }

    fn signed(self, token: &str) -> bool {
        let (message, signature) = token.rsplit_once('.').unwrap();
        hs256(message, self.secret.as_bytes()) == signature
    }

    /// A token of user 1 that is signed with this key.
    fn sign(self, kind: &str) -> String {
        let mut header = json!({"typ": "JWT", "alg": "HS256"});
        if let Some(id) = self.id {
            header["kid"] = json!(id);
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        // A token from the second of the start would be rejected as older than the server.
        let claims = json!({"iat": now + 1, "nbf": now, "jti": "0d6fe1b4-6f0e-4c0a-9f4e-3b0f5b9f0a00",
            "exp": now + 600, "identity": 1, "type": kind});
        sign_with(self.secret.as_bytes(), &header, &claims)
    }
}

fn ask(method: Method, path: &str) -> Ask {
    Ask::new(method, path).header("Host", "localhost")
}

/// Replaces the file, atomically as the document says.
fn write(file: &Path, keys: &[Key]) {
    let new = file.with_extension("new");
    std::fs::write(&new, keys.iter().map(|key| key.line()).collect::<String>()).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// The program with this key file, and cheap passwords.
fn program(folder: &Path, file: &Path) -> Command {
    let mut command = shipyard(folder, &["--port", "0", "--jwt-secret-file", file.to_str().unwrap()]);
    command.env("ROCKET_PASSWORD_MEMORY", "8").env("ROCKET_PASSWORD_ITERATIONS", "1");
    // The clients log in without a pause.
    command.env("ROCKET_RATE_LIMITS", "false");
    command
}

fn folder_with_keys(name: &str, keys: &[Key]) -> (PathBuf, PathBuf) {
    let folder = folder(name);
    let file = folder.join("keys");
    write(&file, keys);
    (folder, file)
}

fn log_in(serving: &Serving) -> Answer {
    let body = json!({"username": "user", "password": "password"});
    let response = serving.send(&ask(Method::Post, "/auth/login").json(&body));
    assert_eq!(response.status, 200, "{response:?}");
    response
}

fn with_token(serving: &Serving, method: Method, path: &str, token: &str) -> Answer {
    serving.send(&ask(method, path).bearer(token))
}

/// The status for a token in a request that changes nothing.
fn status_of(serving: &Serving, access: &str) -> u16 {
    match serving.send(&ask(Method::Put, "/api/ships/1").bearer(access).body("no ship")).status {
        // The body is checked after the token.
        400 => 200,
        status => status,
    }
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The two tokens of a login.
#[derive(Clone)]
struct Pair {
    access: String,
    refresh: String,
}

/// A client that keeps the tokens of its oldest login until it is told that a refresh token's lifetime has passed.
struct Client<'a> {
    serving: &'a Serving,
    done: usize,
    wrong: Vec<String>,
}

impl Client<'_> {
    fn note(&mut self, what: &str, response: Answer, status: u16) -> Option<Answer> {
        self.done += 1;
        if response.status == status {
            return Some(response);
        }
        self.wrong.push(format!("{what}: {response:?}"));
        None
    }

    fn log_in(&mut self) -> Option<Pair> {
        let response = log_in(self.serving);
        let (access, refresh) = self.note("login", response, 200)?.tokens();
        Some(Pair { access, refresh })
    }

    fn refresh(&mut self, token: &str) -> Option<String> {
        let response = with_token(self.serving, Method::Post, "/auth/refresh", token);
        let response = self.note("refresh", response, 200)?;
        Some(response.json()["access_token"].as_str().unwrap().to_owned())
    }

    /// Creates a ship with one token, and deletes it with another.
    fn ship(&mut self, creates: &str, deletes: &str) {
        let response = self.serving.send(&ask(Method::Post, "/api/ships").bearer(creates).body(SHIP));
        if let Some(response) = self.note("create", response, 201) {
            let path = format!("/api/ships/{}", response.json()["id"]);
            let response = with_token(self.serving, Method::Delete, &path, deletes);
            self.note("delete", response, 204);
        }
    }

    /// Uses every operation once, with the old tokens and with those of a new login.
    fn turn(&mut self, old: &Pair) -> Option<Pair> {
        let new = self.log_in()?;
        let of_old = self.refresh(&old.refresh)?;
        let of_new = self.refresh(&new.refresh)?;
        self.ship(&old.access, &new.access);
        self.ship(&of_new, &of_old);
        Some(new)
    }
}

/// State shared between the clients and the thread that changes the keys.
#[derive(Default)]
struct Board {
    turns: [AtomicUsize; CLIENTS],
    /// The number of times that the lifetime of all refresh tokens has passed.
    lifetimes: AtomicUsize,
    /// The last of those after which each client has dropped its old tokens.
    given_up: [AtomicUsize; CLIENTS],
    over: AtomicBool,
}

impl Board {
    /// Waits until every client has completed another round.
    fn turns(&self) {
        let before: Vec<usize> = self.turns.iter().map(|turns| turns.load(Ordering::SeqCst)).collect();
        eventually("the clients go on", || {
            let now = self.turns.iter().map(|turns| turns.load(Ordering::SeqCst));
            now.zip(&before).all(|(now, before)| now > before + TURNS) || self.over.load(Ordering::SeqCst)
        });
    }

    /// Makes every client drop its old tokens.
    fn let_a_lifetime_pass(&self) {
        let lifetime = self.lifetimes.fetch_add(1, Ordering::SeqCst) + 1;
        eventually("the clients give up their old tokens", || {
            self.given_up.iter().all(|up| up.load(Ordering::SeqCst) >= lifetime)
                || self.over.load(Ordering::SeqCst)
        });
    }

    fn work(&self, number: usize, serving: &Serving) -> (usize, Vec<String>) {
        let mut client = Client { serving, done: 0, wrong: Vec::new() };
        let mut lifetimes = self.lifetimes.load(Ordering::SeqCst);
        let mut old = client.log_in();
        while !self.over.load(Ordering::SeqCst) {
            let Some(pair) = &old else { break };
            let now = self.lifetimes.load(Ordering::SeqCst);
            let Some(new) = client.turn(pair) else { break };
            self.turns[number].fetch_add(1, Ordering::SeqCst);
            if now > lifetimes {
                (old, lifetimes) = (Some(new), now);
                self.given_up[number].store(now, Ordering::SeqCst);
            }
        }
        // A client that failed is not waited for.
        self.over.store(true, Ordering::SeqCst);
        (client.done, client.wrong)
    }
}

/// Replaces the key this number of times, as the document says.
fn rotate(times: usize, serving: &Serving, file: &Path, board: &Board) {
    let change = |keys: &[Key]| {
        write(file, keys);
        serving.signal("HUP");
    };
    for time in 0..times {
        let [old, new] = [KEYS[time % KEYS.len()], KEYS[(time + 1) % KEYS.len()]];
        board.turns();
        let kept = log_in(serving).tokens();
        assert!(old.signed(&kept.0) && old.signed(&kept.1));
        let forged = new.sign("access");
        assert_eq!(status_of(serving, &forged), 422, "{new:?} is not known yet");

        change(&[old, new]);
        eventually("the new key verifies", || status_of(serving, &forged) == 200);
        assert!(old.signed(&log_in(serving).tokens().0));
        board.turns();

        change(&[new, old]);
        eventually("the new key signs", || new.signed(&log_in(serving).tokens().0));
        board.turns();
        assert_eq!(status_of(serving, &kept.0), 200);

        board.let_a_lifetime_pass();
        change(&[new]);
        eventually("the old key is gone", || status_of(serving, &kept.0) == 422);
        board.turns();
        for (method, path, token) in [
            (Method::Post, "/auth/refresh", &kept.1),
            (Method::Delete, "/auth/logout2", &kept.1),
            (Method::Delete, "/auth/logout", &kept.0),
            (Method::Delete, "/api/ships/1", &kept.0),
            (Method::Delete, "/api/users/1", &kept.0),
        ] {
            let response = with_token(serving, method, path, token);
            let refused = (response.status, response.json());
            assert_eq!(refused, (422, json!({"error": "Signature verification failed"})), "{method} {path}");
        }
    }
}

fn good_tokens_are_never_refused(times: usize, name: &str) {
    let (folder, file) = folder_with_keys(name, &KEYS[..1]);
    let serving = Serving::start(&mut program(&folder, &file));
    let board = Board::default();
    let done: usize = thread::scope(|scope| {
        let (board, serving) = (&board, &serving);
        let clients: Vec<_> =
            (0..CLIENTS).map(|number| scope.spawn(move || board.work(number, serving))).collect();
        // Whatever fails, the clients must stop. Their failures are reported first.
        let rotated = catch_unwind(AssertUnwindSafe(|| rotate(times, serving, &file, board)));
        board.over.store(true, Ordering::SeqCst);
        let (done, wrong): (Vec<_>, Vec<_>) =
            clients.into_iter().map(|client| client.join().unwrap()).unzip();
        assert_eq!(wrong.concat(), Vec::<String>::new());
        rotated.unwrap_or_else(|panic| resume_unwind(panic));
        done.iter().sum()
    });
    // Seven requests a round, and four waits for the clients.
    assert!(done >= 7 * CLIENTS * TURNS * 4 * times, "{done} requests");
    assert_eq!(serving.interrupt(), Some(0));
}

#[test]
fn rejects_no_valid_token_while_keys_change_under_load() {
    good_tokens_are_never_refused(KEYS.len(), "rotation");
}

#[test]
#[ignore = "takes a minute"]
fn changes_keys_a_hundred_times_under_load() {
    good_tokens_are_never_refused(100, "long_rotation");
}

#[test]
fn an_invalid_key_file_leaves_the_keys_as_they_are() {
    let [old, new] = [KEYS[0], KEYS[2]];
    let (folder, file) = folder_with_keys("broken_rotation", &[old]);
    let serving = Serving::start(&mut program(&folder, &file));
    let (access, refresh) = log_in(&serving).tokens();
    let still_served = || {
        assert_eq!(status_of(&serving, &access), 200);
        assert_eq!(with_token(&serving, Method::Post, "/auth/refresh", &refresh).status, 200);
        assert!(old.signed(&log_in(&serving).tokens().0));
        assert_eq!(status_of(&serving, &new.sign("access")), 422);
    };
    for broken in ["", "short", "kid=third\n", "\u{e9}\n", "# nothing\n"] {
        std::fs::write(&file, format!("{}{broken}", if broken.is_empty() { "" } else { "\n" })).unwrap();
        serving.signal("HUP");
        // Nothing reports when the file has been read. If it were read later, this test would prove less.
        thread::sleep(Duration::from_millis(100));
        still_served();
    }
    // A valid first line does not make up for the second.
    std::fs::write(&file, format!("{}short\n", new.line())).unwrap();
    serving.signal("HUP");
    thread::sleep(Duration::from_millis(100));
    still_served();
    std::fs::remove_file(&file).unwrap();
    serving.signal("HUP");
    thread::sleep(Duration::from_millis(100));
    still_served();
    // The file is valid again.
    write(&file, &[new]);
    serving.signal("HUP");
    eventually("the new key signs", || new.signed(&log_in(&serving).tokens().0));
    assert_eq!(status_of(&serving, &access), 422);
    assert_eq!(serving.interrupt(), Some(0));
}

#[test]
fn a_sighup_without_a_key_file_changes_nothing() {
    let folder = folder("hangup_without_a_file");
    let serving = Serving::start(&mut shipyard(&folder, &["--port", "0"]));
    let (access, _) = log_in(&serving).tokens();
    for _ in 0..3 {
        serving.signal("HUP");
        thread::sleep(Duration::from_millis(50));
        assert_eq!(status_of(&serving, &access), 200);
    }
    assert_eq!(serving.interrupt(), Some(0));
}

#[test]
fn a_sighup_configured_as_shutdown_ends_the_server() {
    let (folder, file) = folder_with_keys("hangup_ends", &KEYS[..1]);
    let mut command = program(&folder, &file);
    command.env("ROCKET_SHUTDOWN", "{signals=[\"hup\"],grace=1,mercy=1}");
    let serving = Serving::start(&mut command);
    serving.signal("HUP");
    assert_eq!(serving.ended(), Some(0));
}

/// All output of a run, at the most verbose log level, contains no key, token or password.
#[test]
fn never_prints_or_logs_a_secret() {
    let (folder, file) = folder_with_keys("no_secret_is_written", &[KEYS[0], KEYS[2]]);
    let output = folder.join("output");
    let mut command = program(&folder, &file);
    command.env("ROCKET_LOG_LEVEL", "normal").env("ROCKET_CLI_COLORS", "false");
    let serving = Serving::start_into(&mut command, &output);
    let (access, refresh) = log_in(&serving).tokens();
    let send = |ask: Ask| serving.send(&ask).status;
    let credentials = |name: &str, password: &str| json!({"username": name, "password": password});
    let user = |name: &str, password: &str| json!({"name": name, "password": password});
    let forged = KEYS[3].sign("access");
    let authorized = |method, path: &str, token: &str| ask(method, path).bearer(token);
    let statuses = [
        send(ask(Method::Post, "/auth/login").json(&credentials("user", "wrong-password"))),
        send(ask(Method::Post, "/api/users").json(&user("ann", "her-password"))),
        send(ask(Method::Post, "/api/users").json(&user("ann", "her-other-password"))),
        send(ask(Method::Post, "/auth/login").json(&json!({"password": "broken-password"}))),
        send(ask(Method::Post, "/auth/login").json(&json!(["listed-password"]))),
        send(authorized(Method::Put, "/api/users/1", &access).json(&user("user", "next-password"))),
        send(authorized(Method::Post, "/auth/refresh", &access)),
        send(authorized(Method::Delete, "/auth/logout2", &refresh)),
        send(authorized(Method::Delete, "/api/ships/1", &forged)),
        send(authorized(Method::Delete, "/api/ships/1", &access)),
        send(authorized(Method::Delete, "/auth/logout", &access)),
        send(authorized(Method::Delete, "/auth/logout", &access)),
    ];
    assert_eq!(statuses, [401, 201, 400, 400, 400, 200, 422, 401, 422, 204, 200, 401]);
    // A valid file, an invalid one, none.
    write(&file, &[KEYS[3], KEYS[0]]);
    serving.signal("HUP");
    eventually("the new key signs", || {
        let body = credentials("ann", "her-password");
        KEYS[3].signed(&serving.send(&ask(Method::Post, "/auth/login").json(&body)).tokens().0)
    });
    std::fs::write(&file, format!("{}{} {}\n", KEYS[4].line(), KEYS[5].secret, KEYS[5].secret)).unwrap();
    serving.signal("HUP");
    thread::sleep(Duration::from_millis(100));
    std::fs::remove_file(&file).unwrap();
    serving.signal("HUP");
    thread::sleep(Duration::from_millis(100));
    assert_eq!(serving.interrupt(), Some(0));

    let written = std::fs::read_to_string(&output).unwrap();
    // The check below can fail: the output has the requests of this run.
    assert!(written.contains(" listens on ") && written.contains("/auth/login"), "{written}");
    let tokens = [&access, &refresh, &forged];
    let signatures = tokens.map(|token| token.rsplit_once('.').unwrap().1);
    let passwords = ["wrong-", "her-", "her-other-", "broken-", "listed-", "next-"];
    let passwords = passwords.map(|which| format!("{which}password"));
    let secrets = KEYS.iter().map(|key| key.secret).chain(signatures).chain(["eyJ0", "$argon2"]);
    for secret in secrets.chain(passwords.iter().map(String::as_str)) {
        assert!(!written.contains(secret), "{secret} in {written}");
    }
}
