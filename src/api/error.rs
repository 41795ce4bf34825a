//! Errors: one catalog of every error response, and how the errors of the other layers map to it.
//!
//! A module says what went wrong in an enum of its own; `error_specs!` maps each variant to an [`ErrorSpec`] of the [`catalog`]. An
//! operation names such an enum in its return type, so it cannot return an error that its documentation does not list,
//! nor list one that it cannot return.

pub mod api_error;
pub mod catalog;
mod domain;

use std::convert::Infallible;

use self::api_error::ApiError;
use self::catalog::{ErrorSpec, INTERNAL, STORE_UNAVAILABLE};
use crate::internal_error::{chain, OperationError};

/// An error of another module, as error specs of the catalog.
pub trait ToApiError {
    /// Every error spec that the type can become.
    fn error_specs() -> Vec<&'static ErrorSpec>;

    /// The response.
    fn to_api_error(&self) -> ApiError;
}

/// An error of the operation, or one that no client causes.
impl<E: ToApiError> ToApiError for OperationError<E> {
    fn error_specs() -> Vec<&'static ErrorSpec> {
        let mut specs = E::error_specs();
        specs.push(&STORE_UNAVAILABLE);
        specs
    }

    fn to_api_error(&self) -> ApiError {
        match self {
            Self::Rejected(error) => error.to_api_error(),
            Self::Unavailable(_) => ApiError::of(&STORE_UNAVAILABLE),
            Self::Internal(error) => {
                tracing::error!(reason = chain(error), "internal error");
                ApiError::of(&INTERNAL)
            }
        }
    }
}

/// Operations without an error of their own.
impl ToApiError for Infallible {
    fn error_specs() -> Vec<&'static ErrorSpec> {
        Vec::new()
    }

    fn to_api_error(&self) -> ApiError {
        match *self {}
    }
}

/// Maps each variant of an enum to an error spec of the catalog. A variant's value can replace the spec's example. After the
/// semicolon comes the variant that wraps another error.
macro_rules! error_specs {
    ($type:ty {
        $($variant:ident $(($held:ident))? => $spec:ident $(.$with:ident($value:expr))?),* $(,)?
        $(; $wrapper:ident($wrapped:ty))?
    }) => {
        impl $crate::api::error::ToApiError for $type {
            fn error_specs() -> Vec<&'static $crate::api::error::catalog::ErrorSpec> {
                let own: Vec<&'static $crate::api::error::catalog::ErrorSpec> = vec![$(&$crate::api::error::catalog::$spec),*];
                $(let own = [own, <$wrapped as $crate::api::error::ToApiError>::error_specs()].concat();)?
                own
            }

            fn to_api_error(&self) -> $crate::api::error::api_error::ApiError {
                match self {
                    $(Self::$variant $(($held))? => $crate::api::error::api_error::ApiError::of(&$crate::api::error::catalog::$spec)$(.$with($value))?,)*
                    $(Self::$wrapper(error) => <$wrapped as $crate::api::error::ToApiError>::to_api_error(error),)?
                }
            }
        }
    };
}
pub(crate) use error_specs;
