//! Rows, and the ids under which they lie.

use std::collections::BTreeMap;

use crate::model::id::Id;

/// Rows by id, and the greatest id that was ever given out, so that none is given out twice: a token of a
/// deleted user must never become another user's.
#[derive(Debug)]
pub(super) struct Table<T> {
    pub(super) rows: BTreeMap<Id, T>,
    last_id: Id,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), last_id: Id::new(0) }
    }
}

impl<T> Table<T> {
    pub(super) fn new(rows: BTreeMap<Id, T>) -> Self {
        let last_id = rows.keys().next_back().copied().unwrap_or(Id::new(0));
        Self { rows, last_id }
    }

    /// An id that was never given out before; none is left after [`Id::MAX`].
    pub(super) fn next_id(&mut self) -> Option<Id> {
        self.last_id = self.last_id.next()?;
        Some(self.last_id)
    }
}
