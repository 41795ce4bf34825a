//! What must hold for any bytes at all, one function for each kind of input. libFuzzer calls them with inputs that it
//! finds its way to (`fuzz/run`), `cargo test` with the corpus and changes of it (`tests/hostile/fuzz.rs`).

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{json, Value};
use sha2::Sha256;
use shipyard::api::guards::login::{Login, LoginRequestError};
use shipyard::auth::clock::{Clock, TokenIds};
use shipyard::auth::password::Cost;
use shipyard::auth::secret::Secret;
use shipyard::auth::token::Lifetimes;
use shipyard::auth::token::{Kind, Tokens};
use shipyard::contract::compare::lossless::Json;
use shipyard::contract::recording::script::Variables;
use shipyard::contract::recording::transcript::Exchange;
use shipyard::contract::recording::{curl, script as scripts};
use shipyard::json::{self, JsonBody, Style};
use shipyard::model::id::Id;
use shipyard::model::name::normalized;
use shipyard::model::ship::ShipInput;
use shipyard::model::user::UserInput;
use shipyard::model::{self, Input};
use shipyard::store::memory::{Memory, MemoryConfig};
use shipyard::store::seed::Data;
use shipyard::store::CreateShipError;

/// What must hold for any bytes: panics if it does not.
pub type Target = fn(&[u8]);

/// Every kind of input by name, which is that of its folder in the corpus too.
pub const TARGETS: [(&str, Target); 5] =
    [("token", token), ("body", body), ("data", data), ("transcript", transcript), ("script", script)];

const KEY: &[u8] = b"a key for fuzzing, of thirty-two bytes, more";

/// What the clock shows.
const NOW: u64 = 1_795_392_001;

static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
    let secret = Secret::new(KEY).expect("a key");
    Tokens::new(&secret, Lifetimes::default(), Clock::manual(NOW), TokenIds::Random)
});

/// A token as text; or, with a line break in it, header and payload of one that is signed as it must be.
///
/// Nothing is accepted that was not signed, and of what was signed only what another reader finds to say the same.
pub fn token(input: &[u8]) {
    let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
        let Ok(text) = std::str::from_utf8(input) else { return };
        for kind in [Kind::Access, Kind::Refresh] {
            assert!(TOKENS.verify(text, kind).is_err(), "not signed");
        }
        return;
    };
    let (header, payload) = (&input[..end], &input[end + 1..]);
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).expect("a key of any length");
    mac.update(message.as_bytes());
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    let accepted = [("access", Kind::Access), ("refresh", Kind::Refresh)]
        .map(|(name, kind)| TOKENS.verify(&token, kind).ok().map(|claims| (name, claims)));
    assert!(accepted.iter().flatten().count() < 2, "it is of two kinds");
    for (name, claims) in accepted.into_iter().flatten() {
        let header: Value = serde_json::from_slice(header).expect("JSON");
        let payload: Value = serde_json::from_slice(payload).expect("JSON");
        assert_eq!(header["alg"], "HS256");
        assert!(header.get("crit").is_none());
        assert_eq!(payload["type"], name);
        assert_eq!(payload["exp"].as_u64(), Some(claims.exp));
        assert_eq!(payload["iat"].as_u64(), Some(claims.iat));
        assert_eq!(payload["identity"].as_u64().map(Id::new), Some(claims.identity));
        assert_eq!(payload["jti"].as_str().and_then(|id| id.parse().ok()), Some(claims.jti));
        assert!(payload["nbf"].as_u64().unwrap_or(0) <= NOW && claims.exp > NOW && claims.iat <= NOW);
        for changed in [format!("{token}A"), format!("{token}."), token.replacen('.', "", 1)] {
            assert!(
                TOKENS.verify(&changed, Kind::Access).is_err()
                    && TOKENS.verify(&changed, Kind::Refresh).is_err()
            );
        }
    }
}

/// A body: JSON, held to what a ship, a user and a login must be.
///
/// Whatever is accepted means the same to serde_json; what is accepted once is accepted again as it is answered.
pub fn body(input: &[u8]) {
    let lax = serde_json::from_slice::<Value>(input);
    let value = match json::parse(input) {
        Ok(value) => {
            assert_eq!(Some(&value), lax.as_ref().ok());
            value
        }
        Err(error) => {
            let message = error.to_string();
            assert_one_line(&message);
            assert!(lax.is_err() || message.contains("duplicate name"), "{message}");
            return;
        }
    };
    for style in [Style::Pretty, Style::Compact] {
        let text = style.render(&value).expect("any value is rendered");
        assert!(text.ends_with(b"\n") && json::parse(&text).is_ok());
    }
    if let Some(ship) = read::<ShipInput>(&value) {
        assert!(ship.crew > 0 && ship.length > 0);
        let id = ship.id.unwrap_or(Id::new(1));
        let stored = ship.clone().with_id(id);
        let answered = json::parse(&Style::Compact.render(&stored).expect("a ship")).expect("JSON");
        assert_eq!(read::<ShipInput>(&answered), Some(ShipInput { id: Some(id), ..ship }));
    }
    if let Some(user) = read::<UserInput>(&value) {
        assert!(user.name.chars().count() >= 2);
        assert_eq!(user.name, normalized(&user.name));
        assert!(!user.name.contains(|character: char| character.is_control()), "{:?}", user.name);
        assert_eq!(user.name.trim(), user.name);
    }
    match Login::read(value.clone()) {
        Ok(Login(credentials)) => {
            let given = value["username"].as_str().expect("a text");
            assert_eq!(credentials.username, normalized(given));
            assert!(!credentials.username.is_empty() && value["password"] != json!(""));
        }
        Err(LoginRequestError::NotAnObject) => assert!(!value.is_object()),
        Err(error) => assert!(value.is_object(), "{error:?}"),
    }
}

