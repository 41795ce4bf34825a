//! Random bodies: valid ones are stored as sent, invalid ones are rejected by field and change nothing.

use std::cell::Cell;
use std::fmt::Debug;

use proptest::prelude::*;
use rocket::http::Method;
use serde_json::{json, Value};
use shipyard::model::field::FieldErrors;
use shipyard::model::name::normalized;
use shipyard::model::ship::ShipInput;
use shipyard::model::user::UserInput;
use shipyard::model::{parse, read, update_schema, Input, InputError};

use super::check;
use test_support::contract::{component, validator};
use test_support::server::{Ask, Server};
use test_support::strategies::{broken, nearly, valid};

#[test]
fn creates_a_valid_ship_at_its_location() {
    let server = Server::start();
    let (token, _) = server.log_in("user", "password").tokens();
    let schema = component("Ship");
    check(valid::<ShipInput>(), |ship| {
        let ask = Ask::new(Method::Post, "/api/ships").header("Host", "localhost:5000").bearer(&token);
        let created = server.send(ask.json(&ship));
        prop_assert_eq!(created.status, 201, "{}", created.body);
        let location = created.header("Location").unwrap().strip_prefix("http://localhost:5000").unwrap();
        let found = server.get(location);
        prop_assert_eq!(&found.body, &created.body);
        let mut found = found.json();
        prop_assert!(schema.is_valid(&found));
        let id = found.as_object_mut().unwrap().remove("id").unwrap();
        prop_assert_eq!(location, format!("/api/ships/{id}"));
        prop_assert_eq!(found, with_whole_numbers(ship));
        Ok(())
    });
}

/// 5.0 comes back as 5.
fn with_whole_numbers(mut payload: Value) -> Value {
    for value in payload.as_object_mut().unwrap().values_mut() {
        if let Some(number) = value.as_f64() {
            *value = json!(number as i64);
        }
    }
    payload
}

#[test]
fn creates_a_valid_user_who_can_log_in_and_never_returns_the_password() {
    let server = Server::start();
    let schema = component("User");
    let cases = Cell::new(0);
    check(valid::<UserInput>(), |mut user| {
        // Each case has its own name.
        cases.set(cases.get() + 1);
        let name: String = user["name"].as_str().unwrap().chars().take(54).collect();
        user["name"] = json!(format!("{name}{}", cases.get()));
        let created = server.send(Ask::new(Method::Post, "/api/users").json(&user));
        let (name, password) = (user["name"].as_str().unwrap(), user["password"].as_str().unwrap());
        prop_assert_eq!(created.status, 201, "{}", created.body);
        prop_assert!(schema.is_valid(&created.json()));
        prop_assert_eq!(created.json(), json!({"id": created.json()["id"], "name": name}));
        prop_assert_eq!(server.log_in(name, password).status, 200);
        Ok(())
    });
}

/// Sends `payload` to every operation that accepts a `T`.
fn every_write<T: Input>(server: &Server, token: &str, payload: &Value) -> Vec<test_support::server::Answer> {
    let collection = format!("/api/{}s", T::RESOURCE.to_lowercase());
    [Ask::new(Method::Post, &collection), Ask::new(Method::Put, &format!("{collection}/1"))]
        .into_iter()
        .map(|ask| server.send(ask.bearer(token).json(payload)))
        .collect()
}

fn a_broken_payload_is_refused_by_field<T: Input>() {
    let server = Server::start();
    let (token, _) = server.log_in("user", "password").tokens();
    let before = server.state();
    let schema = component("ApiError");
    check(broken::<T>(), |(payload, field)| {
        for response in every_write::<T>(&server, &token, &payload) {
            prop_assert_eq!(response.status, 400, "{}", response.body);
            let body = response.json();
            prop_assert!(schema.is_valid(&body), "{}", body);
            let named: Vec<&String> = body["message"].as_object().expect("an object").keys().collect();
            prop_assert_eq!(named, vec![&field]);
        }
        prop_assert_eq!(server.state(), before.clone());
        Ok(())
    });
}

#[test]
fn rejects_an_invalid_ship_by_field_without_a_change() {
    a_broken_payload_is_refused_by_field::<ShipInput>();
}

#[test]
fn rejects_an_invalid_user_by_field_without_a_change() {
    a_broken_payload_is_refused_by_field::<UserInput>();
}

fn speaks_of_characters(errors: &FieldErrors) -> bool {
    json!(errors)["name"][0].as_str().is_some_and(|message| message.starts_with("May not "))
}

/// The schema and the reader of bodies come from one description. The schema accepts exactly what the reader does.
fn schema_and_reader_agree<T: Input + Debug>() {
    let schema = validator(&serde_json::to_value(update_schema::<T>("")).unwrap());
    check(nearly::<T>(), |mut payload| {
        // The schema counts the characters of a name as sent.
        if let Some(Value::String(name)) = payload.get_mut("name") {
            *name = normalized(name);
        }
        let accepted = read::<T>(payload.clone());
        match &accepted {
            // A schema cannot express which characters a name may have.
            Err(errors) if T::RESOURCE == "User" && speaks_of_characters(errors) => {}
            _ => prop_assert_eq!(schema.is_valid(&payload), accepted.is_ok(), "{:?}", accepted),
        }
        Ok(())
    });
}

#[test]
fn accepts_every_ship_that_its_schema_accepts() {
    schema_and_reader_agree::<ShipInput>();
}

#[test]
fn accepts_every_user_that_its_schema_accepts() {
    schema_and_reader_agree::<UserInput>();
}

/// A body is read from its text in one pass, without a JSON value in between. The result is that of reading the value.
fn text_and_value_are_read_alike<T: Input + Clone + Debug + PartialEq>() {
    check(nearly::<T>(), |payload| {
        let value = read::<T>(payload.clone()).map_err(InputError::Invalid);
        prop_assert_eq!(parse::<T>(payload.to_string().as_bytes()), value);
        Ok(())
    });
}

#[test]
fn a_ship_is_read_from_text_as_from_a_value() {
    text_and_value_are_read_alike::<ShipInput>();
}

#[test]
fn a_user_is_read_from_text_as_from_a_value() {
    text_and_value_are_read_alike::<UserInput>();
}

#[test]
fn a_text_that_is_not_a_ship_is_refused() {
    let accepts = |text: &str| parse::<ShipInput>(text.as_bytes()).is_ok();
    let ship = ShipInput::example().to_string();
    assert!(accepts(&ship));
    let with = |more: &str| format!("{}, {more}}}", ship.strip_suffix('}').unwrap());
    assert!(accepts(&with("\"id\": 1")));
    let values = |json: Value| json.as_object().unwrap().values().cloned().collect::<Vec<_>>();
    for text in [
        with("\"id\": null"),
        with("\"id\": 0"),
        with("\"id\": 2147483648"),
        with("\"crew\": 1"),
        with("\"model\": \"\""),
        with("\"more\": 1"),
        format!("{ship} 1"),
        format!("\u{feff}{ship}"),
        Value::from(values(ShipInput::example())).to_string(),
        ship.replace("37085", "0"),
        ship.replace("37085", "-1"),
        ship.replace("37085", "\"37085\""),
        ship.replace("\"Empire\"", "null"),
        ship.replace("Empire", &"e".repeat(129)),
        ship.replace("\"Destroyer\"", &format!("\"{}\"", "d".repeat(65))),
        ship.replace("\"Destroyer\"", &["\"d\""; 40].join(",")),
    ] {
        assert!(!accepts(&text), "{text}");
    }
}
