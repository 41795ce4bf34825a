//! One description per field of a request body. Validation and the JSON Schema both come from it.

use std::collections::BTreeMap;

use schemars::schema::{
    ArrayValidation, InstanceType, Metadata, NumberValidation, ObjectValidation, Schema, SchemaObject,
    StringValidation,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::id::Id;
use super::name;
use crate::escape::escape_invisible;

/// A field of a body.
#[derive(Debug)]
pub struct Field {
    /// Its name in the JSON object.
    pub name: &'static str,
    /// What it is, for the reader of the specification.
    pub about: &'static str,
    /// Whether a body without it is refused.
    pub required: bool,
    /// Which values it takes.
    pub rule: Rule,
}

/// Which values a field takes.
#[derive(Debug)]
pub enum Rule {
    /// A whole number within bounds, both included. `1.0` is the whole number 1.
    Integer {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// A text of so many characters (Unicode code points).
    Text {
        /// The least number of characters.
        min_length: u32,
        /// The greatest number of characters.
        max_length: u32,
    },
    /// The name of a user, in Unicode's normal form C, of so many characters. See [`super::name`].
    Name {
        /// The least number of characters.
        min_length: u32,
        /// The greatest number of characters.
        max_length: u32,
    },
    /// A text of at least so many characters, and at most so many bytes in UTF-8: what is hashed is bytes.
    Password {
        /// The least number of characters.
        min_length: u32,
        /// The greatest number of bytes.
        max_bytes: u32,
    },
    /// A list of texts; either may be empty.
    TextList {
        /// The greatest number of texts.
        max_items: u32,
        /// The greatest number of characters of each.
        max_length: u32,
    },
}

/// What is wrong with a body, by field name; `_schema` stands for the body as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FieldErrors(BTreeMap<String, FieldError>);

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum FieldError {
    Field([String; 1]),
    /// By position in the list, from 0.
    Items(BTreeMap<usize, [String; 1]>),
}

impl FieldErrors {
    fn whole_body(message: &str) -> Self {
        Self(BTreeMap::from([("_schema".to_owned(), FieldError::Field([message.to_owned()]))]))
    }

    /// For a body that fits its description and still cannot be read: the description is then too generous.
    /// A property test holds the two together.
    pub(super) fn beyond_description(error: serde_json::Error) -> Self {
        Self::whole_body(&error.to_string())
    }

    /// The first error as one line, for a message outside a JSON body.
    #[must_use]
    pub fn first(&self) -> Option<String> {
        let (name, error) = self.0.iter().next()?;
        let line = match error {
            FieldError::Field([message]) => format!("{name}: {message}"),
            FieldError::Items(items) => {
                let (position, [message]) = items.iter().next()?;
                format!("{name}[{position}]: {message}")
            }
        };
        Some(escape_invisible(&line))
    }
}

/// Checks a body against its fields and reports everything that is wrong with it at once.
///
/// Gives the body back with every whole number written as one (`1.0` as `1`), and names in normal form.
///
/// # Errors
/// [`FieldErrors`], with a message for each field that does not fit.
pub fn validate(body: Value, fields: &[Field]) -> Result<Map<String, Value>, FieldErrors> {
    let Value::Object(mut given) = body else {
        return Err(FieldErrors::whole_body("Invalid input type."));
    };
    let mut errors = BTreeMap::new();
    for (name, value) in &mut given {
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            errors.insert(name.clone(), wrong("Unknown field."));
            continue;
        };
        match field.rule.accept(value.take()) {
            Ok(accepted) => *value = accepted,
            Err(error) => {
                errors.insert(name.clone(), error);
            }
        }
    }
    for field in fields.iter().filter(|field| field.required && !given.contains_key(field.name)) {
        errors.insert(field.name.to_owned(), wrong("Missing data for required field."));
    }
    if errors.is_empty() {
        Ok(given)
    } else {
        Err(FieldErrors(errors))
    }
}

fn wrong(message: impl Into<String>) -> FieldError {
    FieldError::Field([message.into()])
}

impl Rule {
    /// The whole numbers that are ids.
    pub const ID: Self = Self::Integer { min: 1, max: Id::MAX as i64 };

    fn accept(&self, value: Value) -> Result<Value, FieldError> {
        if value.is_null() {
            return Err(wrong("Field may not be null."));
        }
        match self {
            Self::Integer { .. } => {
                let number = whole(&value).ok_or_else(|| wrong("Not a valid integer."))?;
                self.check_number(number)?;
                Ok(Value::from(number))
            }
            Self::Text { .. } | Self::Password { .. } => {
                self.check_text(value.as_str().ok_or_else(|| wrong("Not a valid string."))?)?;
                Ok(value)
            }
            Self::Name { .. } => {
                let name = name::normalized(value.as_str().ok_or_else(|| wrong("Not a valid string."))?);
                self.check_text(&name)?;
                Ok(Value::from(name))
            }
            Self::TextList { max_items, max_length } => {
                let Value::Array(items) = &value else { return Err(wrong("Not a valid list.")) };
                if items.len() > *max_items as usize {
                    return Err(wrong(longer(*max_items)));
                }
                let errors: BTreeMap<usize, [String; 1]> = items
                    .iter()
                    .enumerate()
                    .filter_map(|(position, item)| Some((position, [wrong_text(item, *max_length)?])))
                    .collect();
                if errors.is_empty() {
                    Ok(value)
                } else {
                    Err(FieldError::Items(errors))
                }
            }
        }
    }

    fn check_number(&self, number: i64) -> Result<(), FieldError> {
        match self {
            Self::Integer { min, .. } if number < *min => {
                Err(wrong(format!("Must be greater than or equal to {min}.")))
            }
            Self::Integer { max, .. } if number > *max => {
                Err(wrong(format!("Must be less than or equal to {max}.")))
            }
            Self::Integer { .. } => Ok(()),
            _ => Err(wrong("Not a valid string.")),
        }
    }

    fn check_text(&self, text: &str) -> Result<(), FieldError> {
        match self {
            Self::Text { min_length: least, .. }
            | Self::Name { min_length: least, .. }
            | Self::Password { min_length: least, .. }
                if is_shorter(text, *least) =>
            {
                Err(wrong(format!("Shorter than minimum length {least}.")))
            }
            Self::Text { max_length, .. } | Self::Name { max_length, .. } if is_longer(text, *max_length) => {
                Err(wrong(longer(*max_length)))
            }
            Self::Name { .. } => name::fault(text).map_or(Ok(()), |fault| Err(wrong(fault))),
            Self::Password { max_bytes, .. } if text.len() > *max_bytes as usize => {
                Err(wrong(format!("Longer than maximum length {max_bytes} bytes.")))
            }
            Self::Text { .. } | Self::Password { .. } => Ok(()),
            _ => Err(wrong("Not a valid integer.")),
        }
    }

    /// Whether that text is a value of the field.
    pub(super) fn takes(&self, text: &str) -> bool {
        self.check_text(text).is_ok()
    }

    /// Whether that number is a value of the field.
    pub(super) fn takes_number(&self, number: impl Into<i64>) -> bool {
        self.check_number(number.into()).is_ok()
    }

    /// Whether that list is a value of the field.
    pub(super) fn takes_list(&self, texts: &[String]) -> bool {
        match self {
            Self::TextList { max_items, max_length } => {
                texts.len() <= *max_items as usize && !texts.iter().any(|text| is_longer(text, *max_length))
            }
            _ => false,
        }
    }

    pub(super) fn schema(&self) -> SchemaObject {
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
            // A character has at least one byte. That some have more is for the description to say: JSON Schema
            // cannot count bytes.
            Self::Text { min_length, max_length: most }
            | Self::Name { min_length, max_length: most }
            | Self::Password { min_length, max_bytes: most } => SchemaObject {
                instance_type: Some(InstanceType::String.into()),
                string: Some(Box::new(StringValidation {
                    min_length: (*min_length > 0).then_some(*min_length),
                    max_length: Some(*most),
                    ..Default::default()
                })),
                ..Default::default()
            },
            Self::TextList { max_items, max_length } => SchemaObject {
                instance_type: Some(InstanceType::Array.into()),
                array: Some(Box::new(ArrayValidation {
                    items: Some(
                        Schema::from(Self::Text { min_length: 0, max_length: *max_length }.schema()).into(),
                    ),
                    max_items: Some(*max_items),
                    ..Default::default()
                })),
                ..Default::default()
            },
        }
    }
}

