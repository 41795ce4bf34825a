//! Statements whose rows are read one after the other, while a client takes them.
//!
//! Each has a connection of its own, outside the pools: other requests must not wait for a client that reads slowly, and the server must
//! not end the statement after the deadline.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_core::Stream;
use tokio::time::{timeout, timeout_at, Instant};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, RowStream};

use super::connect::{Connection, Limit};
use super::failure::{classify, Failure, Reason};
use super::{Database, DatabaseError};
use crate::internal_error::InternalError;

/// The rows of a statement that is running. Dropping them ends it.
pub struct Rows {
    database: Database,
    /// None after the last row.
    connection: Option<Connection>,
    rows: Pin<Box<RowStream>>,
    deadline: Duration,
}

impl Drop for Rows {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.abort();
        }
    }
}

impl Database {
    /// Runs a statement whose rows are read one after the other.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn stream(
        &self,
        statement: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Rows, DatabaseError> {
        let (limit, connector) = (self.0.deadline, &self.0.connector);
        let deadline = Instant::now() + limit;
        let late = || Reason::new(format!("no answer within {limit:?}"));
        let connection = match timeout_at(deadline, connector.connect(Limit::None)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(self.unavailable(&error.host, error.reason)),
            Err(_) => return Err(self.unavailable(connector.first_host(), late())),
        };
        self.0.sent.fetch_add(1, Ordering::Relaxed);
        let rows = match timeout_at(deadline, connection.stream(statement, parameters)).await {
            Ok(Ok(rows)) => Box::pin(rows),
            Ok(Err(error)) => return Err(self.failed(&connection.host, classify(&error))),
            Err(_) => return Err(self.unavailable(&connection.host, late())),
        };
        Ok(Rows { database: self.clone(), connection: Some(connection), rows, deadline: limit })
    }

    fn failed(&self, host: &str, failure: Failure) -> DatabaseError {
        match failure {
            Failure::Duplicate(constraint) => DatabaseError::Duplicate(constraint),
            Failure::Internal(reason) => {
                DatabaseError::Internal(InternalError::new("running a statement", reason))
            }
            Failure::TryAnother(reason)
            | Failure::Conflict(reason)
            | Failure::Unavailable(reason)
            | Failure::ReadOnly(reason) => self.unavailable(host, reason),
        }
    }
}

impl Rows {
    /// The next row, within the deadline; none after the last.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn next(&mut self) -> Result<Option<Row>, DatabaseError> {
        let Some(connection) = &self.connection else { return Ok(None) };
        let rows = &mut self.rows;
        let next = timeout(self.deadline, poll_fn(|context| rows.as_mut().poll_next(context))).await;
        match next {
            Ok(Some(Ok(row))) => Ok(Some(row)),
            Ok(Some(Err(error))) => {
                let failure = classify(&super::connect::StatementError::Running(error));
                Err(self.database.failed(&connection.host, failure))
            }
            Ok(None) => {
                self.connection = None;
                Ok(None)
            }
            Err(_) => {
                let reason = Reason::new(format!("no row within {:?}", self.deadline));
                Err(self.database.unavailable(&connection.host, reason))
            }
        }
    }
}
