//! THE table of errors: status, text, when; and from it the answer, its documentation and the catcher.
//!
//! A domain module says what went wrong in an enum of its own. [`rows!`] maps each variant to a row of the
//! table. An operation names such an enum in its return type, and so can neither answer an error that its
//! documentation does not list, nor list one that it cannot answer.

use std::io::Write;

use rocket::http::{Header, Method, Status};
use rocket::response::{self, Responder};
use rocket::{catch, Request};
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::Responses;
use rocket_okapi::response::OpenApiResponderInner;
use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{json, Value};

use crate::account::InvalidCredentials;
use crate::docs;
use crate::guard;
use crate::guard::access::AccessError;
use crate::guard::bearer::BearerError;
use crate::guard::body::BodyError;
use crate::guard::login::LoginError;
use crate::guard::owner::OwnerError;
use crate::guard::refresh::RefreshTokenError;
use crate::internal::Internal;
use crate::reply;
use crate::routing;
use crate::store::{
    CreateShipError, CreateUserError, GetError, RefreshError, UpdateShipError, UpdateUserError,
};
use crate::token::TokenError;

/// One kind of error.
#[derive(Debug)]
pub struct Row {
    /// Its name: the key of its example in the specification.
    pub name: &'static str,
    /// The status.
    pub status: u16,
    /// The member `error` of the body. Where it names a claim, an example of it.
    pub error: &'static str,
    /// The member `message` of the body; where that depends on the request, an example of it.
    pub message: Message,
    /// When it occurs: a sentence for the specification.
    pub when: &'static str,
}

/// The member `message` of an error's body.
#[derive(Debug)]
pub enum Message {
    /// There is none.
    None,
    /// A sentence.
    Text(&'static str),
    /// Messages by field; this is an example.
    Fields {
        /// The field.
        field: &'static str,
        /// Its message.
        message: &'static str,
    },
}

impl Message {
    fn example(&self) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Text(text) => Some(json!(text)),
            Self::Fields { field, message } => Some(json!({ *field: [message] })),
        }
    }
}

impl Row {
    /// A body with this error.
    #[must_use]
    pub fn example(&self) -> ErrorBody {
        ErrorBody { error: self.error.to_owned(), message: self.message.example() }
    }
}

macro_rules! table {
    ($($name:ident: $status:literal, $error:literal, $message:expr, $when:literal;)*) => {
        $(#[doc = $when] pub static $name: Row = Row {
            name: stringify!($name),
            status: $status,
            error: $error,
            message: $message,
            when: $when,
        };)*

        /// Every row.
        pub static TABLE: &[&Row] = &[$(&$name),*];
    };
}

use Message::{Fields, None as Bare, Text};

