//! Components of the specification that operations share.

use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::{
    Example, ExampleValue, Header, MediaType, Object, Parameter, ParameterValue, RefOr, RequestBody,
    Response, Responses,
};
use rocket_okapi::okapi::Map;
use schemars::schema::{InstanceType, SchemaObject};
use schemars::JsonSchema;
use serde_json::{json, Value};

use crate::api::error::catalog::ErrorBody;
use crate::api::error::catalog::ErrorSpec;

const JSON: &str = "application/json";

/// The description of a status that stands for many errors of tokens.
fn about(status: u16) -> Option<&'static str> {
    match status {
        401 => Some(
            "The token is missing, has expired or was revoked, or its user no longer exists; `error` says which.",
        ),
        422 => Some(
            "The token is malformed, not of this server, not yet valid or of the other kind; `error` says which.",
        ),
        _ => None,
    }
}

/// One response.
pub fn response(description: &str) -> Response {
    Response { description: description.to_owned(), ..Response::default() }
}

/// One response with a JSON body of that type.
pub fn response_with<T: JsonSchema>(generator: &mut OpenApiGenerator, description: &str) -> Response {
    let media = MediaType { schema: Some(generator.json_schema::<T>()), ..MediaType::default() };
    let content = Map::from_iter([(JSON.to_owned(), media)]);
    Response { content, ..response(description) }
}

/// The responses of one status.
pub fn only(status: u16, response: Response) -> Responses {
    let mut responses = Responses::default();
    responses.responses.insert(status.to_string(), RefOr::Object(response));
    responses
}

/// The responses for these error specs: one for each status, with an example for each spec.
pub fn errors(generator: &mut OpenApiGenerator, specs: &[&ErrorSpec]) -> Responses {
    let mut responses = Responses::default();
    for spec in specs {
        let entry = responses.responses.entry(spec.status.to_string()).or_insert_with(|| {
            let mut response = response_with::<ErrorBody>(generator, "");
            if spec.status == 401 {
                let about = "The required authorization (RFC 6750, section 3).";
                response.headers.insert("WWW-Authenticate".to_owned(), header(about, None));
            }
            if matches!(spec.status, 429 | 503) {
                let about = "The seconds to wait before the next request (RFC 9110, section 10.2.3).";
                response.headers.insert("Retry-After".to_owned(), header(about, None));
            }
            RefOr::Object(response)
        });
        let RefOr::Object(response) = entry else { continue };
        let name = spec.name.to_lowercase();
        // An error that two checks can cause is listed once.
        if response
            .content
            .get(JSON)
            .and_then(|media| media.examples.as_ref())
            .is_some_and(|examples| examples.contains_key(&name))
        {
            continue;
        }
        match about(spec.status) {
            // One sentence instead of one for each of a dozen errors, which are listed as examples.
            Some(about) if !response.description.is_empty() => about.clone_into(&mut response.description),
            _ => {
                let space = if response.description.is_empty() { "" } else { " " };
                response.description.push_str(space);
                response.description.push_str(spec.when);
            }
        }
        if let Some(media) = response.content.get_mut(JSON) {
            let example = Example {
                summary: Some(spec.when.to_owned()),
                description: None,
                value: ExampleValue::Value(json!(spec.example())),
                extensions: Object::default(),
            };
            media.examples.get_or_insert_default().insert(name, example);
        }
    }
    responses
}

/// A schema of strings.
pub fn string() -> SchemaObject {
    SchemaObject { instance_type: Some(InstanceType::String.into()), ..SchemaObject::default() }
}

fn value_of(schema: SchemaObject) -> ParameterValue {
    ParameterValue::Schema {
        style: None,
        explode: None,
        allow_reserved: false,
        schema,
        example: None,
        examples: None,
    }
}

/// An optional parameter in that part of the request: `query` or `header`.
pub fn parameter(location: &str, name: &str, description: &str, schema: SchemaObject) -> Parameter {
    Parameter {
        name: name.to_owned(),
        location: location.to_owned(),
        description: Some(description.to_owned()),
        required: false,
        deprecated: false,
        allow_empty_value: false,
        value: value_of(schema),
        extensions: Object::default(),
    }
}

/// A response header that some responses have: a string.
pub fn optional_header(description: &str) -> RefOr<Header> {
    match header(description, None) {
        RefOr::Object(header) => RefOr::Object(Header { required: false, ..header }),
        reference => reference,
    }
}

/// A required response header: a string of that format.
pub fn header(description: &str, format: Option<&str>) -> RefOr<Header> {
    let schema = SchemaObject { format: format.map(str::to_owned), ..string() };
    RefOr::Object(Header {
        description: Some(description.to_owned()),
        required: true,
        deprecated: false,
        allow_empty_value: false,
        value: value_of(schema),
        extensions: Object::default(),
    })
}

/// A required JSON request body.
pub fn request_body<T: JsonSchema>(
    generator: &mut OpenApiGenerator,
    description: &str,
    example: Value,
) -> RequestBody {
    let media = MediaType {
        schema: Some(generator.json_schema::<T>()),
        example: Some(example),
        ..MediaType::default()
    };
    RequestBody {
        description: Some(description.to_owned()),
        content: Map::from_iter([(JSON.to_owned(), media)]),
        required: true,
        extensions: Object::default(),
    }
}
