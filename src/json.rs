//! JSON as text: written sorted, in one of two styles; read strictly.
//!
//! No HTTP here. Writing follows the recorded exchanges; reading follows RFC 8259, and refuses what that
//! leaves open (duplicate names, a byte order mark), because two readers of one body must never see two
//! different values.

mod body;
mod encoded;
mod list;
mod members;
mod validity;

use std::{fmt, iter};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};
use thiserror::Error;

pub use self::body::{JsonBody, JsonStream, PIECE};
pub use self::encoded::EncodedJson;
pub(crate) use self::list::ListWriter;
pub(crate) use self::members::{Member, Members};
pub use self::validity::{HasValidity, Validity};

/// How answers are laid out. Keys are sorted and one newline ends the text in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// Two spaces of indent, and a space after each comma, as in the recorded exchanges.
    Pretty,
    /// No white space.
    Compact,
}

impl Style {
    /// `value` as JSON text.
    ///
    /// # Errors
    /// Only what the `Serialize` implementation of `T` itself reports; the types of this crate report none.
    pub fn render<T: Serialize + ?Sized>(self, value: &T) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = Vec::with_capacity(256);
        serde_json::to_writer(&mut text, value)?;
        text.push(b'\n');
        Ok(match self {
            Self::Pretty => pretty(&text),
            Self::Compact => text,
        })
    }
}

/// JSON text without white space between its parts, laid out as in the recorded exchanges. There, `", "` stands
/// before a line break: the original let Python's `json.dumps` put its default separator in front of the indent.
fn pretty(compact: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(compact.len() * 2);
    let mut depth = 0;
    let break_line = |text: &mut Vec<u8>, depth: usize| {
        text.push(b'\n');
        text.extend(iter::repeat_n(b' ', 2 * depth));
    };
    let mut bytes = compact.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                text.push(byte);
                // What is empty stays in one piece.
                match bytes.next_if(|next| matches!(next, b'}' | b']')) {
                    Some(end) => text.push(end),
                    None => {
                        depth += 1;
                        break_line(&mut text, depth);
                    }
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut text, depth);
                text.push(byte);
            }
            b',' => {
                text.extend(b", ");
                break_line(&mut text, depth);
            }
            b':' => text.extend(b": "),
            b'"' => {
                text.push(byte);
                while let Some(byte) = bytes.next() {
                    text.push(byte);
                    match byte {
                        b'"' => break,
                        b'\\' => text.extend(bytes.next()),
                        _ => {}
                    }
                }
            }
            _ => text.push(byte),
        }
    }
    text
}

/// Why a text is not acceptable JSON: what was wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Malformed(String);

impl Malformed {
    /// For a reader of its own that finds what [`parse`] does not.
    pub(crate) fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

/// The one JSON value in `bytes`.
///
/// # Errors
/// [`Malformed`] for an empty text, anything but UTF-8, a byte order mark, a syntax error, more than 127
/// levels of nesting, a number beyond a double's range, a name that occurs twice in one object, or
/// anything but white space after the value.
pub fn parse(bytes: &[u8]) -> Result<Value, Malformed> {
    parse_with(bytes, UniqueKeys)
}

/// What `seed` reads of the one JSON value in `bytes`. It is for `seed` to refuse a name that occurs twice.
///
/// # Errors
/// As [`parse`], and whatever `seed` refuses.
pub(crate) fn parse_with<'de, S: DeserializeSeed<'de>>(
    bytes: &'de [u8],
    seed: S,
) -> Result<S::Value, Malformed> {
    let mut deserializer = serde_json::Deserializer::from_str(text(bytes)?);
    let value = seed.deserialize(&mut deserializer).map_err(|error| Malformed(error.to_string()))?;
    deserializer.end().map_err(|error| Malformed(error.to_string()))?;
    Ok(value)
}

/// `bytes` as text that JSON can be read from.
///
/// # Errors
/// [`Malformed`] where it is empty, not UTF-8, or begins with a byte order mark.
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

/// Builds a [`Value`], refusing names that occur twice in one object: serde_json would keep the last.
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
                Entry::Vacant(place) => place.insert(entries.next_value_seed(self)?),
                Entry::Occupied(twice) => {
                    return Err(A::Error::custom(format_args!("duplicate name {:?}", twice.key())))
                }
            };
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretty_and_compact_are_laid_out_as_recorded() {
        let text = r#"{"a":[],"b":{},"c":[{"d":[1,-2.5],"e":null},[[]],{"f":{}}],"g":"h: [i, {\"j, k\": \\","k\\":true}"#;
        let value = parse(text.as_bytes()).expect("JSON");
        let render = |style: Style| String::from_utf8(style.render(&value).expect("JSON")).expect("text");
        assert_eq!(render(Style::Compact), format!("{text}\n"));
        // After each comma there is a space.
        let pretty = [
            r#"{"#,
            r#"  "a": [], "#,
            r#"  "b": {}, "#,
            r#"  "c": ["#,
            r#"    {"#,
            r#"      "d": ["#,
            r#"        1, "#,
            r#"        -2.5"#,
            r#"      ], "#,
            r#"      "e": null"#,
            r#"    }, "#,
            r#"    ["#,
            r#"      []"#,
            r#"    ], "#,
            r#"    {"#,
            r#"      "f": {}"#,
            r#"    }"#,
            r#"  ], "#,
            r#"  "g": "h: [i, {\"j, k\": \\", "#,
            r#"  "k\\": true"#,
            r#"}"#,
            "",
        ];
        assert_eq!(render(Style::Pretty), pretty.join("\n"));
        assert_eq!(Style::Pretty.render(&[0; 0]).expect("JSON"), b"[]\n");
    }
}
