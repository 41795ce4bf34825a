//! Pages: the rows of a list that a query asks for.

use std::fmt::Debug;

use parking_lot::Mutex;

use super::index::Index;
use super::list::List;
use super::rows::TableState;
use crate::model::query::ListQuery;
use crate::model::Input;

/// A page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// The rows of the page.
    pub list: List<T>,
    /// The number of rows on all pages.
    pub total: usize,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// The page that the query asks for. `read` and `track` take the lock of the store.
pub(super) fn page<T: Clone + Debug + 'static, I: Input>(
    index: &Mutex<Index<I>>,
    query: &ListQuery,
    read: impl FnOnce() -> TableState<T>,
    track: impl FnOnce(&List<T>),
) -> Page<T> {
    let mut index = index.lock();
    let TableState { tree, all, changes } = read();
    index.update(&tree, changes);
    let selected = index.select(query);
    drop(index);
    let list = all.select(&tree, selected.ids);
    track(&list);
    let next = selected.end.map(|end| end.encode(&query.order));
    Page { list, total: selected.total, next }
}
