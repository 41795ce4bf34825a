//! Rows of a table as JSON text, and snapshots of them.
//!
//! A list is sent from a snapshot of the rows: a persistent tree, of which a write copies the path to one row. So a client
//! that reads slowly keeps the rows that have been replaced since, but no copy of the list. The rows retained for such clients
//! are counted exactly and bounded by [`MAX_RETAINED`]: beyond that, the client with the oldest snapshot is disconnected.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use rpds::RedBlackTreeMapSync;

use super::list::{List, Selection, Snapshot};
use crate::json::{EncodedJson, Style, Version, PIECE};
use crate::model::id::Id;

/// The most bytes of replaced or deleted rows that are retained for lists that are being sent.
const MAX_RETAINED: usize = 32 * 1024 * 1024;

/// What a snapshot retains of a replaced row beyond its text, in bytes: the path to it, some 20 nodes of 48 bytes, and the
/// row's own node.
const PATH_SIZE: usize = 1536;

/// Rows by ascending id.
pub(super) type Tree<T> = RedBlackTreeMapSync<Id, Row<T>>;

/// A row. It lives for as long as the table or a snapshot has it.
#[derive(Debug)]
pub(super) struct Row<T> {
    /// The text, with a version of its own that says whether the table still has the row.
    pub(super) json: EncodedJson<T>,
    /// The bytes of all replaced rows that snapshots keep.
    retained: Arc<AtomicUsize>,
}

impl<T> Row<T> {
    fn new(json: EncodedJson<T>, revision: u64, retained: Arc<AtomicUsize>) -> Self {
        Self { json: json.with_version(Version::new(revision)), retained }
    }

    fn size(&self) -> usize {
        PATH_SIZE + self.json.text().map_or(0, Bytes::len)
    }

    /// Records that the table is about to drop the row.
    fn end(&self) {
        if let Some(version) = self.json.version() {
            version.end();
        }
        self.retained.fetch_add(self.size(), Ordering::Relaxed);
    }
}

impl<T> Drop for Row<T> {
    fn drop(&mut self) {
        if !self.json.version().is_some_and(Version::is_current) {
            self.retained.fetch_sub(self.size(), Ordering::Relaxed);
        }
    }
}

/// The rows of a table, by ascending id.
#[derive(Debug)]
pub(super) struct Rows<T> {
    tree: Tree<T>,
    style: Style,
    /// The bytes that the rows take up in a list.
    items_length: usize,
    /// The number of rows that cannot be written as JSON, which no type of this crate causes.
    unwritable: usize,
    retained: Arc<AtomicUsize>,
    /// The version of the list of all rows. Each write ends it and begins another.
    list_version: Version,
    /// The snapshots of long lists that are being sent, oldest first.
    snapshots: Mutex<VecDeque<Weak<Snapshot<T>>>>,
    /// The rows that have been written since the index was last brought up to date.
    changes: Mutex<Changes>,
}

/// The rows of a table at one moment.
pub(super) struct TableState<T> {
    pub(super) tree: Tree<T>,
    pub(super) all: List<T>,
    /// The rows that the index has to take.
    pub(super) changes: Changes,
}

/// The rows that an index has to take.
#[derive(Debug)]
pub(super) enum Changes {
    All,
    /// Those with these ids, in the order of the writes.
    These(Vec<Id>),
}

/// The number of a table's first version. A version from before a restart should be none of those after it, though both
/// runs count alike.
fn random_revision() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// What a write has freed. The caller drops it after it has released the lock.
pub(super) struct Freed<T> {
    _json: Option<EncodedJson<T>>,
    _snapshot: Option<Tree<T>>,
}

impl<T: Clone> Rows<T> {
    pub(super) fn new(style: Style, rows: impl IntoIterator<Item = (Id, EncodedJson<T>)>) -> Self {
        let mut all = Self {
            tree: Tree::new_sync(),
            style,
            items_length: 0,
            unwritable: 0,
            retained: Arc::default(),
            list_version: Version::new(random_revision()),
            snapshots: Mutex::default(),
            changes: Mutex::new(Changes::All),
        };
        for (id, json) in rows {
            all.insert(id, json);
        }
        all
    }

    pub(super) fn len(&self) -> usize {
        self.tree.size()
    }

    pub(super) fn get(&self, id: Id) -> Option<&EncodedJson<T>> {
        self.tree.get(&id).map(|row| &row.json)
    }

