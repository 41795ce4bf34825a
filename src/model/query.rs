//! List queries: which rows of a list a client wants, in which order. The parameters follow from the descriptions of the
//! fields.

mod parameters;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use self::parameters::{parameters, Parameter};
use super::cursor::Cursor;
use super::field::{Field, FieldError, FieldErrors};
use super::id::Id;
use super::rule::{Accepted, Rule};
use super::Input;

/// The number of rows on a page, unless `limit` says another.
pub const DEFAULT_LIMIT: usize = 100;

/// The most rows on a page.
pub const MAX_LIMIT: usize = 1000;

const LIMIT: Rule = Rule::Integer { min: 1, max: MAX_LIMIT as i64 };
/// A bound may be any number, also one that the field never has.
const BOUND: Rule = Rule::Integer { min: i32::MIN as i64, max: i32::MAX as i64 };
const SEARCH: Rule = Rule::Text { min_length: 1, max_length: 128 };

/// Rows of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// The most rows on the page.
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// The order. Rows that are equal in all of it are in the order of their ids.
    pub sort: Vec<SortKey>,
    /// The order as a text, which cursors repeat.
    pub order: String,
    /// Conditions, which a row must meet all.
    pub filters: Vec<Filter>,
    /// A text that one of the row's texts must contain, in which ASCII letters match in either case.
    pub search: Option<String>,
}

/// A part of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The position of the field among those of the resource.
    pub field: usize,
    /// Whether the greatest value comes first.
    pub is_descending: bool,
}

/// A condition on a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The position of the field among those of the resource.
    pub field: usize,
    /// The values that are accepted, if not all are. A list is accepted if it has one of them.
    pub any_of: Option<BTreeSet<Key>>,
    /// The smallest number.
    pub min: Option<i64>,
    /// The largest number.
    pub max: Option<i64>,
}

/// A value that can be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// No value.
    Absent,
    /// A number.
    Integer(i64),
    /// A text, compared by its code points.
    Text(String),
}

/// A bound of a range.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast,
    MoreThan,
    AtMost,
    LessThan,
}

impl Bound {
    /// Every bound, with the end of its parameter's name, and the beginning of its description.
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::AtLeast, "gte", "At least"),
        (Self::MoreThan, "gt", "More than"),
        (Self::AtMost, "lte", "At most"),
        (Self::LessThan, "lt", "Less than"),
    ];
}

impl Filter {
    /// Keeps the numbers within one more bound.
    fn narrow(&mut self, bound: Bound, value: i64) {
        match bound {
            Bound::AtLeast => self.min = self.min.max(Some(value)),
            Bound::MoreThan => self.narrow(Bound::AtLeast, value.saturating_add(1)),
            Bound::AtMost => self.max = Some(self.max.map_or(value, |max| max.min(value))),
            Bound::LessThan => self.narrow(Bound::AtMost, value.saturating_sub(1)),
        }
    }
}

/// The fields that clients can see, with their positions.
fn fields<T: Input>() -> impl Iterator<Item = (usize, &'static Field)> {
    T::FIELDS.iter().enumerate().filter(|(_, field)| !field.write_only)
}

fn is_sortable(field: &Field) -> bool {
    !matches!(field.rule, Rule::TextList { .. })
}

/// Reads the parameters of a list: names and values. `None` if there is none of those that a list has; others are ignored,
/// unless `is_strict`.
///
/// # Errors
/// [`FieldErrors`], by the names of the parameters.
pub fn parse<'a, T: Input>(
    parameters: impl Iterator<Item = (Cow<'a, str>, Option<Cow<'a, str>>)>,
    is_strict: bool,
) -> Result<Option<ListQuery>, FieldErrors> {
    let mut draft = Draft::default();
    for (name, value) in parameters {
        let read = match (Known::named::<T>(&name), value.as_deref()) {
            (None, _) if is_strict => Err(FieldError::new("Unknown parameter.")),
            (None, _) => continue,
            (Some(_), None) => Err(FieldError::new("Not valid UTF-8.")),
            (Some(known), Some(value)) => draft.read(known, value),
        };
        if let Err(error) = read {
            draft.errors.insert(name, error);
        }
    }
    draft.finish::<T>()
}

/// What was read of the parameters.
#[derive(Default)]
struct Draft {
    /// The parameters that can be given once.
    single: BTreeMap<&'static str, String>,
    filters: BTreeMap<usize, Filter>,
    errors: FieldErrors,
}

const SINGLE: [&str; 4] = ["limit", "cursor", "sort", "q"];

/// What a parameter selects rows by.
struct FilterParameter {
    position: usize,
    field: &'static Field,
    bound: Option<Bound>,
}

impl FilterParameter {
    /// The one with that name: a field, and perhaps a bound.
    fn named<T: Input>(name: &str) -> Option<Self> {
        let (name, end) = name.split_once('.').map_or((name, None), |(name, end)| (name, Some(end)));
        let (position, field) = fields::<T>().find(|(_, field)| field.name == name)?;
        let bound = match end {
            None => None,
            Some(end) if matches!(field.rule, Rule::Integer { .. }) => {
                Some(Bound::ALL.into_iter().find(|(_, known, _)| *known == end)?.0)
            }
            Some(_) => return None,
        };
        Some(Self { position, field, bound })
    }
}

