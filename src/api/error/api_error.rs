//! Error responses: status, body and challenge.

use rocket::http::{Header, Status};
use rocket::response::{self, Responder};
use rocket::Request;
use serde::Serialize;

use super::catalog::{ErrorBody, ErrorSpec, Message, AUTHORIZATION_MISSING, LOGIN_INVALID, LOGIN_NOT_JSON};
use crate::api::json_response;
use crate::json::Style;

/// An error response.
#[derive(Debug)]
pub struct ApiError {
    status: Status,
    body: ErrorBody,
    /// The `WWW-Authenticate` of a 401 (RFC 6750, section 3).
    challenge: Option<String>,
    /// The `Retry-After` in seconds (RFC 9110, section 10.2.3).
    retry_after: Option<u32>,
    /// The `Accept-Post` of a request in another media type (W3C Linked Data Platform, section 7.1).
    accept_post: Option<&'static str>,
}

impl ApiError {
    /// The error of a spec of the catalog.
    #[must_use]
    pub fn of(spec: &ErrorSpec) -> Self {
        let body = spec.example();
        Self {
            status: Status::new(spec.status),
            challenge: challenge(spec),
            retry_after: retry_after(spec),
            accept_post: accept_post(spec),
            body,
        }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// An error with a status that is not in the catalog.
    pub(crate) fn of_status(status: Status) -> Self {
        let error = status.reason_lossy().to_owned();
        let body = ErrorBody { error, message: None };
        Self { status, body, challenge: None, retry_after: None, accept_post: None }
    }

    /// The body as JSON.
    #[must_use]
    pub fn body(&self, style: Style) -> Vec<u8> {
        // Serializing strings cannot fail.
        style.render(&self.body).unwrap_or_default()
    }

    /// The headers `WWW-Authenticate`, `Retry-After` and `Accept-Post`, if the error has them.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let challenge = self.challenge.as_ref().map(|challenge| ("WWW-Authenticate", challenge.clone()));
        let retry = self.retry_after.map(|seconds| ("Retry-After", seconds.to_string()));
        let accept = self.accept_post.map(|media_type| ("Accept-Post", media_type.to_owned()));
        challenge.into_iter().chain(retry).chain(accept)
    }

    pub(crate) fn with_error(mut self, error: String) -> Self {
        self.body.error = error;
        self
    }

    pub(crate) fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) fn with_message(mut self, message: impl Serialize) -> Self {
        self.body.message = serde_json::to_value(message).ok();
        self
    }
}

/// The default: overload may be over in a second.
fn retry_after(spec: &ErrorSpec) -> Option<u32> {
    matches!(spec.status, 429 | 503).then_some(1)
}

/// The media type that a login needs. The recorded body of this error has no room for a message.
fn accept_post(spec: &ErrorSpec) -> Option<&'static str> {
    (spec.name == LOGIN_NOT_JSON.name).then_some("application/json")
}

/// RFC 6750, section 3.1: a request without a token gets the scheme only, a request with a token the reason.
fn challenge(spec: &ErrorSpec) -> Option<String> {
    const REALM: &str = "Bearer realm=\"shipyard\"";
    if spec.status != 401 {
        return None;
    }
    if [AUTHORIZATION_MISSING.name, LOGIN_INVALID.name].contains(&spec.name) {
        return Some(REALM.to_owned());
    }
    let description = if let Message::Text(message) = spec.message { message } else { spec.error };
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
