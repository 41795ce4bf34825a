//! Comparison of responses, and the differences that are allowed.

pub mod allowed_difference;
pub mod difference;
pub mod junit;
pub mod lossless;
pub(crate) mod media_type;
pub mod report;
