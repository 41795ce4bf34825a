//! Errors: one catalog of everything that a client can be told, and how the other layers' errors map to it.
//!
//! A module says what went wrong in an enum of its own; `error_specs!` maps each variant to an entry of the [`catalog`]. An
//! operation names such an enum in its return type, so it cannot return an error that its documentation does not list,
//! nor list one that it cannot return.

pub mod api_error;
pub mod catalog;
mod domain;

use self::api_error::ApiError;
use self::catalog::ErrorSpec;

/// An error of a domain module: which rows it can be, and which one it is.
pub trait ToApiError {
    /// Every row that it can be.
    fn error_specs() -> Vec<&'static ErrorSpec>;

    /// What to answer.
    fn to_api_error(&self) -> ApiError;
}

/// Maps every variant of an enum to its row. What a variant holds may take the place of the row's example.
/// Behind a semicolon: the variant that wraps another error.
macro_rules! error_specs {
    ($type:ty {
        $($variant:ident $(($held:ident))? => $row:ident $(.$with:ident($value:expr))?),* $(,)?
        $(; $wrapper:ident($wrapped:ty))?
    }) => {
        impl $crate::api::error::ToApiError for $type {
            fn error_specs() -> Vec<&'static $crate::api::error::catalog::ErrorSpec> {
                let own: Vec<&'static $crate::api::error::catalog::ErrorSpec> = vec![$(&$crate::api::error::catalog::$row),*];
                $(let own = [own, <$wrapped as $crate::api::error::ToApiError>::error_specs()].concat();)?
                own
            }

            fn to_api_error(&self) -> $crate::api::error::api_error::ApiError {
                match self {
                    $(Self::$variant $(($held))? => $crate::api::error::api_error::ApiError::of(&$crate::api::error::catalog::$row)$(.$with($value))?,)*
                    $(Self::$wrapper(error) => <$wrapped as $crate::api::error::ToApiError>::to_api_error(error),)?
                }
            }
        }
    };
}
pub(crate) use error_specs;
