//! Payloads: valid ones, ones broken in one known way, and anything at all.

use proptest::char::range;
use proptest::prelude::*;
use serde_json::{json, Map, Value};
use shipyard::model::field::Field;
use shipyard::model::rule::Rule;
use shipyard::model::Input;

/// A payload with every required field and without `id`.
pub fn valid<T: Input>() -> BoxedStrategy<Value> {
    let fields = T::FIELDS.iter().filter(|field| field.name != "id");
    let fields: Vec<_> = fields.map(|field| (Just(field.name), good(&field.rule))).collect();
    fields
        .prop_map(|fields| {
            Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        })
        .boxed()
}

fn good(rule: &Rule) -> BoxedStrategy<Value> {
    match *rule {
        Rule::Integer { min, max } => {
            let edges = prop_oneof![Just(min), Just(max), min..=max];
            // 5 and 5.0 are the same number.
            (edges, any::<bool>())
                .prop_map(|(n, float)| if float { json!(n as f64) } else { json!(n) })
                .boxed()
        }
        Rule::Text { min_length, max_length } => text(min_length as usize, max_length as usize),
        Rule::Name { min_length, max_length } => name(min_length as usize, max_length as usize),
        // Of the longest characters, at most as many as have so many bytes: the schema counts characters.
        Rule::Password { min_length, max_bytes } => text(min_length as usize, max_bytes as usize / 4),
        Rule::TextList { max_items, max_length } => {
            let item = || text(0, max_length as usize);
            let few = prop::collection::vec(item(), 0..6);
            let many = prop::collection::vec(item(), max_items as usize);
            prop_oneof![8 => few, 1 => many].prop_map(Value::from).boxed()
        }
    }
}

/// Characters that can be seen and are in normal form, whatever stands next to them; spaces stand alone.
fn name(min: usize, max: usize) -> BoxedStrategy<Value> {
    let seen = prop_oneof![
        4 => range('!', '~'),
        1 => range('à', 'ö'),
        1 => range('а', 'я'),
        1 => range('一', '龠'),
        1 => range('가', '힣'),
        1 => range('🚀', '🛅'),
    ];
    let characters = move |count| prop::collection::vec(seen.clone(), count);
    let lengths = prop_oneof![4 => min..=min, 4 => min..=max.min(min + 40), 1 => max..=max];
    let with_space = |(mut characters, space): (Vec<char>, Option<prop::sample::Index>)| {
        let inner = characters.len().saturating_sub(2);
        if let Some(space) = space.filter(|_| inner > 0) {
            characters[1 + space.index(inner)] = ' ';
        }
        Value::from(characters.into_iter().collect::<String>())
    };
    let space = prop::option::of(any::<prop::sample::Index>());
    (lengths.prop_flat_map(characters), space).prop_map(with_space).boxed()
}

/// A name of the right length in which something cannot be seen.
fn unseen_name() -> BoxedStrategy<Value> {
    let unseen = prop_oneof![
        range('\0', '\u{1f}'),
        range('\u{7f}', '\u{a0}'),
        range('\u{200b}', '\u{200f}'),
        range('\u{2028}', '\u{202e}'),
        range('\u{2060}', '\u{206f}'),
        range('\u{fe00}', '\u{fe0f}'),
        range('\u{e000}', '\u{f8ff}'),
        range('\u{e0001}', '\u{e01ef}'),
        Just('\u{ad}'),
        Just('\u{3164}'),
        Just('\u{feff}'),
    ];
    let spaced = prop_oneof![Just(" name"), Just("name ")].prop_map(Value::from);
    let hidden = ("[a-z]{1,20}", unseen, "[a-z]{0,20}")
        .prop_map(|(before, unseen, after)| json!(format!("{before}{unseen}{after}")));
    prop_oneof![1 => spaced, 6 => hidden].boxed()
}

fn text(min: usize, max: usize) -> BoxedStrategy<Value> {
    let exactly = prop::collection::vec(any::<char>(), min);
    let some = prop::collection::vec(any::<char>(), min..=max.min(min + 40));
    let most = prop::collection::vec(any::<char>(), max);
    prop_oneof![4 => exactly, 4 => some, 1 => most]
        .prop_map(|characters| json!(characters.into_iter().collect::<String>()))
        .boxed()
}

fn joined(characters: Vec<char>) -> Value {
    Value::from(characters.into_iter().collect::<String>())
}

