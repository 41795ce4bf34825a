//! An error as it is answered: status, body and challenge.

use rocket::http::{Header, Status};
use rocket::response::{self, Responder};
use rocket::Request;
use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{json, Value};

use super::{ErrorSpec, Message, AUTHORIZATION_MISSING, LOGIN_INVALID};
use crate::api::response as json_response;
use crate::json::Style;

/// The body of every error.
#[derive(Debug, Serialize)]
pub struct ErrorBody {
    /// What kind of error it is.
    pub error: String,
    /// What was wrong, where there is more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
}

impl JsonSchema for ErrorBody {
    fn schema_name() -> String {
        "Error".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let schema = json!({
            "type": "object",
            "description": "What went wrong.",
            "properties": {
                "error": {"type": "string", "description": "The kind of error."},
                "message": {
                    "description": "What was wrong, where there is more to say.",
                    "oneOf": [
                        {"type": "string", "description": "A sentence."},
                        {
                            "type": "object",
                            "description": "Messages by field; `_schema` stands for the whole body.",
                            "additionalProperties": {
                                "oneOf": [
                                    {
                                        "type": "array",
                                        "description": "What is wrong with the field.",
                                        "items": {"type": "string"},
                                    },
                                    {
                                        "type": "object",
                                        "description": "What is wrong with the items of a list, by position from 0.",
                                        "additionalProperties": {"type": "array", "items": {"type": "string"}},
                                    },
                                ],
                            },
                        },
                    ],
                },
            },
            "required": ["error"],
            "additionalProperties": false,
        });
        // Only a text above that is no schema could fail here, and the tests read it.
        serde_json::from_value(schema).unwrap_or(Schema::Bool(true))
    }
}

/// An error on its way out: a status and a body.
#[derive(Debug)]
pub struct ApiError {
    status: Status,
    body: ErrorBody,
    /// The `WWW-Authenticate` of a 401 (RFC 6750, section 3).
    challenge: Option<String>,
    /// After how many seconds it is worth trying again (RFC 9110, section 10.2.3).
    retry_after: Option<u32>,
}

impl ApiError {
    /// The error of that row.
    #[must_use]
    pub fn of(row: &ErrorSpec) -> Self {
        let body = row.example();
        Self {
            status: Status::new(row.status),
            challenge: challenge(row),
            retry_after: retry_after(row),
            body,
        }
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The error of a status that is in no row: its name.
    pub(super) fn of_status(status: Status) -> Self {
        let error = status.reason_lossy().to_owned();
        Self { status, body: ErrorBody { error, message: None }, challenge: None, retry_after: None }
    }

    /// Its body as JSON.
    #[must_use]
    pub fn body(&self, style: Style) -> Vec<u8> {
        // Texts by name: nothing in it could fail to be written.
        style.render(&self.body).unwrap_or_default()
    }

    /// The headers that say more than its status.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let challenge = self.challenge.as_ref().map(|challenge| ("WWW-Authenticate", challenge.clone()));
        let retry = self.retry_after.map(|seconds| ("Retry-After", seconds.to_string()));
        challenge.into_iter().chain(retry)
    }

    pub(super) fn with_error(mut self, error: String) -> Self {
        self.body.error = error;
        self
    }

    pub(super) fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) fn with_message(mut self, message: impl Serialize) -> Self {
        self.body.message = serde_json::to_value(message).ok();
        self
    }
}

/// What is too much now may be little in a moment.
fn retry_after(row: &ErrorSpec) -> Option<u32> {
    matches!(row.status, 429 | 503).then_some(1)
}

/// RFC 6750, section 3.1: who sent no token is told only that one is wanted; who sent one, what is wrong with it.
fn challenge(row: &ErrorSpec) -> Option<String> {
    const REALM: &str = "Bearer realm=\"shipyard\"";
    if row.status != 401 {
        return None;
    }
    if [AUTHORIZATION_MISSING.name, LOGIN_INVALID.name].contains(&row.name) {
        return Some(REALM.to_owned());
    }
    let description = if let Message::Text(message) = row.message { message } else { row.error };
    Some(format!("{REALM}, error=\"invalid_token\", error_description=\"{description}\""))
}

impl<'r> Responder<'r, 'static> for &ApiError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = json_response::json(request, self.status, &self.body)?;
        for (name, value) in self.headers() {
            response.set_header(Header::new(name, value));
        }
        Ok(response)
    }
}

impl<'r> Responder<'r, 'static> for ApiError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        (&self).respond_to(request)
    }
}
