//! Access-token guard.

use rocket::request::{FromRequest, Outcome};
use rocket::{async_trait, Ignite, Request, Rocket, Sentinel};
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::Responses;
use rocket_okapi::request::{OpenApiFromRequest, RequestHeaderInput};

use super::{bearer_token, run_guard, token_guard_errors, AuthState, BearerError};
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::{ErrorSpec, REFRESH_TOKEN_REQUIRED, TOKEN_REVOKED, UNKNOWN_USER};
use crate::api::error::ToApiError;
use crate::api::openapi::components;
use crate::auth::token::{Claims, Kind, TokenError};
use crate::internal_error::OperationError;
use crate::store::AccessSessionError;

/// Requires a valid access token of a user who exists.
#[derive(Debug)]
pub struct AccessToken(pub Claims);

/// Why the guard rejects a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessTokenError {
    /// The Authorization header is missing or malformed.
    Bearer(BearerError),
    /// The token is invalid.
    Token(TokenError),
    /// The token, or all tokens of the user, have been revoked.
    Revoked,
    /// The token's user has been deleted.
    UnknownUser,
}

impl ToApiError for AccessTokenError {
    fn error_specs() -> Vec<&'static ErrorSpec> {
        token_guard_errors(&REFRESH_TOKEN_REQUIRED, vec![&TOKEN_REVOKED, &UNKNOWN_USER])
    }

    fn to_api_error(&self) -> ApiError {
        match self {
            Self::Bearer(error) => error.to_api_error(),
            Self::Token(error) => error.to_api_error(),
            Self::UnknownUser => ApiError::of(&UNKNOWN_USER),
            Self::Revoked => ApiError::of(&TOKEN_REVOKED),
        }
    }
}

impl From<AccessSessionError> for AccessTokenError {
    fn from(error: AccessSessionError) -> Self {
        match error {
            AccessSessionError::UnknownUser => Self::UnknownUser,
            AccessSessionError::Revoked | AccessSessionError::AllLoggedOut => Self::Revoked,
        }
    }
}

/// Verifies signature and claims of the access token, but not whether the store still accepts it.
pub(super) fn verify(auth: AuthState<'_>, request: &Request<'_>) -> Result<Claims, AccessTokenError> {
    let token = bearer_token(request).map_err(AccessTokenError::Bearer)?;
    auth.verify_token(request, token, Kind::Access).map_err(AccessTokenError::Token)
}

/// Verifies the access token, and that the store still accepts it.
async fn authenticate(
    auth: AuthState<'_>,
    request: &Request<'_>,
) -> Result<AccessToken, OperationError<AccessTokenError>> {
    let claims = verify(auth, request).map_err(OperationError::Rejected)?;
    let checked = auth.store.check_access(&claims).await;
    checked.map_err(|error| error.map(AccessTokenError::from))?;
    Ok(AccessToken(claims))
}

#[async_trait]
impl<'r> FromRequest<'r> for AccessToken {
    type Error = OperationError<AccessTokenError>;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        run_guard(request, |auth| authenticate(auth, request)).await
    }
}

impl Sentinel for AccessToken {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        AuthState::is_unmanaged(rocket)
    }
}

/// The security scheme of the access token.
pub(super) fn security() -> RequestHeaderInput {
    super::security("accessToken", "The `access_token` of `auth_login` or `auth_refresh`.")
}

impl<'r> OpenApiFromRequest<'r> for AccessToken {
    fn from_request_input(
        _: &mut OpenApiGenerator,
        _: String,
        _: bool,
    ) -> rocket_okapi::Result<RequestHeaderInput> {
        Ok(security())
    }

    fn get_responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        Ok(components::errors(generator, &AccessTokenError::error_specs()))
    }
}
