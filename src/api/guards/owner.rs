//! Owner guard: users can change only their own data.

use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::{async_trait, Ignite, Request, Rocket, Sentinel};
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::Responses;
use rocket_okapi::request::{OpenApiFromRequest, RequestHeaderInput};

use super::access::{self, AccessTokenError};
use super::{run_guard, AuthState};
use crate::api::error::{error_specs, ToApiError};
use crate::api::openapi::components;
use crate::api::routing;
use crate::auth::token::Claims;
use crate::internal_error::OperationError;
use crate::model::id::Id;
use crate::store::AccessSessionError;

/// Requires an access token of the user whose id is in the path. The store checks whether that user still exists, so
/// that the owner of a deleted account gets a 404.
#[derive(Debug)]
pub struct Owner(pub Claims);

/// Why the guard rejects a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerError {
    /// There is no valid access token, or its user has been deleted.
    Access(AccessTokenError),
    /// The token belongs to another user.
    NotTheOwner,
}

error_specs!(OwnerError { NotTheOwner => FORBIDDEN; Access(AccessTokenError) });

/// Verifies the access token. Returns its claims, and whether its user has been deleted.
async fn authenticate(
    auth: AuthState<'_>,
    request: &Request<'_>,
) -> Result<(Claims, bool), OperationError<AccessTokenError>> {
    let claims = access::verify(auth, request).map_err(OperationError::Rejected)?;
    match auth.store.check_access(&claims).await {
        Ok(()) => Ok((claims, false)),
        Err(OperationError::Rejected(AccessSessionError::UnknownUser)) => Ok((claims, true)),
        Err(error) => Err(error.map(AccessTokenError::from)),
    }
}

async fn check_owner(
    auth: AuthState<'_>,
    request: &Request<'_>,
    id: Id,
) -> Result<Owner, OperationError<OwnerError>> {
    let authenticated = authenticate(auth, request).await;
    let rejected = match authenticated.map_err(|error| error.map(OwnerError::Access))? {
        (claims, _) if claims.identity == id => return Ok(Owner(claims)),
        (_, false) => OwnerError::NotTheOwner,
        (_, true) => OwnerError::Access(AccessTokenError::UnknownUser),
    };
    Err(OperationError::Rejected(rejected))
}

#[async_trait]
impl<'r> FromRequest<'r> for Owner {
    type Error = OperationError<OwnerError>;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let id = routing::id_position(request).and_then(|position| request.param::<Id>(position));
        let Some(Ok(id)) = id else { return Outcome::Forward(Status::NotFound) };
        run_guard(request, |auth| check_owner(auth, request, id)).await
    }
}

impl Sentinel for Owner {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        AuthState::is_unmanaged(rocket)
    }
}

impl<'r> OpenApiFromRequest<'r> for Owner {
    fn from_request_input(
        _: &mut OpenApiGenerator,
        _: String,
        _: bool,
    ) -> rocket_okapi::Result<RequestHeaderInput> {
        Ok(access::security())
    }

    fn get_responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        Ok(components::errors(generator, &OwnerError::error_specs()))
    }
}
