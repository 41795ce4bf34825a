//! Ids of new rows.

use crate::model::id::Id;

/// Gives out each id once: a token of a deleted user must never become another user's.
#[derive(Debug)]
pub(super) struct Ids {
    greatest: Id,
}

impl Ids {
    /// Ids above the greatest that is taken.
    pub(super) fn after(greatest: Option<Id>) -> Self {
        Self { greatest: greatest.unwrap_or(Id::new(0)) }
    }

    /// An id that was never given out before; none after [`Id::MAX`].
    pub(super) fn next_id(&mut self) -> Option<Id> {
        self.greatest = self.greatest.next()?;
        Some(self.greatest)
    }
}
