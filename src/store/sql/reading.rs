//! Reading of rows: each value is checked, and a row that cannot be read is an internal error.

use tokio_postgres::types::FromSql;
use tokio_postgres::Row;

use super::Unexpected;
use crate::internal_error::InternalError;
use crate::model::id::Id;

/// The value of a column, while doing `what`.
pub(super) fn column<'a, T: FromSql<'a>>(
    row: &'a Row,
    at: usize,
    what: &'static str,
) -> Result<T, InternalError> {
    row.try_get(at).map_err(|error| InternalError::new(what, error))
}

/// The value of a column of the row with that id.
pub(super) fn column_of<'a, T: FromSql<'a>>(
    row: &'a Row,
    at: usize,
    what: &'static str,
    id: Id,
) -> Result<T, InternalError> {
    let described = |error| unexpected(what, format!("row {id}, column {at}: {error}"));
    row.try_get(at).map_err(described)
}

/// The one row of a statement that always has one.
pub(super) fn single<'a>(rows: &'a [Row], what: &'static str) -> Result<&'a Row, InternalError> {
    rows.first().ok_or_else(|| unexpected(what, "the statement has no row".to_owned()))
}

/// An error that names what is wrong.
pub(super) fn unexpected(what: &'static str, text: String) -> InternalError {
    InternalError::new(what, Unexpected(text))
}

/// An id as the tables have it. No row has the number of one that is never given out.
pub(super) fn int(id: Id) -> i32 {
    i32::try_from(id.number()).unwrap_or(-1)
}

/// Seconds since 1970, or a number of rows, as the tables have it.
pub(super) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// An id from a table.
pub(super) fn id(number: i32, what: &'static str) -> Result<Id, InternalError> {
    let number = u64::try_from(number).map_err(|_| unexpected(what, format!("the id {number}")))?;
    Ok(Id::new(number))
}
