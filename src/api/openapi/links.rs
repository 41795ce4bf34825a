//! Links of the specification: what a client can do next with what it was just answered.

use rocket_okapi::okapi::openapi3::{Link, OpenApi, Operation, PathItem, RefOr};
use serde_json::Value;

use crate::api::openapi::operations;

/// The parameter that tells one thing from another, and where the id of something new stands in the response.
const ID: (&str, &str) = ("id", "$response.body#/id");

/// Adds every link. They follow from the paths, so that a new operation has its links without being named here:
/// what was created can be used in each way that its own path allows, and the tokens of a login in each way that
/// the operations next to it offer.
pub(crate) fn add(spec: &mut OpenApi) {
    let known = spec.paths.clone();
    for (path, item) in &mut spec.paths {
        let Some(source) = &mut item.post else { continue };
        if let Some(thing) = known.get(&format!("{path}/{{{}}}", ID.0)) {
            link(source, "201", cloned_operations(thing).into_iter().map(to_what_was_created));
        }
        if source.operation_id.as_deref() == Some("auth_login") {
            let others =
                known.values().flat_map(cloned_operations).filter(|target| target.tags == source.tags);
            let targets: Vec<Operation> = others.filter(wants_a_token).collect();
            link(source, "200", targets.into_iter().map(with_a_token));
        }
    }
}

fn cloned_operations(item: &PathItem) -> Vec<Operation> {
    operations(&mut item.clone()).into_iter().map(|(_, operation)| operation.clone()).collect()
}

fn wants_a_token(operation: &Operation) -> bool {
    operation.security.as_ref().is_some_and(|schemes| !schemes.is_empty())
}

/// Only the owner's token is good where others are answered 403.
fn wants_the_owner(operation: &Operation) -> bool {
    operation.responses.responses.contains_key("403")
}

fn link(source: &mut Operation, status: &str, links: impl Iterator<Item = Link>) {
    let Some(RefOr::Object(response)) = source.responses.responses.get_mut(status) else { return };
    let named = links.filter_map(|link| Some((link.operation_id.clone()?, RefOr::Object(link))));
    response.links.extend(named);
}

fn to_what_was_created(target: Operation) -> Link {
    let mut description = "The `id` of the body is the one that `Location` ends in.".to_owned();
    if wants_the_owner(&target) {
        description.push_str(" Wants an access token of the user who was created.");
    } else if wants_a_token(&target) {
        description.push_str(" Wants an access token.");
    }
    let (parameter, expression) = ID;
    Link {
        parameters: [(parameter.to_owned(), Value::from(expression))].into_iter().collect(),
        description: Some(description),
        operation_id: target.operation_id,
        ..Link::default()
    }
}

/// A link cannot fill in the Authorization header (OpenAPI 3.0 ignores a parameter of that name), so it is said.
fn with_a_token(target: Operation) -> Link {
    let schemes: Vec<String> =
        target.security.iter().flatten().flat_map(|scheme| scheme.keys().cloned()).collect();
    let description = format!(
        "Wants the token of the body that the security scheme `{}` describes, as `Authorization: Bearer <token>`.",
        schemes.join("`, `")
    );
    Link { description: Some(description), operation_id: target.operation_id, ..Link::default() }
}
