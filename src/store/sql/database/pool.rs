//! Pools of connections, one for each worker.
//!
//! A worker's runtime has one thread, and drives the connections that it opens. A connection that another worker used would
//! need this one's thread for each of its answers.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::managed::{self, Metrics, QueueMode, RecycleError, RecycleResult};
use parking_lot::Mutex;

use super::connect::{ConnectError, Connection, Connector, Limit};

/// The longest age of a connection: after a failover one may lead to a server that is no longer the primary.
const MAX_AGE: Duration = Duration::from_secs(5 * 60);
/// How much earlier some of them end, so that not all end at once.
const AGE_JITTER_MS: u64 = 60_000;
/// How often unused connections are looked at.
const SWEEP: Duration = Duration::from_secs(30);

/// How long a connection whose last statement was given up has for showing that its server still answers.
const PATIENCE: Duration = Duration::from_millis(250);

pub(super) type Pool = managed::Pool<Manager>;
pub(super) type Pooled = managed::Object<Manager>;

/// Opens the connections of one pool.
pub(super) struct Manager {
    connector: Arc<Connector>,
    retired: Arc<Retired>,
    jitter: RandomState,
}

/// Since when connections are good.
#[derive(Debug, Default)]
pub(super) struct Retired(Mutex<Option<Instant>>);

impl Retired {
    /// Makes every connection end that is open now.
    pub(super) fn all(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    fn includes(&self, opened: Instant) -> bool {
        self.0.lock().is_some_and(|since| opened <= since)
    }
}

/// The pool of a worker: at most `size` connections, opened when they are needed. Must be called on the worker's runtime.
pub(super) fn start(
    connector: Arc<Connector>,
    retired: Arc<Retired>,
    size: usize,
) -> Result<Pool, managed::BuildError> {
    let manager = Manager { connector, retired, jitter: RandomState::new() };
    // The last one used comes first, so that the others can age.
    let pool = Pool::builder(manager).max_size(size).queue_mode(QueueMode::Lifo).build()?;
    tokio::spawn(sweep(pool.weak()));
    Ok(pool)
}

/// Closes connections that no one uses, for as long as there is the pool.
async fn sweep(pool: managed::WeakPool<Manager>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.retain(|connection, _| pool.manager().is_good(connection));
    }
}

impl Manager {
    fn is_good(&self, connection: &Connection) -> bool {
        let opened = connection.opened;
        let jitter = Duration::from_millis(self.jitter.hash_one(opened) % AGE_JITTER_MS);
        !connection.is_closed() && !self.retired.includes(opened) && opened.elapsed() < MAX_AGE - jitter
    }
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = ConnectError;

    async fn create(&self) -> Result<Connection, ConnectError> {
        self.connector.connect(Limit::Deadline).await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<ConnectError> {
        if !self.is_good(connection) {
            return Err(RecycleError::message("closed, too old, or from before a failover"));
        }
        if !connection.answers(PATIENCE).await {
            connection.abort();
            return Err(RecycleError::message("no answer"));
        }
        Ok(())
    }
}
