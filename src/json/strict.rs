//! Strict JSON reader: RFC 8259, without what that leaves open.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};
use thiserror::Error;

/// Why a text is not acceptable JSON: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Malformed(String);

impl Malformed {
    /// For another reader, which refuses what [`parse`] accepts.
    pub(crate) fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

/// Reads `bytes` as one JSON value.
///
/// # Errors
/// [`Malformed`] for an empty text, anything but UTF-8, a byte order mark, a syntax error, more than 127
/// levels of nesting, a number beyond a double's range, a name that occurs twice in one object, or
/// anything but white space after the value.
pub fn parse(bytes: &[u8]) -> Result<Value, Malformed> {
    parse_with(bytes, UniqueKeys)
}

/// Reads `bytes` as one JSON value with `seed`, which itself has to refuse a name that occurs twice.
///
/// # Errors
/// As [`parse`], and the errors of `seed`.
pub(crate) fn parse_with<'de, S: DeserializeSeed<'de>>(
    bytes: &'de [u8],
    seed: S,
) -> Result<S::Value, Malformed> {
    let mut deserializer = serde_json::Deserializer::from_str(text(bytes)?);
    let value = seed.deserialize(&mut deserializer).map_err(|error| Malformed(error.to_string()))?;
    deserializer.end().map_err(|error| Malformed(error.to_string()))?;
    Ok(value)
}

/// Decodes `bytes` as text that may be JSON.
///
/// # Errors
/// [`Malformed`] if it is empty, not UTF-8, or begins with a byte order mark.
pub fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    if bytes.is_empty() {
        return Err(Malformed("expected a JSON value, found nothing at line 1 column 1".into()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = valid.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = valid.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
        Malformed(format!("invalid UTF-8 at line {line} column {column}"))
    })?;
    if text.starts_with('\u{feff}') {
        return Err(Malformed("unexpected byte order mark at line 1 column 1".into()));
    }
    Ok(text)
}

/// Reads a [`Value`] and refuses a name that occurs twice in one object: serde_json would keep the last.
#[derive(Clone, Copy)]
pub(crate) struct UniqueKeys;

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            match object.entry(name) {
                Entry::Vacant(entry) => entry.insert(entries.next_value_seed(self)?),
                Entry::Occupied(entry) => {
                    return Err(A::Error::custom(format_args!("duplicate name {:?}", entry.key())))
                }
            };
        }
        Ok(Value::Object(object))
    }
}
