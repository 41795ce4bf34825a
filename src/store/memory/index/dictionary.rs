//! Dictionary: a number for each distinct value of a column. Few values are distinct in most columns, and what is known of a
//! value need be found out only once a query.

use std::hash::Hash;

use indexmap::map::Entry;
use indexmap::IndexMap;

/// The number of a value.
pub(super) type Code = u32;

/// The code of a row that has no value.
pub(super) const ABSENT: Code = Code::MAX;

/// Values by code, each with the number of rows that have it.
#[derive(Debug)]
pub(super) struct Dictionary<V> {
    values: IndexMap<V, usize>,
    unused: usize,
}

impl<V> Default for Dictionary<V> {
    fn default() -> Self {
        Self { values: IndexMap::new(), unused: 0 }
    }
}

impl<V: Hash + Eq> Dictionary<V> {
    /// The code of a value that one more row has.
    pub(super) fn insert(&mut self, value: V) -> Code {
        // A table has fewer rows than there are codes.
        let (at, uses) = match self.values.entry(value) {
            Entry::Occupied(entry) => (entry.index(), entry.into_mut()),
            Entry::Vacant(entry) => {
                self.unused += 1;
                (entry.index(), entry.insert(0))
            }
        };
        self.unused -= usize::from(*uses == 0);
        *uses += 1;
        Code::try_from(at).unwrap_or(ABSENT)
    }

    /// Records that one row less has the value.
    pub(super) fn release(&mut self, code: Code) {
        if let Some((_, uses)) = self.values.get_index_mut(code as usize) {
            *uses -= 1;
            self.unused += usize::from(*uses == 0);
        }
    }

    /// The code of a value, if it has one.
    pub(super) fn code(&self, value: &V) -> Option<Code> {
        self.values.get_index_of(value).and_then(|at| Code::try_from(at).ok())
    }

    pub(super) fn get(&self, code: Code) -> Option<&V> {
        self.values.get_index(code as usize).map(|(value, _)| value)
    }

    /// For each code, whether its value is accepted.
    pub(super) fn which(&self, accepts: impl FnMut(&V) -> bool) -> Vec<bool> {
        self.values.keys().map(accepts).collect()
    }

    /// The number of codes.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The number of values that no row has any more.
    pub(super) fn unused(&self) -> usize {
        self.unused
    }
}
