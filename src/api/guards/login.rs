//! Login body guard.

use rocket::data::{self, Data, FromData};
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::{async_trait, Request};
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::RequestBody;
use rocket_okapi::request::OpenApiFromData;
use serde_json::Value;

use super::body::{self, read, ReadError};
use crate::api::error::error_specs;
use crate::api::openapi::components;
use crate::auth::rate_limit::RateLimited;
use crate::log::RequestLogContext;
use crate::model::auth::Credentials;

/// Why a login fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginRequestError {
    /// The Content-Type is not JSON. Only login checks it.
    NotJson,
    /// The body cannot be read as JSON.
    Read(ReadError),
    /// The body is JSON, but not an object.
    NotAnObject,
    /// The name or the password is missing or empty.
    Incomplete,
    /// The user does not exist, or the password is wrong.
    Invalid,
    /// A rate limit was exceeded.
    RateLimited(RateLimited),
    /// The queue of passwords to verify is full.
    QueueFull,
}

error_specs!(LoginRequestError {
    NotJson => LOGIN_NOT_JSON,
    NotAnObject => LOGIN_NOT_AN_OBJECT,
    Incomplete => LOGIN_INCOMPLETE,
    Invalid => LOGIN_INVALID,
    RateLimited(error) => TOO_MANY_REQUESTS.with_retry_after(error.retry_after),
    QueueFull => BUSY;
    Read(ReadError)
});

/// The argument of the login handler: the credentials, or an error.
pub type LoginBody = Result<Login, LoginRequestError>;

/// The credentials of a request.
#[derive(Debug)]
pub struct Login(pub Credentials);

fn check_content_type(request: &Request<'_>) -> Result<(), LoginRequestError> {
    let content_type = request.headers().get_one("Content-Type");
    if content_type.is_some_and(is_json) {
        return Ok(());
    }
    RequestLogContext::record_reason(request, not_json(content_type));
    Err(LoginRequestError::NotJson)
}

/// The log's reason for a Content-Type that is not JSON. It names those that clients send by default, and no others: the
/// log has no text of a client.
fn not_json(content_type: Option<&str>) -> &'static str {
    match content_type.map(media_type).as_deref() {
        None => "login refused: no Content-Type; it must be application/json",
        // curl -d
        Some("application/x-www-form-urlencoded") => {
            "login refused: Content-Type is application/x-www-form-urlencoded; it must be application/json"
        }
        // fetch() with a string
        Some("text/plain") => "login refused: Content-Type is text/plain; it must be application/json",
        // fetch() with a FormData
        Some("multipart/form-data") => {
            "login refused: Content-Type is multipart/form-data; it must be application/json"
        }
        Some(_) => "login refused: Content-Type is not JSON; it must be application/json",
    }
}

async fn read_login(request: &Request<'_>, data: Data<'_>) -> Result<Login, LoginRequestError> {
    Login::read(read(request, data).await.map_err(LoginRequestError::Read)?)
}

impl Login {
    /// Reads the credentials from a body.
    ///
    /// # Errors
    /// [`LoginRequestError::NotAnObject`], [`LoginRequestError::Incomplete`] or [`LoginRequestError::Invalid`].
    pub fn read(body: Value) -> Result<Self, LoginRequestError> {
        let Value::Object(mut body) = body else { return Err(LoginRequestError::NotAnObject) };
        let mut field = |name| body.remove(name).filter(is_truthy).ok_or(LoginRequestError::Incomplete);
        match (field("username")?, field("password")?) {
            (Value::String(username), Value::String(password)) => {
                Credentials::new(&username, password).map(Self).ok_or(LoginRequestError::Invalid)
            }
            // No user has a name or a password that is not a string.
            _ => Err(LoginRequestError::Invalid),
        }
    }
}

/// `application/json`, or a type with the suffix `+json` (RFC 6839, section 3.1).
fn is_json(content_type: &str) -> bool {
    let media_type = media_type(content_type);
    let subtype = media_type.strip_prefix("application/");
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// The media type of a Content-Type, in lower case and without parameters. Rocket's parser rejects the empty parameters that
/// RFC 9110, section 5.6.6, allows.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a value is true in Python, for which the original API tests.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

#[async_trait]
impl<'r> FromData<'r> for Login {
    type Error = LoginRequestError;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        let has_arrived = check_content_type(request)
            .and_then(|()| body::has_arrived(request).map_err(LoginRequestError::Read));
        let login = match has_arrived {
            Ok(true) => read_login(request, data).await,
            Ok(false) => return body::stop(data),
            Err(error) => Err(error),
        };
        match login {
            Ok(login) => Outcome::Success(login),
            Err(error) => Outcome::Error((Status::BadRequest, error)),
        }
    }
}

impl<'r> OpenApiFromData<'r> for Login {
    fn request_body(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<RequestBody> {
        Ok(components::request_body::<Credentials>(generator, "Whom to log in.", Credentials::example()))
    }
}
