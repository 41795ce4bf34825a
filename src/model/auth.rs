//! Bodies of login, refresh and logout.

use std::fmt;

use schemars::gen::SchemaGenerator;
use schemars::schema::{Schema, SchemaObject};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{json, Value};

use super::field::{self, object_schema, Field};
use super::name;
use super::rule::Rule;
use super::user::MAX_NAME;
use crate::model::password::Password;

/// A name and a password to log in with; neither is empty.
#[derive(Debug)]
pub struct Credentials {
    /// The name of the user, in normal form.
    pub username: String,
    /// The password.
    pub password: Password,
}

impl Credentials {
    /// The credentials. `None` if a text is empty or longer than a user's can be: they are wrong, and nothing need be
    /// hashed to know it. A name with characters that no user's name may have is accepted; no user will be found.
    #[must_use]
    pub fn new(username: &str, password: String) -> Option<Self> {
        let username = name::normalized(username);
        let fit =
            FIELDS.iter().zip([&username, &password]).all(|(field, text)| field.rule.accepts_text(text));
        fit.then(|| Self { username, password: Password::new(password) })
    }

    /// A body that logs in, with the example data.
    #[must_use]
    pub fn example() -> Value {
        field::example(FIELDS)
    }
}

const FIELDS: &[Field] = &[
    Field {
        name: "username",
        about: "The name of the user.",
        required: true,
        write_only: true,
        rule: Rule::Text { min_length: 1, max_length: MAX_NAME },
        example: || json!("user"),
    },
    Field {
        name: "password",
        about: "The user's password, of at most 128 bytes in UTF-8.",
        required: true,
        write_only: true,
        rule: Rule::Password { min_length: 1, max_bytes: Password::MAX_BYTES },
        example: || json!("password"),
    },
];

impl JsonSchema for Credentials {
    fn schema_name() -> String {
        "Credentials".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema: SchemaObject = object_schema("Name and password. Other fields are ignored.", FIELDS);
        // Not `true`, which means the same: generators of TypeScript would accept misspelt names.
        schema.object().additional_properties = None;
        schema.metadata().examples = vec![Self::example()];
        schema.into()
    }
}

/// A token for the specification, shorter than a real one. Its signature is wrong.
fn example_token() -> &'static str {
    "eyJhbGciOiJIUzI1NiJ9.eyJpZGVudGl0eSI6MX0.c2lnbmF0dXJl"
}

/// Both tokens of a login.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TokenPair {
    /// The token that changes ships and the user's own data, as `Authorization: Bearer <token>`.
    #[schemars(example = "example_token")]
    pub access_token: String,
    /// The token that gets new access tokens.
    #[schemars(example = "example_token")]
    pub refresh_token: String,
}

/// A new access token.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RefreshedToken {
    /// The token that changes ships and the user's own data, as `Authorization: Bearer <token>`.
    #[schemars(example = "example_token")]
    pub access_token: String,
    /// The refresh token to use from now on, if the server rotates refresh tokens. The one of the request is spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

// `{:?}` does not print tokens. (The comments on the types are texts of the specification.)

impl fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenPair(..)")
    }
}

impl fmt::Debug for RefreshedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshedToken(..)")
    }
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Message {
    /// One sentence.
    pub message: &'static str,
}
