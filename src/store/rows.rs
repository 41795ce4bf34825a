//! Rows of a table as JSON text, and lists of them.
//!
//! A list is sent from a snapshot of the rows: a persistent tree, of which a write copies the path to one row. So a client that
//! reads slowly holds the rows that have been written since, and not a text of its own. What writes must keep
//! for such clients has a bound, [`MAX_SUPERSEDED`]: beyond it, the client whose snapshot is oldest is disconnected.

use std::fmt::Debug;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Weak};

use hyper::body::Bytes;
use parking_lot::Mutex;
use rpds::RedBlackTreeMapSync;
use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;

use crate::json::{JsonBody, JsonStream, ListWriter, Ready, Style, PIECE};
use crate::model::id::Id;

/// How many bytes of rows that were written over or deleted are kept, at most, for lists that are being sent.
const MAX_SUPERSEDED: u64 = 32 * 1024 * 1024;

/// What a write leaves behind for a snapshot beyond the old text, in bytes: the path to the row, some 20 nodes of 48 bytes,
/// and the row's own.
const PATH_SIZE: u64 = 1536;

type Tree<T> = RedBlackTreeMapSync<Id, Ready<T>>;

/// The rows of a table, by ascending id.
#[derive(Debug)]
pub(super) struct Rows<T> {
    tree: Tree<T>,
    style: Style,
    /// The sum of what the rows take up in a list.
    items_length: usize,
    /// How many rows cannot be written as JSON, which is so for no type of this crate.
    unwritable: usize,
    /// How many bytes have been superseded so far.
    superseded: u64,
    /// The snapshots from which lists are being sent, oldest first, each with what was superseded before it.
    snapshots: Mutex<Vec<(u64, Weak<Snapshot<T>>)>>,
}

impl<T: Clone> Rows<T> {
    pub(super) fn new(style: Style, rows: impl IntoIterator<Item = (Id, Ready<T>)>) -> Self {
        let mut all = Self {
            tree: Tree::new_sync(),
            style,
            items_length: 0,
            unwritable: 0,
            superseded: 0,
            snapshots: Mutex::default(),
        };
        for (id, row) in rows {
            all.insert(id, row);
        }
        all
    }

    pub(super) fn len(&self) -> usize {
        self.tree.size()
    }

    pub(super) fn get(&self, id: Id) -> Option<&Ready<T>> {
        self.tree.get(&id)
    }

    /// Puts `row` in the place of that id, and gives the one that was there, to be freed once the lock is.
    pub(super) fn insert(&mut self, id: Id, row: Ready<T>) -> Option<Ready<T>> {
        let before = self.tree.get(&id).cloned();
        self.count(&row, usize::saturating_add);
        self.tree.insert_mut(id, row);
        self.supersede(before)
    }

    /// Removes the row of that id, and gives it.
    pub(super) fn remove(&mut self, id: Id) -> Option<Ready<T>> {
        let before = self.tree.get(&id).cloned();
        self.tree.remove_mut(&id);
        self.supersede(before)
    }

    fn count(&mut self, row: &Ready<T>, change: fn(usize, usize) -> usize) {
        match row.text() {
            Some(text) => self.items_length = change(self.items_length, self.style.item_length(text)),
            None => self.unwritable = change(self.unwritable, 1),
        }
    }

    /// Takes note of a row that has gone, and ends the lists for which too much would have to be kept.
    fn supersede(&mut self, row: Option<Ready<T>>) -> Option<Ready<T>> {
        if let Some(row) = &row {
            self.count(row, usize::saturating_sub);
            self.superseded += PATH_SIZE + row.text().map_or(0, Bytes::len) as u64;
        }
        let snapshots = self.snapshots.get_mut();
        let too_old = |mark: u64| self.superseded - mark > MAX_SUPERSEDED;
        if snapshots.first().is_some_and(|(mark, _)| too_old(*mark)) {
            snapshots.retain(|(mark, snapshot)| {
                let ended = too_old(*mark);
                if let Some(snapshot) = snapshot.upgrade().filter(|_| ended) {
                    snapshot.end();
                }
                !ended
            });
        }
        row
    }

