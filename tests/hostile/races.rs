//! Requests that race.
