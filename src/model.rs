//! Request and response bodies: types, field rules, and the messages about values that break a rule.

pub mod auth;
pub mod field;
pub mod id;
pub mod name;
pub mod password;
mod reader;
mod resource;
pub mod rule;
pub mod ship;
pub mod user;

use schemars::schema::Schema;
use serde::de::DeserializeSeed;
use serde_json::Value;
use thiserror::Error;

use self::field::{Field, FieldErrors};
use self::reader::ReadBody;
pub use self::reader::Values;
use crate::json::{self, Malformed};

/// The body that creates or replaces a resource.
pub trait Input: Sized {
    /// The name of the resource in the specification.
    const RESOURCE: &'static str;

    /// Every field of the body, `id` included.
    const FIELDS: &'static [Field];

    /// The body with those values. `None` if a field's rule does not fit its type.
    fn from_values(values: Values) -> Option<Self>;

    /// A body that is accepted, without `id`.
    #[must_use]
    fn example() -> Value {
        field::example(Self::FIELDS.iter().filter(|field| field.name != "id"))
    }
}

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
    let draft = json::parse_with(body, ReadBody(T::FIELDS)).map_err(InputError::Malformed)?;
    draft.finish().map_err(InputError::Invalid)
}

/// Reads a body that is a JSON value already, by the same rules.
///
/// # Errors
/// [`FieldErrors`]: a value breaks the rule of its field.
pub fn read<T: Input>(body: Value) -> Result<T, FieldErrors> {
    // A JSON value has neither syntax errors nor a name twice, so reading it cannot fail.
    let draft = ReadBody(T::FIELDS).deserialize(body);
    draft.map_err(|error| FieldErrors::of_body(error.to_string()))?.finish()
}

/// The JSON Schema of a body without `id`.
#[must_use]
pub fn create_schema<T: Input>(about: &str) -> Schema {
    let mut schema = field::object_schema(about, T::FIELDS.iter().filter(|field| field.name != "id"));
    schema.metadata().examples = vec![T::example()];
    schema.into()
}

/// The JSON Schema of a body that may repeat the `id` of the path.
#[must_use]
pub fn update_schema<T: Input>(about: &str) -> Schema {
    let mut schema = field::object_schema(about, T::FIELDS);
    schema.metadata().examples = vec![T::example()];
    schema.into()
}

/// The JSON Schema of a stored resource: every field but the write-only ones, always with an id.
#[must_use]
pub fn stored_schema<T: Input>(about: &str) -> Schema {
    let stored = || T::FIELDS.iter().filter(|field| !field.write_only);
    let mut schema = field::object_schema(about, stored());
    schema.object().required.insert("id".to_owned());
    schema.metadata().examples = vec![field::example(stored())];
    schema.into()
}
