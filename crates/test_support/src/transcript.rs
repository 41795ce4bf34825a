//! The recorded exchanges of the repository.

use std::sync::LazyLock;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use serde_json::Value;
use shipyard::contract::recording::fixtures::Fixtures;
pub use shipyard::contract::recording::fixtures::Scenario;

use crate::program::here;

pub static FIXTURES: LazyLock<Fixtures> = LazyLock::new(|| Fixtures::at(&here().join("fixtures")));

/// Every scenario, by name.
pub fn scenarios() -> Vec<Scenario> {
    FIXTURES.scenarios().unwrap_or_else(|error| panic!("{error}"))
}

pub fn scenario_named(name: &str) -> Scenario {
    FIXTURES.scenario(name).unwrap_or_else(|error| panic!("{error}"))
}

/// What a token says; nothing is verified.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
