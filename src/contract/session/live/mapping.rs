//! Mapping of live responses to the recording: recorded tokens, ids and addresses in the place of live ones.

use rocket::http::Method;
use serde_json::Value;

use crate::contract::compare::lossless::Json;
use crate::contract::recording::fixtures::tokens;
use crate::contract::recording::message::{header, Response};
use crate::contract::recording::transcript::Exchange;
use crate::contract::session::ids::Ids;
use crate::contract::session::jwt::Jwt;
use crate::contract::session::live::Session;
use crate::contract::session::new_token;

/// A live response in the terms of the recording.
#[derive(Debug)]
pub struct MappedResponse {
    /// The response, with recorded tokens, ids and addresses where the live server had its own.
    pub response: Response,
    /// What is wrong with new tokens and ids.
    pub faults: Vec<String>,
}

/// A recorded token, and the live one that stands for it.
type TokenPair = (String, String);

impl Session<'_> {
    /// Maps a live response to the recording. With `exact`, the layout of its body is kept.
    pub fn map_response(&mut self, exchange: &Exchange, live: &Response, exact: bool) -> MappedResponse {
        let (collection, _) = Ids::split(exchange.request.target());
        let mut faults = std::mem::take(&mut self.pending);
        let created = created(&exchange.response, live);
        // Where the recorded server reused an id, the live server may choose another: show the live one unmapped.
        let reused = created.filter(|(recorded, _)| self.ids.has_used(collection, *recorded));
        if let (Some((recorded, live)), None) = (created, reused) {
            faults.extend(self.ids.capture(collection, recorded, live));
        }
        if exchange.request.method == Method::Delete && live.status == 204 {
            self.ids.forget(&self.ids.live_path(exchange.request.target()));
        }
        let pairs = self.capture_tokens(&exchange.response, live, &mut faults);
        let mut response = live.clone();
        if let Some(body) = self.mapped_body(collection, live, &pairs, exact) {
            response.body = body;
        }
        for (name, value) in &mut response.headers {
            if name.eq_ignore_ascii_case("Location") {
                *value = self.recorded_location(exchange, value);
            } else if name.eq_ignore_ascii_case("Content-Length") && !live.body.is_empty() {
                // The reader has checked it against the live body. (A response to HEAD gives the length of a body
                // that is not sent.)
                *value = response.body.len().to_string();
            }
        }
        if let Some((recorded, live)) = reused {
            faults.extend(self.ids.capture(collection, recorded, live));
        }
        MappedResponse { response, faults }
    }

    /// Checks the new tokens in a response and remembers them. Returns the pairs without faults.
    fn capture_tokens(
        &mut self,
        recorded: &Response,
        live: &Response,
        faults: &mut Vec<String>,
    ) -> Vec<TokenPair> {
        let (recorded, live) = (recorded.json(), live.json());
        let mut pairs = Vec::new();
        for (name, was) in recorded.as_ref().map(tokens).unwrap_or_default() {
            let Some(is) = live.as_ref().and_then(|body| body.get(name)).and_then(Value::as_str) else {
                continue;
            };
            let wrong = Jwt::parse(was).map_or(Vec::new(), |was| self.token_faults(&was, is));
            if wrong.is_empty() {
                pairs.push((was.to_owned(), is.to_owned()));
            }
            faults.extend(wrong.into_iter().map(|fault| format!("{name}: {fault}")));
            self.live_tokens.insert(was.to_owned(), is.to_owned());
        }
        pairs
    }

    /// The body with recorded ids and tokens; `None` if it is not JSON.
    fn mapped_body(
        &self,
        collection: &str,
        live: &Response,
        pairs: &[TokenPair],
        exact: bool,
    ) -> Option<Vec<u8>> {
        let mut body = Json::parse(&live.body).ok()?;
        if exact {
            let text = self.ids.restore_text(collection, std::str::from_utf8(&live.body).ok()?);
            return Some(pairs.iter().fold(text, |text, (was, is)| text.replace(is, was)).into_bytes());
        }
        self.ids.restore(collection, &mut body);
        if let Json::Object(members) = &mut body {
            for value in members.values_mut() {
                if let Some((was, _)) = pairs.iter().find(|(_, is)| *value == Json::Text(is.clone())) {
                    *value = Json::Text(was.clone());
                }
            }
        }
        Some(body.to_string().into_bytes())
    }

    /// What is wrong with a new token, compared with the recorded one. Its `iat` also sets the server's clock.
    pub(super) fn token_faults(&mut self, recorded: &Jwt, live: &str) -> Vec<String> {
        let Some(live) = Jwt::parse(live) else { return vec!["not a JSON Web Token".to_owned()] };
        if let Some(issued) = live.number("iat") {
            let (sent, received) = self.latest;
            self.clock.issued(issued, sent, received);
        }
        let mut faults = new_token::faults(recorded, &live, &self.ids, self.key);
        if live.text("jti").is_some_and(|id| !self.seen_ids.insert(id.to_ascii_lowercase())) {
            faults.push("jti: another token has the same".to_owned());
        }
        faults
    }

    /// A live Location as the recorded server would have given it.
    fn recorded_location(&self, exchange: &Exchange, live: &str) -> String {
        let host = header(&exchange.request.headers, "Host").unwrap_or_default();
        let Some(path) = self.target.path_of(live) else { return live.to_owned() };
        format!("http://{host}{}", self.ids.recorded_path(path))
    }
}

/// The recorded and the live id of what a request created.
fn created(recorded: &Response, live: &Response) -> Option<(u64, u64)> {
    let id = |response: &Response| Json::parse(&response.body).ok()?.get("id")?.as_u64();
    match (recorded.status, live.status) {
        (201, 201) => id(recorded).zip(id(live)),
        _ => None,
    }
}
