//! Session with a live server for one scenario: requests get live tokens and ids, and responses are mapped back to the
//! recorded ones to be compared.

mod mapping;
mod signing;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rocket::http::Method;
use serde_json::{json, Value};
use thiserror::Error;

use crate::auth::clock::Clock;
use crate::auth::secret::Secret;
use crate::auth::token::Lifetimes;
use crate::contract::client::wire::{Target, WireError};
use crate::contract::recording::fixtures::Scenario;
use crate::contract::recording::history::LOGIN;
use crate::contract::recording::message::{Request, Response};
use crate::contract::recording::placeholders::{self, PlaceholderError};
use crate::contract::recording::transcript::Exchange;
use crate::contract::session::ids::Ids;
use crate::contract::session::jwt::Jwt;
use crate::contract::session::plan::{Login, Plan, TokenSource};
use crate::contract::session::server_clock::ServerClock;
use crate::escape::escape_invisible;
use crate::internal_error::{chain, InternalError};

/// Why a request cannot be sent.
#[derive(Debug, Error)]
pub enum NotSent {
    /// It needs something that was not given.
    #[error(transparent)]
    Skipped(#[from] MissingInput),
    /// The live server did not do what the recording relies on.
    #[error(transparent)]
    Impossible(#[from] NoRequest),
    /// The live server did not respond to a login that must come first.
    #[error("{login}")]
    NoResponse {
        /// The login, as [`Login::request_line`] gives it.
        login: String,
        /// Why there is no response.
        source: WireError,
    },
}

/// What a request needs that was not given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MissingInput {
    /// A variable with a secret.
    #[error("{0} must be set: a secret that is not recorded")]
    Secret(String),
    /// The server's key, for this reason.
    #[error("--secret is needed to sign its token: {0}")]
    Key(String),
}

/// Why there is no live request for a recorded one.
#[derive(Debug, Error)]
pub enum NoRequest {
    /// A secret cannot be inserted.
    #[error(transparent)]
    Secret(#[from] PlaceholderError),
    /// An earlier response has no token.
    #[error("its token was to come from an earlier response, which had none (see above)")]
    NoTokenInResponse,
    /// A login has no token, for this reason.
    #[error("{0}")]
    NoTokenFromLogin(String),
    /// The recorded token cannot be read.
    #[error("its token cannot be taken apart")]
    UnreadableToken,
    /// The live token cannot be written.
    #[error(transparent)]
    Token(#[from] InternalError),
}

/// A scenario that is run against a live server.
pub struct Session<'a> {
    target: &'a Target,
    scenario: &'a Scenario,
    plan: Plan,
    key: Option<&'a Secret>,
    limit: Duration,
    clock: ServerClock,
    /// When the latest request was sent, and when its response arrived.
    latest: (Instant, Instant),
    live_tokens: HashMap<String, String>,
    seen_ids: HashSet<String>,
    failed_logins: HashMap<usize, String>,
    /// What is wrong with logins that the recording does not show, until an exchange needs them.
    faulty_logins: HashMap<usize, Vec<String>>,
    /// Faults to report with the current exchange.
    pending: Vec<String>,
    ids: Ids,
}

impl<'a> Session<'a> {
    /// A session with a server that gave `first_response`; `limit` is the time for each request.
    #[must_use]
    pub fn new(
        target: &'a Target,
        scenario: &'a Scenario,
        key: Option<&'a Secret>,
        limit: Duration,
        first_response: Option<&Response>,
    ) -> Self {
        let shown = first_response.and_then(date).unwrap_or_else(|| Clock::System.now());
        Self {
            target,
            scenario,
            plan: Plan::of(scenario),
            key,
            limit,
            clock: ServerClock::showing(shown),
            latest: (Instant::now(), Instant::now()),
            live_tokens: HashMap::new(),
            seen_ids: HashSet::new(),
            failed_logins: HashMap::new(),
            faulty_logins: HashMap::new(),
            pending: Vec::new(),
            ids: Ids::with_seed_data(),
        }
    }

