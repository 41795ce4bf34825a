//! Hostile tests. The quick ones are part of `cargo test`; the long ones are `#[ignore]`d, and run with
//! `cargo test --release --test hostile -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod access_log;
mod checks;
mod clock;
mod concurrent_clients;
mod concurrent_writes;
#[cfg(target_os = "linux")]
mod connection_share;
mod cors_on_errors;
mod expect_continue;
mod fault_injection;
mod faults;
mod fuzz;
mod key_rotation;
mod limits;
mod lingering_close;
mod lockout;
mod monitoring;
mod ownership;
mod raw;
mod refresh_rotation;
mod response_cache;
mod slow;
mod slow_readers;
mod startup_signals;
mod timing;
mod tokens;
