//! Database: statements within a deadline, over connections that the worker's own runtime drives.
//!
//! Each statement commits by itself, so that nothing stays open when a client goes away, and running it again is safe as long
//! as the server says that it changed nothing.

mod connect;
mod failure;
mod figures;
mod outage;
mod pool;
pub mod session;
mod streaming;
mod tls;
pub mod url;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{Object, PoolError};
use thread_local::ThreadLocal;
use tokio::time::{sleep, timeout_at, Instant};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::Row;

use self::connect::{Connector, Statements, Text};
use self::failure::{classify, Failure, Reason};
use self::outage::Outage;
use self::pool::{Pool, Pooled, Retired};
pub use self::streaming::Rows;
pub use self::tls::TlsError;
use self::url::DatabaseUrl;
use crate::internal_error::{InternalError, Unavailable};

/// How the database is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// Where it is.
    pub url: DatabaseUrl,
    /// The most connections of each worker.
    pub pool_size: usize,
    /// Whether the URL leads to a pooler that gives each transaction another connection.
    pub pooler: bool,
}

/// The longest time that a request waits for one statement, with the connection for it.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// The pause before a statement that lost against another runs again, doubled each time.
const PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A database. Clones share the connections.
#[derive(Clone)]
pub struct Database(Arc<Shared>);

struct Shared {
    connector: Arc<Connector>,
    statements: Statements,
    pool_size: usize,
    deadline: Duration,
    /// One for each worker that has used it.
    pools: ThreadLocal<Pool>,
    retired: Arc<Retired>,
    outage: Outage,
    sent: AtomicU64,
    retries: AtomicU64,
    discarded: AtomicU64,
    unavailable: AtomicU64,
    internal: AtomicU64,
}

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// A row with the same key exists already; the name of the constraint. The statement changed nothing.
    #[error("a second row breaks {0}")]
    Duplicate(String),
    /// The database cannot be reached, or it is not known whether the statement ran.
    #[error(transparent)]
    Unavailable(Unavailable),
    /// A defect.
    #[error(transparent)]
    Internal(InternalError),
}

/// Numbers for monitoring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseCounts {
    /// Connections that are open.
    pub open: usize,
    /// Those that no statement uses.
    pub idle: usize,
    /// Statements that wait for a connection.
    pub waiting: usize,
    /// Statements that were sent, each time.
    pub statements: u64,
    /// Statements that ran again because another came first.
    pub retries: u64,
    /// Connections that were given up.
    pub discarded: u64,
    /// Statements that failed since the database could not be reached, or did not answer in time.
    pub unavailable: u64,
    /// Statements that failed for any other reason, without those that met a duplicate.
    pub internal: u64,
}

impl Database {
    /// A database. This connects to nothing, but reads certificates, which blocks.
    ///
    /// # Errors
    /// [`TlsError`]: the certificates cannot be read.
    pub fn new(settings: &DatabaseSettings) -> Result<Self, TlsError> {
        Self::with_deadline(settings, DEADLINE)
    }

    fn with_deadline(settings: &DatabaseSettings, deadline: Duration) -> Result<Self, TlsError> {
        let statements = if settings.pooler { Statements::Unnamed } else { Statements::Named };
        Ok(Self(Arc::new(Shared {
            connector: Arc::new(Connector::new(&settings.url, statements, deadline)?),
            statements,
            pool_size: settings.pool_size,
            deadline,
            pools: ThreadLocal::new(),
            retired: Arc::default(),
            outage: Outage::default(),
            sent: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            discarded: AtomicU64::new(0),
            unavailable: AtomicU64::new(0),
            internal: AtomicU64::new(0),
        })))
    }

    /// Runs a statement that commits by itself, within the deadline. Runs it again if another transaction came first, and
    /// on another connection if the one at hand is found closed before the statement is sent.
    pub async fn query(
        &self,
        statement: &'static str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, DatabaseError> {
        self.run(Text::Constant(statement), parameters).await
    }

    /// As [`Database::query`], for a statement that is not kept prepared because there are too many such.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn query_once(
        &self,
        statement: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, DatabaseError> {
        self.run(Text::Composed(statement), parameters).await
    }

