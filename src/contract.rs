//! The contract as a tool: recorded exchanges, held against this server in process or against any other over
//! the wire.
//!
//! [`transcript`] and [`fixtures`] read and write recordings, [`replay`] answers them in process, [`live`] over
//! the wire, [`compare`] says what differs, and [`deviation`] what may. [`verify`] puts these together;
//! [`record`] and [`export`] make recordings and give them to other tools.

pub mod client;
pub mod compare;
pub mod export;
pub mod process;
pub mod record;
pub mod recording;
pub mod replay;
pub mod session;
pub mod verify;
