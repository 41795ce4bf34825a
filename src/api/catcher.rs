//! Catcher: the response to a request that reaches no handler.

use rocket::http::{Header, Method, Status};
use rocket::response::{self, Responder};
use rocket::{catch, Request};

use crate::api::checks::RouteCheck;
use crate::api::cors;
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::{METHOD_NOT_ALLOWED, NOT_FOUND};
use crate::api::guards;
use crate::api::json_response;
use crate::api::routing;

/// The response to a request that reaches no handler.
pub enum Fallback<'r> {
    /// An error.
    ApiError(ApiError),
    /// The error that a guard left.
    FromGuard(&'r ApiError),
    /// The path exists, but not with that method.
    OtherMethods(Vec<&'static str>),
    /// The methods of the path, for OPTIONS.
    Options(Vec<&'static str>),
}

/// Responds to a request that no route or guard accepts.
#[catch(default)]
pub fn default_catcher<'r>(status: Status, request: &'r Request<'_>) -> Fallback<'r> {
    let allowed = routing::methods_at(request);
    for check in RouteCheck::ORDER {
        match (check, guards::failure(request)) {
            (RouteCheck::Path, _) if allowed.is_empty() => {
                return Fallback::ApiError(ApiError::of(&NOT_FOUND));
            }
            (RouteCheck::Method, _) if !allowed.contains(&request.method().as_str()) => {
                return Fallback::OtherMethods(allowed);
            }
            (RouteCheck::Guards, Some(api_error)) => return Fallback::FromGuard(api_error),
            _ => {}
        }
    }
    if request.method() == Method::Options {
        return Fallback::Options(allowed);
    }
    // Rocket's status for the path of a file that it does not read, such as `/static/..`.
    let is_unreadable = status == Status::UnprocessableEntity;
    Fallback::ApiError(if is_unreadable { ApiError::of(&NOT_FOUND) } else { ApiError::of_status(status) })
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
                let allowed = allowed.join(", ");
                for header in cors::preflight_headers(request, &allowed) {
                    response.set_header(header);
                }
                response.set_header(Header::new("Allow", allowed));
                Ok(response)
            }
        }
    }
}