    async fn run(
        &self,
        statement: Text<'_>,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, DatabaseError> {
        let deadline = Instant::now() + self.0.deadline;
        let mut pause = PAUSE;
        // Each worker has as many connections that may all be closed by now.
        let mut others = self.0.pool_size + 1;
        loop {
            let mut connection = self.connection(deadline).await?;
            self.0.sent.fetch_add(1, Ordering::Relaxed);
            let run = connection.run(self.0.statements, statement, parameters);
            let failure = match timeout_at(deadline, run).await {
                Ok(Ok(rows)) => {
                    self.0.outage.worked(&connection.host);
                    return Ok(rows);
                }
                Ok(Err(error)) => classify(&error),
                Err(_) => {
                    Failure::Unavailable(Reason::new(format!("no answer within {:?}", self.0.deadline)))
                }
            };
            let host = connection.host.clone();
            self.settle(connection, &failure);
            match failure {
                Failure::TryAnother(_) if others > 0 => others -= 1,
                Failure::Conflict(reason) => {
                    let jittered = jitter(pause);
                    if Instant::now() + jittered >= deadline {
                        return Err(self.unavailable(&host, reason));
                    }
                    self.0.retries.fetch_add(1, Ordering::Relaxed);
                    sleep(jittered).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Failure::Duplicate(constraint) => return Err(DatabaseError::Duplicate(constraint)),
                Failure::Internal(reason) => {
                    self.0.internal.fetch_add(1, Ordering::Relaxed);
                    return Err(DatabaseError::Internal(InternalError::new("running a statement", reason)));
                }
                Failure::TryAnother(reason) | Failure::Unavailable(reason) | Failure::ReadOnly(reason) => {
                    return Err(self.unavailable(&host, reason))
                }
            }
        }
    }

    /// Gives the connection back, or gives it up after a failure that it may not survive.
    fn settle(&self, connection: Pooled, failure: &Failure) {
        match failure {
            Failure::Conflict(_) | Failure::Duplicate(_) | Failure::Internal(_) => return,
            Failure::ReadOnly(_) => self.0.retired.all(),
            Failure::TryAnother(_) | Failure::Unavailable(_) => {}
        }
        self.0.discarded.fetch_add(1, Ordering::Relaxed);
        Object::take(connection).abort();
    }

    async fn connection(&self, deadline: Instant) -> Result<Pooled, DatabaseError> {
        let pool = self.0.pools.get_or_try(|| {
            pool::start(self.0.connector.clone(), self.0.retired.clone(), self.0.pool_size).map_err(|error| {
                DatabaseError::Internal(InternalError::new("making a pool of connections", error))
            })
        })?;
        let connector = &self.0.connector;
        match timeout_at(deadline, pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(error))) => Err(self.unavailable(&error.host, error.reason)),
            Ok(Err(error)) => {
                Err(self.unavailable(connector.first_host(), Reason::new(format!("{error:?}"))))
            }
            Err(_) => {
                let (limit, size) = (self.0.deadline, self.0.pool_size);
                let reason = format!("no connection became free within {limit:?} (database_pool = {size})");
                Err(self.unavailable(connector.first_host(), Reason::new(reason)))
            }
        }
    }

    fn unavailable(&self, host: &str, reason: Reason) -> DatabaseError {
        self.0.unavailable.fetch_add(1, Ordering::Relaxed);
        self.0.outage.failed(host, &reason.text);
        DatabaseError::Unavailable(Unavailable::new(format!("the database at {host}"), reason))
    }

    /// Makes every connection end that is open now, when it is free.
    pub fn retire(&self) {
        self.0.retired.all();
    }

    /// Numbers of all workers.
    pub fn counts(&self) -> DatabaseCounts {
        let mut counts = DatabaseCounts {
            statements: self.0.sent.load(Ordering::Relaxed),
            retries: self.0.retries.load(Ordering::Relaxed),
            discarded: self.0.discarded.load(Ordering::Relaxed),
            unavailable: self.0.unavailable.load(Ordering::Relaxed),
            internal: self.0.internal.load(Ordering::Relaxed),
            ..DatabaseCounts::default()
        };
        for status in self.0.pools.iter().map(Pool::status) {
            counts.open += status.size;
            counts.idle += status.available;
            counts.waiting += status.waiting;
        }
        counts
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.0.connector.first_host())
    }
}

/// A random time from half of `pause` to all of it.
fn jitter(pause: Duration) -> Duration {
    // Without random bytes two that collide may collide again, within their deadline.
    let random = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + random / 2.0)
}
