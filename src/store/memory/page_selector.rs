//! Selects pages away from the threads that serve requests: with many rows it takes long enough for others to notice.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::Memory;
use crate::auth::network::Network;
use crate::auth::queue::{Queue, QueueFigures};
use crate::auth::rate_limit::Admission;
use crate::internal_error::{InternalError, OperationError};
use crate::model::query::ListQuery;
use crate::model::ship::Ship;
use crate::model::user::User;
use crate::store::{Page, TooManyQueries};

/// The most queries that wait for their turn.
const MAX_WAITING: usize = 64;

/// Selects pages one after the other, on one core. A few queries wait; a further one fails at once. Clients of one network
/// get at most half of the places.
pub(super) struct PageSelector {
    queue: Arc<Queue>,
    turn: Arc<Semaphore>,
}

impl fmt::Debug for PageSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageSelector(..)")
    }
}

impl PageSelector {
    pub(super) fn new() -> Self {
        Self { queue: Arc::new(Queue::new(1, MAX_WAITING)), turn: Arc::new(Semaphore::new(1)) }
    }

    pub(super) fn queue_figures(&self) -> QueueFigures {
        self.queue.figures()
    }

    async fn select<P: Send + 'static>(
        &self,
        client: Network,
        select: impl FnOnce() -> P + Send + 'static,
    ) -> Result<P, OperationError<TooManyQueries>> {
        let admission = Admission { network: client, is_known: false };
        let permit = self.queue.enter(&admission).ok_or(OperationError::Rejected(TooManyQueries))?;
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn = turn.map_err(|error| InternalError::new("waiting to select a page", error))?;
        // A client that disconnects gives neither away before the work is done.
        let work = move || {
            let _held = (permit, turn);
            select()
        };
        let page = spawn_blocking(work).await;
        Ok(page.map_err(|error| InternalError::new("selecting a page", error))?)
    }
}

impl Memory {
    /// The ships that the query asks for.
    ///
    /// # Errors
    /// [`TooManyQueries`].
    pub async fn select_ships(
        &self,
        query: ListQuery,
        client: Network,
    ) -> Result<Page<Ship>, OperationError<TooManyQueries>> {
        let memory = self.clone();
        self.0.page_selector.select(client, move || memory.find_ships(&query)).await
    }

    /// The users that the query asks for.
    ///
    /// # Errors
    /// [`TooManyQueries`].
    pub async fn select_users(
        &self,
        query: ListQuery,
        client: Network,
    ) -> Result<Page<User>, OperationError<TooManyQueries>> {
        let memory = self.clone();
        self.0.page_selector.select(client, move || memory.find_users(&query)).await
    }
}
