//! Version of a stored value: which one it is, and whether it is still what the store has.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// A version, which a value of the store shares with everything that was made from the value.
///
/// A new version is current. The write that replaces or deletes the value ends it, once and for all, while that write holds
/// the lock of the store; so it ends before the write is acknowledged. Clones share the state, and looking at it takes one
/// load and no lock.
#[derive(Clone, Debug, Default)]
pub struct Version(Arc<State>);

#[derive(Debug, Default)]
struct State {
    revision: u64,
    has_ended: AtomicBool,
}

impl Version {
    /// The version with that number, which no other version of its table has.
    pub(crate) fn new(revision: u64) -> Self {
        Self(Arc::new(State { revision, has_ended: AtomicBool::new(false) }))
    }

    /// Its number.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.0.revision
    }

    /// Whether the store still has the value.
    #[must_use]
    pub fn is_current(&self) -> bool {
        // Pairs with the store in `end`: what the writer did before it is visible to a reader who sees the end.
        !self.0.has_ended.load(Ordering::Acquire)
    }

    /// Records that the value is being replaced or deleted. The caller holds the lock that readers of the value take, so
    /// that no reader can get the old value with a version that has yet to end.
    pub(crate) fn end(&self) {
        self.0.has_ended.store(true, Ordering::Release);
    }
}
