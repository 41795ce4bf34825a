//! Lists: rows of a table at one moment, sent piece by piece.

use std::fmt::Debug;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;

use super::rows::{Row, Tree};
use crate::json::{JsonBody, JsonStream, ListWriter, Style, Version, PIECE};
use crate::model::id::Id;

/// The rows at one moment. None once the list was ended.
#[derive(Debug)]
pub(super) struct Snapshot<T>(pub(super) Mutex<Option<Tree<T>>>);

/// Rows at one moment.
#[derive(Clone, Debug)]
pub struct List<T> {
    pub(super) snapshot: Arc<Snapshot<T>>,
    pub(super) selection: Selection,
    pub(super) style: Style,
    /// The length of its text in bytes; none if it cannot be written.
    pub(super) length: Option<usize>,
    pub(super) version: Version,
}

/// Which rows a list has.
#[derive(Clone, Debug)]
pub(super) enum Selection {
    /// All, by ascending id.
    All,
    /// Those with these ids, in this order.
    Ids(Arc<[Id]>),
}

impl Selection {
    /// The rows from that position on, each with the position after it.
    fn rows<'a, T>(
        &'a self,
        tree: &'a Tree<T>,
        from: Position,
    ) -> Box<dyn Iterator<Item = (Position, &'a Row<T>)> + 'a> {
        match (self, from) {
            (Self::All, from) => {
                let after = match from {
                    Position::After(id) => Bound::Excluded(id),
                    Position::At(_) => Bound::Unbounded,
                };
                Box::new(tree.range((after, Bound::Unbounded)).map(|(id, row)| (Position::After(*id), row)))
            }
            (Self::Ids(ids), from) => {
                let at = match from {
                    Position::After(_) => 0,
                    Position::At(at) => at,
                };
                let rows = ids.iter().enumerate().skip(at);
                Box::new(rows.filter_map(|(at, id)| Some((Position::At(at + 1), tree.get(id)?))))
            }
        }
    }
}

/// The position of the next row of a list.
#[derive(Clone, Copy, Debug)]
enum Position {
    /// Behind the row with that id.
    After(Id),
    /// At that index.
    At(usize),
}

impl<T: Debug + 'static> List<T> {
    /// The rows with these ids, in this order. `tree` has the rows of this list.
    pub(super) fn select(self, tree: &Tree<T>, ids: Vec<Id>) -> Self {
        let item_length = |id| Some(self.style.item_length(tree.get(id)?.json.text()?));
        let items: Option<usize> = ids.iter().map(item_length).sum();
        let length = items.map(|items| self.style.list_length(ids.len(), items));
        Self { selection: Selection::Ids(ids.into()), length, ..self }
    }

    /// The version of the list.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The text of the list. None if a row cannot be written as JSON, which no type of this crate causes.
    #[must_use]
    pub fn to_body(&self) -> Option<JsonBody> {
        let length = self.length?;
        let mut stream = ListStream {
            snapshot: Arc::clone(&self.snapshot),
            selection: self.selection.clone(),
            style: self.style,
            length,
            at: Progress::Begin,
        };
        if length > PIECE {
            return Some(JsonBody::Stream(Box::new(stream)));
        }
        // No write ends the snapshot of a list that is not streamed.
        Some(JsonBody::Full(stream.next_piece().ok().flatten().unwrap_or_default()))
    }
}

/// How much of a list has been written.
#[derive(Debug)]
enum Progress {
    Begin,
    Until(Position, ListWriter),
    End,
}

/// The text of a list, written piece by piece while it is sent.
#[derive(Debug)]
struct ListStream<T> {
    snapshot: Arc<Snapshot<T>>,
    selection: Selection,
    style: Style,
    length: usize,
    at: Progress,
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
        let (mut position, mut writer) = match std::mem::replace(&mut self.at, Progress::End) {
            Progress::Begin => (Position::At(0), ListWriter::begin(self.style, &mut text)),
            Progress::Until(position, writer) => (position, writer),
            Progress::End => return Ok(None),
        };
        let began = text.len();
        for (next, row) in self.selection.rows(tree, position) {
            let row = row.json.text().ok_or_else(|| io::Error::other("a row cannot be written as JSON"))?;
            if text.len() > began && text.len() + self.style.item_length(row) > PIECE {
                self.at = Progress::Until(position, writer);
                return Ok(Some(text.into()));
            }
            writer.item(&mut text, row);
            position = next;
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
