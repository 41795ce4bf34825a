//! What is answered where no handler was reached.

use rocket::http::{Header, Method, Status};
use rocket::response::{self, Responder};
use rocket::{catch, Request};

use super::fault::Fault;
use super::{METHOD_NOT_ALLOWED, NOT_FOUND};
use crate::api::guards;
use crate::api::response as json_response;
use crate::api::routing;

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
    match guards::failure(request) {
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
                let mut response = json_response::no_content();
                response.set_header(Header::new("Allow", allowed.join(", ")));
                Ok(response)
            }
        }
    }
}
