//! What an operation answers: success, or one of the errors that its type names.

use rocket::response::{self, Responder};
use rocket::Request;
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::Responses;
use rocket_okapi::response::OpenApiResponderInner;

use super::fault::Fault;
use super::{Failure, Row, INTERNAL};
use crate::api::guards::body::BodyError;
use crate::api::guards::login::LoginError;
use crate::api::openapi::components;
use crate::internal_error::Internal;
use crate::store::accounts::{LogInError, RenewError, WriteError};
use crate::store::{CreateShipError, CreateUserError, GetError, UpdateShipError, UpdateUserError};

/// The errors of an operation that reads a body and then does something that fails with `E`.
#[derive(Debug)]
pub enum BodyOr<E> {
    /// The body is of no use.
    Body(BodyError),
    /// What was to be done with it failed.
    Then(E),
}

impl<E: Failure> Failure for BodyOr<E> {
    fn rows() -> Vec<&'static Row> {
        let mut rows = BodyError::rows();
        rows.extend(E::rows());
        rows
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Body(error) => error.fault(),
            Self::Then(error) => error.fault(),
        }
    }
}

/// What an operation answers instead of success: one of the errors of `E`, all of which are documented. (An
/// [`Internal`] failure is none of them: it is a defect.)
#[derive(Debug)]
pub enum Rejected<E> {
    /// An error that is documented.
    For(E),
    /// A defect.
    Broken(Internal),
}

/// What an operation answers.
pub type Answer<T, E> = Result<T, Rejected<E>>;

/// The errors of the store, told apart from those of the body so that `?` knows where each belongs.
pub trait Refusal: Failure {}
impl Refusal for CreateShipError {}
impl Refusal for UpdateShipError {}
impl Refusal for WriteError<CreateUserError> {}
impl Refusal for WriteError<UpdateUserError> {}

impl From<GetError> for Rejected<GetError> {
    fn from(error: GetError) -> Self {
        Self::For(error)
    }
}

impl From<LoginError> for Rejected<LoginError> {
    fn from(error: LoginError) -> Self {
        Self::For(error)
    }
}

impl From<LogInError> for Rejected<LoginError> {
    fn from(error: LogInError) -> Self {
        Self::For(match error {
            LogInError::Invalid => LoginError::Invalid,
            LogInError::TooMany(error) => LoginError::TooMany(error),
            LogInError::Busy => LoginError::Busy,
        })
    }
}

impl From<RenewError> for Rejected<RenewError> {
    fn from(error: RenewError) -> Self {
        Self::For(error)
    }
}

impl<E> From<BodyError> for Rejected<BodyOr<E>> {
    fn from(error: BodyError) -> Self {
        Self::For(BodyOr::Body(error))
    }
}

impl<E: Refusal> From<E> for Rejected<BodyOr<E>> {
    fn from(error: E) -> Self {
        Self::For(BodyOr::Then(error))
    }
}

impl<E> From<Internal> for Rejected<E> {
    fn from(error: Internal) -> Self {
        Self::Broken(error)
    }
}

impl<'r, E: Failure> Responder<'r, 'static> for Rejected<E> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        match self {
            Self::For(error) => error.fault().respond_to(request),
            Self::Broken(error) => {
                // As a text, for which the log has quotation marks.
                tracing::error!(reason = error.to_string(), "internal error");
                Fault::of(&INTERNAL).respond_to(request)
            }
        }
    }
}

impl<E: Failure> OpenApiResponderInner for Rejected<E> {
    fn responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        Ok(components::errors(generator, &E::rows()))
    }
}
