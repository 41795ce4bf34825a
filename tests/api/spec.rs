//! Specification: current, complete, and equal to the mounted operations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{json, Value};
use shipyard::api::error::catalog::{Message, CONNECTION_ERRORS, OPERATION_ERRORS};
use shipyard::api::openapi;

use test_support::contract::{operations, validator, Operation, SPEC};
use test_support::snapshots;

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Every value in `value`, with its path.
fn walk<'a>(value: &'a Value, place: &str, visit: &mut dyn FnMut(&str, &'a Value)) {
    visit(place, value);
    for (name, member) in members(value) {
        walk(member, &format!("{place}/{name}"), visit);
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        walk(item, &format!("{place}/{index}"), visit);
    }
}

#[test]
fn the_checked_in_specification_is_current() {
    let generated = openapi::text().unwrap();
    let checked_in = shipyard::api::routes::spec::TEXT;
    assert!(
        generated == checked_in,
        "{} is out of date; `cargo run -- spec --write` updates it\n{}",
        openapi::SPEC_PATH,
        test_support::unified_diff(openapi::SPEC_PATH, checked_in, "the code", &generated)
    );
}

#[test]
fn the_operations_are_those_of_the_contract() {
    let ids: Vec<&str> = operations().iter().map(Operation::id).collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "an operationId occurs twice: {ids:?}");
    let expected = "auth_login auth_logout_access_token auth_logout_refresh_token auth_refresh ships_create \
        ships_delete ships_get ships_list ships_patch ships_update users_create users_delete users_get \
        users_list users_patch users_update";
    assert_eq!(unique.into_iter().collect::<Vec<_>>().join(" "), expected);
}

#[test]
fn every_operation_is_described() {
    let tags: BTreeSet<&str> =
        SPEC["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    for operation in operations() {
        let id = operation.id();
        for member in ["summary", "description"] {
            assert!(operation.value[member].as_str().is_some_and(|text| text.len() > 5), "{id}: {member}");
        }
        let own: Vec<&str> =
            operation.value["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
        assert_eq!(own.len(), 1, "{id}");
        assert!(tags.contains(own[0]), "{id}: {own:?} is not among {tags:?}");
        assert!(id.starts_with(own[0]), "{id} is tagged {own:?}");
    }
}

#[test]
fn every_description_is_present() {
    walk(&SPEC, "", &mut |place, value| {
        assert!(!(place.ends_with("/description") && value == ""), "{place} is empty");
    });
    for operation in operations() {
        for (status, response) in members(&operation.value["responses"]) {
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{status}");
        }
        for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{}: {parameter}", operation.id());
        }
    }
    for (name, schema) in members(&SPEC["components"]["schemas"]) {
        assert!(schema["description"].is_string(), "{name}");
        for (property, schema) in members(&schema["properties"]) {
            assert!(schema["description"].is_string(), "{name}.{property}");
        }
    }
}

#[test]
fn every_operation_lists_all_its_errors() {
    for operation in operations() {
        let statuses: BTreeSet<u16> = operation.statuses().into_iter().collect();
        let id = operation.id();
        let has_body = operation.value.get("requestBody").is_some();
        let owned = matches!(id, "users_update" | "users_patch" | "users_delete");
        assert_eq!(statuses.contains(&401), operation.is_secured() || id == "auth_login", "{id}: 401");
        assert_eq!(statuses.contains(&422), operation.is_secured(), "{id}: 422");
        assert_eq!(statuses.contains(&403), owned, "{id}: 403");
        assert_eq!(statuses.contains(&404), operation.path.contains("{id}"), "{id}: 404");
        let is_read = operation.method == "GET";
        let is_of_stored = operation.path.contains("{id}") || is_read;
        assert_eq!(statuses.contains(&400), has_body || id.ends_with("_list"), "{id}: 400");
        assert_eq!(statuses.contains(&304), is_read, "{id}: 304");
        assert_eq!(statuses.contains(&412), is_of_stored, "{id}: 412");
        assert_eq!(statuses.contains(&428), is_of_stored && !is_read, "{id}: 428");
        assert_eq!(statuses.contains(&413), has_body, "{id}: 413");
        assert_eq!(statuses.contains(&507), id.ends_with("_create"), "{id}: 507");
        assert_eq!(statuses.iter().filter(|status| **status < 300).count(), 1, "{id}: one kind of success");
    }
}

