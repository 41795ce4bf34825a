//! Links of the specification: the requests that a client can send with values from a response.

use rocket_okapi::okapi::openapi3::{Link, OpenApi, Operation, PathItem, RefOr};
use serde_json::Value;

use crate::api::openapi::operations;

/// The path parameter of a resource, and the expression for its value in the response that created the resource.
const ID: (&str, &str) = ("id", "$response.body#/id");

/// Adds all links. They follow from the paths and tags, so that a new operation gets its links without a change here: a
/// created resource links to each operation of its path, a login to each operation of its tag that requires a token.
pub(crate) fn add(spec: &mut OpenApi) {
    let known = spec.paths.clone();
    for (path, item) in &mut spec.paths {
        let Some(source) = &mut item.post else { continue };
        if let Some(thing) = known.get(&format!("{path}/{{{}}}", ID.0)) {
            link(source, "201", cloned_operations(thing).into_iter().map(to_created));
        }
        if source.operation_id.as_deref() == Some("auth_login") {
            let others =
                known.values().flat_map(cloned_operations).filter(|target| target.tags == source.tags);
            let targets: Vec<Operation> = others.filter(requires_token).collect();
            link(source, "200", targets.into_iter().map(with_token));
        }
    }
}

fn cloned_operations(item: &PathItem) -> Vec<Operation> {
    operations(&mut item.clone()).into_iter().map(|(_, operation)| operation.clone()).collect()
}

fn requires_token(operation: &Operation) -> bool {
    operation.security.as_ref().is_some_and(|schemes| !schemes.is_empty())
}

/// An operation that has a 403 requires the owner's token.
fn requires_owner(operation: &Operation) -> bool {
    operation.responses.responses.contains_key("403")
}

fn link(source: &mut Operation, status: &str, links: impl Iterator<Item = Link>) {
    let Some(RefOr::Object(response)) = source.responses.responses.get_mut(status) else { return };
    let named = links.filter_map(|link| Some((link.operation_id.clone()?, RefOr::Object(link))));
    response.links.extend(named);
}

fn to_created(target: Operation) -> Link {
    let mut description = "The `id` of the body is the one that `Location` ends in.".to_owned();
    if requires_owner(&target) {
        description.push_str(" Requires an access token of the created user.");
    } else if requires_token(&target) {
        description.push_str(" Requires an access token.");
    }
    let (parameter, expression) = ID;
    Link {
        parameters: [(parameter.to_owned(), Value::from(expression))].into_iter().collect(),
        description: Some(description),
        operation_id: target.operation_id,
        ..Link::default()
    }
}

/// A link cannot set the Authorization header, since OpenAPI 3.0 ignores a parameter of that name. The description tells how.
fn with_token(target: Operation) -> Link {
    let schemes: Vec<String> =
        target.security.iter().flatten().flat_map(|scheme| scheme.keys().cloned()).collect();
    let description = format!(
        "Requires the token of the body that the security scheme `{}` describes, as `Authorization: Bearer <token>`.",
        schemes.join("`, `")
    );
    Link { description: Some(description), operation_id: target.operation_id, ..Link::default() }
}
