//! Refresh-token guard.

use rocket::request::{FromRequest, Outcome};
use rocket::{async_trait, Ignite, Request, Rocket, Sentinel};
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::Responses;
use rocket_okapi::request::{OpenApiFromRequest, RequestHeaderInput};

use super::{bearer_token, run_guard, token_guard_errors, AuthState, BearerError};
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::{ErrorSpec, ACCESS_TOKEN_REQUIRED};
use crate::api::error::ToApiError;
use crate::api::openapi::components;
use crate::auth::token::{Claims, Kind, TokenError};
use crate::internal_error::OperationError;
use crate::store::RefreshSessionError;

/// Requires a valid refresh token of a user who exists, and has not changed the password or logged out all
/// tokens since.
#[derive(Debug)]
pub struct RefreshToken(pub Claims);

/// Why the guard rejects a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshTokenError {
    /// The Authorization header is missing or malformed.
    Bearer(BearerError),
    /// The token is invalid.
    Token(TokenError),
    /// The user has been deleted, has changed the password, or has had all tokens revoked.
    User(RefreshSessionError),
}

impl ToApiError for RefreshTokenError {
    fn error_specs() -> Vec<&'static ErrorSpec> {
        token_guard_errors(&ACCESS_TOKEN_REQUIRED, RefreshSessionError::error_specs())
    }

    fn to_api_error(&self) -> ApiError {
        match self {
            Self::Bearer(error) => error.to_api_error(),
            Self::Token(error) => error.to_api_error(),
            Self::User(error) => error.to_api_error(),
        }
    }
}

/// Verifies signature and claims of the refresh token.
fn verify(auth: AuthState<'_>, request: &Request<'_>) -> Result<Claims, RefreshTokenError> {
    let token = bearer_token(request).map_err(RefreshTokenError::Bearer)?;
    auth.verify_token(request, token, Kind::Refresh).map_err(RefreshTokenError::Token)
}

/// Verifies the refresh token, and that the store still accepts it.
async fn authenticate(
    auth: AuthState<'_>,
    request: &Request<'_>,
) -> Result<RefreshToken, OperationError<RefreshTokenError>> {
    let claims = verify(auth, request).map_err(OperationError::Rejected)?;
    let checked = auth.store.check_refresh(&claims).await;
    checked.map_err(|error| error.map(RefreshTokenError::User))?;
    Ok(RefreshToken(claims))
}

#[async_trait]
impl<'r> FromRequest<'r> for RefreshToken {
    type Error = OperationError<RefreshTokenError>;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        run_guard(request, |auth| authenticate(auth, request)).await
    }
}

impl Sentinel for RefreshToken {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        AuthState::is_unmanaged(rocket)
    }
}

impl<'r> OpenApiFromRequest<'r> for RefreshToken {
    fn from_request_input(
        _: &mut OpenApiGenerator,
        _: String,
        _: bool,
    ) -> rocket_okapi::Result<RequestHeaderInput> {
        Ok(super::security("refreshToken", "The `refresh_token` of `auth_login`."))
    }

    fn get_responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        Ok(components::errors(generator, &RefreshTokenError::error_specs()))
    }
}
