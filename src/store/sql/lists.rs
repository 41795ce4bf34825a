//! Lists of all rows, each of one moment.
//!
//! A short list is read as a whole, by one statement. A long one is read by another, while it is sent: what a client that reads
//! slowly keeps is one connection, two pieces, and the snapshot of one statement in the database. There are at most
//! [`MAX_STREAMS`] such clients of a node, and short lists take up at most [`MAX_BYTES`].

use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc::{channel, Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::types::Type;
use tokio_postgres::Row;

use super::conditions::version;
use super::database::{DatabaseError, Rows};
use super::encoding::styled;
use super::pages::mixed;
use super::reading::{bigint, column, single, unexpected};
use super::{statements, Sql, Unexpected};
use crate::internal_error::{chain, InternalError, Unavailable};
use crate::json::{JsonBody, JsonStream, ListWriter, Style, PIECE};
use crate::model::id::Id;
use crate::model::ship::Ship;
use crate::model::user::User;
use crate::store::list::{List, PreparedList};
use crate::store::StoreResult;

/// The longest list that is read as a whole.
const MAX_WHOLE: usize = 1024 * 1024;

/// The most bytes of lists that have been read as a whole and are not sent yet.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The most lists that are read while they are sent.
const MAX_STREAMS: usize = 4;

/// The pieces that wait for a client.
const PIECES_AHEAD: usize = 1;

/// The unit in which bytes are counted.
const UNIT: usize = 1024;

const READING: &str = "reading a list";

/// What lists take up in this process.
#[derive(Debug)]
pub(super) struct ListLimits {
    bytes: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Default for ListLimits {
    fn default() -> Self {
        let bytes = Arc::new(Semaphore::new(MAX_BYTES / UNIT));
        Self { bytes, streams: Arc::new(Semaphore::new(MAX_STREAMS)) }
    }
}

impl ListLimits {
    /// A text that counts for as long as it is kept.
    pub(super) fn hold(&self, text: Vec<u8>) -> Result<Bytes, Unavailable> {
        let units = u32::try_from(text.len().div_ceil(UNIT)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.bytes).try_acquire_many_owned(units);
        let permit = permit.map_err(|error| Unavailable::new("too many lists are being sent", error))?;
        Ok(Bytes::from_owner(HeldText { text, _permit: permit }))
    }
}

struct HeldText {
    text: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for HeldText {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

impl Sql {
    /// As [`crate::store::Store::ships`].
    pub(crate) async fn ships<E>(&self) -> StoreResult<List<Ship>, E> {
        Ok(self.list(statements::WHOLE_SHIPS, statements::ALL_SHIPS).await?)
    }

    /// As [`crate::store::Store::users`].
    pub(crate) async fn users<E>(&self) -> StoreResult<List<User>, E> {
        Ok(self.list(statements::WHOLE_USERS, statements::ALL_USERS).await?)
    }

    async fn list<T>(&self, whole: &'static str, all: &'static str) -> Result<List<T>, DatabaseError> {
        let longest = bigint(MAX_WHOLE as u64);
        let rows = self.database.query(whole, &[(&longest, Type::INT8)]).await?;
        let size = Size::of(single(&rows, READING)?, self.style)?;
        if size.is_short {
            let text = whole_text(&rows, self.style, size.length)?;
            let text = self.lists.hold(text).map_err(DatabaseError::Unavailable)?;
            return Ok(PreparedList::new(JsonBody::Full(text), version(size.version)).into());
        }
        let permit = Arc::clone(&self.lists.streams).try_acquire_owned();
        let permit = permit.map_err(|_| {
            let reason = Unexpected(format!("{MAX_STREAMS} long lists are being sent"));
            DatabaseError::Unavailable(Unavailable::new("reading a list", reason))
        })?;
        let mut rows = self.database.stream(all, &[]).await?;
        let first = rows.next().await?;
        let first = first.ok_or_else(|| unexpected(READING, "the statement has no row".to_owned()))?;
        // The list may have changed, and be short by now.
        let size = Size::of(&first, self.style)?;
        let next = (size.number > 0).then_some(first);
        let mut reader = Reader { rows, next, style: self.style, writer: None };
        let (sender, pieces) = channel(PIECES_AHEAD);
        // The worker's runtime drives the connection, and ends the task when the client is gone.
        tokio::spawn(async move {
            reader.send_all(&sender).await;
            drop(permit);
        });
        let stream = Streamed { length: size.length, sent: 0, pieces };
        Ok(PreparedList::new(JsonBody::Stream(Box::new(stream)), version(size.version)).into())
    }
}

/// The numbers of a list.
struct Size {
    number: i64,
    /// The length of its text in bytes.
    length: usize,
    version: i64,
    /// Whether its rows were read with it.
    is_short: bool,
}

impl Size {
    fn of(row: &Row, style: Style) -> Result<Self, InternalError> {
        let number: i64 = column(row, 0, READING)?;
        let (compact, pretty): (i64, i64) = (column(row, 1, READING)?, column(row, 2, READING)?);
        let digest: i64 = column(row, 3, READING)?;
        let size = |number: i64| usize::try_from(number).map_err(|error| InternalError::new(READING, error));
        let count = size(number)?;
        let items = match style {
            Style::Compact => size(compact)? + count * Style::Compact.item_length(b""),
            Style::Pretty => size(pretty)?,
        };
        // Each write changes the digest or the number.
        let version = mixed([digest, number]);
        let is_short = size(pretty)? <= MAX_WHOLE;
        Ok(Self { number, length: style.list_length(count, items), version, is_short })
    }
}

/// The text of a list whose rows have been read.
fn whole_text(rows: &[Row], style: Style, length: usize) -> Result<Vec<u8>, InternalError> {
    let mut text = Vec::with_capacity(length);
    let mut writer = ListWriter::begin(style, &mut text);
    for row in rows {
        let body: Option<&str> = column(row, 4, READING)?;
        if let Some(body) = body {
            add_item(&mut writer, &mut text, style, body)?;
        }
    }
    writer.end(&mut text);
    if text.len() != length {
        return Err(wrong_length(text.len(), length));
    }
    Ok(text)
}

fn add_item(
    writer: &mut ListWriter,
    text: &mut Vec<u8>,
    style: Style,
    body: &str,
) -> Result<(), InternalError> {
    match style {
        Style::Compact => writer.item(text, body.as_bytes()),
        // The error names the text, which has the id.
        Style::Pretty => writer.item(text, &styled(body, style, READING, Id::new(0))?),
    }
    Ok(())
}

/// The rows of a list, read one after the other.
struct Reader {
    rows: Rows,
    /// The row that comes next.
    next: Option<Row>,
    style: Style,
    /// None before the first piece.
    writer: Option<ListWriter>,
}

impl Reader {
    /// Adds rows to the text until it has `least` bytes. False at the end of the list.
    async fn read_piece(&mut self, text: &mut Vec<u8>, least: usize) -> Result<bool, DatabaseError> {
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => ListWriter::begin(self.style, text),
        };
        while let Some(row) = self.next.take() {
            let body: &str = column(&row, 4, READING)?;
            add_item(&mut writer, text, self.style, body)?;
            self.next = self.rows.next().await?;
            if text.len() >= least && self.next.is_some() {
                self.writer = Some(writer);
                return Ok(true);
            }
        }
        writer.end(text);
        Ok(false)
    }

    /// Sends pieces until the end of the list, or until no one takes them any more.
    async fn send_all(&mut self, pieces: &Sender<io::Result<Bytes>>) {
        loop {
            let mut text = Vec::with_capacity(2 * PIECE);
            let (piece, is_last) = match self.read_piece(&mut text, PIECE).await {
                Ok(more) => (Ok(text.into()), !more),
                Err(error) => (Err(io::Error::other(logged(error))), true),
            };
            if pieces.send(piece).await.is_err() || is_last {
                return;
            }
        }
    }
}

/// Logs why a list breaks off: the response has begun, so no other place tells.
fn logged(error: DatabaseError) -> &'static str {
    let text = match error {
        DatabaseError::Unavailable(error) => chain(&error),
        DatabaseError::Internal(error) => chain(&error),
        DatabaseError::Duplicate(constraint) => constraint,
    };
    tracing::warn!(error = %text, "a list broke off while it was being sent");
    "the list broke off"
}

fn wrong_length(is: usize, announced: usize) -> InternalError {
    unexpected(READING, format!("it has {is} bytes instead of {announced}"))
}

/// A list that is read while it is sent.
#[derive(Debug)]
struct Streamed {
    length: usize,
    sent: usize,
    pieces: Receiver<io::Result<Bytes>>,
}

impl Streamed {
    fn taken(&mut self, piece: Option<io::Result<Bytes>>) -> io::Result<Option<Bytes>> {
        let piece = piece.transpose()?;
        self.sent += piece.as_ref().map_or(0, Bytes::len);
        if self.sent > self.length || piece.is_none() && self.sent < self.length {
            return Err(io::Error::other(wrong_length(self.sent, self.length)));
        }
        Ok(piece)
    }
}

impl JsonStream for Streamed {
    fn length(&self) -> usize {
        self.length
    }

    fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        Err(io::Error::other("a list from a database has to be awaited"))
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let piece = ready!(self.pieces.poll_recv(context));
        Poll::Ready(self.taken(piece))
    }
}
