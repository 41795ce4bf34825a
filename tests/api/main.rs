//! One binary for all integration tests: it links once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod allowed_differences;
mod bad_servers;
mod behavior;
mod cli;
mod comparison;
mod conditional;
mod cors;
mod coverage;
mod curl_lines;
mod differences;
mod docs;
mod effective_settings;
mod export;
mod headers;
mod keys;
mod layers;
mod links;
mod lists;
mod program;
mod properties;
mod record;
mod record_other_servers;
mod replay;
mod reset;
mod seeded_breaks;
mod setting_defaults;
mod setting_ranges;
mod settings;
mod spec;
mod tampered_servers;
mod tokens;
mod untrusted_text;
mod verify;
mod walkthrough;
