//! One binary for all integration tests: it links once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod bad_servers;
mod cli;
mod comparing;
mod cors;
mod coverage;
mod curl_lines;
mod deviations;
mod differences;
mod docs;
mod effective_settings;
mod export;
mod headers;
mod hostile_text;
mod keys;
mod layers;
mod links;
mod live;
mod properties;
mod record;
mod record_foreign;
mod replay;
mod seeded_breaks;
mod setting_defaults;
mod setting_ranges;
mod settings;
mod spec;
mod stories;
#[allow(dead_code, reason = "shared with the tests that attack")]
mod support;
mod tampered_servers;
mod tokens;
mod verify;
mod walkthrough;
