//! Tokens that nobody issued.