/// Whether it has fewer characters than that.
fn is_shorter(text: &str, least: u32) -> bool {
    text.chars().take(least as usize).count() < least as usize
}

/// Whether it has more characters than that. A character has at least one byte.
fn is_longer(text: &str, most: u32) -> bool {
    text.len() > most as usize && text.chars().count() > most as usize
}

fn longer(max_length: u32) -> String {
    format!("Longer than maximum length {max_length}.")
}

fn wrong_text(item: &Value, max_length: u32) -> Option<String> {
    match item {
        Value::String(text) if is_longer(text, max_length) => Some(longer(max_length)),
        Value::String(_) => None,
        Value::Null => Some("Field may not be null.".to_owned()),
        _ => Some("Not a valid string.".to_owned()),
    }
}

/// The whole number that a JSON number stands for, however it is written. One beyond 64 bits becomes the
/// nearest that fits, which is out of every bound.
fn whole(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    if let Some(integer) = number.as_i64() {
        return Some(integer);
    }
    let float = number.as_f64()?;
    // A cast from a float saturates.
    (float.fract() == 0.0).then_some(float as i64)
}

/// The JSON Schema of an object with just these fields.
#[must_use]
pub fn object_schema<'a>(about: &str, fields: impl IntoIterator<Item = &'a Field>) -> SchemaObject {
    let mut object =
        ObjectValidation { additional_properties: Some(Box::new(Schema::Bool(false))), ..Default::default() };
    for field in fields {
        let mut schema = field.rule.schema();
        schema.metadata().description = Some(field.about.to_owned());
        object.properties.insert(field.name.to_owned(), schema.into());
        if field.required {
            object.required.insert(field.name.to_owned());
        }
    }
    SchemaObject {
        instance_type: Some(InstanceType::Object.into()),
        metadata: Some(Box::new(Metadata { description: Some(about.to_owned()), ..Default::default() })),
        object: Some(Box::new(object)),
        ..Default::default()
    }
}
