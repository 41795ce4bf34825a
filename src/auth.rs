//! Authentication: tokens, keys, passwords, revocation and rate limits. No HTTP.

pub mod clock;
pub(crate) mod hs256;
pub mod keys;
pub mod network;
pub mod password;
pub mod rate_limit;
mod revocation;
pub mod secret;
pub mod token;
pub mod valid_after;
