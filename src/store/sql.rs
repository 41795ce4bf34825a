//! Store in PostgreSQL, which several nodes share.
//!
//! Each operation is one statement, which commits by itself; the texts are in `statements/`. Nothing is kept in this process
//! that another node could change. A refusal and a success each show one state of the database: a statement that decides on
//! a row locks it first, since a read of it in the same statement may be older.

mod conditions;
pub mod database;
mod encoding;
pub mod export;
mod figures;
pub mod initial;
pub mod inspection;
pub mod key_checks;
mod keys;
mod lists;
mod logout;
pub mod monitor;
mod pages;
pub mod prune;
mod rate_limits;
mod reading;
pub mod schema;
mod sessions;
mod ships;
mod statements;
mod users;

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use self::database::{Database, DatabaseCounts, DatabaseError};
use self::keys::Keys;
use self::lists::ListLimits;
use self::logout::RevocationCount;
use self::pages::PageQueue;
use self::rate_limits::Limits;
use self::reading::column;
use super::StoreLimits;
use crate::auth::rate_limit::Rates;
use crate::internal_error::{InternalError, OperationError};
use crate::json::Style;

/// How a store in PostgreSQL is used. Every node of a store should have the same.
#[derive(Clone, Copy, Debug)]
pub struct SqlConfig {
    /// Limits of what is added.
    pub limits: StoreLimits,
    /// The style of JSON texts.
    pub style: Style,
    /// The rate limits, if there are any.
    pub rates: Option<Rates>,
    /// How many seconds the clock of another node may be ahead.
    pub leeway: u64,
}

/// The users and ships, the logins and the rate limits that all nodes on one database share.
pub struct Sql {
    database: Database,
    limits: StoreLimits,
    style: Style,
    rates: Option<Limits>,
    leeway: u64,
    keys: Keys,
    lists: ListLimits,
    pages: PageQueue,
    revocations: RevocationCount,
}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sql").field("database", &self.database).finish_non_exhaustive()
    }
}

impl Sql {
    /// The store in a database whose schema has been checked.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn open(database: Database, config: SqlConfig) -> Result<Arc<Self>, DatabaseError> {
        let SqlConfig { limits, style, rates, leeway } = config;
        let rows = database.query(statements::HASH_KEY, &[]).await?;
        let row = rows.first().ok_or_else(|| InternalError::new("reading the service", "it has no row"));
        let hash_key: &[u8] = column(row?, 0, "reading the service")?;
        Ok(Arc::new(Self {
            keys: Keys::new(hash_key)?,
            database,
            limits,
            style,
            rates: rates.map(|rates| Limits::new(&rates)),
            leeway,
            lists: ListLimits::default(),
            pages: PageQueue::default(),
            revocations: RevocationCount::new(limits.revocations),
        }))
    }
}

impl Sql {
    /// Numbers for the metrics.
    #[must_use]
    pub fn counts(&self) -> DatabaseCounts {
        self.database.counts()
    }

    /// When all tokens of a user end that were issued until `now` by this node's clock: nodes whose clocks are ahead have issued
    /// some with a later time.
    fn mark(&self, now: u64) -> u64 {
        now.saturating_add(self.leeway)
    }
}

impl From<InternalError> for DatabaseError {
    fn from(error: InternalError) -> Self {
        Self::Internal(error)
    }
}

impl<E> From<DatabaseError> for OperationError<E> {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable(error) => Self::Unavailable(error),
            DatabaseError::Internal(error) => Self::Internal(error),
            // The operations that can cause it handle it.
            DatabaseError::Duplicate(constraint) => {
                let source = Unexpected(format!("a second row breaks {constraint}"));
                Self::Internal(InternalError::new("writing a row", source))
            }
        }
    }
}

/// What no statement of this store should lead to.
#[derive(Debug, Error)]
#[error("{0}")]
struct Unexpected(String);

/// The most that an operation runs its statement, if each time another node was faster. Each time that node's operation has
/// succeeded.
const MAX_ATTEMPTS: usize = 64;
