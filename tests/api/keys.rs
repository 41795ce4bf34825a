//! Signing keys: which key signs, which keys verify, and the key file.

use std::path::{Path, PathBuf};

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use rocket::http::Method;
use serde_json::{json, Value};
use shipyard::auth::clock::{Clock, TokenIds};
use shipyard::auth::keys::file::{KeyFile, MAX_SIZE};
use shipyard::auth::keys::{Key, KeyId, KeySet};
use shipyard::auth::secret::Secret;
use shipyard::auth::token::Lifetimes;
use shipyard::auth::token::{Kind, TokenError, Tokens};
use shipyard::model::id::Id;
use shipyard::store::initial_rows::InitialRows;
use shipyard::store::memory::{Memory, MemoryConfig};
use shipyard::store::seed::EXAMPLE;
use shipyard::store::RefreshSessionError;

use test_support::forge::{claims, hs256};
use test_support::program::{folder, run, shipyard, Serving};
use test_support::server::{Ask, Server, NOW};
use test_support::snapshots;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const C: &str = "cccccccccccccccccccccccccccccccccccccccc";
const D: &str = "dddddddddddddddddddddddddddddddddddddddd";

fn key(id: Option<&str>, secret: &str) -> Key {
    Key { id: id.map(|id| KeyId::new(id).unwrap()), secret: Secret::new(secret).unwrap() }
}

fn set(keys: &[Key]) -> KeySet {
    KeySet::new(keys).unwrap()
}

fn tokens(keys: &[Key]) -> Tokens {
    Tokens::new(set(keys), Lifetimes::default(), Clock::manual(NOW), TokenIds::Random)
}

/// The decoded header of a token.
fn header_of(token: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

fn is_signed_with(token: &str, secret: &str) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    hs256(message, secret.as_bytes()) == signature
}

#[test]
fn the_first_key_signs_and_writes_its_id_if_it_has_one() {
    let bare = r#"{"typ":"JWT","alg":"HS256"}"#;
    let named = r#"{"typ":"JWT","alg":"HS256","kid":"2026-11.a"}"#;
    for (keys, header, secret) in [
        (vec![key(None, A)], bare, A),
        (vec![key(None, A), key(Some("2026-11.a"), B)], bare, A),
        (vec![key(Some("2026-11.a"), B), key(None, A)], named, B),
    ] {
        let tokens = tokens(&keys);
        for kind in [Kind::Access, Kind::Refresh] {
            let token = tokens.issue(kind, Id::new(1)).unwrap().text;
            assert_eq!(header_of(&token), header);
            assert!(is_signed_with(&token, secret), "{keys:?}");
            assert!(tokens.verify(&token, kind).is_ok(), "{keys:?}");
        }
    }
}

/// An otherwise valid token with this header.
fn refresh_token(header: &str, secret: &str) -> String {
    let encoded = |part: &str| URL_SAFE_NO_PAD.encode(part);
    let message = format!("{}.{}", encoded(header), encoded(&claims("refresh").to_string()));
    format!("{message}.{}", hs256(&message, secret.as_bytes()))
}

