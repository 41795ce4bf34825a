//! Selection of pages away from the threads that serve requests: with many rows it takes long enough for others to notice.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::auth::network::Network;
use crate::auth::queue::Queue;
use crate::auth::rate_limit::Admission;
use crate::internal_error::{InternalError, OperationError};
use crate::model::query::ListQuery;
use crate::model::ship::Ship;
use crate::model::user::User;
use crate::store::{Page, Store};

/// The most queries that wait for their turn.
const MAX_WAITING: usize = 64;

/// Too many queries wait, of all clients or of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many queries wait")]
pub struct TooManyQueries;

/// Selects pages one after the other, on one core. A few queries wait; a further one fails at once. Clients of one network
/// get at most half of the places.
#[derive(Clone)]
pub struct PageSelector {
    store: Store,
    queue: Arc<Queue>,
    turn: Arc<Semaphore>,
}

impl PageSelector {
    /// For the rows of `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, queue: Arc::new(Queue::new(1, MAX_WAITING)), turn: Arc::new(Semaphore::new(1)) }
    }

    /// The ships that the query asks for.
    ///
    /// # Errors
    /// [`TooManyQueries`].
    pub async fn ships(
        &self,
        query: ListQuery,
        client: Network,
    ) -> Result<Page<Ship>, OperationError<TooManyQueries>> {
        self.select(client, move |store| store.find_ships(&query)).await
    }

    /// The users that the query asks for.
    ///
    /// # Errors
    /// [`TooManyQueries`].
    pub async fn users(
        &self,
        query: ListQuery,
        client: Network,
    ) -> Result<Page<User>, OperationError<TooManyQueries>> {
        self.select(client, move |store| store.find_users(&query)).await
    }

    async fn select<P: Send + 'static>(
        &self,
        client: Network,
        select: impl FnOnce(&Store) -> P + Send + 'static,
    ) -> Result<P, OperationError<TooManyQueries>> {
        let admission = Admission { network: client, is_known: false };
        let permit = self.queue.enter(&admission).ok_or(OperationError::Rejected(TooManyQueries))?;
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn = turn.map_err(|error| InternalError::new("waiting to select a page", error))?;
        let store = self.store.clone();
        // A client that disconnects gives neither away before the work is done.
        let work = move || {
            let _held = (permit, turn);
            select(&store)
        };
        let page = spawn_blocking(work).await;
        Ok(page.map_err(|error| InternalError::new("selecting a page", error))?)
    }
}
