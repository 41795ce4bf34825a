//! Field rules: which values a field of a body accepts, how they are read, and their JSON Schema.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::schema::{
    ArrayValidation, InstanceType, NumberValidation, Schema, SchemaObject, StringValidation,
};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::field::FieldError;
use super::id::Id;
use super::name;
use crate::json::UniqueKeys;

/// Which values a field accepts.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// A whole number within bounds, both included. `1.0` is the whole number 1.
    Integer {
        /// The smallest value.
        min: i64,
        /// The largest value.
        max: i64,
    },
    /// A text, with its length in characters (Unicode code points).
    Text {
        /// The minimum number of characters.
        min_length: u32,
        /// The maximum number of characters.
        max_length: u32,
    },
    /// The name of a user, with its length in characters of Unicode's normal form C. See [`super::name`].
    Name {
        /// The minimum number of characters.
        min_length: u32,
        /// The maximum number of characters.
        max_length: u32,
    },
    /// A password. The maximum length is in bytes of UTF-8, because bytes are what is hashed.
    Password {
        /// The minimum number of characters.
        min_length: u32,
        /// The maximum number of bytes.
        max_bytes: u32,
    },
    /// A list of texts. The list and each text may be empty.
    TextList {
        /// The maximum number of texts.
        max_items: u32,
        /// The maximum number of characters of each text.
        max_length: u32,
    },
}

/// A value that a rule accepts, in normal form.
#[derive(Debug)]
pub enum Accepted {
    /// The null that removes an optional field.
    Null,
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
    /// A list of texts.
    TextList(Vec<String>),
}

impl Rule {
    /// The ids that the server gives out.
    pub const ID: Self = Self::Integer { min: 1, max: Id::MAX as i64 };

    /// The rule for one value of a parameter: of a list, the rule of its items.
    #[must_use]
    pub fn item(&self) -> Self {
        match *self {
            Self::TextList { max_length, .. } => item_rule(max_length),
            rule => rule,
        }
    }

    /// Reads a value from the text of a parameter.
    pub(super) fn parse(&self, text: &str) -> Result<Accepted, FieldError> {
        match self {
            Self::Integer { .. } => self.accept_integer(text.parse().map_err(|_| self.wrong_type())?),
            _ => self.accept_text(text.into()),
        }
    }

    /// The error for a value of another JSON type.
    pub(super) fn wrong_type(&self) -> FieldError {
        FieldError::new(match self {
            Self::Integer { .. } => "Not a valid integer.",
            Self::Text { .. } | Self::Name { .. } | Self::Password { .. } => "Not a valid string.",
            Self::TextList { .. } => "Not a valid list.",
        })
    }

    fn accept_integer(&self, number: i64) -> Result<Accepted, FieldError> {
        match self {
            Self::Integer { min, .. } if number < *min => {
                Err(FieldError::new(format!("Must be greater than or equal to {min}.")))
            }
            Self::Integer { max, .. } if number > *max => {
                Err(FieldError::new(format!("Must be less than or equal to {max}.")))
            }
            Self::Integer { .. } => Ok(Accepted::Integer(number)),
            _ => Err(self.wrong_type()),
        }
    }

    fn accept_text(&self, text: Cow<'_, str>) -> Result<Accepted, FieldError> {
        let text = match self {
            Self::Name { .. } => name::normalized(&text).into(),
            _ => text,
        };
        self.check_text(&text)?;
        Ok(Accepted::Text(text.into_owned()))
    }

    fn check_text(&self, text: &str) -> Result<(), FieldError> {
        match self {
            Self::Text { min_length: min, .. }
            | Self::Name { min_length: min, .. }
            | Self::Password { min_length: min, .. }
                if is_shorter(text, *min) =>
            {
                Err(FieldError::new(format!("Shorter than minimum length {min}.")))
            }
            Self::Text { max_length, .. } | Self::Name { max_length, .. } if is_longer(text, *max_length) => {
                Err(FieldError::new(longer(*max_length)))
            }
            Self::Name { .. } => name::fault(text).map_or(Ok(()), |fault| Err(FieldError::new(fault))),
            Self::Password { max_bytes, .. } if text.len() > *max_bytes as usize => {
                Err(FieldError::new(format!("Longer than maximum length {max_bytes} bytes.")))
            }
            Self::Text { .. } | Self::Password { .. } => Ok(()),
            Self::Integer { .. } | Self::TextList { .. } => Err(self.wrong_type()),
        }
    }

    /// Whether the field accepts that text.
    pub(super) fn accepts_text(&self, text: &str) -> bool {
        self.check_text(text).is_ok()
    }

