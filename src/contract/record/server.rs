//! Responses to record, without anything that belongs to the live server alone.

use std::collections::BTreeMap;
use std::time::Duration;

use rocket::http::Method;

use crate::auth::clock::Clock;
use crate::contract::client::wire::Target;
use crate::contract::compare::lossless::Json;
use crate::contract::recording::fixtures::tokens;
use crate::contract::recording::message::{header, Headers, Request, Response};
use crate::contract::recording::placeholders;
use crate::contract::recording::transcript::http_date;
use crate::contract::replay::{demo_key, Replay};
use crate::contract::session::jwt::Jwt;
use crate::json::{self, Style};

/// A server that is being recorded.
pub(super) enum RecordedServer<'a> {
    InProcess(Box<Replay>),
    Live { target: &'a Target, limit: Duration, live_tokens: BTreeMap<String, String> },
}

impl RecordedServer<'_> {
    /// What a request is answered, as it is to be recorded.
    pub(super) fn answer(&mut self, request: &Request) -> Result<Response, String> {
        match self {
            Self::InProcess(server) => Ok(server.answer_at(Clock::System.now(), request)),
            // Recorded bodies are laid out again, and there is none here to measure.
            Self::Live { .. } if request.method == Method::Head => Err(
                "how long the answer to a HEAD would be in the layout of the recordings cannot be known; \
                     record it without --url"
                    .to_owned(),
            ),
            Self::Live { target, limit, live_tokens } => {
                // Before the live token is put in: the server chose that.
                let mut sent = placeholders::filled(request).map_err(|unfilled| unfilled.to_string())?;
                if let Some(live) = request.token().and_then(|token| live_tokens.get(token)) {
                    sent = sent.with_header("Authorization", &format!("Bearer {live}"));
                }
                let live = target.send(&sent, *limit).map_err(|error| error.to_string())?;
                public(request, live, target, live_tokens)
            }
        }
    }
}

/// A live answer without anything that belongs to the live server alone.
fn public(
    request: &Request,
    live: Response,
    target: &Target,
    live_tokens: &mut BTreeMap<String, String>,
) -> Result<Response, String> {
    let mut body = String::from_utf8(live.body.clone()).map_err(|_| "the body is not UTF-8".to_owned())?;
    let mut issued = None;
    for (name, token) in live.json().as_ref().map(tokens).unwrap_or_default() {
        let jwt = Jwt::parse(token).filter(|jwt| jwt.header.get("alg").is_some_and(|alg| alg == "HS256"));
        let jwt =
            jwt.ok_or_else(|| format!("{name}: only tokens that are signed by HS256 can be recorded"))?;
        let public = jwt.signed_again(&jwt.claims, &demo_key()).map_err(|error| error.to_string())?;
        body = body.replace(token, &public);
        issued = issued.max(jwt.number("iat"));
        live_tokens.insert(public, token.to_owned());
    }
    if let Ok(value) = Json::parse(body.as_bytes()) {
        // Its tokens would not be found: one reader must not see less than another.
        json::parse(body.as_bytes()).map_err(|reason| format!("the body cannot be recorded: {reason}"))?;
        let laid_out = Style::Pretty.render(&value).map_err(|error| error.to_string())?;
        body = String::from_utf8(laid_out).map_err(|error| error.to_string())?;
    }
    let host = header(&request.headers, "Host").unwrap_or_default();
    // They belong to the connection, not to the answer (RFC 9110, section 7.6.1).
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
    // A replay issues tokens at the time of the Date header, which servers do not renew for every answer.
    let date = issued.map(http_date);
    match headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("Date")) {
        Some((_, sent)) => *sent = date.unwrap_or_else(|| sent.clone()),
        None => headers.push(("Date".to_owned(), date.unwrap_or_else(|| http_date(Clock::System.now())))),
    }
    Ok(Response { headers, body: body.into_bytes(), ..live })
}
