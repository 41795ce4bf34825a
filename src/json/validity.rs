//! Validity of a stored value: whether it is still what the store has.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// A flag that a value of the store shares with everything that was made from the value.
///
/// A new value is current. The write that replaces or deletes it ends it, once and for all, while that write holds the
/// lock of the store; so it ends before the write is acknowledged. Clones share the flag, and looking at it takes one
/// load and no lock.
#[derive(Clone, Debug, Default)]
pub struct Validity {
    has_ended: Arc<AtomicBool>,
}

impl Validity {
    /// Whether the store still has the value.
    #[must_use]
    pub fn is_current(&self) -> bool {
        // Pairs with the store in `end`: what the writer did before it is visible to a reader who sees the end.
        !self.has_ended.load(Ordering::Acquire)
    }

    /// Records that the value is being replaced or deleted. The caller holds the lock that readers of the value take, so
    /// that no reader can get the old value with a flag that has yet to change.
    pub(crate) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }
}

/// A value that knows how long it is valid.
pub trait HasValidity {
    /// The flag of the value; none if it was never stored.
    fn validity(&self) -> Option<&Validity>;
}
