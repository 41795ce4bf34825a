//! Bearer token in the Authorization header (RFC 6750, section 2.1).

use crate::api::error::error_specs;
use rocket::Request;

/// Why the header has no bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerError {
    /// The Authorization header is missing or empty.
    Missing,
    /// The header is not `Bearer`, white space and a token, or there is more than one.
    Malformed,
}

error_specs!(BearerError { Missing => AUTHORIZATION_MISSING, Malformed => AUTHORIZATION_MALFORMED });

/// The token after `Bearer`.
pub(super) fn token<'r>(request: &'r Request<'_>) -> Result<&'r str, BearerError> {
    // RFC 9110, section 5.6.3: white space is spaces and tabs. Other Unicode white space is part of a word, as it is for
    // proxies.
    let mut headers = request.headers().get("Authorization").map(str::trim_ascii);
    let header = match (headers.next(), headers.next()) {
        (None | Some(""), None) => return Err(BearerError::Missing),
        (Some(header), None) => header,
        _ => return Err(BearerError::Malformed),
    };
    let token =
        header.strip_prefix("Bearer").filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim_ascii);
    let is_one_word = |token: &&str| ![b' ', b'\t'].iter().any(|space| token.as_bytes().contains(space));
    token.filter(is_one_word).ok_or(BearerError::Malformed)
}

/// A bearer security scheme for the OpenAPI specification.
pub(super) fn security(name: &str, description: &str) -> rocket_okapi::request::RequestHeaderInput {
    use rocket_okapi::okapi::openapi3::{Object, SecurityRequirement, SecurityScheme, SecuritySchemeData};

    let scheme = SecurityScheme {
        description: Some(description.to_owned()),
        data: SecuritySchemeData::Http { scheme: "bearer".to_owned(), bearer_format: Some("JWT".to_owned()) },
        extensions: Object::default(),
    };
    let requirement = SecurityRequirement::from_iter([(name.to_owned(), Vec::new())]);
    rocket_okapi::request::RequestHeaderInput::Security(name.to_owned(), scheme, requirement)
}
