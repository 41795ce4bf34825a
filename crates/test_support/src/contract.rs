//! The checked-in specification, as the tests look at it.

use std::sync::LazyLock;

use serde_json::{json, Value};

use crate::server::Answer;

pub static SPEC: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(shipyard::api::routes::spec::TEXT).expect("the specification is JSON")
});

/// An operation of the specification.
pub struct Operation {
    pub method: String,
    pub path: String,
    pub value: &'static Value,
}

impl Operation {
    pub fn id(&self) -> &'static str {
        self.value["operationId"].as_str().unwrap_or_default()
    }

    /// Whether it wants a token.
    pub fn is_secured(&self) -> bool {
        !self.value["security"].as_array().expect("it says whether it wants a token").is_empty()
    }

    pub fn statuses(&self) -> Vec<u16> {
        let responses = self.value["responses"].as_object().unwrap();
        responses.keys().map(|status| status.parse().expect("a status is a number")).collect()
    }

    /// A body that is accepted.
    pub fn body_example(&self) -> Option<&'static Value> {
        self.value.get("requestBody")?.get("content")?.get("application/json")?.get("example")
    }

    /// The schema of the body of a response.
    fn body_schema(&self, status: u16) -> Option<&'static Value> {
        self.value["responses"][status.to_string()].get("content")?.get("application/json")?.get("schema")
    }
}

pub fn operations() -> Vec<Operation> {
    let paths = SPEC["paths"].as_object().unwrap();
    let methods = |(path, item): (&String, &'static Value)| {
        let path = path.clone();
        item.as_object().unwrap().iter().map(move |(method, value)| Operation {
            method: method.to_uppercase(),
            path: path.clone(),
            value,
        })
    };
    paths.iter().flat_map(methods).collect()
}

/// A validator for a schema of the specification. JSON Schema draft 7 has what OpenAPI 3.0 takes from it.
pub fn validator(schema: &Value) -> jsonschema::Validator {
    let mut root = schema.clone();
    root["components"] = SPEC["components"].clone();
    jsonschema::draft7::new(&root).expect("a schema")
}

pub fn component(name: &str) -> jsonschema::Validator {
    validator(&json!({"$ref": format!("#/components/schemas/{name}")}))
}

/// Whether the specification lists the status of this answer, and describes its body.
pub fn conforms(operation: &Operation, answer: &Answer) -> Result<(), String> {
    if !operation.statuses().contains(&answer.status) {
        return Err(format!("{} does not list {}", operation.id(), answer.status));
    }
    let Some(schema) = operation.body_schema(answer.status) else {
        return if answer.body.is_empty() { Ok(()) } else { Err("a body where none is listed".into()) };
    };
    let body: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
    validator(schema).validate(&body).map_err(|error| error.to_string())
}