#[test]
fn verifies_a_token_with_the_key_it_names_or_with_all_keys_without_id() {
    let mut keys = [key(Some("a"), A), key(None, B), key(Some("c"), C), key(None, D)];
    // The keys that accept a token with this key id, or without one.
    let taken: [(Option<&str>, &[&str]); 5] =
        [(None, &[B, D]), (Some("a"), &[A]), (Some("c"), &[C]), (Some("b"), &[]), (Some("A"), &[])];
    let mut tried = 0;
    // Whichever key signs: the server recognises its own header without parsing it.
    for _ in 0..keys.len() {
        keys.rotate_left(1);
        let server = Server::with(NOW, TokenIds::Random, set(&keys), EXAMPLE);
        server.clock.set(NOW + 1);
        for (kid, takers) in taken {
            let kid = kid.map(|kid| format!(r#","kid":"{kid}""#)).unwrap_or_default();
            for names in [r#""typ":"JWT","alg":"HS256""#, r#""alg":"HS256","typ":"JWT""#] {
                let header = format!("{{{names}{kid}}}");
                for secret in [A, B, C, D] {
                    let token = refresh_token(&header, secret);
                    let response = server.send(Ask::new(Method::Post, "/auth/refresh").bearer(&token));
                    if takers.contains(&secret) {
                        assert_eq!(response.status, 200, "{header} {secret}: {response:?}");
                    } else {
                        let refused = (response.status, response.json());
                        let expected = (422, json!({"error": "Signature verification failed"}));
                        assert_eq!(refused, expected, "{header}");
                    }
                    tried += 1;
                }
            }
        }
    }
    assert_eq!(tried, 4 * 40);
}

#[test]
fn a_key_change_reaches_every_clone_at_once() {
    let tokens = tokens(&[key(None, A)]);
    let elsewhere = tokens.clone();
    let issue = || elsewhere.issue(Kind::Access, Id::new(1)).unwrap().text;
    let old = issue();
    let verified = |token: &str| elsewhere.verify(token, Kind::Access).map(|claims| claims.identity);
    tokens.change_keys(set(&[key(None, A), key(Some("b"), B)]));
    assert!(is_signed_with(&issue(), A));
    tokens.change_keys(set(&[key(Some("b"), B), key(None, A)]));
    let new = issue();
    assert!(is_signed_with(&new, B));
    assert_eq!((verified(&old), verified(&new)), (Ok(Id::new(1)), Ok(Id::new(1))));
    tokens.change_keys(set(&[key(Some("b"), B)]));
    assert_eq!((verified(&old), verified(&new)), (Err(TokenError::BadSignature), Ok(Id::new(1))));
    tokens.change_keys(set(&[key(None, C)]));
    assert_eq!(verified(&new), Err(TokenError::BadSignature));
}

/// A revocation belongs to a token, whatever key signed it.
#[test]
fn a_logged_out_token_stays_revoked_after_a_key_change() {
    let (tokens, store) =
        (tokens(&[key(None, A)]), Memory::new(InitialRows::default(), &MemoryConfig::default()));
    let token = tokens.issue(Kind::Refresh, Id::new(1)).unwrap();
    store.log_out(&token.claims, NOW);
    tokens.change_keys(set(&[key(None, B), key(None, A)]));
    let claims = tokens.verify(&token.text, Kind::Refresh).unwrap();
    assert_eq!(store.check_refresh(&claims), Err(RefreshSessionError::Revoked));
}

/// Of several servers with the same keys, the clock of one may be ahead.
#[test]
fn a_token_from_the_future_is_accepted_within_the_leeway() {
    let keys = || set(&[key(None, A)]);
    let ahead = |seconds| {
        let clock = Clock::manual(NOW + seconds);
        Tokens::new(keys(), Lifetimes::default(), clock, TokenIds::Random)
            .issue(Kind::Access, Id::new(1))
            .unwrap()
    };
    let verified = |token: &str, leeway| {
        let clock = Clock::manual(NOW);
        Tokens::with_leeway(keys(), Lifetimes::default(), clock, TokenIds::Random, leeway)
            .verify(token, Kind::Access)
            .map(|claims| claims.iat)
    };
    assert_eq!(verified(&ahead(1).text, 0), Err(TokenError::NotYetValid));
    assert_eq!(verified(&ahead(10).text, 10), Ok(NOW + 10));
    assert_eq!(verified(&ahead(11).text, 10), Err(TokenError::NotYetValid));
}

fn file(folder: &Path, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join("keys");
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn reads_a_key_file_line_by_line() {
    let folder = folder("key_files");
    let long_id = "i".repeat(64);
    let every = (0x21..0x7f).map(char::from).collect::<String>();
    let last = |text: String| format!("{}{text}", "#".repeat(MAX_SIZE - text.len() - 1) + "\n");
    for (content, id, secret, verify) in [
        (A.to_owned(), None, A, 1),
        (format!("{A}\n"), None, A, 1),
        (format!("{A}\r\n"), None, A, 1),
        (format!("\n  # a comment \u{e9}\n\n \t{A} \n#{B}\n{C}\n"), None, A, 2),
        (format!("kid=a {A}\n{B}"), Some("a"), A, 2),
        (format!("kid=a\t  {A}\r\nkid=b {B}\r\n"), Some("a"), A, 2),
        (format!("kid={long_id} {A}"), Some(long_id.as_str()), A, 1),
        (format!("kid=a kid=b={A}"), Some("a"), "kid=b=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1),
        // A key gets an id: the tokens that it signed before have none.
        (format!("kid=a {A}\n{A}"), Some("a"), A, 2),
        (every.clone(), None, every.as_str(), 1),
        (A[..32].to_owned(), None, &A[..32], 1),
        (format!("{A}\n{}", (1..8).map(|n| format!("kid={n} {B}\n")).collect::<String>()), None, A, 8),
        (last(A.to_owned()), None, A, 1),
    ] {
        let found = KeyFile::at(file(&folder, &content)).read();
        let found = found.unwrap_or_else(|error| panic!("{content}: {error}"));
        assert!(found.keys.to_string().ends_with(&format!(", {verify} verify")), "{content}: {}", found.keys);
        let tokens = Tokens::new(found.keys, Lifetimes::default(), Clock::manual(NOW), TokenIds::Random);
        let token = tokens.issue(Kind::Access, Id::new(1)).unwrap().text;
        let header: Value = serde_json::from_str(&header_of(&token)).unwrap();
        assert_eq!(header.get("kid").and_then(Value::as_str), id, "{content}");
        assert!(is_signed_with(&token, secret), "{content}");
    }
}

/// Each file is rejected in one line that says where and why, and shows nothing of the file's content; a snapshot shows
/// all of them.
#[test]
fn rejects_invalid_key_files() {
    let folder = folder("no_key_files");
    let nine: String = (1..10).map(|n| format!("# key {n}\nkid={n} {A}{n}\n")).collect();
    let mut text = String::new();
    let mut refused = |what: &str, path: &str| {
        let run = run(shipyard(&folder, &["--port", "0"]).env("ROCKET_JWT_SECRET_FILE", path), None);
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{what}: {run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{what}: {run:?}");
        let message = run.stderr.strip_prefix("shipyard: jwt_secret_file: ");
        let message = message.unwrap_or_else(|| panic!("{what}: {run:?}"));
        for part in ["aaaa", "bbbb", "hunter2"] {
            assert!(!message.contains(part), "{what}: {run:?}");
        }
        text += &format!("{what}\n{message}\n");
    };
    for (what, content) in [
        ("empty", String::new()),
        ("a comment", format!("# {A}\n\n")),
        ("short", "hunter2hunter2hunter2hunter2hun\n".to_owned()),
        ("short with an id", format!("{A}\nkid=b hunter2\n")),
        ("two words", format!("hunter2 {A}\n")),
        ("three words", format!("kid=a {A} {B}\n")),
        ("an id without a secret", format!("kid={A}\n")),
        ("an empty id", format!("kid= {A}\n")),
        ("an id of other characters", format!("kid=hunter2/ {A}\n")),
        ("an id of 65 characters", format!("kid={} {A}\n", "b".repeat(65))),
        ("a secret beyond ASCII", format!("{A}\n\nhunter2{}\n", "\u{e9}".repeat(32))),
        ("a byte order mark", format!("\u{feff}{A}\n")),
        ("a control character", format!("{A}\u{0}\n")),
        ("the same id twice", format!("kid=a {A}\n# b\nkid=a {B}\n")),
        ("the same key twice", format!("{B}\n{A}\n{B}\n")),
        ("nine keys", nine),
        ("a byte too many", format!("{A}\n{}", "#".repeat(MAX_SIZE - A.len()))),
    ] {
        file(&folder, content);
        refused(what, "keys");
    }
    std::fs::write(folder.join("keys"), [A.as_bytes(), b"\xff\n"].concat()).unwrap();
    refused("bad UTF-8", "keys");
    refused("missing", "nowhere");
    refused("a folder", ".");
    refused("no path", "");
    #[cfg(unix)]
    {
        // A pipe to which no process writes.
        let pipe = std::process::Command::new("mkfifo").arg(folder.join("pipe")).status();
        assert!(pipe.unwrap().success());
        refused("a pipe", "pipe");
    }
    snapshots().bind(|| insta::assert_snapshot!("wrong_key_files", text));
}

#[test]
fn rejects_a_secret_together_with_a_key_file() {
    let folder = folder("two_sources_of_keys");
    file(&folder, A);
    std::fs::write(folder.join("Rocket.toml"), "[default]\njwt_secret_file = \"keys\"\n").unwrap();
    let run = run(shipyard(&folder, &["--port", "0"]).env("ROCKET_JWT_SECRET", B), None);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
    assert_eq!(run.stderr, "shipyard: jwt_secret: jwt_secret_file is given as well; one of the two\n");
}

#[cfg(unix)]
#[test]
fn warns_of_a_key_file_that_every_user_can_open() {
    use std::os::unix::fs::PermissionsExt;

    let path = file(&folder("exposed_keys"), A);
    for (mode, warned) in
        [(0o600, false), (0o640, false), (0o660, false), (0o644, true), (0o444, true), (0o602, true)]
    {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let found = KeyFile::at(path.clone()).read().unwrap();
        assert_eq!(found.exposed.is_some(), warned, "{mode:o}: {:?}", found.exposed);
        if let Some(warning) = found.exposed {
            assert!(warning.contains(path.to_str().unwrap()) && !warning.contains("aaaa"), "{warning}");
        }
    }
}

/// Logs in and gives both tokens.
fn log_in(serving: &Serving) -> [String; 2] {
    let login = json!({"username": "user", "password": "password"});
    let answer =
        serving.send(&Ask::new(Method::Post, "/auth/login").header("Host", "localhost").json(&login));
    let token = |name| answer.json()[name].as_str().unwrap().to_owned();
    [token("access_token"), token("refresh_token")]
}

/// The statuses of an operation that needs an access token, and of a refresh.
fn statuses(serving: &Serving, [access, refresh]: &[String; 2]) -> [u16; 2] {
    let status = |method, path, token: &str| {
        let ask = Ask::new(method, path).header("Host", "localhost");
        serving.send(&ask.header("Authorization", &format!("Bearer {token}"))).status
    };
    [status(Method::Delete, "/auth/logout", access), status(Method::Post, "/auth/refresh", refresh)]
}

#[test]
fn tokens_from_before_a_restart_are_401_with_the_development_key() {
    let here = folder("development_key");
    let file = here.join(".shipyard/development.key");
    let start = || Serving::start(&mut shipyard(&here, &["--port", "0"]));
    let first = start();
    let key = std::fs::read(&file).unwrap();
    let tokens = log_in(&first);
    // Only tokens that were issued in the second of the start itself are known one by one.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    drop(first);
    let second = start();
    assert_eq!(statuses(&second, &tokens), [401, 401]);
    assert_eq!(statuses(&second, &log_in(&second)), [200, 200]);
    assert!(second.announcement.contains(".shipyard/development.key"), "{}", second.announcement);
    assert_eq!(std::fs::read(&file).unwrap(), key);
    assert_eq!(std::fs::read(here.join(".shipyard/.gitignore")).unwrap(), b"*\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // No draft is left behind.
    assert_eq!(std::fs::read_dir(here.join(".shipyard")).unwrap().count(), 2);
}

#[test]
fn two_folders_have_two_development_keys() {
    let serving = |name| Serving::start(&mut shipyard(&folder(name), &["--port", "0"]));
    let (first, second) = (serving("development_key_a"), serving("development_key_b"));
    assert_eq!(statuses(&second, &log_in(&first)), [422, 422]);
}

#[test]
fn there_is_no_development_key_where_other_machines_reach_the_server_or_a_key_is_set() {
    let here = folder("no_development_key");
    for (address, variable) in [("0.0.0.0", "ROCKET_LOG_LEVEL=normal"), ("localhost", "ROCKET_JWT_SECRET=")] {
        let (name, value) = variable.split_once('=').unwrap();
        let value = if value.is_empty() { A } else { value };
        let mut command = shipyard(&here, &["--port", "0", "--address", address]);
        drop(Serving::start(command.env(name, value)));
        assert!(!here.join(".shipyard").exists(), "{variable}");
    }
}

#[test]
fn a_development_key_that_cannot_be_written_or_read() {
    let here = folder("bad_development_key");
    std::fs::write(here.join(".shipyard"), "a file").unwrap();
    let serving = Serving::start(&mut shipyard(&here, &["--port", "0"]));
    assert!(serving.announcement.contains("made for this run"), "{}", serving.announcement);
    drop(serving);
    std::fs::remove_file(here.join(".shipyard")).unwrap();
    std::fs::create_dir(here.join(".shipyard")).unwrap();
    std::fs::write(here.join(".shipyard/development.key"), "short").unwrap();
    let run = run(&mut shipyard(&here, &["--port", "0"]), None);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("development key: .shipyard/development.key: line 1"), "{run:?}");
}
