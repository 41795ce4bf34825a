//! Fields of a body: their descriptions, the errors about them, and the JSON Schema of an object of them.

use std::collections::BTreeMap;

use schemars::schema::{InstanceType, Metadata, ObjectValidation, Schema, SchemaObject};
use serde::Serialize;
use serde_json::{Map, Value};

use super::rule::Rule;
use crate::escape::escape_invisible;

/// A field of a body.
#[derive(Debug)]
pub struct Field {
    /// Its name in the JSON object.
    pub name: &'static str,
    /// Its description in the specification.
    pub about: &'static str,
    /// Whether a body without it is refused.
    pub required: bool,
    /// Whether it is left out of responses, as a password is.
    pub write_only: bool,
    /// Which values it accepts.
    pub rule: Rule,
    /// A value that it accepts.
    pub example: fn() -> Value,
}

/// What is wrong with a body, by field name; `_schema` stands for the body as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FieldErrors(BTreeMap<String, FieldError>);

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum FieldError {
    Message([String; 1]),
    /// By position in the list, from 0.
    Items(BTreeMap<usize, FieldError>),
}

impl FieldError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self::Message([message.into()])
    }

    /// The first message, after the path to where it applies.
    fn first(&self, path: &str) -> Option<String> {
        match self {
            Self::Message([message]) => Some(format!("{path}: {message}")),
            Self::Items(items) => {
                let (position, error) = items.iter().next()?;
                error.first(&format!("{path}[{position}]"))
            }
        }
    }
}

impl FieldErrors {
    pub(super) fn of_body(message: impl Into<String>) -> Self {
        Self(BTreeMap::from([("_schema".to_owned(), FieldError::new(message))]))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn insert(&mut self, name: impl Into<String>, error: FieldError) {
        self.0.insert(name.into(), error);
    }

    /// The first error as one line, for a message outside a JSON body.
    #[must_use]
    pub fn first(&self) -> Option<String> {
        let (name, error) = self.0.iter().next()?;
        error.first(name).map(|line| escape_invisible(&line))
    }
}

/// The JSON Schema of an object with just these fields.
#[must_use]
pub(super) fn object_schema<'a>(about: &str, fields: impl IntoIterator<Item = &'a Field>) -> SchemaObject {
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

/// An object with the examples of these fields.
#[must_use]
pub(super) fn example<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Value {
    let members = fields.into_iter().map(|field| (field.name.to_owned(), (field.example)()));
    Value::Object(members.collect::<Map<_, _>>())
}
