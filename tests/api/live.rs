//! The program over the wire: what a newcomer types, and what comes back.

use std::collections::HashMap;
use std::path::Path;

use rocket::http::Method;
use serde_json::Value;

use crate::support::program::{folder, run, shipyard, Serving};
use crate::support::server::{Answer, Ask};
use crate::support::snapshots;
use crate::support::transcript::{claims, scenario_named, Exchange};

/// The names and passwords that the scenario and the example data reveal, by user id and by the time from
/// which they hold.
fn credentials(id: u64, exchange: &str) -> (&'static str, &'static str) {
    match id {
        1 => ("user", "password"),
        3 if exchange < "06-update-user" => panic!("user 3 has not logged in yet"),
        3 => ("new user", "secret"),
        _ => panic!("nobody else logs in"),
    }
}

/// The recorded token of an exchange, if it carries one.
fn token_of(exchange: &Exchange) -> Option<&str> {
    let headers = &exchange.request.headers;
    let (_, value) = headers.iter().find(|(name, _)| name == "Authorization")?;
    value.strip_prefix("Bearer ")
}

/// Puts a live token in the place of each recorded one: from a login as the user whom it names.
struct Session<'a> {
    serving: &'a Serving,
    live: HashMap<String, String>,
}

impl Session<'_> {
    fn live_token(&mut self, recorded: &str, exchange: &str) -> String {
        if let Some(token) = self.live.get(recorded) {
            return token.clone();
        }
        let claims = claims(recorded);
        let (name, password) = credentials(claims["identity"].as_u64().unwrap(), exchange);
        let body = serde_json::json!({"username": name, "password": password});
        let (access, refresh) = self.serving.send(&self.addressed("/auth/login").json(&body)).tokens();
        let token = if claims["type"] == "access" { access } else { refresh };
        self.live.insert(recorded.to_owned(), token.clone());
        token
    }

    fn addressed(&self, path: &str) -> Ask {
        Ask::new(Method::Post, path).header("Host", &format!("localhost:{}", self.serving.port))
    }

    fn send(&mut self, exchange: &Exchange) -> Answer {
        let mut ask = exchange.request.clone();
        let host = format!("localhost:{}", self.serving.port);
        for (name, value) in &mut ask.headers {
            if name == "Host" {
                value.clone_from(&host);
            }
        }
        if let Some(recorded) = token_of(exchange) {
            let live = self.live_token(recorded, &exchange.name);
            ask.headers.retain(|(name, _)| name != "Authorization");
            ask = ask.bearer(&live);
        }
        let answer = self.serving.send(&ask);
        let recorded: Option<Value> = serde_json::from_str(&exchange.response.body).ok();
        for name in ["access_token", "refresh_token"] {
            if let Some(recorded) = recorded.as_ref().and_then(|body| body[name].as_str()) {
                let live = answer.json()[name].as_str().expect("a token").to_owned();
                self.live.insert(recorded.to_owned(), live);
            }
        }
        answer
    }
}

/// The fourteen commands of the README, in the order of their dates, with live tokens.
#[test]
fn the_readme_commands_answer_as_the_readme_says() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let serving = Serving::start(&mut shipyard(here, &["--json", "pretty"]));
    let mut scenario = scenario_named("readme");
    scenario.exchanges.sort_by_key(|exchange| exchange.date);
    let mut session = Session { serving: &serving, live: HashMap::new() };
    let mut lengths = Vec::new();
    for exchange in &scenario.exchanges {
        let answer = session.send(exchange);
        let name = &exchange.name;
        let recorded = &exchange.response;
        assert_eq!(answer.status, recorded.status, "{name}: {answer:?}");
        let length = answer.header("Content-Length").map(str::to_owned);
        assert_eq!(length.as_deref(), recorded.header("Content-Length"), "{name}: {answer:?}");
        assert_eq!(answer.header("Transfer-Encoding"), None, "{name}");
        let location = recorded.header("Location").map(|at| at.replace("5000", &serving.port.to_string()));
        assert_eq!(answer.header("Location"), location.as_deref(), "{name}");
        if !recorded.body.contains("_token") {
            assert_eq!(answer.body, recorded.body, "{name}");
        }
        lengths.push(length.unwrap_or_else(|| "-".to_owned()));
    }
    assert_eq!(lengths.join(" "), "568 293 89 33 37 43 - 4984 267 332 333 - 44 44");
}

#[test]
fn the_announcement_says_where_and_with_what() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let serving = Serving::start(&mut shipyard(here, &[]));
    let said = serving.announcement.replace(&format!(":{}", serving.port), ":PORT");
    assert_ne!(said, serving.announcement);
    snapshots().bind(|| insta::assert_snapshot!("announcement", said));
}

#[test]
fn without_a_data_file_the_example_is_served_from_any_folder() {
    let serving = Serving::start(&mut shipyard(&folder("no_data_file"), &[]));
    assert!(serving.announcement.contains("the built-in example"), "{}", serving.announcement);
    let ships = serving.send(&Ask::new(Method::Get, "/api/ships").header("Host", "localhost"));
    assert_eq!(ships.json().as_array().map(Vec::len), Some(15));
}

#[test]
fn the_demo_login_is_announced_only_where_it_works() {
    let here = folder("own_data");
    std::fs::write(here.join("data.json"), r#"{"users": [], "ships": []}"#).unwrap();
    let secret = "0123456789012345678901234567890123456789";
    let serving = Serving::start(shipyard(&here, &[]).env("ROCKET_JWT_SECRET", secret));
    assert!(!serving.announcement.contains("Login"), "{}", serving.announcement);
    assert!(!serving.announcement.contains("Tokens"), "{}", serving.announcement);
    assert!(serving.announcement.contains("data.json"), "{}", serving.announcement);
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_in_good_order() {
    let serving = Serving::start(&mut shipyard(&folder("interrupt"), &[]));
    // Rocket listens for signals just after it announces itself, and before it answers.
    assert_eq!(serving.send(&Ask::new(Method::Get, "/api/users").header("Host", "localhost")).status, 200);
    assert_eq!(serving.interrupt(), Some(0));
}

#[test]
fn a_busy_port_is_named_with_the_way_out() {
    let here = folder("busy_port");
    let serving = Serving::start(&mut shipyard(&here, &[]));
    let second = run(&mut shipyard(&here, &["--port", &serving.port.to_string()]), None);
    assert_eq!(second.code, Some(1), "{second:?}");
    let said = second.stderr.replace(&format!("port {}", serving.port), "port PORT");
    assert_ne!(said, second.stderr);
    snapshots().bind(|| insta::assert_snapshot!("busy_port", said));
}
