//! Random requests: every response is one that the specification lists.

use std::cell::Cell;

use proptest::prelude::*;
use rocket::http::Method;
use serde_json::json;
use shipyard::model::ship::ShipInput;
use shipyard::model::user::UserInput;

use super::check;
use test_support::contract::{conforms, operations};
use test_support::forge::{claims, header, sign, with_claim};
use test_support::server::{Ask, Server, NOW};
use test_support::strategies::{anything, nearly};

fn body() -> BoxedStrategy<Option<Vec<u8>>> {
    prop_oneof![
        Just(None),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Some),
        "\\PC{0,60}".prop_map(|text| Some(text.into_bytes())),
        anything().prop_map(|value| Some(value.to_string().into_bytes())),
        nearly::<ShipInput>().prop_map(|value| Some(value.to_string().into_bytes())),
        nearly::<UserInput>().prop_map(|value| Some(value.to_string().into_bytes())),
        // Truncated anywhere.
        (nearly::<ShipInput>(), any::<prop::sample::Index>()).prop_map(|(value, at)| {
            let mut text = value.to_string().into_bytes();
            text.truncate(at.index(text.len()));
            Some(text)
        }),
        Just(Some(json!({"username": "user", "password": "password"}).to_string().into_bytes())),
        Just(Some(vec![b' '; 64 * 1024 + 1])),
        Just(Some(b"[".repeat(5000))),
    ]
    .boxed()
}

/// The last two are valid tokens of either kind, and the most frequent.
fn authorization() -> BoxedStrategy<Option<String>> {
    let good = |kind: &'static str| Just(Some(format!("Bearer {}", sign(&header(), &claims(kind)))));
    prop_oneof![
        2 => Just(None),
        4 => good("access"),
        2 => good("refresh"),
        1 => "\\PC{0,60}".prop_map(Some),
        1 => "Bearer [A-Za-z0-9_.-]{0,80}".prop_map(Some),
        2 => (prop::sample::select(vec!["iat", "nbf", "jti", "exp", "identity", "fresh", "type"]), anything())
            .prop_map(|(name, value)| Some(format!("Bearer {}", with_claim("access", name, value)))),
        1 => anything().prop_map(|value| Some(format!("Bearer {}", sign(&value, &claims("access"))))),
        1 => anything().prop_map(|value| Some(format!("Bearer {}", sign(&header(), &value)))),
    ]
    .boxed()
}

fn id() -> BoxedStrategy<String> {
    prop_oneof![
        3 => (0..20_u32).prop_map(|id| id.to_string()),
        1 => Just(u64::MAX.to_string()),
        1 => "[0-9]{1,40}",
        1 => "[A-Za-z0-9+.%_-]{1,12}".prop_filter("not an escape", |id| !id.contains('%')),
    ]
    .boxed()
}

#[test]
fn any_request_gets_a_response_that_the_specification_allows() {
    let accepted = Cell::new(0);
    let label = prop_oneof![
        Just(None),
        Just(Some("application/json".to_owned())),
        Just(Some("application/vnd.ship+json; charset=utf-8".to_owned())),
        "[a-z/+;=]{0,20}".prop_map(Some),
    ];
    let operation = 0..operations().len();
    check(
        (operation, id(), authorization(), label, body()),
        |(operation, id, authorization, label, body)| {
            let operation = &operations()[operation];
            let method: Method = operation.method.parse().unwrap();
            let mut ask = Ask::new(method, &operation.path.replace("{id}", &id));
            for (name, value) in [("Authorization", authorization), ("Content-Type", label)] {
                if let Some(value) = value {
                    ask = ask.header(name, &value);
                }
            }
            ask.body = body;
            // Each case has its own server: a logout or a deletion must not affect the next case.
            let server = Server::start();
            server.clock.set(NOW + 1);
            let response = server.send(ask);
            if response.status < 300 && operation.is_secured() {
                accepted.set(accepted.get() + 1);
            }
            prop_assert!(response.status < 500, "{:?}", response);
            prop_assert!(
                conforms(operation, &response).is_ok(),
                "{:?}: {:?}",
                conforms(operation, &response),
                response
            );
            if response.status >= 400 {
                prop_assert_eq!(response.header("Content-Type"), Some("application/json"));
                prop_assert!(response.json()["error"].is_string());
            }
            Ok(())
        },
    );
    assert!(accepted.get() > 0, "no guarded operation let anything in");
}

#[test]
fn any_path_and_method_gets_a_json_response() {
    let server = Server::start();
    let method = prop::sample::select(vec![
        Method::Get,
        Method::Put,
        Method::Post,
        Method::Delete,
        Method::Options,
        Method::Head,
        Method::Trace,
        Method::Connect,
        Method::Patch,
    ]);
    let word = prop_oneof![
        Just("api".to_owned()),
        Just("ships".to_owned()),
        Just("users".to_owned()),
        Just("auth".to_owned()),
        Just("logout".to_owned()),
        Just("static".to_owned()),
        Just("1".to_owned()),
        Just(String::new()),
        "[a-zA-Z0-9._~-]{0,8}",
        "%[0-9A-F]{2}",
    ];
    check((method, prop::collection::vec(word, 0..5)), |(method, words)| {
        let path = format!("/{}", words.join("/"));
        let response = server.send(Ask::new(method, &path));
        prop_assert!(response.status < 500, "{} {}: {:?}", method, path, response);
        if response.status >= 400 && method != Method::Head {
            prop_assert!(response.json()["error"].is_string());
        }
        if response.status == 405 || (method == Method::Options && response.status != 404) {
            prop_assert!(response.header("Allow").is_some_and(|allow| allow.contains("OPTIONS")));
        }
        Ok(())
    });
}
