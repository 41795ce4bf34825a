//! Columns: the values of one field, by row.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::dictionary::{Code, Dictionary, ABSENT};
use crate::model::query::{Filter, Key};
use crate::model::rule::{Accepted, Rule};

/// The number of a row that has none: no rule allows it.
const NO_NUMBER: i64 = i64::MIN;

/// The values of a field.
#[derive(Debug)]
pub(super) enum Column {
    Integer(Vec<i64>),
    Text {
        codes: Vec<Code>,
        texts: Dictionary<String>,
    },
    /// Lists of texts: the codes of their texts.
    TextList {
        codes: Vec<Code>,
        lists: Dictionary<Vec<Code>>,
        texts: Dictionary<String>,
    },
}

/// A condition on the rows of a column.
pub(super) enum Condition<'a> {
    Numbers { numbers: &'a [i64], any_of: Option<Vec<i64>>, min: i64, max: i64 },
    Codes { codes: &'a [Code], accepted: Vec<bool> },
}

impl Condition<'_> {
    pub(super) fn accepts(&self, row: usize) -> bool {
        match self {
            Self::Numbers { numbers, any_of, min, max } => numbers.get(row).is_some_and(|number| {
                let is_listed = any_of.as_ref().is_none_or(|any_of| any_of.binary_search(number).is_ok());
                *number != NO_NUMBER && (*min..=*max).contains(number) && is_listed
            }),
            Self::Codes { codes, accepted } => {
                codes.get(row).and_then(|code| accepted.get(*code as usize)).is_some_and(|accepted| *accepted)
            }
        }
    }
}

impl Column {
    pub(super) fn new(rule: &Rule) -> Self {
        match rule {
            Rule::Integer { .. } => Self::Integer(Vec::new()),
            Rule::Text { .. } | Rule::Name { .. } | Rule::Password { .. } => {
                Self::Text { codes: Vec::new(), texts: Dictionary::default() }
            }
            Rule::TextList { .. } => Self::TextList {
                codes: Vec::new(),
                lists: Dictionary::default(),
                texts: Dictionary::default(),
            },
        }
    }

    /// Sets the value of a row, the last or one behind it.
    pub(super) fn set(&mut self, row: usize, value: Option<Accepted>) {
        match (self, value) {
            (Self::Integer(numbers), Some(Accepted::Integer(number))) => drop(put(numbers, row, number)),
            (Self::Integer(numbers), _) => drop(put(numbers, row, NO_NUMBER)),
            (Self::Text { codes, texts }, value) => {
                let code = match value {
                    Some(Accepted::Text(text)) => texts.insert(text),
                    _ => ABSENT,
                };
                put(codes, row, code).inspect(|before| texts.release(*before));
            }
            (Self::TextList { codes, lists, texts }, value) => {
                let code = match value {
                    Some(Accepted::TextList(list)) => {
                        lists.insert(list.into_iter().map(|text| texts.insert(text)).collect())
                    }
                    _ => ABSENT,
                };
                put(codes, row, code).inspect(|before| lists.release(*before));
            }
        }
    }

    /// The condition of a filter.
    pub(super) fn condition(&self, filter: &Filter) -> Condition<'_> {
        match self {
            Self::Integer(numbers) => Condition::Numbers {
                numbers,
                any_of: filter.any_of.as_ref().map(integers),
                min: filter.min.unwrap_or(i64::MIN),
                max: filter.max.unwrap_or(i64::MAX),
            },
            Self::Text { codes, texts } => {
                Condition::Codes { codes, accepted: accepted_texts(texts, filter) }
            }
            Self::TextList { codes, lists, texts } => {
                let accepted = accepted_texts(texts, filter);
                Condition::Codes { codes, accepted: lists.which(|list| has_one(list, &accepted)) }
            }
        }
    }

    /// The condition that a text contains the one that is searched for. None for numbers.
    pub(super) fn search(&self, contains: impl Fn(&str) -> bool) -> Option<Condition<'_>> {
        match self {
            Self::Integer(_) => None,
            Self::Text { codes, texts } => {
                Some(Condition::Codes { codes, accepted: texts.which(|text| contains(text)) })
            }
            Self::TextList { codes, lists, texts } => {
                let accepted = texts.which(|text| contains(text));
                Some(Condition::Codes { codes, accepted: lists.which(|list| has_one(list, &accepted)) })
            }
        }
    }

    /// The order of two rows.
    pub(super) fn compare(&self, one: usize, other: usize) -> Ordering {
        match self {
            Self::Integer(numbers) => numbers.get(one).cmp(&numbers.get(other)),
            Self::Text { codes, .. } | Self::TextList { codes, .. } if codes.get(one) == codes.get(other) => {
                Ordering::Equal
            }
            Self::Text { .. } | Self::TextList { .. } => self.text(one).cmp(&self.text(other)),
        }
    }

    /// The order of a row and a value.
    pub(super) fn compare_key(&self, row: usize, key: &Key) -> Ordering {
        match (self, key) {
            (Self::Integer(numbers), Key::Integer(number)) => numbers.get(row).cmp(&Some(number)),
            (Self::Text { .. }, Key::Text(text)) => self.text(row).cmp(&Some(text)),
            _ => self.key(row).cmp(key),
        }
    }

    /// The value of a row.
    pub(super) fn key(&self, row: usize) -> Key {
        match self {
            Self::Integer(numbers) => match numbers.get(row) {
                None | Some(&NO_NUMBER) => Key::Absent,
                Some(number) => Key::Integer(*number),
            },
            Self::Text { .. } | Self::TextList { .. } => {
                self.text(row).map_or(Key::Absent, |text| Key::Text(text.to_owned()))
            }
        }
    }

    fn text(&self, row: usize) -> Option<&str> {
        match self {
            Self::Text { codes, texts } => texts.get(*codes.get(row)?).map(String::as_str),
            Self::Integer(_) | Self::TextList { .. } => None,
        }
    }

    /// The number of values that no row has any more.
    pub(super) fn unused(&self) -> usize {
        match self {
            Self::Integer(_) => 0,
            Self::Text { texts, .. } => texts.unused(),
            Self::TextList { lists, .. } => lists.unused(),
        }
    }
}

/// Replaces the value of a row, or adds that of the next one.
fn put<V>(values: &mut Vec<V>, row: usize, value: V) -> Option<V> {
    match values.get_mut(row) {
        Some(slot) => Some(std::mem::replace(slot, value)),
        None => {
            values.push(value);
            None
        }
    }
}

/// For each code of a text, whether the filter accepts the text.
fn accepted_texts(texts: &Dictionary<String>, filter: &Filter) -> Vec<bool> {
    let mut accepted = vec![false; texts.len()];
    for key in filter.any_of.iter().flatten() {
        if let Key::Text(text) = key {
            let slot = texts.code(text).and_then(|code| accepted.get_mut(code as usize));
            slot.into_iter().for_each(|accepted| *accepted = true);
        }
    }
    accepted
}

fn has_one(list: &[Code], accepted: &[bool]) -> bool {
    list.iter().any(|code| accepted.get(*code as usize) == Some(&true))
}

fn integers(keys: &BTreeSet<Key>) -> Vec<i64> {
    keys.iter().filter_map(|key| if let Key::Integer(number) = key { Some(*number) } else { None }).collect()
}
