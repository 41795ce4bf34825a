//! Replay over the wire: tokens, ids and clocks of the server under test.

pub mod ids;
pub mod jwt;
pub mod live;
pub(crate) mod new_token;
pub mod plan;
pub(crate) mod server_clock;