    /// Inserts the row with that id, or replaces it. Returns it with its version.
    pub(super) fn insert(&mut self, id: Id, json: EncodedJson<T>) -> (EncodedJson<T>, Freed<T>) {
        let before = self.end(id);
        let revision = self.end_list();
        self.count(&json, usize::saturating_add);
        let row = Row::new(json, revision, Arc::clone(&self.retained));
        let stored = row.json.clone();
        self.tree.insert_mut(id, row);
        self.record_change(id);
        (stored, Freed { _json: before, _snapshot: self.end_oldest() })
    }

    /// Removes the row with that id, if there is one.
    pub(super) fn remove(&mut self, id: Id) -> Option<Freed<T>> {
        let before = self.end(id)?;
        self.end_list();
        self.tree.remove_mut(&id);
        self.record_change(id);
        Some(Freed { _json: Some(before), _snapshot: self.end_oldest() })
    }

    /// Records that all rows are about to be dropped. Long lists that are being sent break off, since they would keep the rows:
    /// the caller drops their snapshots after it has released the lock.
    pub(super) fn end_all(&mut self) -> Vec<Tree<T>> {
        self.tree.values().for_each(Row::end);
        self.end_list();
        let snapshots = self.snapshots.get_mut().drain(..);
        snapshots.filter_map(|snapshot| snapshot.upgrade()?.0.lock().take()).collect()
    }

    /// Records that the lists made so far are no longer what the table has. Returns the number of the new list's version,
    /// which is new to the table.
    fn end_list(&mut self) -> u64 {
        let revision = self.list_version.revision().wrapping_add(1);
        std::mem::replace(&mut self.list_version, Version::new(revision)).end();
        revision
    }

    /// Records that the index has to take the row with that id. There is nothing to record before the first query, or once it
    /// would cost less to take all rows.
    fn record_change(&mut self, id: Id) {
        let all = self.tree.size();
        let changes = self.changes.get_mut();
        if let Changes::These(ids) = changes {
            if ids.len() > all {
                *changes = Changes::All;
            } else {
                ids.push(id);
            }
        }
    }

    /// Records that the row with that id is about to be dropped.
    fn end(&mut self, id: Id) -> Option<EncodedJson<T>> {
        let row = self.tree.get(&id)?;
        row.end();
        let json = row.json.clone();
        self.count(&json, usize::saturating_sub);
        Some(json)
    }

    fn count(&mut self, json: &EncodedJson<T>, change: fn(usize, usize) -> usize) {
        match json.text() {
            Some(text) => self.items_length = change(self.items_length, self.style.item_length(text)),
            None => self.unwritable = change(self.unwritable, 1),
        }
    }

    /// Ends the oldest list if too much is retained for lists, and returns its snapshot. If that was not enough, the next
    /// write ends the next one.
    fn end_oldest(&mut self) -> Option<Tree<T>> {
        if self.retained.load(Ordering::Relaxed) <= MAX_RETAINED {
            return None;
        }
        let snapshots = self.snapshots.get_mut();
        let oldest = std::iter::from_fn(|| snapshots.pop_front()).find_map(|snapshot| snapshot.upgrade())?;
        tracing::warn!(
            "a client reads a list so slowly that {} MiB of replaced rows are kept; it is disconnected",
            MAX_RETAINED / (1024 * 1024)
        );
        let tree = oldest.0.lock().take();
        tree
    }

    /// All rows as they are now.
    pub(super) fn list(&self) -> List<T> {
        let list = self.untracked();
        self.track(&list);
        list
    }

    /// All rows as they are now, as a list that no write ends.
    fn untracked(&self) -> List<T> {
        let length =
            (self.unwritable == 0).then(|| self.style.list_length(self.tree.size(), self.items_length));
        List {
            snapshot: Arc::new(Snapshot(Mutex::new(Some(self.tree.clone())))),
            selection: Selection::All,
            style: self.style,
            length,
            version: self.list_version.clone(),
        }
    }

    /// The rows as they are now, for the index, which gets each change once.
    pub(super) fn for_index(&self) -> TableState<T> {
        let changes = std::mem::replace(&mut *self.changes.lock(), Changes::These(Vec::new()));
        TableState { tree: self.tree.clone(), all: self.untracked(), changes }
    }

    /// Keeps track of a list that is streamed, so that a write can end it.
    pub(super) fn track(&self, list: &List<T>) {
        if list.length.is_none_or(|length| length <= PIECE) {
            return;
        }
        let mut snapshots = self.snapshots.lock();
        // Forget lists that have been sent before the queue grows.
        if snapshots.len() == snapshots.capacity() {
            snapshots.retain(|snapshot| snapshot.strong_count() > 0);
        }
        snapshots.push_back(Arc::downgrade(&list.snapshot));
    }
}

#[cfg(test)]
mod tests;