/// A payload that is broken in one way, and the one field that is to blame.
pub fn broken<T: Input>() -> BoxedStrategy<(Value, String)> {
    let breaks: Vec<BoxedStrategy<(String, Option<Value>)>> = T::FIELDS.iter().flat_map(breaks).collect();
    let unknown = "[a-z]{1,12}".prop_filter("is known", |name| T::FIELDS.iter().all(|f| f.name != name));
    let unknown = (unknown, anything()).prop_map(|(name, value)| (name, Some(value))).boxed();
    let break_one = proptest::strategy::Union::new(breaks.into_iter().chain([unknown]));
    (valid::<T>(), break_one)
        .prop_map(|(mut payload, (name, value))| {
            let members = payload.as_object_mut().unwrap();
            match value {
                Some(value) => members.insert(name.clone(), value),
                None => members.remove(&name),
            };
            (payload, name)
        })
        .boxed()
}

/// Every way in which one field can be wrong: the value to put there, or none to leave it out.
fn breaks(field: &'static Field) -> Vec<BoxedStrategy<(String, Option<Value>)>> {
    let mut wrong: Vec<BoxedStrategy<Value>> = vec![Just(Value::Null).boxed(), wrong_type(&field.rule)];
    match field.rule {
        Rule::Integer { min, max } => {
            wrong.push((i64::MIN..min).prop_map(Value::from).boxed());
            wrong.push((max + 1..=i64::MAX).prop_map(Value::from).boxed());
            wrong.push(Just(json!(min as f64 + 0.5)).boxed());
            wrong.push(prop_oneof![Just(json!(u64::MAX)), Just(json!(1e300)), Just(json!(-1e300))].boxed());
            wrong.push((min..=max).prop_map(|n| json!(n.to_string())).boxed());
        }
        Rule::Text { min_length, max_length: most } | Rule::Password { min_length, max_bytes: most } => {
            if min_length > 0 {
                wrong.push(text(0, min_length as usize - 1));
            }
            wrong.push(text(most as usize + 1, most as usize + 40));
        }
        Rule::Name { min_length, max_length: most } => {
            wrong.push(
                prop::collection::vec(range('a', 'z'), 0..min_length as usize).prop_map(joined).boxed(),
            );
            wrong.push(
                prop::collection::vec(range('a', 'z'), most as usize + 1..=most as usize + 40)
                    .prop_map(joined)
                    .boxed(),
            );
            wrong.push(unseen_name());
        }
        Rule::TextList { max_items, max_length } => {
            let text_rule = Rule::Text { min_length: 0, max_length };
            let long = text(max_length as usize + 1, max_length as usize + 40);
            let item = prop_oneof![Just(Value::Null), wrong_type(&text_rule), long];
            let many = prop::collection::vec(text(0, 1), max_items as usize + 1..=max_items as usize + 9);
            wrong.push(many.prop_map(Value::from).boxed());
            let items =
                (prop::collection::vec(text(0, 5), 0..4), item, prop::collection::vec(text(0, 5), 0..4));
            wrong.push(
                items
                    .prop_map(|(before, bad, after)| before.into_iter().chain([bad]).chain(after).collect())
                    .boxed(),
            );
        }
    }
    let mut breaks: Vec<_> = wrong
        .into_iter()
        .map(|value| value.prop_map(|value| (field.name.to_owned(), Some(value))).boxed())
        .collect();
    if field.required {
        breaks.push(Just((field.name.to_owned(), None)).boxed());
    }
    breaks
}

fn wrong_type(rule: &Rule) -> BoxedStrategy<Value> {
    let kinds = vec![json!(true), json!(false), json!(7), json!("seven"), json!([]), json!({})];
    let fits = |value: &Value| match rule {
        Rule::Integer { .. } => value.is_number(),
        Rule::Text { .. } | Rule::Name { .. } | Rule::Password { .. } => value.is_string(),
        Rule::TextList { .. } => value.is_array(),
    };
    prop::sample::select(kinds.into_iter().filter(|value| !fits(value)).collect::<Vec<_>>()).boxed()
}

/// Any JSON value.
pub fn anything() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| json!(n)),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
    .boxed()
}

/// Objects that are often nearly right: known names with values that fit some field, or none.
pub fn nearly<T: Input>() -> BoxedStrategy<Value> {
    let names: Vec<&'static str> = T::FIELDS.iter().map(|field| field.name).collect();
    let other = (prop::sample::select(names), anything());
    prop_oneof![
        valid::<T>(),
        broken::<T>().prop_map(|(payload, _)| payload),
        (valid::<T>(), good(&Rule::ID)).prop_map(|(mut payload, id)| {
            payload["id"] = id;
            payload
        }),
        (valid::<T>(), other).prop_map(|(mut payload, (name, value))| {
            payload[name] = value;
            payload
        }),
        anything(),
    ]
    .boxed()
}