#[test]
fn each_guarded_operation_requires_one_token_of_the_right_kind() {
    let schemes = &SPEC["components"]["securitySchemes"];
    for name in ["accessToken", "refreshToken"] {
        assert_eq!(schemes[name]["type"], "http");
        assert_eq!(schemes[name]["scheme"], "bearer");
        assert_eq!(schemes[name]["bearerFormat"], "JWT");
    }
    assert_eq!(members(schemes).count(), 2);
    let wanted: BTreeMap<&str, String> = operations()
        .iter()
        .filter(|operation| operation.is_secured())
        .map(|operation| (operation.id(), operation.value["security"].to_string()))
        .collect();
    let access = r#"[{"accessToken":[]}]"#.to_owned();
    let refresh = r#"[{"refreshToken":[]}]"#.to_owned();
    let expected = BTreeMap::from([
        ("auth_logout_access_token", access.clone()),
        ("auth_logout_refresh_token", refresh.clone()),
        ("auth_refresh", refresh),
        ("ships_create", access.clone()),
        ("ships_delete", access.clone()),
        ("ships_patch", access.clone()),
        ("ships_update", access.clone()),
        ("users_delete", access.clone()),
        ("users_patch", access.clone()),
        ("users_update", access),
    ]);
    assert_eq!(wanted, expected);
}

#[test]
fn a_201_documents_location_and_a_401_the_challenge() {
    for operation in operations() {
        for (status, response) in members(&operation.value["responses"]) {
            let id = operation.id();
            assert_eq!(response["headers"].get("Location").is_some(), status == "201", "{id} {status}");
            assert_eq!(
                response["headers"].get("WWW-Authenticate").is_some(),
                status == "401",
                "{id} {status}"
            );
            assert_eq!(
                response.get("content").is_none(),
                matches!(status.as_str(), "204" | "304"),
                "{id} {status}"
            );
        }
    }
}

#[test]
fn every_object_but_the_login_rejects_unknown_members() {
    for (name, schema) in members(&SPEC["components"]["schemas"]) {
        let expected = if name == "Credentials" { Value::Null } else { json!(false) };
        assert_eq!(schema["additionalProperties"], expected, "{name}");
    }
}

#[test]
fn every_limit_of_a_number_or_text_is_specified() {
    let schemas = &SPEC["components"]["schemas"];
    for name in ["NewShip", "ShipUpdate", "Ship", "NewUser", "UserUpdate", "User"] {
        for (property, schema) in members(&schemas[name]["properties"]) {
            if schema["type"] == "integer" {
                // The property tests check that these limits are enforced.
                assert!(schema["minimum"].as_f64().is_some_and(|least| least >= 0.0), "{name}.{property}");
                assert_eq!(schema["maximum"].as_f64(), Some(f64::from(i32::MAX)), "{name}.{property}");
            }
        }
    }
    for name in ["NewShip", "ShipUpdate", "NewUser", "UserUpdate", "Credentials"] {
        walk(&schemas[name]["properties"], name, &mut |place, schema| {
            let limit = match schema["type"].as_str() {
                Some("string") => "maxLength",
                Some("array") => "maxItems",
                _ => return,
            };
            assert!(schema[limit].is_u64(), "{place} has no {limit}");
        });
    }
    for name in ["Ship", "User"] {
        assert_eq!(schemas[name]["properties"]["id"]["minimum"].as_f64(), Some(1.0));
    }
    for name in ["NewUser", "UserUpdate"] {
        assert_eq!(schemas[name]["properties"]["name"]["minLength"], 2);
        assert_eq!(schemas[name]["properties"]["password"]["minLength"], 4);
    }
    assert_eq!(schemas["User"]["properties"].get("password"), None);
    for name in ["NewShip", "NewUser"] {
        assert_eq!(schemas[name]["properties"].get("id"), None, "{name}");
    }
}

