//! Placeholders for secrets in recorded requests: `$SHIPYARD_SECRET_NAME`. The environment fills them in when a request
//! is sent to a live server.

use std::collections::BTreeSet;

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use thiserror::Error;

use crate::contract::compare::lossless::Json;
use crate::contract::recording::message::Request;

/// The prefix of variables that hold secrets.
pub(crate) const PREFIX: &str = "SHIPYARD_SECRET_";

/// Finds placeholders, `$NAME` or `${NAME}`: their ranges and names.
pub(crate) fn placeholders(text: &str) -> Vec<(std::ops::Range<usize>, &str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('$') {
        let rest = text.get(at + 1..).unwrap_or_default();
        let (open, rest) = rest.strip_prefix('{').map_or((0, rest), |rest| (1, rest));
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.starts_with(PREFIX) && (open == 0 || after.starts_with('}')) {
            found.push((at..at + 1 + open + end + open, name));
        }
    }
    found
}

/// The variables that a request needs.
#[must_use]
pub(crate) fn needed(request: &Request) -> BTreeSet<String> {
    let mut texts = vec![request.path.clone()];
    texts.extend(
        request.headers.iter().map(|(name, value)| basic(name, value).unwrap_or_else(|| value.clone())),
    );
    texts.extend(request.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned()));
    let names = texts.iter().flat_map(|text| placeholders(text)).map(|(_, name)| name.to_owned());
    names.collect()
}

/// The user and password of basic authentication (RFC 7617).
pub(crate) fn basic(name: &str, value: &str) -> Option<String> {
    let encoded =
        value.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("Basic ")).and(value.get(6..))?;
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    name.to_ascii_lowercase().ends_with("authorization").then(|| String::from_utf8(decoded).ok())?
}

/// Why a secret is not filled in. The message does not hold its value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlaceholderError {
    /// The variable is not set.
    #[error("{0} is not set")]
    Unset(String),
    /// The value would end the field that it is inserted in, or cannot be sent.
    #[error("the value of {name} has {what} in it")]
    Invalid {
        /// The variable.
        name: String,
        /// The characters that are invalid there.
        what: &'static str,
    },
}

/// Characters that a value must not have where it is inserted.
struct InvalidCharacters(&'static str);

/// Replaces placeholders by their values, each encoded by `encode`.
fn fill(
    text: &str,
    encode: impl Fn(String) -> Result<String, InvalidCharacters>,
) -> Result<String, PlaceholderError> {
    let mut filled = text.to_owned();
    for (range, name) in placeholders(text).into_iter().rev() {
        let value = value_of(name).ok_or_else(|| PlaceholderError::Unset(name.to_owned()))?;
        let invalid = |InvalidCharacters(what)| PlaceholderError::Invalid { name: name.to_owned(), what };
        if value.contains(char::is_control) {
            return Err(invalid(InvalidCharacters("a control character")));
        }
        filled.replace_range(range, &encode(value).map_err(invalid)?);
    }
    Ok(filled)
}

/// A value in a request target, which white space would end.
fn in_path(value: String) -> Result<String, InvalidCharacters> {
    if value.contains(char::is_whitespace) {
        Err(InvalidCharacters("white space"))
    } else {
        Ok(value)
    }
}

/// Fills in a body. In JSON, placeholders are within strings, which the values must not end.
fn fill_body(text: &str) -> Result<String, PlaceholderError> {
    if Json::parse(text.as_bytes()).is_ok() {
        let escaped = |value: String| {
            let quoted =
                serde_json::to_string(&value).map_err(|_| InvalidCharacters("what JSON has no place for"))?;
            let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            Ok(inner.unwrap_or_default().to_owned())
        };
        return fill(text, escaped);
    }
    let is_like_json = text.trim_start().starts_with(['{', '[', '"']);
    fill(text, |value| {
        let is_invalid = is_like_json && value.contains(['"', '\\']);
        if is_invalid {
            Err(InvalidCharacters("a quotation mark or a backslash"))
        } else {
            Ok(value)
        }
    })
}

/// Fills in the secrets of a request from the environment.
///
/// # Errors
/// [`PlaceholderError`].
pub(crate) fn fill_request(request: &Request) -> Result<Request, PlaceholderError> {
    let mut request = request.clone();
    request.path = fill(&request.path, in_path)?;
    for (name, value) in &mut request.headers {
        *value = match basic(name, value) {
            Some(pair) if !placeholders(&pair).is_empty() => {
                format!("Basic {}", STANDARD.encode(fill(&pair, Ok)?))
            }
            _ => fill(value, Ok)?,
        };
    }
    if let Some(text) = request.body.as_ref().and_then(|body| std::str::from_utf8(body).ok()) {
        request.body = Some(fill_body(text)?.into_bytes());
    }
    Ok(request)
}

/// The value of a variable; an empty one counts as not set.
pub(crate) fn value_of(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_read_as_the_shell_reads_them() {
        let names = |text| {
            placeholders(text).into_iter().map(|(range, name)| (&text[range], name)).collect::<Vec<_>>()
        };
        assert_eq!(
            names("a$SHIPYARD_SECRET_A-${SHIPYARD_SECRET_B}c $OTHER ${SHIPYARD_SECRET_C"),
            [("$SHIPYARD_SECRET_A", "SHIPYARD_SECRET_A"), ("${SHIPYARD_SECRET_B}", "SHIPYARD_SECRET_B")]
        );
    }
}
