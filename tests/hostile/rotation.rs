//! Keys that change under load.
