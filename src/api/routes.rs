//! The operations: each takes what its guards give, makes one call, and replies.

pub mod auth;
pub(crate) mod docs;
pub mod ships;
pub mod spec;
pub mod static_files;
pub mod users;
