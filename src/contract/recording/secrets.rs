//! Secrets in recordings: recordings are checked in, so they must not hold any.
//!
//! Requests hold placeholders for secrets ([`crate::contract::recording::placeholders`]). The values of cookies and of
//! headers with secrets in responses are redacted, since they are not compared. Any other secret that is found ends the
//! recording. A value is a secret by the name of its field, or if it is a JSON Web Token that is valid.

mod names;
mod random;
mod search;

use std::borrow::Cow;
use std::collections::BTreeSet;

use rocket::http::RawStr;
use serde_json::Value;
use thiserror::Error;

use crate::contract::recording::message::{Request, Response};
use crate::contract::recording::placeholders::{placeholders, value_of};
use crate::contract::recording::secrets::names::is_secret_name;
use crate::contract::recording::secrets::search::Search;
use crate::contract::replay::demo_key;
use crate::contract::session::jwt::Jwt;

/// The replacement for a value that is not compared.
const REDACTED: &str = "REDACTED";

/// What was found in one request or response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// The fields with secrets: place and name.
    pub(crate) secrets: Vec<(String, String)>,
    /// Of these, the ones with a token that a server has signed and that is still valid, whatever their names.
    pub(crate) signed: Vec<(String, String)>,
    /// Notes for the user.
    pub(crate) notes: Vec<String>,
}

/// Secrets that must not be recorded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SecretsFound {
    /// A token that is signed and still valid.
    #[error("a secret in {place}: {name}, a token that is signed and still good\n{SIGNED}")]
    Signed {
        /// The part of the exchange.
        place: String,
        /// The field.
        name: String,
    },
    /// Fields with secrets, a line for each.
    #[error("{0}\n{WHAT_TO_DO}")]
    Fields(String),
}

impl Findings {
    /// The notes, if there are no secrets but in the fields named `not_secret`.
    ///
    /// # Errors
    /// [`SecretsFound`].
    pub(crate) fn notes(mut self, not_secret: &[String]) -> Result<Vec<String>, SecretsFound> {
        if let Some((place, name)) = self.signed.into_iter().next() {
            return Err(SecretsFound::Signed { place, name });
        }
        self.secrets.retain(|(_, name)| !not_secret.iter().any(|known| known.eq_ignore_ascii_case(name)));
        self.secrets.sort();
        self.secrets.dedup();
        self.notes.sort();
        self.notes.dedup();
        if self.secrets.is_empty() {
            return Ok(self.notes);
        }
        let found = self.secrets.iter().map(|(place, name)| format!("a secret in {place}: {name}"));
        Err(SecretsFound::Fields(found.collect::<Vec<_>>().join("\n")))
    }
}

const WHAT_TO_DO: &str = "\
nothing is recorded, for recordings are checked in. In a request, write $SHIPYARD_SECRET_<NAME> for the secret, and set \
that variable; if a value opens nothing, add --not-secret with the name of its field";

const SIGNED: &str = "\
nothing is recorded, for recordings are checked in, and --not-secret is not for such tokens. Tokens that are members of a \
response themselves are signed again when their scenario is recorded from its curl lines: give the file";

/// Redacts the values of cookies and of headers with secrets in a response. Returns their names.
pub(crate) fn redact(response: &mut Response) -> Vec<String> {
    let mut redacted = Vec::new();
    for (name, value) in &mut response.headers {
        if name.eq_ignore_ascii_case("Set-Cookie") || name.eq_ignore_ascii_case("Set-Cookie2") {
            let (pair, attributes) = value.split_at(value.find(';').unwrap_or(value.len()));
            let (cookie, secret) = pair.split_once('=').unwrap_or(("", pair));
            if !secret.is_empty() {
                redacted.push(format!("{name} {cookie}").trim_end().to_owned());
                *value = format!("{cookie}={REDACTED}{attributes}");
            }
        } else if is_secret_name(name) && !value.is_empty() && !is_public(value) {
            redacted.push(name.clone());
            REDACTED.clone_into(value);
        }
    }
    redacted
}

/// Whether a value is no secret: it is empty, a placeholder, or a token that only servers with the recordings' public
/// key accept.
fn is_public(value: &str) -> bool {
    let mut rest = value.to_owned();
    for (range, _) in placeholders(value).into_iter().rev() {
        rest.replace_range(range, "");
    }
    let rest = rest.trim();
    rest.is_empty() || rest == REDACTED || Jwt::parse(rest).is_some_and(|jwt| is_harmless_token(&jwt))
}

/// Whether no server but one with the recordings' public key accepts a token.
fn is_harmless_token(jwt: &Jwt) -> bool {
    let expired = jwt.number("exp").is_some_and(|exp| exp <= crate::auth::clock::Clock::System.now());
    let unsigned =
        jwt.header.get("alg").and_then(Value::as_str).is_some_and(|alg| alg.eq_ignore_ascii_case("none"));
    expired || unsigned || jwt.is_signed_with(&demo_key())
}

/// Searches a request for secrets. Values in `earlier` responses are recorded already.
#[must_use]
pub(crate) fn in_request(request: &Request, earlier: &str) -> Findings {
    let mut search = Search { found: Findings::default(), earlier, is_response: false };
    search.request(request);
    search.found
}

/// Searches a response for secrets. `sent` are the variables of the secrets that the server has received.
#[must_use]
pub(crate) fn in_response(sent: &BTreeSet<String>, response: &Response) -> Findings {
    let mut search = Search { found: Findings::default(), earlier: "", is_response: true };
    search.response(response);
    let texts = response.headers.iter().map(|(_, value)| Cow::Borrowed(value.as_str()));
    let texts: Vec<_> = texts.chain([String::from_utf8_lossy(&response.body)]).flat_map(spellings).collect();
    for name in sent {
        if value_of(name).is_some_and(|value| texts.iter().any(|text| text.contains(&value))) {
            search.secret("text", name, "");
        }
    }
    search.found
}

/// A text, and what it stands for in JSON, in a URL and in a form.
fn spellings(text: Cow<'_, str>) -> Vec<String> {
    let texts = [unescaped(&text), text.into_owned()];
    let read = |text: String| {
        let raw = RawStr::new(&text);
        [raw.percent_decode_lossy().into_owned(), raw.url_decode_lossy().into_owned(), text]
    };
    texts.into_iter().flat_map(read).collect()
}

/// Decodes the escapes of JSON (RFC 8259, section 7), but not those of control characters: no secret has any.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut units: Vec<u16> = parts.next().unwrap_or_default().encode_utf16().collect();
    while let Some(part) = parts.next() {
        let code = part.strip_prefix('u').and_then(|code| Some((code.get(..4)?, code.get(4..)?)));
        match code.and_then(|(code, rest)| Some((u16::from_str_radix(code, 16).ok()?, rest))) {
            Some((unit, rest)) => units.extend(std::iter::once(unit).chain(rest.encode_utf16())),
            None if part.is_empty() => {
                units.push(u16::from(b'\\'));
                units.extend(parts.next().unwrap_or_default().encode_utf16());
            }
            None => units.extend(part.encode_utf16()),
        }
    }
    String::from_utf16_lossy(&units)
}
