//! Pruning: rows that have no effect any more since their tokens have expired.

use tokio_postgres::types::Type;
use tokio_postgres::Row;

use super::database::{Database, DatabaseError};
use super::statements;
use crate::internal_error::InternalError;

/// How many rows one statement deletes or changes, so that none holds locks for long.
const BATCH: i64 = 1000;

/// Deletes logouts, then logins, that have expired. Returns how many.
///
/// # Errors
/// [`DatabaseError`]. What is deleted by then stays so.
pub async fn prune(database: &Database) -> Result<(i64, i64), DatabaseError> {
    // First: from then on a token that expired before counts as logged out, with a row or without one.
    database.query(statements::PRUNE_MARK, &[]).await?;
    let mut logouts = 0;
    loop {
        let rows = database.query(statements::PRUNE_LOGOUTS, &[(&BATCH, Type::INT8)]).await?;
        let deleted = number(&rows, 0)?;
        logouts += deleted;
        if deleted < BATCH {
            break;
        }
    }
    let mut logins = 0;
    loop {
        let rows = database.query(statements::PRUNE_LOGINS, &[(&BATCH, Type::INT8)]).await?;
        logins += number(&rows, 0)?;
        if number(&rows, 1)? < BATCH {
            return Ok((logouts, logins));
        }
    }
}

fn number(rows: &[Row], column: usize) -> Result<i64, DatabaseError> {
    let wrong = |error| DatabaseError::Internal(InternalError::new("pruning", error));
    rows.first().map_or(Ok(0), |row| row.try_get(column)).map_err(wrong)
}
