//! Pruning: rows that have no effect any more since their tokens have expired.

use tokio_postgres::types::Type;
use tokio_postgres::Row;

use super::database::{Database, DatabaseError};
use crate::internal_error::InternalError;

/// How many rows one statement deletes or changes, so that none holds locks for long.
const BATCH: i64 = 1000;

/// Deletes logouts, then logins, that have expired. Returns how many.
///
/// # Errors
/// [`DatabaseError`]. What is deleted by then stays so.
pub async fn prune(database: &Database) -> Result<(i64, i64), DatabaseError> {
    // First: from then on a token that expired before counts as logged out, with a row or without one.
    const MARK: &str =
        "UPDATE service SET pruned_to = floor(extract(epoch FROM clock_timestamp()))::int8 - 60 \
                        WHERE pruned_to < floor(extract(epoch FROM clock_timestamp()))::int8 - 60";
    const LOGOUTS: &str = "\
        WITH gone AS (DELETE FROM revoked WHERE jti IN (SELECT jti FROM revoked \
            WHERE exp < (SELECT pruned_to FROM service) ORDER BY exp LIMIT $1) RETURNING jti) \
        SELECT count(*) FROM gone";
    // The arrays of a row are as long as each other, and their order has a meaning. What the lock returns is the latest.
    const LOGINS: &str = "\
        WITH mark AS (SELECT pruned_to FROM service), \
        old AS (SELECT users.*, pruned_to FROM users, mark WHERE pruned_to > ANY (family_exps) \
            ORDER BY id LIMIT $1 FOR UPDATE OF users), \
        kept AS (SELECT old.id, cardinality(old.families) - count(f.family) AS gone, \
            coalesce(array_agg(f.family ORDER BY f.place) FILTER (WHERE f.family IS NOT NULL), '{}') AS families, \
            coalesce(array_agg(f.exp ORDER BY f.place) FILTER (WHERE f.family IS NOT NULL), '{}') AS exps, \
            coalesce(array_agg(f.generation ORDER BY f.place) FILTER (WHERE f.family IS NOT NULL), '{}') AS generations, \
            coalesce(array_agg(f.at ORDER BY f.place) FILTER (WHERE f.family IS NOT NULL), '{}') AS spent_at, \
            coalesce(array_agg(f.by ORDER BY f.place) FILTER (WHERE f.family IS NOT NULL), '{}') AS spent_by \
            FROM old LEFT JOIN LATERAL unnest(families, family_exps, generations, old.spent_at, old.spent_by) \
                WITH ORDINALITY AS f(family, exp, generation, at, by, place) ON f.exp >= old.pruned_to \
            GROUP BY old.id, old.families), \
        changed AS (UPDATE users SET families = kept.families, family_exps = kept.exps, generations = kept.generations, \
            spent_at = kept.spent_at, spent_by = kept.spent_by FROM kept WHERE users.id = kept.id RETURNING kept.gone) \
        SELECT coalesce(sum(gone), 0)::int8, count(*) FROM changed";
    database.query(MARK, &[]).await?;
    let mut logouts = 0;
    loop {
        let rows = database.query(LOGOUTS, &[(&BATCH, Type::INT8)]).await?;
        let deleted = number(&rows, 0)?;
        logouts += deleted;
        if deleted < BATCH {
            break;
        }
    }
    let mut logins = 0;
    loop {
        let rows = database.query(LOGINS, &[(&BATCH, Type::INT8)]).await?;
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
