//! Password service: hashes and verifies passwords away from the threads that serve requests.

use std::sync::Arc;

use argon2::Block;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::{Hash, Hasher};
use crate::auth::queue::{Queue, QueueFigures};
use crate::auth::rate_limit::Admission;
use crate::internal_error::{InternalError, OperationError};
use crate::model::password::Password;

/// The queue of passwords to hash has no permit for this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many passwords wait to be hashed")]
pub struct QueueFull;

/// Hashes and verifies passwords on the blocking threads, on at most half of the machine's cores: the other half keeps
/// responding to all other requests. A few more requests wait in a queue; when it is full, a request fails at once.
///
/// The working memory of a job is reused for the next one: freed each time, it would stay in the allocator of every
/// thread that ever hashed a password.
#[derive(Clone)]
pub struct Passwords {
    hasher: Hasher,
    /// A password is verified against this hash if the user does not exist.
    dummy_hash: Hash,
    queue: Arc<Queue>,
    cores: Arc<Semaphore>,
    /// Working memory of finished jobs.
    spare: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Passwords {
    /// The default number of passwords that may wait (`password_queue`): less than half a second's work on 2 cores.
    pub const DEFAULT_QUEUE: usize = 16;

    /// A service that makes new hashes with `hasher` and lets at most `queue` passwords wait.
    ///
    /// # Errors
    /// [`InternalError`] if the system returns no random bytes.
    pub fn new(hasher: Hasher, queue: usize) -> Result<Self, InternalError> {
        let dummy_hash = hasher.dummy_hash()?;
        let cores = Self::cores();
        Ok(Self {
            hasher,
            dummy_hash,
            queue: Arc::new(Queue::new(cores, queue)),
            cores: Arc::new(Semaphore::new(cores)),
            spare: Arc::default(),
        })
    }

    /// The number of passwords that are hashed at the same time: half the number of cores, at least one.
    #[must_use]
    pub fn cores() -> usize {
        (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1)
    }

    /// Figures of the queue.
    pub(crate) fn queue_figures(&self) -> QueueFigures {
        self.queue.figures()
    }

    /// Hashes a new password for an admitted request.
    ///
    /// # Errors
    /// [`QueueFull`], or [`InternalError`] if the system returns no random bytes, memory or thread.
    pub async fn hash(
        &self,
        admission: &Admission,
        password: Password,
    ) -> Result<Hash, OperationError<QueueFull>> {
        let hasher = self.hasher.clone();
        self.run_blocking(admission, move |memory| hasher.hash_in(&password, memory)).await
    }

    /// Whether `password` has the hash `hash`, for an admitted request. Without a hash the result is `false`, after the
    /// same work as for a hash of the configured cost: the time does not tell whether the user exists.
    ///
    /// # Errors
    /// [`QueueFull`], or [`InternalError`] if the system returns no memory or thread.
    pub async fn verify(
        &self,
        admission: &Admission,
        password: Password,
        hash: Option<Hash>,
    ) -> Result<bool, OperationError<QueueFull>> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy_hash.clone());
        let matches = self.run_blocking(admission, move |memory| hash.matches(&password, memory)).await?;
        Ok(known && matches)
    }

    async fn run_blocking<T: Send + 'static>(
        &self,
        admission: &Admission,
        work: impl FnOnce(&mut Vec<Block>) -> Result<T, InternalError> + Send + 'static,
    ) -> Result<T, OperationError<QueueFull>> {
        let permit = self.queue.enter(admission).ok_or(OperationError::Rejected(QueueFull))?;
        let core = Arc::clone(&self.cores).acquire_owned().await;
        let core = core.map_err(|error| InternalError::new("waiting for a core", error))?;
        let spare = Arc::clone(&self.spare);
        let reusable = self.hasher.0.params().block_count();
        // The job owns the core and the permit: a client that disconnects does not free a core that is still hashing.
        let job = spawn_blocking(move || {
            let mut memory = spare.lock().pop().unwrap_or_default();
            let result = work(&mut memory);
            // A hash in the data file can need more memory than is worth keeping.
            if memory.len() <= reusable {
                spare.lock().push(memory);
            }
            drop((core, permit));
            result
        });
        let result = job.await.map_err(|error| InternalError::new("hashing on a blocking thread", error))?;
        Ok(result?)
    }
}
