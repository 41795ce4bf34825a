//! Pages: the rows of a list that a query asks for.

use super::List;

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
