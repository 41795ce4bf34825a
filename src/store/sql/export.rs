//! Export: the users and ships of a database as a data file, which `shipyard store init` and `shipyard serve --data` read.

use std::io::{self, Write};

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;
use thiserror::Error;
use tokio_postgres::{IsolationLevel, Row, RowStream};

use super::database::session::{Session, SqlError};

/// Why there is no data file.
#[derive(Debug, Error)]
pub enum ExportError {
    /// A statement failed.
    #[error("the database refuses a statement")]
    Sql(#[from] SqlError),
    /// The data file cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// A name in the database is not UTF-8.
    #[error("user {0}: the name is not a text")]
    Name(i32),
}

impl From<tokio_postgres::Error> for ExportError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error.into())
    }
}

/// The numbers of users and ships.
pub type Counts = (u64, u64);

/// Writes all users, with the hashes of their passwords, and all ships, as they are at one moment, a row at a time.
///
/// # Errors
/// [`ExportError`].
pub async fn export(session: &mut Session, file: &mut impl Write) -> Result<Counts, ExportError> {
    const USERS: &str = "SELECT id, name, hash FROM users ORDER BY id";
    const SHIPS: &str = "SELECT body FROM ships ORDER BY id";
    let transaction = session.client().build_transaction().read_only(true);
    let transaction = transaction.isolation_level(IsolationLevel::RepeatableRead).start().await?;
    let mut counts = (0, 0);
    file.write_all(b"{\n  \"users\": [")?;
    let mut rows = Box::pin(transaction.query_typed_raw(USERS, NO_PARAMETERS).await?);
    while let Some(row) = next(&mut rows).await? {
        separate(file, &mut counts.0)?;
        file.write_all(user(&row)?.as_bytes())?;
    }
    file.write_all(b"\n  ],\n  \"ships\": [")?;
    let mut rows = Box::pin(transaction.query_typed_raw(SHIPS, NO_PARAMETERS).await?);
    while let Some(row) = next(&mut rows).await? {
        separate(file, &mut counts.1)?;
        file.write_all(row.try_get::<_, &str>(0)?.as_bytes())?;
    }
    file.write_all(b"\n  ]\n}\n")?;
    file.flush()?;
    Ok(counts)
}

async fn next(rows: &mut Pin<Box<RowStream>>) -> Result<Option<Row>, tokio_postgres::Error> {
    poll_fn(|context| rows.as_mut().poll_next(context)).await.transpose()
}

const NO_PARAMETERS: [(&str, tokio_postgres::types::Type); 0] = [];

fn separate(file: &mut impl Write, count: &mut u64) -> io::Result<()> {
    file.write_all(if *count == 0 { b"\n    " } else { b",\n    " })?;
    *count += 1;
    Ok(())
}

fn user(row: &Row) -> Result<String, ExportError> {
    let (id, name, hash): (i32, &[u8], &str) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let name = std::str::from_utf8(name).map_err(|_| ExportError::Name(id))?;
    Ok(serde_json::json!({ "id": id, "name": name, "password_hash": hash }).to_string())
}
