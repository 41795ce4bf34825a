//! OpenAPI specification, generated from the list of operations.

use rocket::Route;
use rocket_okapi::okapi::openapi3::{
    Contact, Info, License, OpenApi, Operation, ParameterValue, PathItem, RefOr, Server, Tag,
};
use rocket_okapi::settings::OpenApiSettings;
use schemars::schema::{ArrayValidation, InstanceType, Schema, SchemaObject};
use serde_json::Value;

pub mod components;
pub mod links;

use crate::api::routes::{auth, docs, index, ships, spec, static_files, users};
use crate::api::routing::{canonical, with_rank};
use crate::model::query;
use crate::model::ship::ShipInput;
use crate::model::user::UserInput;
use crate::model::Input;

/// The path of the specification in the repository.
pub const SPEC_PATH: &str = "spec/openapi.json";

/// Where Swagger UI is mounted.
const DOCS: &str = "/docs";

/// All operations, passed to a macro of rocket_okapi: `openapi_routes` or `openapi_spec`.
macro_rules! operation_list {
    ($hand_to:ident) => {
        rocket_okapi::$hand_to![
            auth::login,
            auth::refresh,
            auth::logout_access_token,
            auth::logout_refresh_token,
            ships::list,
            ships::get,
            ships::create,
            ships::update,
            ships::patch,
            ships::delete,
            users::list,
            users::get,
            users::create,
            users::update,
            users::patch,
            users::delete,
        ]
    };
}

fn settings() -> OpenApiSettings {
    let mut settings = OpenApiSettings::default();
    settings.schema_settings.option_nullable = false;
    settings
}

/// The specification as rocket_okapi generates it.
fn generate() -> OpenApi {
    operation_list!(openapi_spec)(&settings())
}

/// All routes by mount point: the operations, and the routes outside the contract.
pub fn mounts() -> Vec<(&'static str, Vec<Route>)> {
    let operations: Vec<Route> = operation_list!(openapi_routes)(None, &settings());
    let others = rocket::routes![index::index, index::icon, spec::openapi_json, static_files::file];
    vec![("/", with_rank(canonical(operations))), ("/", canonical(others)), (DOCS, docs::routes())]
}

/// The specification as OpenAPI 3.0 JSON, with sorted keys.
///
/// # Errors
/// [`serde_json::Error`] if the specification cannot be serialized, which would be a defect.
pub fn text() -> Result<String, serde_json::Error> {
    let mut spec = generate();
    spec.info = Info {
        title: "Shipyard".to_owned(),
        description: Some(
            "Users and starships behind JWT login. The server chooses ids and never reuses one. Nothing is \
             persisted: every start begins with the data file."
                .to_owned(),
        ),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        contact: Some(Contact { name: Some("The developers of Shipyard".to_owned()), ..Contact::default() }),
        license: Some(License {
            name: "MIT".to_owned(),
            url: Some("https://spdx.org/licenses/MIT.html".to_owned()),
            ..License::default()
        }),
        ..Info::default()
    };
    spec.servers = vec![
        // Relative, so that Swagger UI uses the server that it came from.
        server("/", "The server that serves this specification."),
        // Some generators take no relative URL.
        server("http://localhost:5000", "A server on this machine with the default settings."),
    ];
    spec.tags = vec![
        tag("auth", "Login, refresh and logout."),
        tag("ships", "Anyone can read ships; logged-in users can change them."),
        tag("users", "Anyone can read users and create one; users can change their own data only."),
    ];
    for (path, item) in &mut spec.paths {
        let thing = if path.starts_with("/api/users") { "user" } else { "ship" };
        for (method, operation) in operations(item) {
            describe_parameters(operation, thing);
            match operation.operation_id.as_deref() {
                Some("ships_list") => add_query::<ShipInput>(operation),
                Some("users_list") => add_query::<UserInput>(operation),
                _ => {}
            }
            add_condition(method, operation);
            // An empty list states that no login is required.
            operation.security.get_or_insert_default();
        }
    }
    links::add(&mut spec);
    // Converted to a Value first, whose maps are sorted: the text must not depend on the order of a hash map.
    let mut spec = serde_json::to_value(&spec)?;
    write_whole_numbers(&mut spec);
    let mut text = serde_json::to_string_pretty(&spec)?;
    text.push('\n');
    Ok(text)
}

/// Writes `1.0` as `1`: schemars has bounds as floating-point numbers, which generators of clients copy.
fn write_whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let real = number.as_f64().filter(|_| number.is_f64());
            let whole = real.filter(|number| number.fract() == 0.0).map(|number| number as i64);
            if let Some(whole) = whole {
                *number = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_whole_numbers),
        Value::Object(members) => members.values_mut().for_each(write_whole_numbers),
        _ => {}
    }
}

