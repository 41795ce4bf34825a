//! Index of a table: the values of its rows by field, from which the pages of a list are selected.
//!
//! It is built for the first query, and brought up to date by each further one with the rows that were written in between. So
//! it costs nothing before the first, and a write no more than to say which row it was.

mod column;
mod dictionary;

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::marker::PhantomData;

use self::column::{Column, Condition};
use super::rows::{Changes, Tree};
use crate::model::cursor::Cursor;
use crate::model::id::Id;
use crate::model::query::ListQuery;
use crate::model::{self, Input};

/// The most deleted rows, and values that no row has any more, beyond half of the number of rows. With more of either, the
/// index is built again, which costs three rows or fewer for each write since.
const MAX_GARBAGE: usize = 256;

/// The values of the rows, by ascending id.
#[derive(Debug)]
pub(super) struct Index<I> {
    ids: Vec<Id>,
    is_live: Vec<bool>,
    live: usize,
    /// By the positions of the fields; none for a field that clients cannot see.
    columns: Vec<Option<Column>>,
    of: PhantomData<fn() -> I>,
}

impl<I> Default for Index<I> {
    fn default() -> Self {
        Self { ids: Vec::new(), is_live: Vec::new(), live: 0, columns: Vec::new(), of: PhantomData }
    }
}

/// The rows of a page.
#[derive(Debug)]
pub(super) struct Selected {
    /// In the order of the page.
    pub(super) ids: Vec<Id>,
    /// The number of rows that meet the conditions, on all pages.
    pub(super) total: usize,
    /// Where the page ends, if there is a next one.
    pub(super) end: Option<Cursor>,
}

impl<I: Input> Index<I> {
    /// Takes the rows of `tree` that have changed since the last time.
    pub(super) fn update<T>(&mut self, tree: &Tree<T>, changes: Changes) {
        match changes {
            Changes::These(ids) => {
                for id in ids {
                    self.take(tree, id);
                    if self.has_too_much_garbage() {
                        return self.rebuild(tree);
                    }
                }
            }
            Changes::All => self.rebuild(tree),
        }
    }

    fn has_too_much_garbage(&self) -> bool {
        let dead = self.ids.len() - self.live;
        let unused = self.columns.iter().flatten().map(Column::unused).max().unwrap_or(0);
        dead.max(unused) > self.live / 2 + MAX_GARBAGE
    }

    fn rebuild<T>(&mut self, tree: &Tree<T>) {
        let column = |field: &model::field::Field| (!field.write_only).then(|| Column::new(&field.rule));
        *self = Self { columns: I::FIELDS.iter().map(column).collect(), ..Self::default() };
        tree.keys().for_each(|id| self.take(tree, *id));
    }

    /// Takes a row as it is in `tree` now.
    fn take<T>(&mut self, tree: &Tree<T>, id: Id) {
        let known = self.ids.binary_search(&id);
        let text = tree.get(&id).and_then(|row| row.json.text());
        let Some(values) = text.and_then(|text| model::decode::<I>(text)) else {
            if let Some(is_live) = known.ok().and_then(|row| self.is_live.get_mut(row)) {
                self.live -= usize::from(std::mem::take(is_live));
            }
            return;
        };
        let row = known.unwrap_or_else(|_| {
            // Ids ascend, so a new row is the last.
            self.ids.push(id);
            self.is_live.push(true);
            self.live += 1;
            self.ids.len() - 1
        });
        for (column, value) in self.columns.iter_mut().zip(values) {
            if let Some(column) = column {
                column.set(row, value);
            }
        }
    }

    fn column(&self, field: usize) -> Option<&Column> {
        self.columns.get(field)?.as_ref()
    }

