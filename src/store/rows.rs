//! Rows of a table as JSON text, and lists of them.
//!
//! A list is sent from a snapshot of the rows: a persistent tree, of which a write copies the path to one row. So a client
//! that reads slowly keeps the rows that have been replaced since, but no copy of the list. The rows retained for such clients
//! are counted exactly and bounded by [`MAX_RETAINED`]: beyond that, the client with the oldest snapshot is disconnected.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use rpds::RedBlackTreeMapSync;
use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;

use crate::json::{EncodedJson, HasValidity, JsonBody, JsonStream, ListWriter, Style, Validity, PIECE};
use crate::model::id::Id;

/// The most bytes of replaced or deleted rows that are retained for lists that are being sent.
const MAX_RETAINED: usize = 32 * 1024 * 1024;

/// What a snapshot retains of a replaced row beyond its text, in bytes: the path to it, some 20 nodes of 48 bytes, and the
/// row's own node.
const PATH_SIZE: usize = 1536;

type Tree<T> = RedBlackTreeMapSync<Id, Row<T>>;

/// A row. It lives for as long as the table or a snapshot has it.
#[derive(Debug)]
struct Row<T> {
    /// The text, with a flag of its own that says whether the table still has the row.
    json: EncodedJson<T>,
    /// The bytes of all replaced rows that snapshots keep.
    retained: Arc<AtomicUsize>,
}

impl<T> Row<T> {
    fn new(json: EncodedJson<T>, retained: Arc<AtomicUsize>) -> Self {
        Self { json: json.with_validity(Validity::default()), retained }
    }

    fn size(&self) -> usize {
        PATH_SIZE + self.json.text().map_or(0, Bytes::len)
    }

    /// Records that the table is about to drop the row.
    fn end(&self) {
        if let Some(validity) = self.json.validity() {
            validity.end();
        }
        self.retained.fetch_add(self.size(), Ordering::Relaxed);
    }
}

impl<T> Drop for Row<T> {
    fn drop(&mut self) {
        if !self.json.validity().is_some_and(Validity::is_current) {
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
    /// Whether the list of all rows is still what it was. Each write ends it and begins another.
    list_validity: Validity,
    /// The snapshots of long lists that are being sent, oldest first.
    snapshots: Mutex<VecDeque<Weak<Snapshot<T>>>>,
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
            list_validity: Validity::default(),
            snapshots: Mutex::default(),
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

    /// Inserts the row with that id, or replaces it.
    pub(super) fn insert(&mut self, id: Id, json: EncodedJson<T>) -> Freed<T> {
        let before = self.end(id);
        self.end_list();
        self.count(&json, usize::saturating_add);
        self.tree.insert_mut(id, Row::new(json, Arc::clone(&self.retained)));
        Freed { _json: before, _snapshot: self.end_oldest() }
    }

    /// Removes the row with that id, if there is one.
    pub(super) fn remove(&mut self, id: Id) -> Option<Freed<T>> {
        let before = self.end(id)?;
        self.end_list();
        self.tree.remove_mut(&id);
        Some(Freed { _json: Some(before), _snapshot: self.end_oldest() })
    }

    /// Records that the lists made so far are no longer what the table has.
    fn end_list(&mut self) {
        std::mem::take(&mut self.list_validity).end();
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
        let snapshot = Arc::new(Snapshot(Mutex::new(Some(self.tree.clone()))));
        let length =
            (self.unwritable == 0).then(|| self.style.list_length(self.tree.size(), self.items_length));
        if length.is_some_and(|length| length > PIECE) {
            let mut snapshots = self.snapshots.lock();
            // Forget lists that have been sent before the queue grows.
            if snapshots.len() == snapshots.capacity() {
                snapshots.retain(|snapshot| snapshot.strong_count() > 0);
            }
            snapshots.push_back(Arc::downgrade(&snapshot));
        }
        List { snapshot, style: self.style, length, validity: self.list_validity.clone() }
    }
}

/// The rows at one moment. None once the list was ended.
#[derive(Debug)]
struct Snapshot<T>(Mutex<Option<Tree<T>>>);

/// All rows at one moment.
#[derive(Clone, Debug)]
pub struct List<T> {
    snapshot: Arc<Snapshot<T>>,
    style: Style,
    /// The length of its text in bytes; none if it cannot be written.
    length: Option<usize>,
    validity: Validity,
}

impl<T> HasValidity for List<T> {
    fn validity(&self) -> Option<&Validity> {
        Some(&self.validity)
    }
}

impl<T: Debug + 'static> List<T> {
    /// The text of the list. None if a row cannot be written as JSON, which no type of this crate causes.
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
        // No write ends the snapshot of a list that is not streamed.
        Some(JsonBody::Full(stream.next_piece().ok().flatten().unwrap_or_default()))
    }
}

/// The position of the next piece in a list.
#[derive(Debug)]
enum Position {
    Begin,
    After(Id, ListWriter),
    End,
}

/// The text of a list, written piece by piece while it is sent.
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
            let row = row.json.text().ok_or_else(|| io::Error::other("a row cannot be written as JSON"))?;
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
