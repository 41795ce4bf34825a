//! Statement of a page: conditions, order and place, by the descriptions of the fields. A field's column has the field's name.

use tokio_postgres::types::Type;

use super::text::Text;
use crate::model::cursor::Cursor;
use crate::model::field::Field;
use crate::model::query::{Filter, Key, ListQuery, SortKey};
use crate::model::rule::Rule;
use crate::model::Input;

/// A table of rows.
pub(super) struct Table {
    from: &'static str,
}

pub(super) const SHIPS: Table = Table { from: " FROM ships WHERE true" };
pub(super) const USERS: Table = Table { from: " FROM users WHERE true" };

/// Selects the rows of the page, one more if there is a next one, each after the number of rows on all pages. If the page has
/// no rows, that number stands alone.
pub(super) fn page_text<I: Input>(table: &Table, query: &ListQuery) -> Text {
    let mut text = Text::default();
    let conditions = text.part(|text| {
        query.filters.iter().for_each(|filter| add_filter::<I>(text, filter));
        if let Some(search) = &query.search {
            text.push(" AND position(");
            text.bind(search.to_ascii_lowercase().into_bytes(), Type::BYTEA);
            text.push(" IN search) > 0");
        }
    });
    let order = text.part(|text| add_order::<I>(text, &query.sort));
    text.push("WITH page AS (SELECT id, version, body");
    for field in sort_fields::<I>(&query.sort).filter(|field| field.name != "id") {
        text.extend([", ", field.name]);
    }
    text.push(table.from);
    text.repeat(&conditions);
    if let Some(cursor) = &query.after {
        text.push(" AND ");
        add_place::<I>(&mut text, &query.sort, cursor);
    }
    text.repeat(&order);
    text.push(" LIMIT ");
    text.bind(i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1), Type::INT8);
    text.push("), total AS (SELECT count(*) AS number");
    text.push(table.from);
    text.repeat(&conditions);
    text.push(") SELECT total.number, id, version, body FROM total LEFT JOIN page ON true");
    text.repeat(&order);
    text
}

fn field<I: Input>(position: usize) -> Option<&'static Field> {
    I::FIELDS.get(position)
}

fn sort_fields<I: Input>(sort: &[SortKey]) -> impl Iterator<Item = &'static Field> + '_ {
    sort.iter().filter_map(|key| field::<I>(key.field))
}

/// Whether rows may have no value. Every row has an id, though not every body.
fn is_optional(field: &Field) -> bool {
    !field.required && field.name != "id"
}

fn add_filter<I: Input>(text: &mut Text, filter: &Filter) {
    let Some(field) = field::<I>(filter.field) else { return };
    if let Some(keys) = &filter.any_of {
        match field.rule {
            Rule::Integer { .. } => {
                let numbers =
                    keys.iter()
                        .filter_map(|key| if let Key::Integer(number) = key { Some(*number) } else { None });
                text.extend([" AND ", field.name, " = ANY ("]);
                text.bind(numbers.collect::<Vec<i64>>(), Type::INT8_ARRAY);
                text.push(")");
            }
            Rule::TextList { .. } => {
                text.extend([" AND ", field.name, " && "]);
                text.bind(texts(keys), Type::BYTEA_ARRAY);
            }
            Rule::Text { .. } | Rule::Name { .. } | Rule::Password { .. } => {
                text.extend([" AND ", field.name, " = ANY ("]);
                text.bind(texts(keys), Type::BYTEA_ARRAY);
                text.push(")");
            }
        }
    }
    for (bound, operator) in [(filter.min, " >= "), (filter.max, " <= ")] {
        if let Some(bound) = bound {
            text.extend([" AND ", field.name, operator]);
            text.bind(bound, Type::INT8);
        }
    }
}

fn texts<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Vec<Vec<u8>> {
    let text = |key: &Key| if let Key::Text(text) = key { Some(text.as_bytes().to_vec()) } else { None };
    keys.into_iter().filter_map(text).collect()
}

/// Rows without a value come before those with one.
fn add_order<I: Input>(text: &mut Text, sort: &[SortKey]) {
    text.push(" ORDER BY ");
    for key in sort {
        let Some(field) = field::<I>(key.field) else { continue };
        text.push(field.name);
        text.push(match (key.is_descending, is_optional(field)) {
            (false, false) => ", ",
            (true, false) => " DESC, ",
            (false, true) => " NULLS FIRST, ",
            (true, true) => " DESC NULLS LAST, ",
        });
    }
    text.push("id");
}

/// That a row comes after the cursor: by the first key, or by those after it if the first is equal, and last by the id.
fn add_place<I: Input>(text: &mut Text, sort: &[SortKey], cursor: &Cursor) {
    let mut open = 0;
    for (at, (key, value)) in sort.iter().zip(&cursor.keys).enumerate() {
        let Some(field) = field::<I>(key.field) else { continue };
        if at == 0 {
            add_bound(text, field, key.is_descending, value);
        }
        text.push("(");
        add_after(text, field, key.is_descending, value);
        text.push(" OR ");
        add_comparison(text, field, " = ", value);
        text.push(" AND ");
        open += 1;
    }
    text.push("id > ");
    text.bind(i64::try_from(cursor.id.number()).unwrap_or(i64::MAX), Type::INT8);
    (0..open).for_each(|_| text.push(")"));
}

/// That a row is not before the cursor by the first key, which follows from the rest: it lets the index of that key begin there.
fn add_bound(text: &mut Text, field: &'static Field, is_descending: bool, value: &Key) {
    if matches!(value, Key::Absent) || is_optional(field) && is_descending {
        return;
    }
    add_comparison(text, field, if is_descending { " <= " } else { " >= " }, value);
    text.push(" AND ");
}

fn add_after(text: &mut Text, field: &'static Field, is_descending: bool, value: &Key) {
    match (value, is_descending) {
        (Key::Absent, true) => text.push("false"),
        (Key::Absent, false) => text.extend([field.name, " IS NOT NULL"]),
        (_, false) => add_comparison(text, field, " > ", value),
        (_, true) if !is_optional(field) => add_comparison(text, field, " < ", value),
        (_, true) => {
            text.push("(");
            add_comparison(text, field, " < ", value);
            text.extend([" OR ", field.name, " IS NULL)"]);
        }
    }
}

fn add_comparison(text: &mut Text, field: &'static Field, operator: &'static str, value: &Key) {
    text.push(field.name);
    match value {
        Key::Absent => text.push(" IS NULL"),
        Key::Integer(number) => {
            text.push(operator);
            text.bind(*number, Type::INT8);
        }
        Key::Text(value) => {
            text.push(operator);
            text.bind(value.as_bytes().to_vec(), Type::BYTEA);
        }
    }
}
