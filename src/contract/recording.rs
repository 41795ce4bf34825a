//! Recorded exchanges: transcripts, fixtures, and the curl lines they are made from.

pub mod curl;
pub mod fixtures;
pub mod history;
pub mod message;
pub(crate) mod placeholders;
pub mod script;
pub(crate) mod secrets;
pub mod shell;
pub mod source;
pub mod transcript;
