//! Mapping of the errors of `store` and `auth`, which know nothing of HTTP.

use super::api_error::ApiError;
use super::catalog::{ErrorSpec, BUSY, TOO_MANY_QUERIES, TOO_MANY_REQUESTS};
use super::{error_specs, ToApiError};
use crate::auth::token::TokenError;
use crate::store::accounts::{RefreshError, WriteError};
use crate::store::{
    CreateShipError, CreateUserError, DeleteError, GetError, PreconditionError, RefreshSessionError,
    TooManyQueries, UpdateShipError, UpdateUserError,
};

error_specs!(GetError { NotFound => NOT_FOUND });
error_specs!(CreateShipError { IdGiven => ID_GIVEN, Full => STORAGE_FULL, IdsExhausted => IDS_EXHAUSTED });
error_specs!(PreconditionError { Failed => PRECONDITION_FAILED, Required => PRECONDITION_REQUIRED });
error_specs!(UpdateShipError {
    NotFound => NOT_FOUND,
    IdMismatch => ID_MISMATCH;
    Precondition(PreconditionError)
});
error_specs!(DeleteError { NotFound => NOT_FOUND; Precondition(PreconditionError) });
error_specs!(CreateUserError {
    IdGiven => ID_GIVEN,
    NameTaken => NAME_TAKEN,
    Full => STORAGE_FULL,
    IdsExhausted => IDS_EXHAUSTED,
});
error_specs!(UpdateUserError {
    TokenEnded => TOKEN_REVOKED,
    NotFound => NOT_FOUND,
    IdMismatch => ID_MISMATCH,
    NameTaken => NAME_TAKEN;
    Precondition(PreconditionError)
});
error_specs!(RefreshSessionError {
    Revoked => TOKEN_REVOKED,
    UnknownUser => UNKNOWN_USER,
    AllLoggedOut => TOKEN_REVOKED,
    PasswordChanged => TOKEN_OUTDATED,
    Reused => REFRESH_TOKEN_SPENT,
    FamilyEnded => REFRESH_TOKEN_SPENT,
});
error_specs!(RefreshError {
    RateLimited(error) => TOO_MANY_REQUESTS.with_retry_after(error.retry_after);
    Refresh(RefreshSessionError)
});
error_specs!(TokenError {
    NotEnoughSegments => TOKEN_NOT_ENOUGH_SEGMENTS,
    MalformedHeader => TOKEN_MALFORMED_HEADER,
    AlgorithmNotAllowed => TOKEN_ALGORITHM,
    CriticalHeader => TOKEN_CRITICAL_HEADER,
    BadSignature => TOKEN_BAD_SIGNATURE,
    MalformedPayload => TOKEN_MALFORMED_PAYLOAD,
    MissingClaim(name) => TOKEN_MISSING_CLAIM.with_error(format!("Missing claim: {name}")),
    InvalidClaim(name) => TOKEN_INVALID_CLAIM.with_error(format!("Invalid claim: {name}")),
    UnknownKind => TOKEN_INVALID_CLAIM.with_error("Missing or invalid claim: type".to_owned()),
    NotYetValid => TOKEN_NOT_YET_VALID,
    NotYetIssued => TOKEN_NOT_YET_ISSUED,
    Expired => TOKEN_EXPIRED,
    NotAnAccessToken => ACCESS_TOKEN_REQUIRED,
    NotARefreshToken => REFRESH_TOKEN_REQUIRED,
});

impl ToApiError for TooManyQueries {
    fn error_specs() -> Vec<&'static ErrorSpec> {
        vec![&TOO_MANY_QUERIES]
    }

    fn to_api_error(&self) -> ApiError {
        ApiError::of(&TOO_MANY_QUERIES)
    }
}

impl<E: ToApiError> ToApiError for WriteError<E> {
    fn error_specs() -> Vec<&'static ErrorSpec> {
        let mut specs = E::error_specs();
        specs.extend([&TOO_MANY_REQUESTS, &BUSY]);
        specs
    }

    fn to_api_error(&self) -> ApiError {
        match self {
            Self::RateLimited(error) => ApiError::of(&TOO_MANY_REQUESTS).with_retry_after(error.retry_after),
            Self::QueueFull => ApiError::of(&BUSY),
            Self::Store(error) => error.to_api_error(),
        }
    }
}
