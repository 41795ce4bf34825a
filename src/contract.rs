//! Contract tool: records exchanges, replays them against a server, and reports what differs.
//!
//! [`recording`] reads and writes transcripts and fixtures. [`replay`] sends them to this server in process,
//! [`session`] to any server over the network with [`client`]. [`compare`] finds the differences and knows which ones
//! are allowed. [`verify`] puts these together; [`record`] makes recordings, and [`export`] converts them for other
//! tools.

pub mod client;
pub mod compare;
pub mod export;
pub mod process;
pub mod record;
pub mod recording;
pub mod replay;
pub mod session;
pub mod verify;
