//! Clients that take their time.
