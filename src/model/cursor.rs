//! Cursor: where a page of a list ended. The next page begins after those values, whether the row is still there or not.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use serde_json::Value;

use super::id::Id;
use super::query::Key;

/// The place of the last row of a page in the order of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The values that the list is sorted by.
    pub keys: Vec<Key>,
    /// The id of the row.
    pub id: Id,
}

impl Cursor {
    /// The text for a client: the order, the values and the id as a JSON list, in base64url (RFC 4648, section 5).
    #[must_use]
    pub fn encode(&self, order: &str) -> String {
        let keys: Vec<Value> = self.keys.iter().map(Value::from).collect();
        let list = Value::from(vec![Value::from(order), Value::from(keys), Value::from(self.id.number())]);
        URL_SAFE_NO_PAD.encode(list.to_string())
    }

    /// Reads the text of a cursor of a list in that order.
    pub(super) fn decode(text: &str, order: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (its_order, its_keys, id): (String, Vec<Value>, Id) = serde_json::from_slice(&json).ok()?;
        if its_order != order {
            return None;
        }
        let keys = its_keys.into_iter().map(key).collect::<Option<_>>()?;
        Some(Self { keys, id })
    }
}

fn key(value: Value) -> Option<Key> {
    match value {
        Value::Null => Some(Key::Absent),
        Value::Number(number) => number.as_i64().map(Key::Integer),
        Value::String(text) => Some(Key::Text(text)),
        _ => None,
    }
}
