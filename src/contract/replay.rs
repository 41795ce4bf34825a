//! Replay in process: a server with the data, clock, token ids and key of the recorded one. Its responses are compared
//! byte for byte, signatures included.

use std::sync::Arc;

use rocket::http::uri::Host;
use rocket::http::Header;
use rocket::local::blocking::Client;
use uuid::Uuid;

use crate::auth::clock::{Clock, TokenIds};
use crate::auth::password::{Cost, Hasher};
use crate::auth::secret::Secret;
use crate::config::Settings;
use crate::contract::recording::fixtures::Scenario;
use crate::contract::recording::message::{Request, Response};
use crate::contract::recording::transcript::{http_date, Exchange};
use crate::dispatch_context::{DispatchContext, RequestBody};
use crate::internal_error::InternalError;
use crate::json::Style;
use crate::store::seed::{Data, EXAMPLE};
use crate::AppConfig;

/// The public demo key of the original, which signs every recorded token. It protects nothing.
const DEMO_KEY: [u8; 30] = [
    0x1c, 0x7f, 0x7e, 0xe6, 0xb5, 0x3c, 0x50, 0x33, 0x2c, 0x39, 0x80, 0x15, 0x6e, 0x58, 0x51, 0x45, 0x76,
    0x4b, 0x11, 0x25, 0xab, 0x46, 0x17, 0x8f, 0x63, 0xdc, 0x40, 0x32, 0x91, 0xe6,
];

/// The key of the recordings.
#[must_use]
pub fn demo_key() -> Secret {
    Secret::for_replay(DEMO_KEY)
}

/// A server in process with a manual clock.
pub struct Replay {
    client: Client,
    clock: Clock,
}

impl Replay {
    /// A server with the start time and token ids of a scenario.
    ///
    /// # Errors
    /// As [`Replay::started`].
    pub fn of(scenario: &Scenario) -> Result<Self, InternalError> {
        Self::started(scenario.start(), scenario.issued_ids())
    }

    /// A server that starts at `now`, in seconds since 1970, with the example data.
    ///
    /// # Errors
    /// [`InternalError`] if the system gives no random bytes or no thread.
    pub fn started(now: u64, token_ids: Vec<Uuid>) -> Result<Self, InternalError> {
        let clock = Clock::manual(now);
        let data = Data::parse("the built-in data", EXAMPLE.as_bytes());
        let parts = AppConfig {
            settings: settings()?,
            data: data.map_err(|error| InternalError::new("reading the example data", error))?,
            keys: demo_key().into(),
            clock: clock.clone(),
            token_ids: TokenIds::recorded(token_ids),
        };
        let client = Client::untracked(crate::build(parts)?)
            .map_err(|error| InternalError::new("starting a server in process", error))?;
        Ok(Self { client, clock })
    }

    /// The response to a recorded request, at the time of its recording.
    #[must_use]
    pub fn respond(&self, exchange: &Exchange) -> Response {
        self.respond_at(exchange.date, &exchange.request)
    }

    /// The response to a request at a time, with the headers that it has on the wire.
    #[must_use]
    pub fn respond_at(&self, now: u64, request: &Request) -> Response {
        self.clock.set(now);
        let mut local = self.client.req(request.method, request.path.clone());
        for (name, value) in &request.headers {
            if name.eq_ignore_ascii_case("Host") {
                if let Ok(host) = Host::parse_owned(value.clone()) {
                    local.inner_mut().set_host(host);
                }
            }
            local.add_header(Header::new(name.clone(), value.clone()));
        }
        let body = Arc::<RequestBody>::default();
        body.put(request.body.clone().unwrap_or_default().into());
        local.inner().local_cache(|| Some(DispatchContext { body, response_slot: None }));
        let response = local.dispatch();
        let status = response.status();
        let mut headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .map(|header| (header.name.to_string(), header.value.to_string()))
            .collect();
        let size = response.body().preset_size();
        headers.extend(size.map(|size| ("Content-Length".to_owned(), size.to_string())));
        headers.sort();
        headers.push(("Date".to_owned(), http_date(now)));
        Response {
            status_line: format!("HTTP/1.1 {} {}", status.code, status.reason_lossy()),
            status: status.code,
            headers,
            body: response.into_bytes().unwrap_or_default(),
        }
    }
}

/// The settings of the recordings, as far as responses show them. Password hashing is cheap: the recordings hold the
/// passwords in clear text.
fn settings() -> Result<Settings, InternalError> {
    const CHEAP: Cost = Cost { memory: 8, iterations: 1, parallelism: 1 };
    let hasher: Hasher =
        CHEAP.hasher().map_err(|error| InternalError::new("choosing a cost of passwords", error))?;
    let defaults =
        Settings::defaults().map_err(|error| InternalError::new("reading the default settings", error))?;
    // Replays have no rate limits.
    Ok(Settings { json: Style::Pretty, hasher, rates: None, ..defaults })
}