    /// The request of an exchange, with live tokens and ids.
    ///
    /// # Errors
    /// [`NotSent`].
    pub fn request(&mut self, index: usize, exchange: &Exchange) -> Result<Request, NotSent> {
        self.pending.clear();
        self.log_in_before(index)?;
        let recorded = &exchange.request;
        // Before live values are inserted: the live server must not choose which secret it is sent.
        let mut request = placeholders::fill_request(recorded).map_err(|error| match error {
            PlaceholderError::Unset(name) => NotSent::from(MissingInput::Secret(name)),
            invalid @ PlaceholderError::Invalid { .. } => NoRequest::from(invalid).into(),
        })?;
        let (collection, _) = Ids::split(recorded.target());
        request.path = self.ids.live_path(&request.path);
        request.body = request.body.as_ref().map(|body| self.ids.live_body(collection, body));
        if let (Some(token), Some(origin)) = (recorded.token(), self.plan.origin(index).cloned()) {
            if let TokenSource::Login(slot) = origin {
                self.pending = self.faulty_logins.remove(&slot).unwrap_or_default();
            }
            let live = self.live_token(token, &origin, exchange)?;
            // A token that stays as recorded may hold a secret that is filled in.
            if live != token {
                request = request.with_header("Authorization", &format!("Bearer {live}"));
            }
        }
        Ok(request)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// As [`Target::send`].
    pub fn send(&mut self, request: &Request) -> Result<Response, WireError> {
        let sent = Instant::now();
        let response = self.target.send(request, self.limit)?;
        self.latest = (sent, Instant::now());
        if let Some(date) = date(&response) {
            self.clock.dated(date, sent);
        }
        Ok(response)
    }

    /// Sends the logins that must precede an exchange.
    fn log_in_before(&mut self, index: usize) -> Result<(), NotSent> {
        let due = self.plan.logins.iter().enumerate().filter(|(_, login)| login.before == index);
        for (slot, login) in due.map(|(slot, login)| (slot, login.clone())).collect::<Vec<_>>() {
            let body = json!({"username": login.name, "password": login.password});
            let request = Request::new(Method::Post, LOGIN).json(&body);
            match self.send(&request) {
                Ok(response) => self.logged_in(slot, &login, &response),
                Err(error) if error.is_fatal() => {
                    return Err(NotSent::NoResponse { login: login.request_line(), source: error });
                }
                Err(error) => {
                    self.failed_logins
                        .insert(slot, format!("no token: {}: {}", login.request_line(), chain(&error)));
                }
            }
        }
        Ok(())
    }

    /// Captures and checks the tokens of a login that the recording does not show.
    fn logged_in(&mut self, slot: usize, login: &Login, response: &Response) {
        let body = crate::json::parse(&response.body);
        let outcome = match &body {
            Err(reason) if response.status == 200 => format!("200, but its body is not JSON: {reason}"),
            _ => escape_invisible(&response.status_line),
        };
        let body = body.unwrap_or_default();
        let mut faults = Vec::new();
        if response.status != 200 {
            faults.push(format!("{}: {outcome}", login.request_line()));
        }
        for (kind, lifetime) in
            [("access", Lifetimes::default().access), ("refresh", Lifetimes::default().refresh)]
        {
            let recorded = login.tokens.get(kind);
            let Some(live) = body.get(format!("{kind}_token")).and_then(Value::as_str) else {
                if recorded.is_some() {
                    let reason = format!("no {kind} token: {}: {outcome}", login.request_line());
                    self.failed_logins.insert(slot, reason);
                }
                continue;
            };
            let was = recorded.and_then(|token| Jwt::parse(token));
            let was = was.unwrap_or_else(|| Jwt::issued(kind, login.user, lifetime));
            let wrong = self.token_faults(&was, live).into_iter();
            faults.extend(wrong.map(|fault| format!("{}: {kind}_token: {fault}", login.request_line())));
            if let Some(recorded) = recorded {
                self.live_tokens.insert(recorded.clone(), live.to_owned());
            }
        }
        self.faulty_logins.insert(slot, faults);
    }
}

fn date(response: &Response) -> Option<u64> {
    let time = httpdate::parse_http_date(response.header("Date")?).ok()?;
    Some(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs())
}
