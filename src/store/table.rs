//! Rows by id, and the ids that are given out.

use std::collections::BTreeMap;

use crate::model::id::Id;

/// Gives out ids, none twice: a token of a deleted user must never become another user's.
#[derive(Debug)]
pub(super) struct Ids(Id);

impl Ids {
    /// Ids above the greatest that is taken.
    pub(super) fn after(greatest: Option<Id>) -> Self {
        Self(greatest.unwrap_or(Id::new(0)))
    }

    /// An id that was never given out before; none is left after [`Id::MAX`].
    pub(super) fn next_id(&mut self) -> Option<Id> {
        self.0 = self.0.next()?;
        Some(self.0)
    }
}

/// Rows by id, and the ids of further ones.
#[derive(Debug)]
pub(super) struct Table<T> {
    pub(super) rows: BTreeMap<Id, T>,
    ids: Ids,
}

impl<T> Table<T> {
    pub(super) fn new(rows: BTreeMap<Id, T>) -> Self {
        let ids = Ids::after(rows.keys().next_back().copied());
        Self { rows, ids }
    }

    /// An id that was never given out before; none is left after [`Id::MAX`].
    pub(super) fn next_id(&mut self) -> Option<Id> {
        self.ids.next_id()
    }
}
