//! Server under recording: its responses without tokens and headers that only the live server has.

use std::collections::BTreeMap;
use std::time::Duration;

use rocket::http::Method;

use crate::auth::clock::Clock;
use crate::contract::client::wire::Target;
use crate::contract::compare::lossless::Json;
use crate::contract::record::ExchangeError;
use crate::contract::recording::fixtures::tokens;
use crate::contract::recording::message::{header, Headers, Request, Response};
use crate::contract::recording::placeholders;
use crate::contract::recording::transcript::http_date;
use crate::contract::replay::{demo_key, Replay};
use crate::contract::session::jwt::Jwt;
use crate::internal_error::InternalError;
use crate::json::{self, Style};

/// A server under recording.
pub(super) enum RecordedServer<'a> {
    InProcess(Box<Replay>),
    Live { target: &'a Target, limit: Duration, live_tokens: BTreeMap<String, String> },
}

impl<'a> RecordedServer<'a> {
    /// This program.
    pub(super) fn in_process(replay: Replay) -> Self {
        Self::InProcess(Box::new(replay))
    }

    /// A live server; `limit` is the time for one response.
    pub(super) fn live(target: &'a Target, limit: Duration) -> Self {
        Self::Live { target, limit, live_tokens: BTreeMap::new() }
    }

    /// The response to a request, as it is recorded.
    pub(super) fn response(&mut self, request: &Request) -> Result<Response, ExchangeError> {
        match self {
            Self::InProcess(server) => Ok(server.respond_at(Clock::System.now(), request)),
            Self::Live { .. } if request.method == Method::Head => Err(ExchangeError::Head),
            Self::Live { target, limit, live_tokens } => {
                // Before the live token is inserted: the server chose that.
                let mut sent = placeholders::fill_request(request)?;
                if let Some(live) = request.token().and_then(|token| live_tokens.get(token)) {
                    sent = sent.with_header("Authorization", &format!("Bearer {live}"));
                }
                let live = target.send(&sent, *limit)?;
                public(request, live, target, live_tokens)
            }
        }
    }
}

/// A live response with publicly signed tokens, the recorded host and the layout of the recordings.
fn public(
    request: &Request,
    live: Response,
    target: &Target,
    live_tokens: &mut BTreeMap<String, String>,
) -> Result<Response, ExchangeError> {
    let mut body = String::from_utf8(live.body.clone()).map_err(|_| ExchangeError::NotUtf8)?;
    let mut issued = None;
    for (name, token) in live.json().as_ref().map(tokens).unwrap_or_default() {
        let jwt = Jwt::parse(token).filter(|jwt| jwt.header.get("alg").is_some_and(|alg| alg == "HS256"));
        let jwt = jwt.ok_or_else(|| ExchangeError::NotHs256(name.to_owned()))?;
        let public = jwt.signed_again(&jwt.claims, &demo_key())?;
        body = body.replace(token, &public);
        issued = issued.max(jwt.number("iat"));
        live_tokens.insert(public, token.to_owned());
    }
    if let Ok(value) = Json::parse(body.as_bytes()) {
        // If this reader did not accept the body, its tokens would not be found.
        json::parse(body.as_bytes()).map_err(ExchangeError::Body)?;
        let pretty =
            Style::Pretty.render(&value).map_err(|error| InternalError::new("writing a body", error))?;
        body = String::from_utf8(pretty).map_err(|_| ExchangeError::NotUtf8)?;
    }
    let host = header(&request.headers, "Host").unwrap_or_default();
    // These headers belong to the connection, not to the response (RFC 9110, section 7.6.1).
    let of_connection = ["Connection", "Keep-Alive", "Transfer-Encoding"];
    let mut headers: Headers = Vec::new();
    for (name, value) in live.headers {
        if of_connection.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            continue;
        }
        let value = match target.path_of(&value) {
            Some(path) if name.eq_ignore_ascii_case("Location") => format!("http://{host}{path}"),
            _ if name.eq_ignore_ascii_case("Content-Length") => body.len().to_string(),
            _ => value,
        };
        headers.push((name, value));
    }
    // A replay issues tokens at the time of the Date header, which some servers cache.
    let date = issued.map(http_date);
    match headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("Date")) {
        Some((_, sent)) => *sent = date.unwrap_or_else(|| sent.clone()),
        None => headers.push(("Date".to_owned(), date.unwrap_or_else(|| http_date(Clock::System.now())))),
    }
    Ok(Response { headers, body: body.into_bytes(), ..live })
}
