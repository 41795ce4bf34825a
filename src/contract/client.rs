//! HTTP client that sees every byte a server sends.

mod response_reader;
pub mod wire;
