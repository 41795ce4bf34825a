//! THE table of errors: status, text, when. From it come the answer ([`fault`]), what an operation returns
//! ([`answer`]), its documentation, and what the catcher says ([`catcher`]).
//!
//! A domain module says what went wrong in an enum of its own. `rows!` maps each variant to a row of the
//! table. An operation names such an enum in its return type, and so can neither answer an error that its
//! documentation does not list, nor list one that it cannot answer.

pub mod api_error;
pub mod catcher;

use serde_json::{json, Value};

use self::api_error::{ApiError, ErrorBody};
use crate::api::guards::access::AccessError;
use crate::api::guards::bearer::BearerError;
use crate::api::guards::body::{BodyError, ReadError};
use crate::api::guards::login::LoginError;
use crate::api::guards::owner::OwnerError;
use crate::api::guards::refresh::RefreshTokenError;
use crate::auth::token::TokenError;
use crate::store::accounts::{RenewError, WriteError};
use crate::store::{
    CreateShipError, CreateUserError, GetError, RefreshError, UpdateShipError, UpdateUserError,
};

/// One kind of error.
#[derive(Debug)]
pub struct ErrorSpec {
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

impl ErrorSpec {
    /// A body with this error.
    #[must_use]
    pub fn example(&self) -> ErrorBody {
        ErrorBody { error: self.error.to_owned(), message: self.message.example() }
    }
}

macro_rules! table {
    ($(#[$about:meta])* $table:ident; $($name:ident: $status:literal, $error:literal, $message:expr, $when:literal;)*) => {
        $(#[doc = $when] pub static $name: ErrorSpec = ErrorSpec {
            name: stringify!($name),
            status: $status,
            error: $error,
            message: $message,
            when: $when,
        };)*

        $(#[$about])*
        pub static $table: &[&ErrorSpec] = &[$(&$name),*];
    };
}

use Message::{Fields, None as Bare, Text};

table! {
    /// What operations answer.
    TABLE;
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
        "There is no Authorization header, or an empty one.";
    TOKEN_EXPIRED: 401, "Token has expired", Bare,
        "The token's time is over (RFC 7519, section 4.1.4).";
    TOKEN_REVOKED: 401, "Token has been revoked", Bare,
        "The token was logged out, or issued before the server's start.";
    TOKEN_OUTDATED: 401, "Token has been revoked", Bare,
        "The token was issued before the user's password was changed.";
    UNKNOWN_USER: 401, "Unauthorized", Text("Unknown user."),
        "The user of the token has been deleted.";
    FORBIDDEN: 403, "Forbidden", Bare,
        "The user of the token is not the user of the path.";
    NOT_FOUND: 404, "Not Found", Bare,
        "Nothing has that id, or there is no such path.";
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
        "A claim of the token is not of its type, or `type` is neither `access` nor `refresh`.";
    TOKEN_NOT_YET_VALID: 422, "The token is not yet valid (nbf)", Bare,
        "The token's time has not come (RFC 7519, section 4.1.5).";
    TOKEN_NOT_YET_ISSUED: 422, "The token is not yet valid (iat)", Bare,
        "The token says that it will be issued in the future.";
    ACCESS_TOKEN_REQUIRED: 422, "Only access tokens are allowed", Bare,
        "The token is a refresh token.";
    REFRESH_TOKEN_REQUIRED: 422, "Only refresh tokens are allowed", Bare,
        "The token is an access token.";
    TOO_MANY_REQUESTS: 429, "Too Many Requests", Text("Too many requests. Try again later."),
        "There were too many such requests of late, from that address, under that user name, or overall; \
         `Retry-After` says when to come again.";
    INTERNAL: 500, "Internal Server Error", Bare,
        "The server is broken: a defect. The log says more.";
    BUSY: 503, "Service Unavailable", Text("Too many passwords are being checked. Try again soon."),
        "As many passwords wait to be hashed as may.";
    STORAGE_FULL: 507, "Insufficient Storage", Text("No room is left."),
        "There are as many as the server is set to keep.";
    IDS_EXHAUSTED: 507, "Insufficient Storage", Text("No ids are left."),
        "The id 2147483647 has been given out, and ids are never given out twice.";
}

table! {
    /// What is answered to what is no request in order, before any operation is looked for.
    OF_CONNECTIONS;
    REQUEST_MALFORMED: 400, "Bad Request", Text("Malformed request: invalid HTTP header parsed."),
        "The request is not HTTP/1.1 (RFC 9112), or can be read in two ways.";
    BODY_BROKE_OFF: 400, "Bad Request", Text("The body cannot be read: error reading a body from connection."),
        "The body ends before it is complete, or its chunks are malformed.";
    HEAD_TIMEOUT: 408, "Request Timeout", Text("The head of the request was not complete within 5 seconds."),
        "The client took too long to say what it wants.";
    BODY_TIMEOUT: 408, "Request Timeout", Text("The body of the request was not complete within 10 seconds."),
        "The client took too long to send the body.";
    EXPECTATION: 417, "Expectation Failed", Bare,
        "The request expects something else than `100-continue`.";
    HEAD_TOO_LARGE: 431, "Request Header Fields Too Large",
        Text("The head of a request may have 16384 bytes and 64 fields at most."),
        "The head of the request is larger than the limit, or has more fields.";
    METHOD_NOT_IMPLEMENTED: 501, "Not Implemented", Text("CONNECT is for proxies."),
        "The method has no meaning for any path here.";
    TRANSFER_CODING: 501, "Not Implemented", Text("The only transfer coding here is chunked."),
        "The body has a transfer coding that nobody here can read (RFC 9112, section 6.1).";
    CONNECTIONS_EXHAUSTED: 503, "Service Unavailable", Text("Too many connections. Try again soon."),
        "There are as many connections as the server takes.";
    ANSWER_TIMEOUT: 503, "Service Unavailable", Text("There was no answer within 15 seconds."),
        "The server took too long to answer.";
    HTTP_VERSION: 505, "HTTP Version Not Supported", Text("This server speaks HTTP/1.1 and HTTP/1.0."),
        "The request is of another version of HTTP.";
}

/// An error of a domain module: which rows it can be, and which one it is.
pub trait ToApiError {
    /// Every row that it can be.
    fn error_specs() -> Vec<&'static ErrorSpec>;

    /// What to answer.
    fn to_api_error(&self) -> ApiError;
}

/// Maps every variant of an enum to its row. What a variant holds may take the place of the row's example.
/// Behind a semicolon: the variant that wraps another error.
macro_rules! rows {
    ($type:ty {
        $($variant:ident $(($held:ident))? => $row:ident $(.$with:ident($value:expr))?),* $(,)?
        $(; $wrapper:ident($wrapped:ty))?
    }) => {
        impl ToApiError for $type {
            fn error_specs() -> Vec<&'static ErrorSpec> {
                let own: Vec<&'static ErrorSpec> = vec![$(&$row),*];
                $(let own = [own, <$wrapped>::error_specs()].concat();)?
                own
            }

            fn to_api_error(&self) -> ApiError {
                match self {
                    $(Self::$variant $(($held))? => ApiError::of(&$row)$(.$with($value))?,)*
                    $(Self::$wrapper(error) => <$wrapped>::to_api_error(error),)?
                }
            }
        }
    };
}

rows!(GetError { NotFound => NOT_FOUND });
rows!(CreateShipError { IdGiven => ID_GIVEN, Full => STORAGE_FULL, IdsExhausted => IDS_EXHAUSTED });
rows!(UpdateShipError { NotFound => NOT_FOUND, IdMismatch => ID_MISMATCH });
rows!(CreateUserError {
    IdGiven => ID_GIVEN,
    NameTaken => NAME_TAKEN,
    Full => STORAGE_FULL,
    IdsExhausted => IDS_EXHAUSTED,
});
rows!(UpdateUserError { NotFound => NOT_FOUND, IdMismatch => ID_MISMATCH, NameTaken => NAME_TAKEN });
rows!(RefreshError { UnknownUser => UNKNOWN_USER, LoggedOut => TOKEN_REVOKED, Revoked => TOKEN_OUTDATED });
rows!(RenewError {
    RateLimited(error) => TOO_MANY_REQUESTS.with_retry_after(error.retry_after);
    Refresh(RefreshError)
});
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
    UnknownKind => TOKEN_INVALID_CLAIM.with_error("Missing or invalid claim: type".to_owned()),
    NotYetValid => TOKEN_NOT_YET_VALID,
    NotYetIssued => TOKEN_NOT_YET_ISSUED,
    Expired => TOKEN_EXPIRED,
    NotAnAccessToken => ACCESS_TOKEN_REQUIRED,
    NotARefreshToken => REFRESH_TOKEN_REQUIRED,
    Revoked => TOKEN_REVOKED,
});
rows!(ReadError {
    TooLarge(limit) => PAYLOAD_TOO_LARGE.with_message(format!("The body may have {limit} bytes at most.")),
    Malformed(reason) => MALFORMED_JSON.with_message(format!("Malformed JSON: {reason}")),
});
rows!(LoginError {
    NotJson => LOGIN_NOT_JSON,
    NotAnObject => LOGIN_NOT_AN_OBJECT,
    Incomplete => LOGIN_INCOMPLETE,
    Invalid => LOGIN_INVALID,
    RateLimited(error) => TOO_MANY_REQUESTS.with_retry_after(error.retry_after),
    QueueFull => BUSY;
    Read(ReadError)
});
rows!(OwnerError { NotTheOwner => FORBIDDEN; Access(AccessError) });

