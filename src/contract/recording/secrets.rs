//! Secrets in recordings: recordings are checked in, so they must open nothing.
//!
//! A secret of a request is written as a placeholder ([`crate::contract::recording::placeholders`]). Values of cookies and of headers that hold secrets are not recorded, for no answer is held to them.
//! Any other value that is recognized ends the recording. What is a secret is decided by the name of its field, and by
//! the form of the value where that is a JSON Web Token.

mod names;
mod random;
mod search;

use std::borrow::Cow;
use std::collections::BTreeSet;

use rocket::http::RawStr;
use serde_json::Value;

use crate::contract::recording::message::{Request, Response};
use crate::contract::recording::placeholders::{placeholders, value_of};
use crate::contract::recording::secrets::names::is_secret_name;
use crate::contract::recording::secrets::search::Search;
use crate::contract::replay::demo_key;
use crate::contract::session::jwt::Jwt;

/// What is written in the place of a value that no answer is held to.
const REDACTED: &str = "REDACTED";

/// What was found in one exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// The fields with secrets: where, and the name.
    pub(crate) secrets: Vec<(String, String)>,
    /// Of these, the ones in which a server has signed a token that is still good: they open something, whatever they
    /// are called.
    pub(crate) signed: Vec<(String, String)>,
    /// What is to be said besides.
    pub(crate) notes: Vec<String>,
}

impl Findings {
    /// What is to be said, where there is no secret but in fields of these names.
    ///
    /// # Errors
    /// The secrets, and what to do.
    pub(crate) fn but_for(mut self, not_secret: &[String]) -> Result<Vec<String>, String> {
        if let Some((place, name)) = self.signed.first() {
            return Err(format!(
                "a secret in {place}: {name}, a token that is signed and still good\n{SIGNED}"
            ));
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
        Err(format!("{}\n{WHAT_TO_DO}", found.collect::<Vec<_>>().join("\n")))
    }
}

const WHAT_TO_DO: &str = "\
nothing is recorded, for recordings are checked in. In a request, write $SHIPYARD_SECRET_<NAME> for the secret, and set \
that variable; if a value opens nothing, add --not-secret with the name of its field";

const SIGNED: &str = "\
nothing is recorded, for recordings are checked in, and --not-secret is not for such tokens. Tokens that are members of an \
answer themselves are signed again when their scenario is recorded from its curl lines: give the file";

/// Takes out of an answer what it is not held to: the values of cookies, and of headers that hold secrets. Gives the
/// names.
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

/// Whether a value opens nothing: there is none, it is filled in later, or it is a token that no server accepts but one
/// that has the public key of the recordings.
fn is_public(value: &str) -> bool {
    let mut rest = value.to_owned();
    for (range, _) in placeholders(value).into_iter().rev() {
        rest.replace_range(range, "");
    }
    let rest = rest.trim();
    rest.is_empty() || rest == REDACTED || Jwt::parse(rest).is_some_and(|jwt| opens_nothing(&jwt))
}

fn opens_nothing(jwt: &Jwt) -> bool {
    let expired = jwt.number("exp").is_some_and(|exp| exp <= crate::auth::clock::Clock::System.now());
    let unsigned =
        jwt.header.get("alg").and_then(Value::as_str).is_some_and(|alg| alg.eq_ignore_ascii_case("none"));
    expired || unsigned || jwt.is_signed_with(&demo_key())
}

/// Looks for secrets in a request. What `earlier` answers have is in the recording already.
#[must_use]
pub(crate) fn in_request(request: &Request, earlier: &str) -> Findings {
    let mut search = Search { found: Findings::default(), earlier, answered: false };
    search.request(request);
    search.found
}

/// Looks for secrets in an answer. `sent` are the variables of the secrets that its server has been sent.
#[must_use]
pub(crate) fn in_answer(sent: &BTreeSet<String>, response: &Response) -> Findings {
    let mut search = Search { found: Findings::default(), earlier: "", answered: true };
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

/// A text as it is, and as it is read where it is JSON, part of an address, or a form.
fn spellings(text: Cow<'_, str>) -> Vec<String> {
    let texts = [unescaped(&text), text.into_owned()];
    let read = |text: String| {
        let raw = RawStr::new(&text);
        [raw.percent_decode_lossy().into_owned(), raw.url_decode_lossy().into_owned(), text]
    };
    texts.into_iter().flat_map(read).collect()
}

/// A text without the escapes of JSON (RFC 8259, section 7), but for those of control characters: no secret has any.
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
