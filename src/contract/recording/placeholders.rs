//! `$SHIPYARD_SECRET_NAME` in recorded requests: stands for a secret, which the environment fills in when the request is
//! sent to a live server.

use std::collections::BTreeSet;
use std::fmt;

use base64::engine::general_purpose::STANDARD;
use base64::Engine;

use crate::contract::compare::lossless::Json;
use crate::contract::recording::message::Request;

/// What the names of variables begin with that hold secrets.
pub(crate) const PREFIX: &str = "SHIPYARD_SECRET_";

/// The variables that a text names, as `$NAME` or `${NAME}`: where they are, and their names.
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

/// The names of the variables that a request needs.
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

/// Why a secret is not filled in; its value is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfilled {
    /// The variable is not set.
    Unset(String),
    /// The value of the variable would be more than a value where it is needed.
    KeySetError(String, &'static str),
}

impl fmt::Display for Unfilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset(name) => write!(f, "{name} is not set"),
            Self::KeySetError(name, what) => write!(f, "the value of {name} has {what} in it"),
        }
    }
}

/// A text with values for its placeholders, each as `written` there.
fn fill(text: &str, written: impl Fn(String) -> Result<String, &'static str>) -> Result<String, Unfilled> {
    let mut filled = text.to_owned();
    for (range, name) in placeholders(text).into_iter().rev() {
        let value = value_of(name).ok_or_else(|| Unfilled::Unset(name.to_owned()))?;
        let unfit = |what| Unfilled::KeySetError(name.to_owned(), what);
        if value.contains(char::is_control) {
            return Err(unfit("a control character"));
        }
        filled.replace_range(range, &written(value).map_err(unfit)?);
    }
    Ok(filled)
}

/// A value in an address, where white space would be the end of it.
fn in_path(value: String) -> Result<String, &'static str> {
    if value.contains(char::is_whitespace) {
        Err("white space")
    } else {
        Ok(value)
    }
}

/// A body with its secrets. In JSON, they are in texts, and must not be the end of them.
fn fill_body(text: &str) -> Result<String, Unfilled> {
    if Json::parse(text.as_bytes()).is_ok() {
        let escaped = |value: String| {
            let quoted = serde_json::to_string(&value).map_err(|_| "what JSON has no place for")?;
            let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            Ok(inner.unwrap_or_default().to_owned())
        };
        return fill(text, escaped);
    }
    let is_like_json = text.trim_start().starts_with(['{', '[', '"']);
    fill(text, |value| {
        let is_unfit = is_like_json && value.contains(['"', '\\']);
        if is_unfit {
            Err("a quotation mark or a backslash")
        } else {
            Ok(value)
        }
    })
}

/// The request with what the environment has for its secrets.
///
/// # Errors
/// [`Unfilled`]: a variable that is not set, or has what cannot be sent.
pub(crate) fn filled(request: &Request) -> Result<Request, Unfilled> {
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
