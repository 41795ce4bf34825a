//! The contract as a tool: recorded exchanges, held against this server in process or against any other over
//! the wire.
//!
//! [`transcript`] and [`fixtures`] read and write recordings, [`replay`] answers them in process, [`live`] over
//! the wire, [`compare`] says what differs, and [`deviation`] what may. [`verify`] puts these together;
//! [`record`] and [`export`] make recordings and give them to other tools.

mod answer;
pub mod compare;
pub mod curl;
pub mod deviation;
pub mod export;
pub mod fixtures;
pub mod history;
pub mod ids;
pub mod junit;
pub mod jwt;
pub mod live;
pub mod lossless;
mod media_type;
pub mod message;
mod new_token;
mod placeholders;
pub mod plan;
#[cfg_attr(not(unix), path = "no_process_groups.rs")]
mod process_group;
pub mod record;
pub mod replay;
pub mod report;
pub mod script;
mod secrets;
mod server_clock;
pub mod server_process;
pub mod shell;
pub mod source;
pub mod transcript;
pub mod verify;
pub mod wire;
