//! Pages of lists, each selected by one statement. Its text is put together from constant pieces; what a client sends is always
//! a parameter.

mod query;
mod text;

use std::fmt::Debug;
use std::sync::Arc;

use tokio::sync::Semaphore;

use self::query::{page_text, Table, SHIPS, USERS};
use super::conditions::version;
use super::encoding::styled;
use super::reading::{column, column_of, id, unexpected};
use super::Sql;
use crate::auth::network::Network;
use crate::auth::queue::{Permit, Queue};
use crate::auth::rate_limit::Admission;
use crate::internal_error::{InternalError, OperationError};
use crate::json::{JsonBody, ListWriter};
use crate::model::cursor::Cursor;
use crate::model::id::Id;
use crate::model::query::{Key, ListQuery};
use crate::model::rule::Accepted;
use crate::model::ship::{Ship, ShipInput};
use crate::model::user::{User, UserInput};
use crate::model::{self, Input};
use crate::store::list::PreparedList;
use crate::store::{Page, StoreResult, TooManyQueries};

/// The most queries that run at once, each on a core of the database.
const AT_ONCE: usize = 4;

/// The most queries that wait for their turn, as in memory.
const MAX_WAITING: usize = 64;

const SELECTING: &str = "selecting a page";

/// The queue of queries. Clients of one network get at most half of its places.
pub(super) struct PageQueue {
    queue: Arc<Queue>,
    turns: Arc<Semaphore>,
}

impl Default for PageQueue {
    fn default() -> Self {
        Self { queue: Arc::new(Queue::new(AT_ONCE, MAX_WAITING)), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl PageQueue {
    /// How many queries were refused.
    pub(super) fn refusals(&self) -> u64 {
        self.queue.figures().refusals
    }

    fn enter(&self, client: Network) -> StoreResult<Permit, TooManyQueries> {
        let admission = Admission { network: client, is_known: false };
        self.queue.enter(&admission).ok_or(OperationError::Rejected(TooManyQueries))
    }
}

/// A row of a page.
struct PageRow {
    id: Id,
    version: i64,
    body: String,
}

impl Sql {
    /// As [`crate::store::Store::find_ships`].
    pub(crate) async fn find_ships(
        &self,
        query: ListQuery,
        client: Network,
    ) -> StoreResult<Page<Ship>, TooManyQueries> {
        self.page::<ShipInput, Ship>(&SHIPS, &query, client).await
    }

    /// As [`crate::store::Store::find_users`].
    pub(crate) async fn find_users(
        &self,
        query: ListQuery,
        client: Network,
    ) -> StoreResult<Page<User>, TooManyQueries> {
        self.page::<UserInput, User>(&USERS, &query, client).await
    }

    async fn page<I: Input, T: Debug>(
        &self,
        table: &Table,
        query: &ListQuery,
        client: Network,
    ) -> StoreResult<Page<T>, TooManyQueries> {
        let _place = self.pages.enter(client)?;
        let turn = self.pages.turns.acquire().await;
        let _turn = turn.map_err(|error| InternalError::new(SELECTING, error))?;
        let (text, values) = page_text::<I>(table, query).finish();
        let rows = self.database.query_once(&text, &values.parameters()).await?;
        let first = super::reading::single(&rows, SELECTING)?;
        let total: i64 = column(first, 0, SELECTING)?;
        let is_empty = column::<Option<i32>>(first, 1, SELECTING)?.is_none();
        let mut found = Vec::new();
        for row in rows.iter().filter(|_| !is_empty) {
            let id = id(column(row, 1, SELECTING)?, SELECTING)?;
            let (version, body) = (column_of(row, 2, SELECTING, id)?, column_of(row, 3, SELECTING, id)?);
            found.push(PageRow { id, version, body });
        }
        let has_next = found.len() > query.limit;
        found.truncate(query.limit);
        let end = found.last().filter(|_| has_next).map(|row| cursor::<I>(query, row)).transpose()?;
        // Any write of a row of the page or of their number changes it.
        let numbers =
            found.iter().flat_map(|row| [row.version, i64::try_from(row.id.number()).unwrap_or(-1)]);
        let version = version(mixed(numbers.chain([total])));
        let body = JsonBody::Full(self.lists.hold(self.listed(&found)?)?);
        Ok(Page {
            list: PreparedList::new(body, version).into(),
            total: usize::try_from(total).map_err(|error| InternalError::new(SELECTING, error))?,
            next: end.map(|end| end.encode(&query.order)),
        })
    }

    fn listed(&self, rows: &[PageRow]) -> Result<Vec<u8>, InternalError> {
        let mut text = Vec::new();
        let mut writer = ListWriter::begin(self.style, &mut text);
        for row in rows {
            writer.item(&mut text, &styled(&row.body, self.style, SELECTING, row.id)?);
        }
        writer.end(&mut text);
        Ok(text)
    }
}

/// The place of a row in the order of the query.
fn cursor<I: Input>(query: &ListQuery, row: &PageRow) -> Result<Cursor, InternalError> {
    let values = model::decode::<I>(row.body.as_bytes());
    let values = values.ok_or_else(|| unexpected(SELECTING, format!("row {} is no object", row.id)))?;
    let keys = query.sort.iter().map(|key| match values.get(key.field) {
        Some(Some(Accepted::Integer(number))) => Key::Integer(*number),
        Some(Some(Accepted::Text(text))) => Key::Text(text.clone()),
        _ => Key::Absent,
    });
    Ok(Cursor { keys: keys.collect(), id: row.id })
}

/// A number for a sequence of numbers: another sequence has another, except by a chance of 1 in 2^64.
pub(super) fn mixed(numbers: impl IntoIterator<Item = i64>) -> i64 {
    // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). The versions in it are random, so no one can choose what it mixes.
    let mix = |state: u64, number: i64| {
        let mut mixed = (state ^ number.cast_unsigned()).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    };
    numbers.into_iter().fold(0, mix).cast_signed()
}