table! {
    MALFORMED_JSON: 400, "Bad Request", Text("Malformed JSON: expected value at line 1 column 1"),
        "The body is not one JSON value (RFC 8259): the message says what is wrong, and where.";
    INVALID_FIELDS: 400, "Bad Request",
        Fields { field: "id", message: "Must be greater than or equal to 1." },
        "Fields are missing, unknown, of the wrong type or out of range: the message lists all of them.";
    ID_GIVEN: 400, "Bad Request", Bare,
        "The body chooses an `id`; the server does.";
    ID_MISMATCH: 400, "Bad Request", Text("Request data id has to match resource id."),
        "The `id` of the body is not that of the path.";
    NAME_TAKEN: 400, "Bad Request", Text("User already exists."),
        "Another user has that name.";
    LOGIN_NOT_JSON: 400, "Bad Request", Bare,
        "The Content-Type is neither `application/json` nor one that ends in `+json`.";
    LOGIN_NOT_AN_OBJECT: 400, "Bad Request", Text("Expected a JSON object with username and password."),
        "The body is JSON, but not an object.";
    LOGIN_INCOMPLETE: 400, "Bad Request", Text("Username or password missing."),
        "The name or the password is missing or empty.";
    LOGIN_INVALID: 401, "Unauthorized", Text("Username or password invalid."),
        "There is no such user, or the password is another.";
    AUTHORIZATION_MISSING: 401, "Missing Authorization Header", Bare,
        "There is no Authorization header.";
    TOKEN_EXPIRED: 401, "Token has expired", Bare,
        "The token's time is over (RFC 7519, section 4.1.4).";
    TOKEN_REVOKED: 401, "Token has been revoked", Bare,
        "The token was logged out, or issued before the server's start; or it is a refresh token from before a change of the password.";
    UNKNOWN_USER: 401, "Unauthorized", Text("Unknown user."),
        "The user of the token has been deleted.";
    FORBIDDEN: 403, "Forbidden", Bare,
        "The user of the token is not the user of the path.";
    NOT_FOUND: 404, "Not Found", Bare,
        "Nothing has that id.";
    METHOD_NOT_ALLOWED: 405, "Method Not Allowed", Bare,
        "The path exists, but not with this method; `Allow` lists those it has.";
    PAYLOAD_TOO_LARGE: 413, "Payload Too Large", Text("The body may have 65536 bytes at most."),
        "The body is larger than the limit.";
    AUTHORIZATION_MALFORMED: 422, "Bad Authorization header. Expected value 'Bearer <JWT>'", Bare,
        "There is more than one Authorization header, or it is not of the form `Bearer <token>`.";
    TOKEN_NOT_ENOUGH_SEGMENTS: 422, "Not enough segments", Bare,
        "The token has fewer than three segments.";
    TOKEN_MALFORMED_HEADER: 422, "Invalid header string", Bare,
        "The token's header is not base64url-encoded JSON.";
    TOKEN_ALGORITHM: 422, "The specified alg value is not allowed", Bare,
        "The token is not signed with HS256.";
    TOKEN_CRITICAL_HEADER: 422, "Unsupported critical header (crit)", Bare,
        "The token's header has `crit` (RFC 7515, section 4.1.11).";
    TOKEN_BAD_SIGNATURE: 422, "Signature verification failed", Bare,
        "The token was not signed with this server's key, or was changed.";
    TOKEN_MALFORMED_PAYLOAD: 422, "Invalid payload string", Bare,
        "The token's payload is not a base64url-encoded JSON object.";
    TOKEN_MISSING_CLAIM: 422, "Missing claim: identity", Bare,
        "The token lacks one of `iat`, `jti`, `exp`, `identity` and `type`.";
    TOKEN_INVALID_CLAIM: 422, "Invalid claim: exp", Bare,
        "A claim of the token is not of its type.";
    TOKEN_NOT_YET_VALID: 422, "The token is not yet valid (nbf)", Bare,
        "The token's time has not come (RFC 7519, section 4.1.5).";
    ACCESS_TOKEN_REQUIRED: 422, "Only access tokens are allowed", Bare,
        "The token is a refresh token.";
    REFRESH_TOKEN_REQUIRED: 422, "Only refresh tokens are allowed", Bare,
        "The token is an access token.";
    INTERNAL: 500, "Internal Server Error", Bare,
        "The server is broken: a defect. The log says more.";
    IDS_EXHAUSTED: 507, "Insufficient Storage", Text("No ids are left."),
        "The id 2147483647 has been given out, and ids are never given out twice.";
}

/// An error of a domain module: which rows it can be, and which one it is.
pub trait Failure {
    /// Every row that it can be.
    fn rows() -> Vec<&'static Row>;

    /// What to answer.
    fn fault(&self) -> Fault;
}

/// Maps every variant of an enum to its row. What a variant holds may take the place of the row's example.
macro_rules! rows {
    ($type:ty { $($variant:ident $(($held:ident))? => $row:ident $(.$with:ident($value:expr))?),* $(,)? }) => {
        impl Failure for $type {
            fn rows() -> Vec<&'static Row> {
                vec![$(&$row),*]
            }

            fn fault(&self) -> Fault {
                match self {
                    $(Self::$variant $(($held))? => Fault::of(&$row)$(.$with($value))?,)*
                }
            }
        }
    };
}

rows!(GetError { NotFound => NOT_FOUND });
rows!(CreateShipError { IdGiven => ID_GIVEN, IdsExhausted => IDS_EXHAUSTED });
rows!(UpdateShipError { NotFound => NOT_FOUND, IdMismatch => ID_MISMATCH });
rows!(CreateUserError { IdGiven => ID_GIVEN, NameTaken => NAME_TAKEN, IdsExhausted => IDS_EXHAUSTED });
rows!(UpdateUserError { NotFound => NOT_FOUND, IdMismatch => ID_MISMATCH, NameTaken => NAME_TAKEN });
rows!(RefreshError { UnknownUser => UNKNOWN_USER, Revoked => TOKEN_REVOKED });
rows!(BearerError { Missing => AUTHORIZATION_MISSING, Malformed => AUTHORIZATION_MALFORMED });
rows!(TokenError {
    NotEnoughSegments => TOKEN_NOT_ENOUGH_SEGMENTS,
    MalformedHeader => TOKEN_MALFORMED_HEADER,
    AlgorithmNotAllowed => TOKEN_ALGORITHM,
    CriticalHeader => TOKEN_CRITICAL_HEADER,
    BadSignature => TOKEN_BAD_SIGNATURE,
    MalformedPayload => TOKEN_MALFORMED_PAYLOAD,
    MissingClaim(name) => TOKEN_MISSING_CLAIM.with_error(format!("Missing claim: {name}")),
    InvalidClaim(name) => TOKEN_INVALID_CLAIM.with_error(format!("Invalid claim: {name}")),
    NotYetValid => TOKEN_NOT_YET_VALID,
    Expired => TOKEN_EXPIRED,
    NotAnAccessToken => ACCESS_TOKEN_REQUIRED,
    NotARefreshToken => REFRESH_TOKEN_REQUIRED,
    Revoked => TOKEN_REVOKED,
});
rows!(BodyError {
    TooLarge(limit) => PAYLOAD_TOO_LARGE.with_message(format!("The body may have {limit} bytes at most.")),
    Malformed(reason) => MALFORMED_JSON.with_message(format!("Malformed JSON: {reason}")),
    Invalid(errors) => INVALID_FIELDS.with_message(errors),
});
rows!(LoginError {
    NotJson => LOGIN_NOT_JSON,
    TooLarge(limit) => PAYLOAD_TOO_LARGE.with_message(format!("The body may have {limit} bytes at most.")),
    Malformed(reason) => MALFORMED_JSON.with_message(format!("Malformed JSON: {reason}")),
    NotAnObject => LOGIN_NOT_AN_OBJECT,
    Incomplete => LOGIN_INCOMPLETE,
    Invalid => LOGIN_INVALID,
});