/// A body of that kind, or the fields that are wrong with it.
fn read<T: Input>(value: &Value) -> Option<T> {
    model::read::<T>(value.clone())
        .map_err(|errors| {
            assert_one_line(&errors.first().expect("it is wrong somewhere"));
            assert!(json!(errors).as_object().is_some_and(|fields| !fields.is_empty()));
        })
        .ok()
}

/// A data file. What is wrong with it is said in one line; what is not is a store whose rules hold.
pub fn data(input: &[u8]) {
    let data = match Data::parse("fuzz", input) {
        Ok(data) => data,
        Err(error) => return assert_one_line(&error.to_string()),
    };
    let cheap = Cost { memory: 8, iterations: 1, parallelism: 1 }.hasher().expect("a cost");
    let store = Memory::new(data.hashed(&cheap).expect("random bytes"), &MemoryConfig::default());
    let list = |list: Option<JsonBody>| -> Vec<Value> {
        let text = list.and_then(|list| list.into_bytes().ok()).expect("JSON");
        serde_json::from_slice(&text).expect("a list")
    };
    let (users, ships) = (list(store.users().to_body()), list(store.ships().to_body()));
    let names: BTreeSet<&str> = users.iter().filter_map(|user| user["name"].as_str()).collect();
    assert_eq!(names.len(), users.len());
    for user in &users {
        let id = user["name"].as_str().and_then(|name| store.credentials(name)).map(|(id, _)| id);
        assert_eq!(id, user["id"].as_u64().map(Id::new));
    }
    let ids: BTreeSet<Id> = ships.iter().filter_map(|ship| ship["id"].as_u64().map(Id::new)).collect();
    assert_eq!(ids.len(), ships.len());
    let example = model::read::<ShipInput>(ShipInput::example()).expect("the example");
    match store.create_ship(example) {
        Ok((created, _)) => assert!(ids.iter().all(|id| *id < created)),
        Err(CreateShipError::IdsExhausted) => assert!(ids.contains(&Id::new(Id::MAX))),
        Err(error) => panic!("{error:?}"),
    }
}

/// A transcript. What is read is written again byte for byte; what is not has a line that is to blame.
pub fn transcript(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Exchange::parse("01-fuzz", text) {
        Ok(exchange) => {
            assert_eq!(exchange.text(), input);
            assert_eq!(exchange.uncompared_lines().len() + 2, exchange.body_line());
            assert!((100..600).contains(&exchange.response.status));
            let _ = exchange.response.json();
        }
        Err(malformed) => {
            assert!((1..=text.lines().count().max(2)).contains(&malformed.line), "{malformed:?}");
            assert_one_line(&malformed.problem.to_string());
        }
    }
}

/// A file of curl lines, as it is recorded from: every line with its variables in place, as a request.
pub fn script(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let lines = match scripts::lines(text) {
        Ok(lines) => lines,
        Err(error) => return assert_one_line(&error.to_string()),
    };
    assert!(!lines.is_empty());
    let mut variables = Variables::default();
    let answer = Json::parse(br#"{"access_token": "a.b.c", "refresh_token": "d.e.f", "id": 3}"#);
    variables.capture("login", &answer.expect("JSON"));
    for line in lines {
        assert!((1..=text.lines().count()).contains(&line.number) && line.command.starts_with("curl "));
        assert!(
            line.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !line.name.is_empty()
        );
        let command = match variables.expand(&line.command) {
            Ok(command) => command,
            Err(error) => {
                assert_one_line(&error.to_string());
                continue;
            }
        };
        match curl::parse(&command) {
            Ok(request) => assert!(request.path.starts_with('/'), "{request:?}"),
            Err(error) => assert_one_line(&error.to_string()),
        }
    }
}

/// What is said to a person is one line, and no control character of the input is in it.
fn assert_one_line(message: &str) {
    assert!(!message.is_empty() && !message.contains(char::is_control), "{message:?}");
}
