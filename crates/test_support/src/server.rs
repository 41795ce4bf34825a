//! A server in process, with a clock that stands still and passwords that cost nothing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rocket::http::uri::Host;
use rocket::http::{Header, Method};
use rocket::local::blocking::Client;
use rocket::{Build, Rocket};
use serde_json::Value;
use shipyard::auth::clock::{Clock, TokenIds};
use shipyard::auth::keys::KeySet;
use shipyard::auth::password::Cost;
use shipyard::auth::secret::Secret;
use shipyard::config::Settings;
use shipyard::contract::recording::fixtures::Scenario;
pub use shipyard::contract::recording::message::Request as Ask;
use shipyard::contract::recording::message::Response;
use shipyard::contract::replay::demo_key;
use shipyard::dispatch_context::{DispatchContext, RequestBody};
use shipyard::json::Style;
use shipyard::store::seed::{Data, EXAMPLE};
use shipyard::AppConfig;

use crate::program::here;

/// When the clock of [`Server::start`] stands still: 2026-11-23T00:00:00Z.
pub const NOW: u64 = 1_795_392_000;

/// The key of [`Server::start`].
pub const SECRET: &[u8] = b"a key for tests, of thirty-two bytes or more";

/// A ship and a user as a client sends them.
pub const SHIP: &str = r#"{"affiliation":"a","category":"b","crew":1,"length":1,"manufacturer":"c","model":"d",
    "roles":[],"ship_class":"e"}"#;
pub const USER: &str = r#"{"name":"changed","password":"changed"}"#;

/// The least that argon2 does.
pub const CHEAP: Cost = Cost { memory: 8, iterations: 1, parallelism: 1 };

pub struct Server {
    client: Client,
    pub clock: Clock,
}

/// A whole answer. Headers are sorted: their order says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        let mut headers = response.headers;
        headers.retain(|(name, _)| name != "Date");
        headers.sort();
        Self {
            status: response.status,
            headers,
            body: String::from_utf8(response.body).expect("the body is UTF-8"),
        }
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Everything, as one text.
    pub fn text(&self) -> String {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        format!("{}\n{headers}\n{}", self.status, self.body)
    }

    /// The two tokens of a login.
    pub fn tokens(&self) -> (String, String) {
        let body = self.json();
        (body["access_token"].as_str().unwrap().into(), body["refresh_token"].as_str().unwrap().into())
    }
}

impl Server {
    /// With the example data.
    pub fn start() -> Self {
        Self::costing(CHEAP)
    }

    /// With that data file.
    pub fn started_with(data: &str) -> Self {
        Self::with(NOW, TokenIds::Random, Secret::new(SECRET).unwrap(), data)
    }

    pub fn with(now: u64, token_ids: TokenIds, keys: impl Into<KeySet>, data: &str) -> Self {
        Self::started(rocket(settings(), now, token_ids, keys, data))
    }

    /// With the example data and those settings.
    pub fn configured(settings: Settings) -> Self {
        Self::started(rocket(settings, NOW, TokenIds::Random, Secret::new(SECRET).unwrap(), EXAMPLE))
    }

    fn started((rocket, clock): (Rocket<Build>, Clock)) -> Self {
        Self { client: Client::untracked(rocket).expect("the server starts"), clock }
    }

    /// Started as the server of a recorded scenario was.
    pub fn recorded(scenario: &Scenario) -> Self {
        let token_ids = TokenIds::recorded(scenario.issued_ids());
        Self::with(scenario.start(), token_ids, demo_key(), EXAMPLE)
    }

    /// With the example data, and passwords of that cost.
    pub fn costing(cost: Cost) -> Self {
        Self::configured(Settings { hasher: cost.hasher().unwrap(), ..settings() })
    }

    pub fn send(&self, ask: Ask) -> Answer {
        self.send_from(None, ask)
    }

    /// Sends as a client of that address does, through the HTTP server.
    pub fn send_from(&self, address: Option<IpAddr>, ask: Ask) -> Answer {
        let mut request = self.client.req(ask.method, ask.path);
        if let Some(address) = address {
            request.inner_mut().set_remote(SocketAddr::new(address, 1));
        }
        for (name, value) in ask.headers {
            if name.eq_ignore_ascii_case("host") {
                let host = Host::parse(&value).expect("a host").to_string();
                request.inner_mut().set_host(Host::parse_owned(host).expect("a host"));
            }
            request.add_header(Header::new(name, value));
        }
        let body = Arc::<RequestBody>::default();
        body.put(ask.body.unwrap_or_default().into());
        request.inner().local_cache(|| Some(DispatchContext { body, response_slot: None }));
        let response = request.dispatch();
        let mut headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .map(|header| (header.name.to_string(), header.value.to_string()))
            .collect();
        // Rocket adds this on the wire, for every body whose size it knows.
        headers.extend(response.body().preset_size().map(|size| ("Content-Length".into(), size.to_string())));
        headers.sort();
        let status = response.status().code;
        let body = response.into_bytes().unwrap_or_default();
        Answer { status, headers, body: String::from_utf8(body).expect("the body is UTF-8") }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(Ask::new(Method::Get, path))
    }

    pub fn log_in(&self, name: &str, password: &str) -> Answer {
        let body = serde_json::json!({"username": name, "password": password});
        self.send(Ask::new(Method::Post, "/auth/login").json(&body))
    }

    /// Everything that a client can see of the store: to show that nothing has changed.
    pub fn state(&self) -> String {
        self.get("/api/users").body + &self.get("/api/ships").body
    }
}

/// The default settings, but for the cost of passwords, and for the limits on how many come at a time or in a row.
pub fn settings() -> Settings {
    Settings {
        static_dir: here().join("static").into(),
        json: Style::Pretty,
        hasher: CHEAP.hasher().unwrap(),
        password_queue: 1000,
        rates: None,
        ..Settings::defaults().unwrap()
    }
}

/// A server with the example data that is not started yet.
pub fn unstarted() -> Rocket<Build> {
    rocket(settings(), NOW, TokenIds::Random, Secret::new(SECRET).unwrap(), EXAMPLE).0
}

fn rocket(
    settings: Settings,
    now: u64,
    token_ids: TokenIds,
    keys: impl Into<KeySet>,
    data: &str,
) -> (Rocket<Build>, Clock) {
    let clock = Clock::manual(now);
    let parts = AppConfig {
        settings,
        data: Data::parse("test data", data.as_bytes()).unwrap_or_else(|error| panic!("{error}")),
        keys: keys.into(),
        clock: clock.clone(),
        token_ids,
    };
    (shipyard::build(parts).unwrap_or_else(|error| panic!("{error}")), clock)
}
