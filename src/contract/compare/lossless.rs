//! JSON with exact numbers: of any size and precision, compared by value.
//!
//! [`crate::json::parse`] reads as the server does, and makes doubles of numbers that do not fit an integer. Two
//! different numbers may be the same double.

use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt;

use serde::de::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::json::{self, Malformed};

/// The maximum nesting, as in [`crate::json::parse`].
const MAX_DEPTH: usize = 127;

/// A JSON value. Equality ignores the order of members and the notation of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`, `true` or `false`.
    Constant(Option<bool>),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(BTreeMap<String, Json>),
}

/// A number as it was written.
#[derive(Clone, Debug)]
pub struct Number(String);

impl Number {
    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The sign, the digits without zeros at either end, and the power of ten that the last digit counts. Zero has no
    /// digits and no sign. `None` for a power of ten of 38 digits and more.
    fn value(&self) -> Option<(bool, String, i128)> {
        let (digits, power) = self.0.split_at(self.0.find(['e', 'E']).unwrap_or(self.0.len()));
        let power = power.trim_start_matches(['e', 'E']);
        let power: i128 = if power.is_empty() { 0 } else { power.parse().ok()? };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
        let trimmed = digits.trim_end_matches('0');
        let zeros = i128::try_from(digits.len() - trimmed.len()).ok()?;
        let fraction = i128::try_from(fraction.len()).ok()?;
        let significant = trimmed.trim_start_matches('0').to_owned();
        if significant.is_empty() {
            return Some((false, significant, 0));
        }
        let power = power.checked_sub(fraction)?.checked_add(zeros)?;
        Some((whole.starts_with('-'), significant, power))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || matches!((self.value(), other.value()), (Some(a), Some(b)) if a == b)
    }
}

impl Eq for Number {}

impl Json {
    /// The one value in `bytes`, read as strictly as by [`crate::json::parse`], but with numbers of any size.
    ///
    /// # Errors
    /// As [`crate::json::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = json::text(bytes)?;
        let value = serde_json::from_str(text).and_then(read);
        // The server's reader gives an error its place in the whole text.
        value.map_err(|error| json::parse(bytes).err().unwrap_or_else(|| Malformed::new(error)))
    }

    /// The member with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.get(name),
            _ => None,
        }
    }

    /// A whole number that 64 bits hold, however it is written.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        let Self::Number(number) = self else { return None };
        let (is_negative, digits, power) = number.value()?;
        let zeros = usize::try_from(power).ok().filter(|zeros| *zeros <= 20)?;
        match digits.as_str() {
            "" => Some(0),
            _ if is_negative => None,
            digits => format!("{digits}{}", "0".repeat(zeros)).parse().ok(),
        }
    }

    /// The value with all numbers in one notation: an integer or decimal fraction if that is short, otherwise with an
    /// exponent.
    #[must_use]
    pub fn with_plain_numbers(self) -> Self {
        match self {
            Self::Number(number) => Self::Number(number.value().map_or(number, plain)),
            Self::List(items) => Self::List(items.into_iter().map(Self::with_plain_numbers).collect()),
            Self::Object(members) => {
                let members = members.into_iter().map(|(name, value)| (name, value.with_plain_numbers()));
                Self::Object(members.collect())
            }
            other => other,
        }
    }
}

/// The one notation of a number.
fn plain((is_negative, digits, power): (bool, String, i128)) -> Number {
    /// The maximum number of digits without an exponent.
    const MAX_DIGITS: usize = 40;
    let sign = if is_negative { "-" } else { "" };
    let places = usize::try_from(power.unsigned_abs()).unwrap_or(usize::MAX);
    let text = if digits.is_empty() {
        "0".to_owned()
    } else if power >= 0 && digits.len().saturating_add(places) <= MAX_DIGITS.max(digits.len()) {
        format!("{digits}{}", "0".repeat(places))
    } else if power < 0 && places <= MAX_DIGITS.max(digits.len()) {
        let padded = format!("{}{digits}", "0".repeat((places + 1).saturating_sub(digits.len())));
        let (whole, fraction) = padded.split_at(padded.len() - places);
        format!("{whole}.{fraction}")
    } else {
        format!("{digits}e{power}")
    };
    Number(format!("{sign}{text}"))
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Number(Number(number.to_string()))
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Constant(None) => serializer.serialize_unit(),
            Self::Constant(Some(value)) => serializer.serialize_bool(*value),
            Self::Number(number) => RawValue::from_string(number.0.clone())
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(members) => serializer.collect_map(members),
        }
    }
}

/// Reads a value. serde_json has checked its syntax; this reader checks nesting, names and strings. It reads each byte
/// once, whatever the nesting.
fn read(raw: &RawValue) -> serde_json::Result<Json> {
    Reader { rest: raw.get() }.value(0)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.rest.as_bytes().first().copied()
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn value(&mut self, depth: usize) -> serde_json::Result<Json> {
        match self.peek() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => {
                Err(serde_json::Error::custom("recursion limit exceeded"))
            }
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Json::Text(self.text()?)),
            _ => {
                let end = self.rest.find([',', ']', '}', ' ', '\t', '\n', '\r']).unwrap_or(self.rest.len());
                Ok(match self.take(end) {
                    "null" => Json::Constant(None),
                    "true" => Json::Constant(Some(true)),
                    "false" => Json::Constant(Some(false)),
                    number => Json::Number(Number(number.to_owned())),
                })
            }
        }
    }

    fn list(&mut self, depth: usize) -> serde_json::Result<Json> {
        self.take(1);
        let mut list = Vec::new();
        loop {
            match self.peek() {
                Some(b',') => drop(self.take(1)),
                Some(b']') | None => {
                    self.take(1);
                    return Ok(Json::List(list));
                }
                Some(_) => list.push(self.value(depth + 1)?),
            }
        }
    }

    fn object(&mut self, depth: usize) -> serde_json::Result<Json> {
        self.take(1);
        let mut object = BTreeMap::new();
        loop {
            match self.peek() {
                Some(b',') => drop(self.take(1)),
                Some(b'}') | None => {
                    self.take(1);
                    return Ok(Json::Object(object));
                }
                Some(_) => match object.entry(self.text()?) {
                    Entry::Vacant(place) => {
                        self.peek();
                        self.take(1);
                        place.insert(self.value(depth + 1)?);
                    }
                    Entry::Occupied(twice) => {
                        let name = twice.key();
                        return Err(serde_json::Error::custom(format_args!("duplicate name {name:?}")));
                    }
                },
            }
        }
    }

    /// A string, which ends at the first quote without a backslash before it.
    fn text(&mut self) -> serde_json::Result<String> {
        let mut is_escaped = false;
        let end = self.rest.bytes().skip(1).position(|byte| {
            let is_end = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            is_end
        });
        let text = self.take(end.map_or(self.rest.len(), |end| end + 2));
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests;