/// The rows of a token guard: those of its header, those of tokens but for the other kind's, and its own.
fn token_guard_rows(other_kind: &'static Row, own: Vec<&'static Row>) -> Vec<&'static Row> {
    let mut rows = BearerError::rows();
    rows.extend(TokenError::rows().into_iter().filter(|row| row.name != other_kind.name));
    rows.extend(own.into_iter().filter(|row| row.name != TOKEN_REVOKED.name));
    rows
}

impl Failure for AccessError {
    fn rows() -> Vec<&'static Row> {
        token_guard_rows(&REFRESH_TOKEN_REQUIRED, vec![&UNKNOWN_USER])
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Bearer(error) => error.fault(),
            Self::Token(error) => error.fault(),
            Self::UnknownUser => Fault::of(&UNKNOWN_USER),
        }
    }
}

impl Failure for RefreshTokenError {
    fn rows() -> Vec<&'static Row> {
        token_guard_rows(&ACCESS_TOKEN_REQUIRED, RefreshError::rows())
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Bearer(error) => error.fault(),
            Self::Token(error) => error.fault(),
            Self::User(error) => error.fault(),
        }
    }
}

impl Failure for OwnerError {
    fn rows() -> Vec<&'static Row> {
        let mut rows = AccessError::rows();
        rows.push(&FORBIDDEN);
        rows
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Access(error) => error.fault(),
            Self::NotTheOwner => Fault::of(&FORBIDDEN),
        }
    }
}

/// The errors of an operation that reads a body and then does something that fails with `E`.
#[derive(Debug)]
pub enum BodyOr<E> {
    /// The body is of no use.
    Body(BodyError),
    /// What was to be done with it failed.
    Then(E),
}

impl<E: Failure> Failure for BodyOr<E> {
    fn rows() -> Vec<&'static Row> {
        let mut rows = BodyError::rows();
        rows.extend(E::rows());
        rows
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Body(error) => error.fault(),
            Self::Then(error) => error.fault(),
        }
    }
}

/// What an operation answers instead of success: one of the errors of `E`, all of which are documented. (An
/// [`Internal`] failure is none of them: it is a defect.)
#[derive(Debug)]
pub enum Rejected<E> {
    /// An error that is documented.
    For(E),
    /// A defect.
    Broken(Internal),
}

/// The errors of an operation that has none of its own behind its guards.
#[derive(Debug)]
pub enum Nothing {}

impl Failure for Nothing {
    fn rows() -> Vec<&'static Row> {
        Vec::new()
    }

    fn fault(&self) -> Fault {
        match *self {}
    }
}

/// What an operation answers.
pub type Answer<T, E> = Result<T, Rejected<E>>;

/// The errors of the store, told apart from those of the body so that `?` knows where each belongs.
pub trait Refusal: Failure {}
impl Refusal for CreateShipError {}
impl Refusal for UpdateShipError {}
impl Refusal for CreateUserError {}
impl Refusal for UpdateUserError {}

impl From<GetError> for Rejected<GetError> {
    fn from(error: GetError) -> Self {
        Self::For(error)
    }
}

impl From<LoginError> for Rejected<LoginError> {
    fn from(error: LoginError) -> Self {
        Self::For(error)
    }
}

impl From<InvalidCredentials> for Rejected<LoginError> {
    fn from(InvalidCredentials: InvalidCredentials) -> Self {
        Self::For(LoginError::Invalid)
    }
}

