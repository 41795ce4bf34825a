//! Precondition guard: what a client requires of the version that it replaces, changes or deletes.

use std::convert::Infallible;

use rocket::async_trait;
use rocket::request::{FromRequest, Outcome, Request};
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::request::{OpenApiFromRequest, RequestHeaderInput};

use crate::api::etag;
use crate::store::Precondition;

/// Whether a write needs `If-Match`: the setting `require_if_match`.
#[derive(Clone, Copy, Debug)]
pub struct IfMatchRequired(pub bool);

#[async_trait]
impl<'r> FromRequest<'r> for Precondition {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        let is_required =
            request.rocket().state::<IfMatchRequired>().is_some_and(|IfMatchRequired(required)| *required);
        Outcome::Success(Self { is_required, ..etag::precondition(request) })
    }
}

/// The specification describes the header with those of other operations.
impl OpenApiFromRequest<'_> for Precondition {
    fn from_request_input(
        _: &mut OpenApiGenerator,
        _: String,
        _: bool,
    ) -> rocket_okapi::Result<RequestHeaderInput> {
        Ok(RequestHeaderInput::None)
    }
}