fn server(url: &str, description: &str) -> Server {
    Server { url: url.to_owned(), description: Some(description.to_owned()), ..Server::default() }
}

fn tag(name: &str, description: &str) -> Tag {
    Tag { name: name.to_owned(), description: Some(description.to_owned()), ..Tag::default() }
}

fn describe_parameters(operation: &mut Operation, thing: &str) {
    for parameter in &mut operation.parameters {
        if let RefOr::Object(parameter) = parameter {
            parameter.description = Some(format!("The id of the {thing}, in decimal digits."));
            if let ParameterValue::Schema { example, .. } = &mut parameter.value {
                *example = Some(Value::from(1));
            }
        }
    }
}

/// Describes the parameters of a list.
fn add_query<I: Input>(operation: &mut Operation) {
    for query::Parameter { name, about, rule, pattern, repeats } in query::parameters::<I>() {
        let mut schema = rule.schema();
        if pattern.is_some() {
            schema.string().pattern = pattern;
        }
        if repeats {
            schema = SchemaObject {
                instance_type: Some(InstanceType::Array.into()),
                array: Some(Box::new(ArrayValidation {
                    items: Some(Schema::from(schema).into()),
                    ..ArrayValidation::default()
                })),
                ..SchemaObject::default()
            };
        }
        operation.parameters.push(RefOr::Object(components::parameter("query", &name, &about, schema)));
    }
}

/// Describes the header of a conditional request (RFC 9110, section 13.1).
fn add_condition(method: &str, operation: &mut Operation) {
    if !operation.responses.responses.contains_key("412") {
        return;
    }
    let (name, about) = match method {
        "GET" => (
            "If-None-Match",
            "ETags that the client has; for one of the current version the response is a 304.",
        ),
        _ => (
            "If-Match",
            "The ETag of the version that the client has read; if it is not current, the response is a 412.",
        ),
    };
    operation.parameters.push(RefOr::Object(components::parameter(
        "header",
        name,
        about,
        components::string(),
    )));
}

/// The operations of a path, with their methods.
pub(crate) fn operations(item: &mut PathItem) -> Vec<(&'static str, &mut Operation)> {
    let PathItem { get, put, post, patch, delete, .. } = item;
    [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
        .collect()
}

/// An endpoint of the table of routes.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The operationId, or the name of a route outside the contract.
    pub name: String,
    /// The method.
    pub method: &'static str,
    /// The path, with parameters in angle brackets.
    pub path: String,
}

/// All endpoints, sorted by path. Swagger UI counts as one.
#[must_use]
pub fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = vec![
        Endpoint { name: "icon".to_owned(), method: "GET", path: "/favicon.ico".to_owned() },
        Endpoint { name: "index".to_owned(), method: "GET", path: "/".to_owned() },
        Endpoint { name: "docs".to_owned(), method: "GET", path: DOCS.to_owned() },
        Endpoint { name: "openapi".to_owned(), method: "GET", path: "/openapi.json".to_owned() },
        Endpoint { name: "static".to_owned(), method: "GET", path: "/static/<path..>".to_owned() },
    ];
    for (path, mut item) in generate().paths {
        let path = path.replace('{', "<").replace('}', ">");
        for (method, operation) in operations(&mut item) {
            let name = operation.operation_id.clone().unwrap_or_default();
            endpoints.push(Endpoint { name, method, path: path.clone() });
        }
    }
    endpoints.sort_by(|a, b| a.path.cmp(&b.path));
    endpoints
}

/// The table of routes, in the layout of `flask routes --sort rule`.
#[must_use]
pub fn routes_table() -> String {
    let endpoints = endpoints();
    let width = |column: fn(&Endpoint) -> &str, title: &str| {
        endpoints.iter().map(|endpoint| column(endpoint).len()).chain([title.len()]).max().unwrap_or(0)
    };
    let name = width(|endpoint| &endpoint.name, "Endpoint");
    let method = width(|endpoint| endpoint.method, "Methods");
    let path = width(|endpoint| &endpoint.path, "Rule");
    let mut table = format!("{:name$}  {:method$}  Rule\n", "Endpoint", "Methods");
    table += &format!("{:-<name$}  {:-<method$}  {:-<path$}\n", "", "", "");
    for endpoint in &endpoints {
        table += &format!("{:name$}  {:method$}  {}\n", endpoint.name, endpoint.method, endpoint.path);
    }
    table
}