impl<E> From<BodyError> for Rejected<BodyOr<E>> {
    fn from(error: BodyError) -> Self {
        Self::For(BodyOr::Body(error))
    }
}

impl<E: Refusal> From<E> for Rejected<BodyOr<E>> {
    fn from(error: E) -> Self {
        Self::For(BodyOr::Then(error))
    }
}

impl<E> From<Internal> for Rejected<E> {
    fn from(error: Internal) -> Self {
        Self::Broken(error)
    }
}

impl<'r, E: Failure> Responder<'r, 'static> for Rejected<E> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        match self {
            Self::For(error) => error.fault().respond_to(request),
            Self::Broken(error) => {
                // Rocket's own log is off unless asked for.
                let _ = writeln!(std::io::stderr(), "shipyard: internal error: {error}");
                Fault::of(&INTERNAL).respond_to(request)
            }
        }
    }
}

impl<E: Failure> OpenApiResponderInner for Rejected<E> {
    fn responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        Ok(docs::errors(generator, &E::rows()))
    }
}

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
pub struct Fault {
    status: Status,
    body: ErrorBody,
    /// The `WWW-Authenticate` of a 401 (RFC 6750, section 3).
    challenge: Option<String>,
}

impl Fault {
    /// The error of that row.
    #[must_use]
    pub fn of(row: &Row) -> Self {
        let body = row.example();
        Self { status: Status::new(row.status), challenge: challenge(row), body }
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The error of a status that is in no row: its name.
    fn of_status(status: Status) -> Self {
        let error = status.reason_lossy().to_owned();
        Self { status, body: ErrorBody { error, message: None }, challenge: None }
    }

    fn with_error(mut self, error: String) -> Self {
        self.body.error = error;
        self
    }

    fn with_message(mut self, message: impl Serialize) -> Self {
        self.body.message = serde_json::to_value(message).ok();
        self
    }
}

/// RFC 6750, section 3.1: who sent no token is told only that one is wanted; who sent one, what is wrong with it.
fn challenge(row: &Row) -> Option<String> {
    const REALM: &str = "Bearer realm=\"shipyard\"";
    if row.status != 401 {
        return None;
    }
    if [AUTHORIZATION_MISSING.name, LOGIN_INVALID.name].contains(&row.name) {
        return Some(REALM.to_owned());
    }
    let description = if let Text(message) = row.message { message } else { row.error };
    Some(format!("{REALM}, error=\"invalid_token\", error_description=\"{description}\""))
}

impl<'r> Responder<'r, 'static> for &Fault {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = reply::json(request, self.status, &self.body)?;
        if let Some(challenge) = &self.challenge {
            response.set_header(Header::new("WWW-Authenticate", challenge.clone()));
        }
        Ok(response)
    }
}

impl<'r> Responder<'r, 'static> for Fault {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        (&self).respond_to(request)
    }
}

/// The answer to a request that no handler answered.
pub enum Caught<'r> {
    /// An error.
    Fault(Fault),
    /// The error that a guard left behind.
    OfGuard(&'r Fault),
    /// The path exists, but not with that method.
    OtherMethods(Vec<&'static str>),
    /// What the path can do, for OPTIONS.
    Options(Vec<&'static str>),
}

/// Answers what guards and routes refuse, in the contract's order of checks: unknown path or malformed id,
/// then wrong method, and only then what a guard found.
#[catch(default)]
pub fn default_catcher<'r>(status: Status, request: &'r Request<'_>) -> Caught<'r> {
    let allowed = routing::methods_at(request);
    if allowed.is_empty() {
        return Caught::Fault(Fault::of(&NOT_FOUND));
    }
    if !allowed.contains(&request.method().as_str()) {
        return Caught::OtherMethods(allowed);
    }
    if request.method() == Method::Options {
        return Caught::Options(allowed);
    }
    match guard::failure(request) {
        Some(fault) => Caught::OfGuard(fault),
        // Rocket's answer to the path of a file that it will not read, such as `/static/..`.
        None if status == Status::UnprocessableEntity => Caught::Fault(Fault::of(&NOT_FOUND)),
        None => Caught::Fault(Fault::of_status(status)),
    }
}

impl<'r> Responder<'r, 'static> for Caught<'_> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        match self {
            Self::Fault(fault) => fault.respond_to(request),
            Self::OfGuard(fault) => fault.respond_to(request),
            Self::OtherMethods(allowed) => {
                let mut response = Fault::of(&METHOD_NOT_ALLOWED).respond_to(request)?;
                response.set_header(Header::new("Allow", allowed.join(", ")));
                Ok(response)
            }
            Self::Options(allowed) => {
                let mut response = reply::no_content();
                response.set_header(Header::new("Allow", allowed.join(", ")));
                Ok(response)
            }
        }
    }
}
