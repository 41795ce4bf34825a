//! Start of a node: a server whose users and ships are in a database, which other nodes share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shipyard::auth::keys::{KeyCheck, KeySet};
use shipyard::config::Settings;
use shipyard::http::rlimit;
use shipyard::internal_error::chain;
use shipyard::log;
use shipyard::store::sql::database::{Database, DatabaseError, DatabaseSettings};
use shipyard::store::sql::inspection::LEEWAY;
use shipyard::store::sql::monitor::Monitor;
use shipyard::store::sql::schema::SCHEMA;
use shipyard::store::sql::{key_checks, Sql, SqlConfig};
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::super::error::{failed, wrong_usage, CliError};
use super::super::store::{require_shared_key, warn_of_clear_text, Report};
use super::super::{store, warn};
use super::{keys, Kept, Ready};

/// How long a start waits for a database that cannot be reached: both may start at the same time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Checks the database, and puts the node together. This call blocks.
pub(super) fn prepare(settings: Settings, database: &DatabaseSettings) -> Result<Ready, CliError> {
    refuse_data(&settings)?;
    require_shared_key(&settings)?;
    warn_of_clear_text(database);
    let (set, keys) = keys(&settings)?;
    rlimit::raise_nofile_limit();
    let (json, faults, log_settings, admin) =
        (settings.json, settings.faults, settings.log, settings.admin_address);
    let shutdown_delay = settings.shutdown_delay;
    let log = log::start(log_settings).map_err(failed)?;
    let (config, address, limits) = (settings.rocket.clone(), settings.address, settings.limits.clone());
    let (sql, monitor) = Handle::current().block_on(open(&settings, database, &set))?;
    let kept = Kept::Database(database.url.to_string());
    let rocket = shipyard::build_node(settings, sql, monitor, set)?;
    Ok(Ready {
        rocket,
        address,
        limits,
        kept,
        keys,
        example_users: false,
        config,
        json,
        faults,
        admin,
        watch: None,
        shutdown_delay,
        log_settings,
        log,
    })
}

/// A data file next to a database would be one that no one reads.
fn refuse_data(settings: &Settings) -> Result<(), CliError> {
    for (name, is_set) in [("data", settings.data.is_some()), ("watch", settings.watch)] {
        if is_set {
            return Err(wrong_usage(format!(
                "{name}: the users and ships are in the database (database_url); `shipyard store init --data FILE` puts those of \
                 a file into an empty one"
            )));
        }
    }
    Ok(())
}

async fn open(
    settings: &Settings,
    database: &DatabaseSettings,
    keys: &KeySet,
) -> Result<(Arc<Sql>, Monitor), CliError> {
    let connections = store::connections(database, settings.limits.workers);
    let database = Database::new(database).map_err(failed)?;
    check(&database, keys.checks(), connections).await?;
    let config = SqlConfig {
        limits: settings.store_limits,
        style: settings.json,
        rates: settings.rates,
        leeway: LEEWAY.into(),
    };
    let sql = Sql::open(database.clone(), config).await.map_err(failed)?;
    let monitor = Monitor::new(database.clone(), SCHEMA);
    // Those of this thread, which will not use the database again.
    database.retire();
    Ok((sql, monitor))
}

/// Waits until the database can be reached, and refuses one that this node must not use.
async fn check(database: &Database, keys: &[KeyCheck], connections: usize) -> Result<(), CliError> {
    let start = Instant::now();
    let report = loop {
        match Report::of(database, keys, connections).await {
            Err(DatabaseError::Unavailable(_)) if start.elapsed() < PATIENCE => {
                sleep(Duration::from_millis(500)).await;
            }
            report => break report.map_err(failed)?,
        }
    };
    report.warnings.iter().for_each(|warning| warn(warning));
    if let Some(wrong) = report.wrong.first() {
        return Err(failed(wrong.clone()));
    }
    tracing::warn!("the database is in order: {}", report.notes.join("; "));
    // From now on another node may sign with the keys that only verify here.
    match key_checks::check(database, keys, true).await.map_err(failed)? {
        Ok(()) => Ok(()),
        Err(error) => Err(failed(chain(&error))),
    }
}
