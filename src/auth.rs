//! Authentication: tokens, keys, passwords, revocation and rate limits. No HTTP.

pub mod clock;
pub mod keys;
pub mod network;
pub mod password;
pub(crate) mod queue;
pub mod rate_limit;
pub mod revocation;
pub mod secret;
pub mod token;
