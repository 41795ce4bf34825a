//! What travels in bodies: types, limits, and the messages about values that do not fit.

pub mod auth;
pub mod field;
pub mod id;
pub mod name;
pub mod password;
pub mod ship;
pub mod user;

use schemars::schema::{Schema, SchemaObject};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use field::{Field, FieldErrors};

/// The body that creates or replaces a resource.
pub trait Input: DeserializeOwned {
    /// The name of the resource in the specification.
    const RESOURCE: &'static str;

    /// Every field of the body; `id` is one of them.
    const FIELDS: &'static [Field];

    /// A body that is accepted, without `id`.
    fn example() -> Value;

    /// Whether the values are within the limits of their fields, where to find that out at once is worth it. `false`
    /// need not say that they are not.
    const FAST_CHECK: Option<fn(&Self) -> bool> = None;
}

/// Reads a body that plainly fits, as nearly all do. `None` need not say that it does not fit: [`read`] tells what is
/// wrong with it, if anything is.
pub fn parse_fast<T: Input>(body: &[u8]) -> Option<T> {
    let fits = T::FAST_CHECK?;
    // serde would take a list for the fields in their order.
    let object = body.starts_with(b"{").then_some(body)?;
    serde_json::from_slice(object).ok().filter(fits)
}

/// Validates a body and reads it.
///
/// # Errors
/// [`FieldErrors`] where the body does not fit the fields of `T`.
pub fn read<T: Input>(body: Value) -> Result<T, FieldErrors> {
    let accepted: Map<String, Value> = field::validate(body, T::FIELDS)?;
    serde_json::from_value(Value::Object(accepted)).map_err(FieldErrors::beyond_description)
}

/// The JSON Schema of a body of which `id` is no part.
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

/// The JSON Schema of a stored resource: everything that was put in, and its id; but never what is
/// `hidden`.
#[must_use]
pub fn stored_schema<T: Input>(about: &str, hidden: &[&str]) -> Schema {
    let shown = || T::FIELDS.iter().filter(|field| !hidden.contains(&field.name));
    let mut schema: SchemaObject = field::object_schema(about, shown());
    schema.object().required = shown().map(|field| field.name.to_owned()).collect();
    let mut example = T::example();
    if let Value::Object(example) = &mut example {
        example.retain(|name, _| !hidden.contains(&name.as_str()));
        example.insert("id".to_owned(), Value::from(3));
    }
    schema.metadata().examples = vec![example];
    schema.into()
}