    /// The rows of the page that the query asks for.
    pub(super) fn select(&self, query: &ListQuery) -> Selected {
        let conditions: Vec<Condition<'_>> = query
            .filters
            .iter()
            .filter_map(|filter| Some(self.column(filter.field)?.condition(filter)))
            .collect();
        let search: Option<Vec<Condition<'_>>> = query.search.as_ref().map(|text| {
            let columns = self.columns.iter().flatten();
            columns.filter_map(|column| column.search(|value| contains(value, text))).collect()
        });
        let is_wanted = |row: usize| {
            self.is_live.get(row) == Some(&true)
                && conditions.iter().all(|condition| condition.accepts(row))
                && search.as_ref().is_none_or(|search| search.iter().any(|condition| condition.accepts(row)))
        };
        let order = Order { index: self, query };
        let mut total = 0;
        // The first rows in the order, one more than the page has, the last of them on top.
        let mut first = BinaryHeap::with_capacity(query.limit + 2);
        for row in (0..self.ids.len()).filter(|row| is_wanted(*row)) {
            total += 1;
            if query.after.as_ref().is_some_and(|after| order.compare_cursor(row, after) != Ordering::Greater)
            {
                continue;
            }
            let candidate = Candidate { row, order: &order };
            if first.len() <= query.limit {
                first.push(candidate);
            } else if first.peek().is_some_and(|last| candidate < *last) {
                first.pop();
                first.push(candidate);
            }
        }
        let mut rows: Vec<usize> =
            first.into_sorted_vec().into_iter().map(|candidate| candidate.row).collect();
        let has_next = rows.len() > query.limit;
        rows.truncate(query.limit);
        let end = rows.last().filter(|_| has_next).and_then(|row| order.cursor(*row));
        Selected { ids: rows.iter().filter_map(|row| self.ids.get(*row).copied()).collect(), total, end }
    }
}

/// The order of a query.
struct Order<'a, I> {
    index: &'a Index<I>,
    query: &'a ListQuery,
}

impl<I: Input> Order<'_, I> {
    fn columns(&self) -> impl Iterator<Item = (&Column, bool)> {
        let keys = self.query.sort.iter();
        keys.filter_map(|key| Some((self.index.column(key.field)?, key.is_descending)))
    }

    fn compare(&self, one: usize, other: usize) -> Ordering {
        let by_keys =
            self.columns().map(|(column, is_descending)| directed(column.compare(one, other), is_descending));
        by_keys.fold(Ordering::Equal, Ordering::then).then(one.cmp(&other))
    }

    fn compare_cursor(&self, row: usize, cursor: &Cursor) -> Ordering {
        let by_keys = self.columns().zip(&cursor.keys);
        let by_keys = by_keys
            .map(|((column, is_descending), key)| directed(column.compare_key(row, key), is_descending));
        by_keys.fold(Ordering::Equal, Ordering::then).then(self.index.ids.get(row).cmp(&Some(&cursor.id)))
    }

    fn cursor(&self, row: usize) -> Option<Cursor> {
        let keys = self.columns().map(|(column, _)| column.key(row)).collect();
        Some(Cursor { keys, id: *self.index.ids.get(row)? })
    }
}

fn directed(ordering: Ordering, is_descending: bool) -> Ordering {
    if is_descending {
        ordering.reverse()
    } else {
        ordering
    }
}

/// A row, compared in the order of the query.
struct Candidate<'a, I> {
    row: usize,
    order: &'a Order<'a, I>,
}

impl<I: Input> Ord for Candidate<'_, I> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.compare(self.row, other.row)
    }
}

impl<I: Input> PartialOrd for Candidate<'_, I> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<I: Input> PartialEq for Candidate<'_, I> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<I: Input> Eq for Candidate<'_, I> {}

/// Whether `text` contains `part`, in which ASCII letters match in either case.
fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let Some(&first) = part.first() else { return true };
    let starts = memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text);
    starts
        .into_iter()
        .any(|at| text.get(at..at + part.len()).is_some_and(|found| found.eq_ignore_ascii_case(part)))
}

#[cfg(test)]
mod tests;
