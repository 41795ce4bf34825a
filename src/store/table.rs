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

    /// Adds a row under the next id; none is left after [`Id::MAX`].
    pub(super) fn create(&mut self, row: impl FnOnce(Id) -> T) -> Option<(Id, &T)> {
        let id = self.last_id.next()?;
        self.last_id = id;
        Some((id, self.rows.entry(id).or_insert_with(|| row(id))))
    }
}
