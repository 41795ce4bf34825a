//! Body reader: reads an object by the descriptions of its fields, in one pass, and reports everything that is wrong
//! with it at once.

use std::fmt;
use std::vec::IntoIter;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use thiserror::Error;

use super::field::{Field, FieldError, FieldErrors};
use super::resource::FieldType;
use super::rule::{Accepted, ReadValue};
use super::Input;
use crate::json::{self, Malformed, UniqueKeys};

/// Why a body is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InputError {
    /// It is not JSON.
    #[error("{0}")]
    Malformed(Malformed),
    /// It is JSON with the wrong fields.
    #[error("{}", .0.first().unwrap_or_default())]
    Invalid(FieldErrors),
}

/// Reads the text of a body.
///
/// # Errors
/// [`InputError`]: the text is not acceptable JSON ([`json::parse`]), or a value breaks the rule of its field.
pub fn parse<T: Input>(body: &[u8]) -> Result<T, InputError> {
    let draft = json::parse_with(body, ReadBody::of::<T>(Part::Whole)).map_err(InputError::Malformed)?;
    draft.finish(T::from_values).map_err(InputError::Invalid)
}

/// Reads the text of a change: a JSON merge patch (RFC 7396) of a resource. Each value has to keep the rule of its field, so
/// that the changed resource does too. Null removes an optional field; a required one may not be null.
///
/// # Errors
/// As [`parse`].
pub fn parse_patch<T: Input>(body: &[u8]) -> Result<T::Patch, InputError> {
    let draft = json::parse_with(body, ReadBody::of::<T>(Part::Change)).map_err(InputError::Malformed)?;
    draft.finish(T::patch_from_values).map_err(InputError::Invalid)
}

/// Reads a body that is a JSON value already, by the same rules.
///
/// # Errors
/// [`FieldErrors`]: a value breaks the rule of its field.
pub fn read<T: Input>(body: Value) -> Result<T, FieldErrors> {
    // A JSON value has neither syntax errors nor a name twice, so reading it cannot fail.
    let draft = ReadBody::of::<T>(Part::Whole).deserialize(body);
    draft.map_err(|error| FieldErrors::of_body(error.to_string()))?.finish(T::from_values)
}

/// Reads a stored row: the values of its fields, in the order of their descriptions. `None` if it is no JSON object.
pub fn decode<T: Input>(text: &[u8]) -> Option<Vec<Option<Accepted>>> {
    Some(json::parse_with(text, ReadBody::of::<T>(Part::Change)).ok()?.values)
}

/// The accepted values of a body, in the order of the fields' descriptions.
#[derive(Debug)]
pub struct Values(IntoIter<Option<Accepted>>);

impl Values {
    /// The value of the next field. `None` if the field's rule does not fit its type.
    pub(super) fn next<T: FieldType>(&mut self) -> Option<T> {
        T::from_value(self.0.next()?)
    }

    /// The value of the next field of a change; `Some(None)` if the change does not have the field.
    #[allow(clippy::option_option, reason = "the inner option is whether the field is there")]
    pub(super) fn next_change<T: FieldType>(&mut self) -> Option<Option<T>> {
        match self.0.next()? {
            None => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// What was read of a body.
struct Draft {
    /// One for each field; `None` if it is absent or refused.
    values: Vec<Option<Accepted>>,
    errors: FieldErrors,
}

impl Draft {
    /// A body that is no object.
    fn of_wrong_type() -> Self {
        Self { values: Vec::new(), errors: FieldErrors::of_body("Invalid input type.") }
    }

    /// The body, if nothing is wrong with it.
    fn finish<B>(self, from_values: fn(Values) -> Option<B>) -> Result<B, FieldErrors> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        // A test reads the example of every resource: no type has a field with a rule that does not fit its type.
        from_values(Values(self.values.into_iter()))
            .ok_or_else(|| FieldErrors::of_body("Invalid input type."))
    }
}

/// How much of a resource a body has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// At least the required fields.
    Whole,
    /// Any fields. Null removes an optional one.
    Change,
}

/// Reads any JSON value as an object with these fields.
#[derive(Clone, Copy)]
struct ReadBody {
    fields: &'static [Field],
    part: Part,
}

impl ReadBody {
    fn of<T: Input>(part: Part) -> Self {
        Self { fields: T::FIELDS, part }
    }
}

impl<'de> DeserializeSeed<'de> for ReadBody {
    type Value = Draft;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Draft, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ReadBody {
    type Value = Draft;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Draft, E> {
        Ok(Draft::of_wrong_type())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Draft, E> {
        Ok(Draft::of_wrong_type())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Draft, E> {
        Ok(Draft::of_wrong_type())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Draft, E> {
        Ok(Draft::of_wrong_type())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Draft, E> {
        Ok(Draft::of_wrong_type())
    }

    fn visit_str<E>(self, _: &str) -> Result<Draft, E> {
        Ok(Draft::of_wrong_type())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Draft, A::Error> {
        UniqueKeys.visit_seq(items)?;
        Ok(Draft::of_wrong_type())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Draft, A::Error> {
        let Self { fields, part } = self;
        let mut values: Vec<_> = fields.iter().map(|_| None).collect();
        let mut errors = FieldErrors::default();
        let mut next = 0;
        while let Some(key) = members.next_key_seed(ReadKey { fields, next })? {
            let (name, slot) = match &key {
                Key::Known(at, field) => (field.name, values.get_mut(*at)),
                Key::Unknown(name) => (name.as_str(), None),
            };
            if slot.as_ref().is_some_and(|slot| slot.is_some()) || errors.contains(name) {
                return Err(A::Error::custom(format_args!("duplicate name {name:?}")));
            }
            let error = match (&key, slot) {
                (Key::Known(at, field), Some(slot)) => {
                    next = at + 1;
                    let mut error = None;
                    let accepts_null = part == Part::Change && !field.required;
                    let seed = ReadValue { rule: &field.rule, accepts_null, error: &mut error };
                    *slot = members.next_value_seed(seed)?;
                    error
                }
                _ => {
                    members.next_value_seed(UniqueKeys)?;
                    Some(FieldError::new("Unknown field."))
                }
            };
            if let Some(error) = error {
                errors.insert(name, error);
            }
        }
        for (field, value) in fields.iter().zip(&values) {
            let is_missing = part == Part::Whole && field.required && value.is_none();
            if is_missing && !errors.contains(field.name) {
                errors.insert(field.name, FieldError::new("Missing data for required field."));
            }
        }
        Ok(Draft { values, errors })
    }
}

/// The name of a member.
enum Key {
    /// A field's, with the position of the field.
    Known(usize, &'static Field),
    /// No field's.
    Unknown(String),
}

/// Reads the name of a member. Nearly every body has the fields in their order, so the field at `next` is tried first.
struct ReadKey {
    fields: &'static [Field],
    next: usize,
}

impl<'de> DeserializeSeed<'de> for ReadKey {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for ReadKey {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        let mut all = self.fields.iter().enumerate();
        let known = match self.fields.get(self.next) {
            Some(field) if field.name == name => Some((self.next, field)),
            _ => all.find(|(_, field)| field.name == name),
        };
        Ok(known.map_or_else(|| Key::Unknown(name.to_owned()), |(at, field)| Key::Known(at, field)))
    }
}
