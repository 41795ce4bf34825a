//! A scenario against a live server: recorded tokens and ids become live ones on the way out, and live ones
//! become recorded ones again in what comes back, so that the two can be compared.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rocket::http::Method;
use serde_json::{json, Value};

use crate::auth::clock::Clock;
use crate::auth::secret::Secret;
use crate::auth::token::Lifetimes;
use crate::contract::client::wire::{Target, WireError};
use crate::contract::compare::lossless::Json;
use crate::contract::recording::fixtures::{tokens, Scenario};
use crate::contract::recording::history::{LOGIN, USERS};
use crate::contract::recording::message::{Request, Response};
use crate::contract::recording::placeholders::{self, Unfilled};
use crate::contract::recording::transcript::Exchange;
use crate::contract::session::ids::Ids;
use crate::contract::session::jwt::{Jwt, Members};
use crate::contract::session::new_token;
use crate::contract::session::plan::{flaw_in_time, Login, Plan, TokenSource};
use crate::contract::session::server_clock::ServerClock;
use crate::escape::escape_invisible;

/// By how many seconds at least a token that was good is good here, and one that was expired is expired while only a Date
/// tells the time: no machine is so slow, and no two clocks are so far apart.
const MARGIN: u64 = 300;

/// Why a request cannot be sent as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// It needs what was not given.
    Skipped(String),
    /// The live server did not do what the recording relies on.
    Impossible(String),
    /// The live server is gone: it did not answer what must come first.
    Unanswered(String, WireError),
}

/// What came back, in the terms of the recording.
#[derive(Debug)]
pub struct MappedResponse {
    /// The response, with recorded tokens, ids and addresses where the live server had its own.
    pub response: Response,
    /// What is wrong with new tokens.
    pub faults: Vec<String>,
}

/// A scenario being held against a live server.
pub struct Session<'a> {
    target: &'a Target,
    scenario: &'a Scenario,
    plan: Plan,
    key: Option<&'a Secret>,
    limit: Duration,
    clock: ServerClock,
    /// When the latest request was sent, and when its answer had come.
    latest: (Instant, Instant),
    live_tokens: HashMap<String, String>,
    seen_ids: HashSet<String>,
    failed_logins: HashMap<usize, String>,
    /// What was wrong with logins that the recording does not show, until an exchange needs them.
    faulty_logins: HashMap<usize, Vec<String>>,
    /// What is to be said of the exchange that is under way.
    pending: Vec<String>,
    ids: Ids,
}