    /// All rows as they are now.
    pub(super) fn list(&self) -> List<T> {
        let snapshot = Arc::new(Snapshot(Mutex::new(Some(self.tree.clone()))));
        let length =
            (self.unwritable == 0).then(|| self.style.list_length(self.tree.size(), self.items_length));
        if length.is_some_and(|length| length > PIECE) {
            let mut snapshots = self.snapshots.lock();
            // Those that have been sent are forgotten before room is made for more.
            if snapshots.len() == snapshots.capacity() {
                snapshots.retain(|(_, snapshot)| snapshot.strong_count() > 0);
            }
            snapshots.push((self.superseded, Arc::downgrade(&snapshot)));
        }
        List { snapshot, style: self.style, length }
    }
}

/// The rows at one moment, as long as they are kept.
#[derive(Debug)]
struct Snapshot<T>(Mutex<Option<Tree<T>>>);

impl<T> Snapshot<T> {
    fn end(&self) {
        tracing::warn!(
            "a client reads a list so slowly that {} MiB of it have been written over meanwhile; it is disconnected",
            MAX_SUPERSEDED / (1024 * 1024)
        );
        self.0.lock().take();
    }
}

/// All rows at one moment.
#[derive(Clone, Debug)]
pub struct List<T> {
    snapshot: Arc<Snapshot<T>>,
    style: Style,
    /// The length of its text in bytes; none if it cannot be written.
    length: Option<usize>,
}

impl<T: Debug + 'static> List<T> {
    /// Its text. None if a row cannot be written as JSON, which is so for no type of this crate.
    #[must_use]
    pub fn to_body(&self) -> Option<JsonBody> {
        let length = self.length?;
        let mut stream = ListStream {
            snapshot: Arc::clone(&self.snapshot),
            style: self.style,
            length,
            at: Position::Begin,
        };
        if length > PIECE {
            return Some(JsonBody::Stream(Box::new(stream)));
        }
        // Nothing ends a snapshot of which no stream is on its way.
        Some(JsonBody::Full(stream.next_piece().ok().flatten().unwrap_or_default()))
    }
}

/// How far a list has been written.
#[derive(Debug)]
enum Position {
    Begin,
    After(Id, ListWriter),
    End,
}

/// The text of a list on its way to a client.
#[derive(Debug)]
struct ListStream<T> {
    snapshot: Arc<Snapshot<T>>,
    style: Style,
    length: usize,
    at: Position,
}

impl<T: Debug> JsonStream for ListStream<T> {
    fn length(&self) -> usize {
        self.length
    }

    fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        /// Room for the brackets of a list.
        const BRACKETS: usize = 8;
        let tree = self.snapshot.0.lock();
        let tree = tree.as_ref().ok_or_else(|| io::Error::other("the snapshot of the list was given up"))?;
        let mut text = Vec::with_capacity(self.length.min(PIECE + BRACKETS));
        let (mut after, mut writer) = match std::mem::replace(&mut self.at, Position::End) {
            Position::Begin => (Bound::Unbounded, ListWriter::begin(self.style, &mut text)),
            Position::After(id, writer) => (Bound::Excluded(id), writer),
            Position::End => return Ok(None),
        };
        let began = text.len();
        for (id, row) in tree.range((after, Bound::Unbounded)) {
            let row = row.text().ok_or_else(|| io::Error::other("a row cannot be written as JSON"))?;
            let is_full = text.len() + self.style.item_length(row) > PIECE && text.len() > began;
            if let (Bound::Excluded(last), true) = (after, is_full) {
                self.at = Position::After(last, writer);
                return Ok(Some(text.into()));
            }
            writer.item(&mut text, row);
            after = Bound::Excluded(*id);
        }
        writer.end(&mut text);
        Ok(Some(text.into()))
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn schema_name() -> String {
        Vec::<T>::schema_name()
    }

    fn is_referenceable() -> bool {
        Vec::<T>::is_referenceable()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests;
