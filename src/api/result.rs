//! Result of an operation: a success, or one of the errors that its type lists.

use std::convert::Infallible;

use rocket::response::{self, Responder};
use rocket::Request;
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::Responses;
use rocket_okapi::response::OpenApiResponderInner;

use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::ErrorSpec;
use crate::api::error::ToApiError;
use crate::api::guards::body::BodyError;
use crate::api::guards::login::LoginRequestError;
use crate::api::openapi::components;
use crate::internal_error::{InternalError, OperationError, Unavailable};
use crate::store::accounts::{LoginError, RefreshError, WriteError};
use crate::store::{
    CreateShipError, CreateUserError, DeleteError, GetError, TooManyQueries, UpdateShipError, UpdateUserError,
};

/// The errors of an operation that reads a body and then fails with `E`.
#[derive(Debug)]
pub enum BodyOr<E> {
    /// The body is invalid.
    Body(BodyError),
    /// The operation failed.
    Operation(E),
}

impl<E: ToApiError> ToApiError for BodyOr<E> {
    fn error_specs() -> Vec<&'static ErrorSpec> {
        let mut specs = BodyError::error_specs();
        specs.extend(E::error_specs());
        specs
    }

    fn to_api_error(&self) -> ApiError {
        match self {
            Self::Body(error) => error.to_api_error(),
            Self::Operation(error) => error.to_api_error(),
        }
    }
}

/// The failure of an operation: one of the documented errors of `E`, or a defect.
#[derive(Debug)]
pub enum HandlerError<E> {
    /// A documented error.
    Api(E),
    /// A defect.
    Internal(InternalError),
    /// The store is out of reach.
    Unavailable(Unavailable),
}

/// The result of an operation.
pub type ApiResult<T, E> = Result<T, HandlerError<E>>;

/// Marks the errors that `?` converts to [`BodyOr::Operation`]. Those of the body become [`BodyOr::Body`].
pub trait IntoBodyOr: ToApiError {}
impl IntoBodyOr for CreateShipError {}
impl IntoBodyOr for UpdateShipError {}
impl IntoBodyOr for WriteError<CreateUserError> {}
impl IntoBodyOr for WriteError<UpdateUserError> {}

impl From<GetError> for HandlerError<GetError> {
    fn from(error: GetError) -> Self {
        Self::Api(error)
    }
}

impl From<TooManyQueries> for HandlerError<TooManyQueries> {
    fn from(error: TooManyQueries) -> Self {
        Self::Api(error)
    }
}

impl From<Infallible> for HandlerError<Infallible> {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<DeleteError> for HandlerError<DeleteError> {
    fn from(error: DeleteError) -> Self {
        Self::Api(error)
    }
}

impl From<LoginRequestError> for HandlerError<LoginRequestError> {
    fn from(error: LoginRequestError) -> Self {
        Self::Api(error)
    }
}

impl From<LoginError> for HandlerError<LoginRequestError> {
    fn from(error: LoginError) -> Self {
        Self::Api(match error {
            LoginError::Invalid => LoginRequestError::Invalid,
            LoginError::RateLimited(error) => LoginRequestError::RateLimited(error),
            LoginError::QueueFull => LoginRequestError::QueueFull,
        })
    }
}

impl From<RefreshError> for HandlerError<RefreshError> {
    fn from(error: RefreshError) -> Self {
        Self::Api(error)
    }
}

impl<E> From<BodyError> for HandlerError<BodyOr<E>> {
    fn from(error: BodyError) -> Self {
        Self::Api(BodyOr::Body(error))
    }
}

impl<E: IntoBodyOr> From<E> for HandlerError<BodyOr<E>> {
    fn from(error: E) -> Self {
        Self::Api(BodyOr::Operation(error))
    }
}

impl<E> From<InternalError> for HandlerError<E> {
    fn from(error: InternalError) -> Self {
        Self::Internal(error)
    }
}

impl<E, F> From<OperationError<E>> for HandlerError<F>
where
    HandlerError<F>: From<E>,
{
    fn from(error: OperationError<E>) -> Self {
        match error {
            OperationError::Rejected(error) => error.into(),
            OperationError::Internal(error) => Self::Internal(error),
            OperationError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl<'r, E: ToApiError> Responder<'r, 'static> for HandlerError<E> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let error = match self {
            Self::Api(error) => OperationError::Rejected(error),
            Self::Internal(error) => OperationError::Internal(error),
            Self::Unavailable(error) => OperationError::Unavailable(error),
        };
        error.to_api_error().respond_to(request)
    }
}

impl<E: ToApiError> OpenApiResponderInner for HandlerError<E> {
    fn responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        Ok(components::errors(generator, &OperationError::<E>::error_specs()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;

    use parking_lot::Mutex;
    use rocket::http::Status;
    use rocket::local::blocking::Client;

    use super::*;

    #[rocket::get("/")]
    fn fails() -> ApiResult<(), GetError> {
        let cause = InternalError::new("reading a file", io::Error::other("disk failure"));
        Err(InternalError::new("hashing a password", cause).into())
    }

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn logs_every_cause_of_an_internal_error() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(log, || {
            let config = rocket::Config {
                log_level: rocket::config::LogLevel::Off,
                ..rocket::Config::debug_default()
            };
            let server = rocket::custom(config).mount("/", rocket::routes![fails]);
            let client = Client::untracked(server).expect("a server");
            assert_eq!(client.get("/").dispatch().status(), Status::InternalServerError);
        });
        let log = String::from_utf8(buffer.0.lock().clone()).expect("UTF-8");
        assert!(log.contains("hashing a password: reading a file: disk failure"), "{log}");
    }
}
