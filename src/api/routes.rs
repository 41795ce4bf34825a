//! Operations. A handler takes the guards' values, makes one call, and returns one response or error.

pub mod auth;
pub(crate) mod docs;
pub mod index;
pub mod ships;
pub mod spec;
pub mod static_files;
pub mod users;