impl ToApiError for BodyError {
    fn error_specs() -> Vec<&'static ErrorSpec> {
        let mut rows = ReadError::error_specs();
        rows.push(&INVALID_FIELDS);
        rows
    }

    fn to_api_error(&self) -> ApiError {
        match self {
            Self::Read(error) => error.to_api_error(),
            Self::Invalid(errors) => ApiError::of(&INVALID_FIELDS).with_message(errors),
        }
    }
}

/// The rows of a token guard: those of its header, those of tokens but for the other kind's, and its own.
fn token_guard_rows(other_kind: &'static ErrorSpec, own: Vec<&'static ErrorSpec>) -> Vec<&'static ErrorSpec> {
    let mut rows = BearerError::error_specs();
    rows.extend(TokenError::error_specs().into_iter().filter(|row| row.name != other_kind.name));
    rows.extend(own);
    rows
}

impl ToApiError for AccessError {
    fn error_specs() -> Vec<&'static ErrorSpec> {
        token_guard_rows(&REFRESH_TOKEN_REQUIRED, vec![&UNKNOWN_USER])
    }

    fn to_api_error(&self) -> ApiError {
        match self {
            Self::Bearer(error) => error.to_api_error(),
            Self::Token(error) => error.to_api_error(),
            Self::UnknownUser => ApiError::of(&UNKNOWN_USER),
            Self::LoggedOut => ApiError::of(&TOKEN_REVOKED),
        }
    }
}

impl<E: ToApiError> ToApiError for WriteError<E> {
    fn error_specs() -> Vec<&'static ErrorSpec> {
        let mut rows = E::error_specs();
        rows.extend([&TOO_MANY_REQUESTS, &BUSY]);
        rows
    }

    fn to_api_error(&self) -> ApiError {
        match self {
            Self::RateLimited(error) => ApiError::of(&TOO_MANY_REQUESTS).with_retry_after(error.retry_after),
            Self::QueueFull => ApiError::of(&BUSY),
            Self::Store(error) => error.to_api_error(),
        }
    }
}

impl ToApiError for RefreshTokenError {
    fn error_specs() -> Vec<&'static ErrorSpec> {
        token_guard_rows(&ACCESS_TOKEN_REQUIRED, RefreshError::error_specs())
    }

    fn to_api_error(&self) -> ApiError {
        match self {
            Self::Bearer(error) => error.to_api_error(),
            Self::Token(error) => error.to_api_error(),
            Self::User(error) => error.to_api_error(),
        }
    }
}
