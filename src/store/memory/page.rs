//! Selection of pages from an index.

use std::fmt::Debug;

use parking_lot::Mutex;

use super::index::Index;
use super::list::List;
use super::rows::TableState;
use crate::model::query::ListQuery;
use crate::model::Input;
use crate::store::Page;

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
    Page { list: list.into(), total: selected.total, next }
}