    /// The JSON Schema of the values.
    #[must_use]
    pub fn schema(&self) -> SchemaObject {
        match self {
            Self::Integer { min, max } => SchemaObject {
                instance_type: Some(InstanceType::Integer.into()),
                format: Some("int32".to_owned()),
                number: Some(Box::new(NumberValidation {
                    minimum: Some(*min as f64),
                    maximum: Some(*max as f64),
                    ..Default::default()
                })),
                ..Default::default()
            },
            // JSON Schema cannot count bytes. A character has at least one, so the limit in bytes is one in
            // characters too; the description of the field says the rest.
            Self::Text { min_length, max_length: max }
            | Self::Name { min_length, max_length: max }
            | Self::Password { min_length, max_bytes: max } => SchemaObject {
                instance_type: Some(InstanceType::String.into()),
                string: Some(Box::new(StringValidation {
                    min_length: (*min_length > 0).then_some(*min_length),
                    max_length: Some(*max),
                    ..Default::default()
                })),
                ..Default::default()
            },
            Self::TextList { max_items, max_length } => SchemaObject {
                instance_type: Some(InstanceType::Array.into()),
                array: Some(Box::new(ArrayValidation {
                    items: Some(Schema::from(item_rule(*max_length).schema()).into()),
                    max_items: Some(*max_items),
                    ..Default::default()
                })),
                ..Default::default()
            },
        }
    }
}

/// The rule for one text of a list.
fn item_rule(max_length: u32) -> Rule {
    Rule::Text { min_length: 0, max_length }
}

/// Whether `text` has fewer than `min` characters.
fn is_shorter(text: &str, min: u32) -> bool {
    text.chars().take(min as usize).count() < min as usize
}

/// Whether `text` has more than `max` characters. Counting bytes first is cheap, and nearly always enough.
fn is_longer(text: &str, max: u32) -> bool {
    text.len() > max as usize && text.chars().count() > max as usize
}

fn longer(max_length: u32) -> String {
    format!("Longer than maximum length {max_length}.")
}

/// Reads one JSON value by a rule. The result is `None` if the rule refuses the value; `error` then says why.
///
/// A refused value is read to its end all the same, so that a syntax error behind it is still found.
pub(super) struct ReadValue<'a> {
    pub(super) rule: &'a Rule,
    pub(super) accepts_null: bool,
    pub(super) error: &'a mut Option<FieldError>,
}

impl ReadValue<'_> {
    fn keep<E>(self, accepted: Result<Accepted, FieldError>) -> Result<Option<Accepted>, E> {
        match accepted {
            Ok(accepted) => Ok(Some(accepted)),
            Err(error) => {
                *self.error = Some(error);
                Ok(None)
            }
        }
    }

    fn wrong_type<E>(self) -> Result<Option<Accepted>, E> {
        let error = self.rule.wrong_type();
        self.keep(Err(error))
    }
}

impl<'de> DeserializeSeed<'de> for ReadValue<'_> {
    type Value = Option<Accepted>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ReadValue<'_> {
    type Value = Option<Accepted>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        let null = self.accepts_null.then_some(Accepted::Null);
        self.keep(null.ok_or_else(|| FieldError::new("Field may not be null.")))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        self.wrong_type()
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        let accepted = self.rule.accept_integer(number);
        self.keep(accepted)
    }

    /// A number beyond 64 bits with sign becomes the largest one, which is out of every bound.
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        let accepted = self.rule.accept_integer(i64::try_from(number).unwrap_or(i64::MAX));
        self.keep(accepted)
    }

    /// A whole number, however it is written. The cast saturates: a number beyond 64 bits is out of every bound.
    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        if number.fract() != 0.0 {
            return self.wrong_type();
        }
        let accepted = self.rule.accept_integer(number as i64);
        self.keep(accepted)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        let accepted = self.rule.accept_text(text.into());
        self.keep(accepted)
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        let accepted = self.rule.accept_text(text.into());
        self.keep(accepted)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let Rule::TextList { max_items, max_length } = self.rule else {
            UniqueKeys.visit_seq(items)?;
            return self.wrong_type();
        };
        let rule = item_rule(*max_length);
        let mut texts = Vec::new();
        let mut errors = BTreeMap::new();
        let mut count = 0;
        let mut error = None;
        while let Some(item) =
            items.next_element_seed(ReadValue { rule: &rule, accepts_null: false, error: &mut error })?
        {
            match item {
                Some(Accepted::Text(text)) => texts.push(text),
                _ => errors.extend(error.take().map(|error| (count, error))),
            }
            count += 1;
        }
        self.keep(if count > *max_items as usize {
            Err(FieldError::new(longer(*max_items)))
        } else if errors.is_empty() {
            Ok(Accepted::TextList(texts))
        } else {
            Err(FieldError::Items(errors))
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        UniqueKeys.visit_map(members)?;
        self.wrong_type()
    }
}
