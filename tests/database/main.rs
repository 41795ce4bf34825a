//! The database layer against real servers. `tools/postgres/install` installs them.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod contract;
mod migrations;
mod nodes;
mod outages;
mod poolers;
mod settings;
mod statements;
mod store;
mod tls;
mod unavailable;

use std::time::{Duration, Instant};

use shipyard::store::sql::database::{Database, DatabaseError, DatabaseSettings};
use test_support::postgres::{Cluster, Version};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::Row;

/// Runs a test as a worker does: on a runtime with one thread.
fn on_worker<T>(test: impl std::future::Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(test)
}

fn database(url: &str) -> Database {
    with_pool(url, 2)
}

fn with_pool(url: &str, pool_size: usize) -> Database {
    let url = url.parse().expect("a valid URL");
    Database::new(&DatabaseSettings { url, pool_size, pooler: false }).expect("no certificates are needed")
}

async fn run(
    database: &Database,
    statement: &'static str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Row>, DatabaseError> {
    database.query(statement, parameters).await
}

/// Why a statement failed as unavailable.
fn unavailable<T>(result: Result<T, DatabaseError>) -> String {
    match result {
        Err(DatabaseError::Unavailable(error)) => shipyard::internal_error::chain(&error),
        Err(other) => panic!("expected an outage, not {other:?}"),
        Ok(_) => panic!("expected an outage"),
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Runs until a statement works, and returns for how long it did not.
async fn recovery(database: &Database) -> Duration {
    let start = Instant::now();
    while database.query("SELECT 1", &[]).await.is_err() {
        assert!(start.elapsed() < seconds(10.0), "no recovery");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    start.elapsed()
}
