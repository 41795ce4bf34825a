//! Error catalog: every error that a client can get, with its status, its text, and when it occurs.

use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{json, Value};

/// The body of every error.
#[derive(Debug, Serialize)]
pub struct ErrorBody {
    /// The kind of error.
    pub error: String,
    /// Details, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
}

impl JsonSchema for ErrorBody {
    fn schema_name() -> String {
        "ApiError".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let schema = json!({
            "type": "object",
            "description": "What went wrong.",
            "properties": {
                "error": {"type": "string", "description": "The kind of error."},
                "message": {
                    "description": "Details, if there are any.",
                    "oneOf": [
                        {"title": "Sentence", "type": "string", "description": "A sentence."},
                        {
                            "title": "MessagesByField",
                            "type": "object",
                            "description": "Messages by field; `_schema` stands for the whole body.",
                            "additionalProperties": {
                                "oneOf": [
                                    {
                                        "title": "MessagesOfField",
                                        "type": "array",
                                        "description": "What is wrong with the field.",
                                        "items": {"type": "string"},
                                    },
                                    {
                                        "title": "MessagesByItem",
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
        // Fails only if the text above is not a schema, which the tests would find.
        serde_json::from_value(schema).unwrap_or(Schema::Bool(true))
    }
}

/// One kind of error.
#[derive(Debug)]
pub struct ErrorSpec {
    /// The name: the key of the example in the specification.
    pub name: &'static str,
    /// The status.
    pub status: u16,
    /// The member `error` of the body. If it depends on the token, an example.
    pub error: &'static str,
    /// The member `message` of the body. If it depends on the request, an example.
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
    /// The body with the example.
    #[must_use]
    pub fn example(&self) -> ErrorBody {
        ErrorBody { error: self.error.to_owned(), message: self.message.example() }
    }
}

macro_rules! catalog {
    ($(#[$about:meta])* $list:ident; $($name:ident: $status:literal, $error:literal, $message:expr, $when:literal;)*) => {
        $(#[doc = $when] pub static $name: ErrorSpec = ErrorSpec {
            name: stringify!($name),
            status: $status,
            error: $error,
            message: $message,
            when: $when,
        };)*

        $(#[$about])*
        pub static $list: &[&ErrorSpec] = &[$(&$name),*];
    };
}

use Message::{Fields, None as Bare, Text};

catalog! {
    /// The errors of operations.
    OPERATION_ERRORS;
    MALFORMED_JSON: 400, "Bad Request", Text("Malformed JSON: expected value at line 1 column 1"),
        "The body is not one JSON value (RFC 8259): the message says what is wrong, and where.";
    INVALID_FIELDS: 400, "Bad Request",
        Fields { field: "id", message: "Must be greater than or equal to 1." },
        "Fields are missing, unknown, of the wrong type or out of range: the message lists all of them.";
    INVALID_PARAMETERS: 400, "Bad Request",
        Fields { field: "limit", message: "Must be less than or equal to 1000." },
        "Parameters of the query have wrong values: the message lists all of them.";
    ID_GIVEN: 400, "Bad Request", Bare,
        "The body has an `id`; the server chooses ids.";
    ID_MISMATCH: 400, "Bad Request", Text("Request data id has to match resource id."),
        "The `id` of the body is not that of the path.";
    NAME_TAKEN: 400, "Bad Request", Text("User already exists."),
        "Another user has that name.";
    LOGIN_NOT_JSON: 400, "Bad Request", Bare,
        "The Content-Type is neither `application/json` nor one that ends in `+json`: `Accept-Post` names the one to send.";
    LOGIN_NOT_AN_OBJECT: 400, "Bad Request", Text("Expected a JSON object with username and password."),
        "The body is JSON, but not an object.";
    LOGIN_INCOMPLETE: 400, "Bad Request", Text("Username or password missing."),
        "The name or the password is missing or empty.";
    LOGIN_INVALID: 401, "Unauthorized", Text("Username or password invalid."),
        "No user has that name, or the password is wrong.";
    AUTHORIZATION_MISSING: 401, "Missing Authorization Header", Bare,
        "There is no Authorization header, or an empty one.";
    TOKEN_EXPIRED: 401, "Token has expired", Bare,
        "The token has expired (RFC 7519, section 4.1.4).";
    TOKEN_REVOKED: 401, "Token has been revoked", Bare,
        "The token was logged out, or issued before the server's start.";
    TOKEN_OUTDATED: 401, "Token has been revoked", Bare,
        "The token was issued before the user's password was changed.";
    REFRESH_TOKEN_SPENT: 401, "Token has been revoked", Bare,
        "The server rotates refresh tokens, and one of the same login was used a second time.";
    UNKNOWN_USER: 401, "Unauthorized", Text("Unknown user."),
        "The user of the token has been deleted.";
    FORBIDDEN: 403, "Forbidden", Bare,
        "The user of the token is not the user of the path.";
    NOT_FOUND: 404, "Not Found", Bare,
        "Nothing has that id, or there is no such path.";
    METHOD_NOT_ALLOWED: 405, "Method Not Allowed", Bare,
        "The path exists, but not with this method; `Allow` lists those it has.";
    PRECONDITION_FAILED: 412, "Precondition Failed", Text("The resource is not the version that the request requires."),
        "The current version is not one that `If-Match` lists, or one that `If-None-Match` lists (RFC 9110, section 13.1).";
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
        "`nbf` of the token is in the future (RFC 7519, section 4.1.5).";
    TOKEN_NOT_YET_ISSUED: 422, "The token is not yet valid (iat)", Bare,
        "`iat` of the token is in the future.";
    ACCESS_TOKEN_REQUIRED: 422, "Only access tokens are allowed", Bare,
        "The token is a refresh token.";
    REFRESH_TOKEN_REQUIRED: 422, "Only refresh tokens are allowed", Bare,
        "The token is an access token.";
    PRECONDITION_REQUIRED: 428, "Precondition Required", Text("Send If-Match with the ETag of the version that you read."),
        "The server is configured to require `If-Match` (RFC 6585, section 3).";
    TOO_MANY_REQUESTS: 429, "Too Many Requests", Text("Too many requests. Try again later."),
        "Too many such requests came from that address, under that user name, or overall; \
         `Retry-After` gives the seconds to wait.";
    INTERNAL: 500, "Internal Server Error", Bare,
        "The server has a defect. The log has the reason.";
    BUSY: 503, "Service Unavailable", Text("Too many passwords are being checked. Try again soon."),
        "The queue of passwords to be hashed is full.";
    TOO_MANY_QUERIES: 503, "Service Unavailable", Text("Too many lists are being selected. Try again soon."),
        "The queue of lists with parameters is full, for all clients or for this one.";
    STORE_UNAVAILABLE: 503, "Service Unavailable", Text("The store cannot be reached. Try again soon."),
        "The store cannot be reached. A write may have been done or not.";
    STORAGE_FULL: 507, "Insufficient Storage", Text("No room is left."),
        "The server is configured to keep no more.";
    IDS_EXHAUSTED: 507, "Insufficient Storage", Text("No ids are left."),
        "The last id, 2147483647, has been used, and ids are never reused.";
}

catalog! {
    /// The errors of connections and invalid requests, before any operation is found.
    CONNECTION_ERRORS;
    REQUEST_MALFORMED: 400, "Bad Request", Text("Malformed request: invalid HTTP header parsed."),
        "The request is not HTTP/1.1 (RFC 9112), or can be read in two ways.";
    BODY_BROKE_OFF: 400, "Bad Request", Text("The body cannot be read: error reading a body from connection."),
        "The body ends before it is complete, or its chunks are malformed.";
    HEAD_TIMEOUT: 408, "Request Timeout", Text("The head of the request was not complete within 5 seconds."),
        "The client took too long to send the head of the request.";
    BODY_TIMEOUT: 408, "Request Timeout", Text("The body of the request was not complete within 10 seconds."),
        "The client took too long to send the body.";
    EXPECTATION: 417, "Expectation Failed", Bare,
        "The request has an expectation other than `100-continue`.";
    HEAD_TOO_LARGE: 431, "Request Header Fields Too Large",
        Text("The head of a request may have 16384 bytes and 64 fields at most."),
        "The head of the request is larger than the limit, or has more fields.";
    METHOD_NOT_IMPLEMENTED: 501, "Not Implemented", Text("CONNECT is for proxies."),
        "The method has no meaning for any path here.";
    TRANSFER_CODING: 501, "Not Implemented", Text("The only transfer coding here is chunked."),
        "The body has a transfer coding that the server cannot read (RFC 9112, section 6.1).";
    CONNECTIONS_EXHAUSTED: 503, "Service Unavailable", Text("Too many connections. Try again soon."),
        "The server has as many connections as it accepts.";
    INJECTED_FAILURE: 503, "Service Unavailable", Text("This failure is for tests: see the settings fail and seed."),
        "The server was told to let some requests fail (`fail`), to test clients.";
    RESPONSE_TIMEOUT: 503, "Service Unavailable", Text("There was no answer within 15 seconds."),
        "The server took too long to respond.";
    HTTP_VERSION: 505, "HTTP Version Not Supported", Text("This server speaks HTTP/1.1 and HTTP/1.0."),
        "The request is of another version of HTTP.";
}

catalog! {
    /// The errors of the admin listener alone.
    ADMIN_ERRORS;
    NOT_READY: 503, "Service Unavailable", Text("The server is shutting down."),
        "The server is not ready for requests: the message says why.";
}
