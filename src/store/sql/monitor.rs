//! Monitor of the database: what a node has checked at its start, and checks again every minute.
//!
//! What it finds makes a node not ready, so that no requests are sent to it. It goes on answering them: tokens that it
//! issues with a wrong clock are refused by other nodes, not accepted wrongly.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::database::{Database, DatabaseError};
use super::inspection::Inspection;
use super::key_checks;
use super::prune;
use super::schema::{Schema, SchemaState};
use crate::auth::keys::KeyCheck;
use crate::internal_error::chain;

/// How often a node looks.
const INTERVAL: Duration = Duration::from_secs(60);

/// What keeps a node from being ready, as far as the database tells. Clones share it.
#[derive(Clone, Debug)]
pub struct Monitor(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    database: Database,
    schema: Schema,
    problem: Mutex<Option<String>>,
}

impl Monitor {
    /// A monitor that has found nothing wrong yet.
    #[must_use]
    pub fn new(database: Database, schema: Schema) -> Self {
        Self(Arc::new(Shared { database, schema, problem: Mutex::new(None) }))
    }

    /// Why the node is not ready, if it is not. Asks no one: the last look found it.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.0.problem.lock().clone()
    }

    /// Whether the last look found nothing wrong.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.problem.lock().is_none()
    }

    /// Looks every minute, and removes expired rows every hour, for ever. `keys` gives the present codes of the keys.
    pub async fn run(self, keys: impl Fn() -> Vec<KeyCheck>) {
        for minute in 1u64.. {
            tokio::time::sleep(INTERVAL).await;
            self.look(&keys()).await;
            if minute % 60 == 0 {
                self.prune().await;
            }
        }
    }

    /// Removes expired rows. Other nodes may do so at the same time: each removes what it finds.
    async fn prune(&self) {
        if let Err(error) = prune::prune(&self.0.database).await {
            tracing::warn!(reason = ?error, "expired rows were not removed; the next attempt is in an hour");
        }
    }

    /// Looks once, and logs what has changed. An outage changes nothing: statements find it themselves.
    pub async fn look(&self, keys: &[KeyCheck]) {
        let Ok(found) = self.find(keys).await else { return };
        let mut problem = self.0.problem.lock();
        if *problem == found {
            return;
        }
        match &found {
            Some(problem) => tracing::error!(reason = problem, "this node is not ready"),
            None => tracing::warn!("this node is ready again"),
        }
        *problem = found;
    }

    async fn find(&self, keys: &[KeyCheck]) -> Result<Option<String>, DatabaseError> {
        let (database, schema) = (&self.0.database, self.0.schema);
        match schema.state(database).await? {
            SchemaState::Usable(_) => {}
            state => return Ok(Some(state.problem(schema).unwrap_or_default())),
        }
        if let Err(error) = key_checks::check(database, keys, true).await? {
            return Ok(Some(chain(&error)));
        }
        Ok(Inspection::of(database).await?.clock_problem())
    }
}
