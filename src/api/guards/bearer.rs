//! The token in the Authorization header (RFC 6750, section 2.1).

use crate::api::error::error_specs;
use rocket::Request;

/// Why there is no token to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerError {
    /// There is no Authorization header, or an empty one.
    Missing,
    /// It is not `Bearer`, white space, and a token; or there is more than one.
    Malformed,
}

error_specs!(BearerError { Missing => AUTHORIZATION_MISSING, Malformed => AUTHORIZATION_MALFORMED });

/// The text behind `Bearer`.
pub(super) fn token<'r>(request: &'r Request<'_>) -> Result<&'r str, BearerError> {
    // RFC 9110, section 5.6.3: white space is spaces and tabs. What Unicode calls so is part of a word, as it is
    // to whatever stands in front of this server.
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

/// The name of a security scheme in the specification, and what it says there.
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