#[test]
fn every_example_fits_its_schema() {
    let mut examples = 0;
    walk(&SPEC, "", &mut |place, value| {
        let Some(schema) = value.get("schema") else { return };
        let validator = validator(schema);
        let single = value.get("example").into_iter();
        let several = members(&value["examples"]).map(|(_, example)| &example["value"]);
        for example in single.chain(several) {
            examples += 1;
            assert!(validator.is_valid(example), "{place}: {example}");
        }
    });
    for (name, schema) in members(&SPEC["components"]["schemas"]) {
        if let Some(example) = schema.get("example") {
            examples += 1;
            assert!(validator(schema).is_valid(example), "{name}: {example}");
        }
    }
    assert!(examples > 50, "only {examples}");
    for operation in operations() {
        if let Some(body) = operation.value.get("requestBody") {
            assert!(body["content"]["application/json"]["example"].is_object(), "{}", operation.id());
            assert_eq!(body["required"], true, "{}", operation.id());
        }
    }
}

#[test]
fn mounted_and_listed_operations_are_equal() {
    let listed: BTreeSet<(String, String)> = openapi::endpoints()
        .into_iter()
        .filter(|endpoint| endpoint.name != "docs")
        .map(|endpoint| (endpoint.method.to_owned(), endpoint.path))
        .collect();
    let mounted: BTreeSet<(String, String)> = openapi::mounts()
        .iter()
        .filter(|(base, _)| *base == "/")
        .flat_map(|(_, routes)| routes)
        .map(|route| (route.method.to_string(), route.uri.path().to_owned()))
        .collect();
    assert_eq!(listed, mounted);
}

#[test]
fn every_error_in_the_catalog_has_an_example() {
    // The two errors that belong to no operation.
    let undocumented = ["METHOD_NOT_ALLOWED", "INTERNAL"];
    let mut shown = BTreeSet::new();
    for operation in operations() {
        for (_, response) in members(&operation.value["responses"]) {
            shown.extend(members(&response["content"]["application/json"]["examples"]).map(|(name, _)| name));
        }
    }
    let specs: BTreeSet<String> = OPERATION_ERRORS
        .iter()
        .filter(|spec| !undocumented.contains(&spec.name))
        .map(|spec| spec.name.to_lowercase())
        .collect();
    assert_eq!(shown.into_iter().cloned().collect::<BTreeSet<_>>(), specs);
}

#[test]
fn a_summary_of_the_specification() {
    let mut lines = String::new();
    for operation in operations() {
        for (status, response) in members(&operation.value["responses"]) {
            let schema = &response["content"]["application/json"]["schema"];
            let body = match (schema["$ref"].as_str(), schema["items"]["$ref"].as_str()) {
                (Some(reference), _) => reference.rsplit('/').next().unwrap().to_owned(),
                (None, Some(reference)) => format!("[{}]", reference.rsplit('/').next().unwrap()),
                (None, None) => "-".to_owned(),
            };
            let headers: Vec<&str> = members(&response["headers"]).map(|(name, _)| name.as_str()).collect();
            let line = format!(
                "{:26} {:6} {:16} {status} {body:15} {}",
                operation.id(),
                operation.method,
                operation.path,
                headers.join(" ")
            );
            lines += line.trim_end();
            lines.push('\n');
        }
    }
    snapshots().bind(|| insta::assert_snapshot!("spec_summary", lines));
}

#[test]
fn the_table_of_errors() {
    let mut lines = String::new();
    for spec in OPERATION_ERRORS.iter().chain(CONNECTION_ERRORS) {
        let message = match &spec.message {
            Message::None => String::new(),
            Message::Text(text) => format!(", {text:?}"),
            Message::Fields { field, message } => format!(", {{{field:?}: [{message:?}]}}"),
        };
        lines += &format!("{} {}: {:?}{message}\n    {}\n", spec.status, spec.name, spec.error, spec.when);
    }
    snapshots().bind(|| insta::assert_snapshot!("error_table", lines));
}
