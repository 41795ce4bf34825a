//! Tests that attack. The quick ones are part of `cargo test`; the long ones are `#[ignore]`d, and run with
//! `cargo test --release --test hostile -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

#[allow(dead_code, reason = "shared with the tests of the API")]
#[path = "../api/support/mod.rs"]
mod support;

mod checks;
mod clock;
mod early;
mod expect;
mod faults;
mod fuzz;
mod limits;
mod linger;
mod lockout;
mod logs;
mod ownership;
mod races;
mod racing;
mod raw;
mod readers;
mod response_cache;
mod rotation;
#[cfg(target_os = "linux")]
mod share;
mod slow;
mod start;
mod timing;
mod tokens;