impl<'a> Session<'a> {
    /// A session with a server that gave `first_answer`; `limit` is for each request.
    #[must_use]
    pub fn new(
        target: &'a Target,
        scenario: &'a Scenario,
        key: Option<&'a Secret>,
        limit: Duration,
        first_answer: Option<&Response>,
    ) -> Self {
        let shown = first_answer.and_then(date).unwrap_or_else(|| Clock::System.now());
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

    /// The request of that exchange as this server must see it.
    ///
    /// # Errors
    /// [`NotSent`]: why there is no such request.
    pub fn request(&mut self, index: usize, exchange: &Exchange) -> Result<Request, NotSent> {
        self.pending.clear();
        self.log_in_before(index)?;
        let recorded = &exchange.request;
        // First of all: what the live server chose names no secret that it is to be sent.
        let mut request = placeholders::filled(recorded).map_err(|unfilled| match unfilled {
            Unfilled::Unset(name) => {
                NotSent::Skipped(format!("{name} must be set: a secret that is not recorded"))
            }
            unfit @ Unfilled::KeySetError(..) => NotSent::Impossible(unfit.to_string()),
        })?;
        let (collection, _) = Ids::place(recorded.target());
        request.path = self.ids.live_path(&request.path);
        request.body = request.body.as_ref().map(|body| self.ids.live_body(collection, body));
        if let (Some(token), Some(origin)) = (recorded.token(), self.plan.origin(index).cloned()) {
            if let TokenSource::Login(slot) = origin {
                self.pending = self.faulty_logins.remove(&slot).unwrap_or_default();
            }
            let live = self.live_token(token, &origin, exchange)?;
            // One that is as recorded may have been filled in.
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

    /// Does the logins that must have happened before that exchange.
    fn log_in_before(&mut self, index: usize) -> Result<(), NotSent> {
        let due = self.plan.logins.iter().enumerate().filter(|(_, login)| login.before == index);
        for (slot, login) in due.map(|(slot, login)| (slot, login.clone())).collect::<Vec<_>>() {
            let body = json!({"username": login.name, "password": login.password});
            let request = Request::new(Method::Post, LOGIN).json(&body);
            match self.send(&request) {
                Ok(response) => self.logged_in(slot, &login, &response),
                Err(error) if error.is_fatal() => {
                    return Err(NotSent::Unanswered(login.question(), error));
                }
                Err(error) => {
                    self.failed_logins.insert(slot, format!("no token: {}: {error}", login.question()));
                }
            }
        }
        Ok(())
    }

    /// Takes the tokens from the answer to a login that the recording does not show, and holds them to what tokens
    /// are.
    fn logged_in(&mut self, slot: usize, login: &Login, response: &Response) {
        let body = crate::json::parse(&response.body);
        let answer = match &body {
            Err(reason) if response.status == 200 => format!("200, but its body is not JSON: {reason}"),
            _ => escape_invisible(&response.status_line),
        };
        let body = body.unwrap_or_default();
        let mut faults = Vec::new();
        if response.status != 200 {
            faults.push(format!("{}: {answer}", login.question()));
        }
        for (kind, lifetime) in
            [("access", Lifetimes::default().access), ("refresh", Lifetimes::default().refresh)]
        {
            let recorded = login.tokens.get(kind);
            let Some(live) = body.get(format!("{kind}_token")).and_then(Value::as_str) else {
                if recorded.is_some() {
                    let reason = format!("no {kind} token: {}: {answer}", login.question());
                    self.failed_logins.insert(slot, reason);
                }
                continue;
            };
            let was = recorded.and_then(|token| Jwt::parse(token));
            let was = was.unwrap_or_else(|| Jwt::issued(kind, login.user, lifetime));
            let wrong = self.faults(&was, live).into_iter();
            faults.extend(wrong.map(|fault| format!("{}: {kind}_token: {fault}", login.question())));
            if let Some(recorded) = recorded {
                self.live_tokens.insert(recorded.clone(), live.to_owned());
            }
        }
        self.faulty_logins.insert(slot, faults);
    }

    fn live_token(&self, token: &str, origin: &TokenSource, exchange: &Exchange) -> Result<String, NotSent> {
        let known = || self.live_tokens.get(token).cloned();
        let lost = |reason: &str| NotSent::Impossible(reason.to_owned());
        match origin {
            TokenSource::AsRecorded => Ok(token.to_owned()),
            TokenSource::Damaged => self.moved(token, exchange),
            TokenSource::Answer => known().ok_or_else(|| {
                lost("its token was to come from an earlier answer, which had none (see above)")
            }),
            TokenSource::Login(slot) => known().ok_or_else(|| {
                lost(self.failed_logins.get(slot).map_or("no login gave its token", String::as_str))
            }),
            TokenSource::Key(reason) => {
                let key = self.key.ok_or_else(|| {
                    NotSent::Skipped(format!("--secret is needed to sign its token: {reason}"))
                })?;
                self.signed(token, exchange, key)
            }
        }
    }

    /// The claims of a recorded token with the live times and identity.
    fn live_claims(&self, jwt: &Jwt, exchange: &Exchange, damaged: bool) -> Members {
        let mut claims = self.in_time(jwt, exchange.date, damaged);
        if let Some(user) = jwt.number("identity") {
            claims.set("identity", self.ids.live(USERS, user));
        }
        claims
    }

    /// A token that is broken as the recorded one is, and in nothing else: the times in it are good now, as they were
    /// then. Its signature was not that of the recorded server, and no key makes it now.
    fn moved(&self, token: &str, exchange: &Exchange) -> Result<String, NotSent> {
        let Some(jwt) = Jwt::parse(token) else { return Ok(token.to_owned()) };
        let claims = self.live_claims(&jwt, exchange, true);
        jwt.around(&claims).map_err(|error| NotSent::Impossible(error.to_string()))
    }

    /// A token like the recorded one, as old and as long valid as it was then, signed with the live key.
    fn signed(&self, token: &str, exchange: &Exchange, key: &Secret) -> Result<String, NotSent> {
        let impossible = |reason: String| NotSent::Impossible(reason);
        let jwt =
            Jwt::parse(token).ok_or_else(|| impossible("its token cannot be taken apart".to_owned()))?;
        let claims = self.live_claims(&jwt, exchange, false);
        jwt.signed_again(&claims, key).map_err(|error| impossible(error.to_string()))
    }

    /// The claims of a recorded token with live times. A damaged token is not made one of an earlier run: that would
    /// be a second reason to refuse it.
    fn in_time(&self, jwt: &Jwt, date: u64, damaged: bool) -> Members {
        let mut claims = jwt.claims.clone();
        let number = |claim: &str| jwt.number(claim);
        let expired = number("exp").is_some_and(|exp| exp <= date);
        let early = number("nbf").is_some_and(|nbf| nbf > date);
        // Before the start of the recorded server, and otherwise without a flaw in its times.
        let old = !damaged
            && number("iat").is_some_and(|iat| iat < self.scenario.start())
            && flaw_in_time(jwt, date).is_none()
            && jwt.claims.names().starts_with("iat nbf jti exp identity");
        let shifted = |value: u64, now: u64| value.saturating_add(now).saturating_sub(date);
        if expired {
            let since = number("exp").map_or(0, |exp| date.saturating_sub(exp));
            // The clock that verifies tokens shows at least what it is thought to: one that had expired two seconds
            // ago still has, by no less. A Date may be of another clock, which says no such thing.
            let is_sure = since > 0 && self.clock.issues();
            let more = if is_sure { 0 } else { MARGIN.saturating_sub(since) };
            for claim in ["iat", "nbf", "exp"] {
                if let Some(value) = number(claim) {
                    claims.set(claim, shifted(value, self.clock.now()).saturating_sub(more));
                }
            }
            return claims;
        }
        if old {
            let now = self.clock.now().min(self.clock.first().saturating_sub(MARGIN));
            for claim in ["iat", "nbf"] {
                if let Some(value) = number(claim) {
                    claims.set(claim, shifted(value, now).min(now));
                }
            }
        } else if let Some(iat) = number("iat") {
            // A server may refuse what was issued before its start; it has whole seconds to go by.
            let first_good = self.clock.first().saturating_add(1);
            let now = self.clock.wait_for(first_good);
            claims.set("iat", shifted(iat, now).clamp(first_good, now));
        }
        let now = self.clock.now();
        if let (Some(nbf), false) = (number("nbf"), old) {
            let live = shifted(nbf, now);
            claims.set("nbf", if early { live.max(now.saturating_add(MARGIN)) } else { live });
        }
        if let Some(exp) = number("exp") {
            claims.set("exp", shifted(exp, now).max(now.saturating_add(MARGIN)));
        }
        claims
    }

    /// What a live answer says in the terms of the recording.
    pub fn answered(&mut self, exchange: &Exchange, live: &Response, exact: bool) -> MappedResponse {
        let recorded = &exchange.response;
        let (collection, _) = Ids::place(exchange.request.target());
        let body = live.json();
        let recorded_body = recorded.json();
        let mut faults = std::mem::take(&mut self.pending);
        let parsed = Json::parse(&live.body).ok();
        let id = |body: &Option<Json>| body.as_ref()?.get("id")?.as_u64();
        let made = match (recorded.status, live.status) {
            (201, 201) => id(&Json::parse(&recorded.body).ok()).zip(id(&parsed)),
            _ => None,
        };
        // Where the recorded server gave an id out again, the live one may have its own way: it is shown as it is.
        let given_out_again = made.filter(|(was, _)| self.ids.has_given_out(collection, *was));
        if let (Some((was, is)), None) = (made, given_out_again) {
            faults.extend(self.ids.capture(collection, was, is));
        }
        if exchange.request.method == Method::Delete && live.status == 204 {
            self.ids.forget(&self.ids.live_path(exchange.request.target()));
        }
        let mut response = live.clone();
        let mut pairs = Vec::new();
        for (name, was) in recorded_body.as_ref().map(tokens).unwrap_or_default() {
            let Some(is) = body.as_ref().and_then(|body| body.get(name)).and_then(Value::as_str) else {
                continue;
            };
            let wrong = Jwt::parse(was).map_or(Vec::new(), |was| self.faults(&was, is));
            if wrong.is_empty() {
                pairs.push((was.to_owned(), is.to_owned()));
            }
            faults.extend(wrong.into_iter().map(|fault| format!("{name}: {fault}")));
            self.live_tokens.insert(was.to_owned(), is.to_owned());
        }
        match (parsed, std::str::from_utf8(&live.body)) {
            (Some(mut body), _) if !exact => {
                self.ids.restore(collection, &mut body);
                if let Json::Object(members) = &mut body {
                    for value in members.values_mut() {
                        let pair = pairs.iter().find(|(_, is)| *value == Json::Text(is.clone()));
                        *value = pair.map_or_else(|| value.clone(), |(was, _)| Json::Text(was.clone()));
                    }
                }
                response.body = body.to_string().into_bytes();
            }
            (Some(_), Ok(text)) => {
                let text = self.ids.restore_text(collection, text);
                response.body = pairs.iter().fold(text, |text, (was, is)| text.replace(is, was)).into_bytes();
            }
            _ => {}
        }
        for (name, value) in &mut response.headers {
            if name.eq_ignore_ascii_case("Location") {
                *value = self.recorded_location(exchange, value);
            } else if name.eq_ignore_ascii_case("Content-Length") && !live.body.is_empty() {
                // That it is true of the live body was seen when that was read. (HEAD has the length of a body
                // that is not sent.)
                *value = response.body.len().to_string();
            }
        }
        if let Some((was, is)) = given_out_again {
            faults.extend(self.ids.capture(collection, was, is));
        }
        MappedResponse { response, faults }
    }

    /// In what a new token is not like the recorded one; and what it tells of the server's clock.
    fn faults(&mut self, was: &Jwt, live: &str) -> Vec<String> {
        let Some(is) = Jwt::parse(live) else { return vec!["not a JSON Web Token".to_owned()] };
        if let Some(issued) = is.number("iat") {
            let (sent, received) = self.latest;
            self.clock.issued(issued, sent, received);
        }
        let mut faults = new_token::faults(was, &is, &self.ids, self.key);
        if is.text("jti").is_some_and(|id| !self.seen_ids.insert(id.to_ascii_lowercase())) {
            faults.push("jti: another token has the same".to_owned());
        }
        faults
    }

    /// A live Location as the recorded server would have given it.
    fn recorded_location(&self, exchange: &Exchange, live: &str) -> String {
        let host = crate::contract::recording::message::header(&exchange.request.headers, "Host")
            .unwrap_or_default();
        let Some(path) = self.target.path_of(live) else { return live.to_owned() };
        format!("http://{host}{}", self.ids.recorded_path(path))
    }
}

fn date(response: &Response) -> Option<u64> {
    let time = httpdate::parse_http_date(response.header("Date")?).ok()?;
    Some(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs())
}
