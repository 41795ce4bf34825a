//! What is answered where no handler was reached.

use rocket::http::{Header, Method, Status};
use rocket::response::{self, Responder};
use rocket::{catch, Request};

use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::{METHOD_NOT_ALLOWED, NOT_FOUND};
use crate::api::guards;
use crate::api::json_response;
use crate::api::routing;

/// The answer to a request that no handler answered.
pub enum Fallback<'r> {
    /// An error.
    ApiError(ApiError),
    /// The error that a guard left behind.
    FromGuard(&'r ApiError),
    /// The path exists, but not with that method.
    OtherMethods(Vec<&'static str>),
    /// What the path can do, for OPTIONS.
    Options(Vec<&'static str>),
}

/// Answers what guards and routes refuse, in the contract's order of checks: unknown path or malformed id,
/// then wrong method, and only then what a guard found.
#[catch(default)]
pub fn default_catcher<'r>(status: Status, request: &'r Request<'_>) -> Fallback<'r> {
    let allowed = routing::methods_at(request);
    if allowed.is_empty() {
        return Fallback::ApiError(ApiError::of(&NOT_FOUND));
    }
    if !allowed.contains(&request.method().as_str()) {
        return Fallback::OtherMethods(allowed);
    }
    if request.method() == Method::Options {
        return Fallback::Options(allowed);
    }
    match guards::failure(request) {
        Some(api_error) => Fallback::FromGuard(api_error),
        // Rocket's answer to the path of a file that it will not read, such as `/static/..`.
        None if status == Status::UnprocessableEntity => Fallback::ApiError(ApiError::of(&NOT_FOUND)),
        None => Fallback::ApiError(ApiError::of_status(status)),
    }
}

impl<'r> Responder<'r, 'static> for Fallback<'_> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        match self {
            Self::ApiError(api_error) => api_error.respond_to(request),
            Self::FromGuard(api_error) => api_error.respond_to(request),
            Self::OtherMethods(allowed) => {
                let mut response = ApiError::of(&METHOD_NOT_ALLOWED).respond_to(request)?;
                response.set_header(Header::new("Allow", allowed.join(", ")));
                Ok(response)
            }
            Self::Options(allowed) => {
                let mut response = json_response::no_content();
                response.set_header(Header::new("Allow", allowed.join(", ")));
                Ok(response)
            }
        }
    }
}