/// A parameter that lists have.
enum Known {
    Single(&'static str),
    Filter(FilterParameter),
}

impl Known {
    fn named<T: Input>(name: &str) -> Option<Self> {
        let single = SINGLE.into_iter().find(|single| *single == name);
        single.map(Self::Single).or_else(|| FilterParameter::named::<T>(name).map(Self::Filter))
    }
}

impl Draft {
    fn read(&mut self, known: Known, value: &str) -> Result<(), FieldError> {
        let FilterParameter { position, field, bound } = match known {
            Known::Filter(parameter) => parameter,
            Known::Single(name) if self.single.insert(name, value.to_owned()).is_none() => return Ok(()),
            Known::Single(_) => return Err(FieldError::new("Given more than once.")),
        };
        let rule = if bound.is_some() { BOUND } else { field.rule.item() };
        let key = key(rule.parse(value)?);
        let filter = self.filters.entry(position).or_default();
        filter.field = position;
        match (bound, key) {
            (Some(bound), Key::Integer(number)) => filter.narrow(bound, number),
            (_, key) => drop(filter.any_of.get_or_insert_default().insert(key)),
        }
        Ok(())
    }

    fn finish<T: Input>(mut self) -> Result<Option<ListQuery>, FieldErrors> {
        let is_empty = self.single.is_empty() && self.filters.is_empty();
        let limit = self.take("limit", |text| match LIMIT.parse(text)? {
            Accepted::Integer(limit) => Ok(limit.unsigned_abs() as usize),
            _ => Err(LIMIT.wrong_type()),
        });
        let sort = self.take("sort", parse_sort::<T>).unwrap_or_default();
        let order = order_of::<T>(&sort);
        let after = self.take("cursor", |text| {
            let cursor = Cursor::decode(text, &order).filter(|cursor| is_at::<T>(cursor, &sort));
            cursor.ok_or_else(|| FieldError::new("Not a cursor of this list."))
        });
        let search = self.take("q", |text| SEARCH.parse(text).map(|_| text.to_owned()));
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        let filters = self.filters.into_values().collect();
        Ok((!is_empty).then_some(ListQuery { limit, after, sort, order, filters, search }))
    }

    /// The value of a parameter that can be given once.
    fn take<V>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<V, FieldError>) -> Option<V> {
        match parse(&self.single.remove(name)?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.errors.insert(name, error);
                None
            }
        }
    }
}

/// The text of an order.
fn order_of<T: Input>(sort: &[SortKey]) -> String {
    let name = |key: &SortKey| {
        let name = T::FIELDS.get(key.field).map_or("", |field| field.name);
        format!("{}{name}", if key.is_descending { "-" } else { "" })
    };
    sort.iter().map(name).collect::<Vec<_>>().join(",")
}

/// Whether rows in that order can have the values of the cursor.
fn is_at<T: Input>(cursor: &Cursor, sort: &[SortKey]) -> bool {
    let can_be = |sort_key: &SortKey, key: &Key| {
        let field = T::FIELDS.get(sort_key.field);
        field.is_some_and(|field| match key {
            Key::Absent => !field.required,
            Key::Integer(_) => matches!(field.rule, Rule::Integer { .. }),
            Key::Text(_) => !matches!(field.rule, Rule::Integer { .. } | Rule::TextList { .. }),
        })
    };
    cursor.id.number() <= Id::MAX
        && cursor.keys.len() == sort.len()
        && sort.iter().zip(&cursor.keys).all(|(sort_key, key)| can_be(sort_key, key))
}

/// A field that is there twice has no effect the second time.
fn parse_sort<T: Input>(text: &str) -> Result<Vec<SortKey>, FieldError> {
    let mut sort: Vec<SortKey> = Vec::new();
    for part in text.split(',') {
        let (name, is_descending) = part.strip_prefix('-').map_or((part, false), |name| (name, true));
        let field = fields::<T>().find(|(_, field)| field.name == name && is_sortable(field));
        let (field, _) =
            field.ok_or_else(|| FieldError::new(format!("Not a field to sort by: {part:?}.")))?;
        if sort.iter().all(|known| known.field != field) {
            sort.push(SortKey { field, is_descending });
        }
    }
    Ok(sort)
}

/// A value as it is compared.
fn key(accepted: Accepted) -> Key {
    match accepted {
        Accepted::Integer(number) => Key::Integer(number),
        Accepted::Text(text) => Key::Text(text),
        Accepted::Null | Accepted::TextList(_) => Key::Absent,
    }
}

impl From<&Key> for Value {
    fn from(key: &Key) -> Self {
        match key {
            Key::Absent => Self::Null,
            Key::Integer(number) => Self::from(*number),
            Key::Text(text) => Self::from(text.as_str()),
        }
    }
}
