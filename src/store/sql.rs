//! Users and ships in PostgreSQL, which several nodes share.

pub mod database;
