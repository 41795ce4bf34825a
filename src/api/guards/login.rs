//! The body of a login.

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
use crate::model::auth::Credentials;

/// Why a login fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// The body is not labelled as JSON. Login alone looks at the label.
    NotJson,
    /// The body cannot be read as JSON.
    Read(ReadError),
    /// The body is JSON, but no object.
    NotAnObject,
    /// The name or the password is missing or empty.
    Incomplete,
    /// There is no such user, or the password is another.
    Invalid,
    /// There were too many logins under that name.
    RateLimited(RateLimited),
    /// Too many passwords wait to be verified.
    QueueFull,
}

error_specs!(LoginError {
    NotJson => LOGIN_NOT_JSON,
    NotAnObject => LOGIN_NOT_AN_OBJECT,
    Incomplete => LOGIN_INCOMPLETE,
    Invalid => LOGIN_INVALID,
    RateLimited(error) => TOO_MANY_REQUESTS.with_retry_after(error.retry_after),
    QueueFull => BUSY;
    Read(ReadError)
});

/// What the login handler takes: the credentials, or why there are none.
pub type LoginBody = Result<Login, LoginError>;

/// The credentials of a request.
#[derive(Debug)]
pub struct Login(pub Credentials);

fn check_label(request: &Request<'_>) -> Result<(), LoginError> {
    let is_labelled = request.headers().get_one("Content-Type").is_some_and(is_json);
    is_labelled.then_some(()).ok_or(LoginError::NotJson)
}

async fn login(request: &Request<'_>, data: Data<'_>) -> Result<Login, LoginError> {
    Login::read(read(request, data).await.map_err(LoginError::Read)?)
}

impl Login {
    /// The credentials in a body.
    ///
    /// # Errors
    /// [`LoginError`], but for `NotJson` and `Read`.
    pub fn read(body: Value) -> Result<Self, LoginError> {
        let Value::Object(mut body) = body else { return Err(LoginError::NotAnObject) };
        let mut given = |name| body.remove(name).filter(is_something).ok_or(LoginError::Incomplete);
        match (given("username")?, given("password")?) {
            (Value::String(username), Value::String(password)) => {
                Credentials::new(&username, password).map(Self).ok_or(LoginError::Invalid)
            }
            // No user has a name or a password that is not a string.
            _ => Err(LoginError::Invalid),
        }
    }
}

/// `application/json`, or a type built on it (RFC 6839, section 3.1). Parameters say nothing about JSON; Rocket
/// would not take the empty ones that RFC 9110, section 5.6.6, allows.
fn is_json(label: &str) -> bool {
    let media_type = label.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = media_type.strip_prefix("application/");
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// Whether the original takes a value for given: what Python calls true.
fn is_something(value: &Value) -> bool {
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
    type Error = LoginError;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        let checked = match check_label(request) {
            Ok(()) => body::awaited(request).transpose().map_err(LoginError::Read),
            Err(error) => Err(error),
        };
        let login = match checked {
            Ok(Some(())) => return body::stop(data),
            Ok(None) => login(request, data).await,
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
