//! Request and response bodies: types, field rules, and the messages about values that break a rule.

pub mod auth;
pub mod cursor;
pub mod field;
pub mod id;
pub mod name;
pub mod password;
pub mod query;
mod reader;
mod resource;
pub mod rule;
pub mod ship;
pub mod user;

use schemars::schema::Schema;
use serde_json::Value;

use self::field::Field;
pub use self::reader::{decode, parse, parse_patch, read, InputError, Values};

/// The body that creates or replaces a resource.
pub trait Input: Sized {
    /// The body that changes the resource.
    type Patch;

    /// The name of the resource in the specification.
    const RESOURCE: &'static str;

    /// Every field of the body, `id` included.
    const FIELDS: &'static [Field];

    /// The body with those values. `None` if a field's rule does not fit its type.
    fn from_values(values: Values) -> Option<Self>;

    /// The change with those values. `None` if a field's rule does not fit its type.
    fn patch_from_values(values: Values) -> Option<Self::Patch>;

    /// A body that is accepted, without `id`.
    #[must_use]
    fn example() -> Value {
        field::example(Self::FIELDS.iter().filter(|field| field.name != "id"))
    }

    /// A change that is accepted: of the first required field.
    #[must_use]
    fn patch_example() -> Value {
        field::example(Self::FIELDS.iter().find(|field| field.required))
    }
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

/// The JSON Schema of a change: any of the fields. Null removes an optional one.
#[must_use]
pub fn patch_schema<T: Input>(about: &str) -> Schema {
    let mut schema = field::object_schema(about, T::FIELDS);
    let object = schema.object();
    let required = std::mem::take(&mut object.required);
    for (_, property) in object.properties.iter_mut().filter(|(name, _)| !required.contains(*name)) {
        if let Schema::Object(property) = property {
            property.extensions.insert("nullable".to_owned(), Value::Bool(true));
        }
    }
    schema.metadata().examples = vec![T::patch_example()];
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
