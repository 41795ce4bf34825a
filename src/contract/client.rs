//! HTTP client that sees every byte a server sends.

pub mod response_reader;
pub mod wire;
