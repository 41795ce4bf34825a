//! Mapping between recorded and live ids: a server may choose other ids than the recorded one did.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::contract::compare::lossless::Json;
use crate::contract::recording::history::{SHIPS, USERS};
use crate::model::id::Id;
use crate::store::seed::EXAMPLE;

/// Ids by collection: the path of the POST that creates resources.
#[derive(Debug, Default)]
pub struct Ids {
    /// The live ids of created resources, by the recorded ones.
    live_by_recorded: BTreeMap<String, BTreeMap<u64, u64>>,
    /// The live ids in use.
    taken: BTreeMap<String, BTreeSet<u64>>,
}

/// Added to a recorded id to get one that a fresh server has not used, and that the contract allows.
const UNUSED: u64 = 2_000_000_000;

impl Ids {
    /// The ids of a fresh server with the example data.
    #[must_use]
    pub fn with_seed_data() -> Self {
        let example: Value = crate::json::parse(EXAMPLE.as_bytes()).unwrap_or_default();
        let of = |name: &str| {
            let things = example.get(name).and_then(Value::as_array).into_iter().flatten();
            things.filter_map(|thing| thing.get("id")?.as_u64()).collect()
        };
        let taken = [(USERS, of("users")), (SHIPS, of("ships"))];
        let taken = taken.map(|(collection, ids)| (collection.to_owned(), ids)).into();
        Self { taken, ..Self::default() }
    }

    /// Captures the id of a created resource. Returns what is wrong with the live id, if anything.
    pub fn capture(&mut self, collection: &str, recorded: u64, live: u64) -> Option<String> {
        self.live_by_recorded.entry(collection.to_owned()).or_default().insert(recorded, live);
        let is_new = self.taken.entry(collection.to_owned()).or_default().insert(live);
        if !(1..=Id::MAX).contains(&live) {
            return Some(format!("id: {live} is not from 1 to {}", Id::MAX));
        }
        (!is_new).then(|| format!("id: {live} is that of something else in {collection} already"))
    }

    /// Whether the recorded server has used an id before.
    #[must_use]
    pub fn has_used(&self, collection: &str, recorded: u64) -> bool {
        self.live_by_recorded.get(collection).is_some_and(|known| known.contains_key(&recorded))
    }

    /// Forgets a deleted resource, by its live path.
    pub fn forget(&mut self, path: &str) {
        if let (collection, Some(id)) = Self::split(path) {
            self.taken.entry(collection.to_owned()).or_default().remove(&id);
        }
    }

    /// The live id for a recorded one. A resource that the scenario did not create has the same id on every server: it is
    /// example data, or does not exist.
    #[must_use]
    pub fn live(&self, collection: &str, recorded: u64) -> u64 {
        let Some(known) = self.live_by_recorded.get(collection) else { return recorded };
        match known.get(&recorded) {
            Some(live) => *live,
            // The recording has no resource with this id, so the live server must not have one either.
            None if known.values().any(|live| *live == recorded) => UNUSED + recorded,
            None => recorded,
        }
    }

    /// The recorded id for a live one; `None` if the recording has another resource with that id.
    #[must_use]
    pub fn recorded(&self, collection: &str, live: u64) -> Option<u64> {
        let Some(known) = self.live_by_recorded.get(collection) else { return Some(live) };
        let found = known.iter().find(|(_, known)| **known == live).map(|(recorded, _)| *recorded);
        found.or_else(|| (!known.contains_key(&live)).then_some(live))
    }

    /// The collection of a path, and the id at its end if it has one: digits, as in JSON.
    #[must_use]
    pub fn split(path: &str) -> (&str, Option<u64>) {
        let id = |text: &str| text.parse().ok().filter(|id: &u64| id.to_string() == text);
        match path.rsplit_once('/').map(|(collection, last)| (collection, id(last))) {
            Some((collection, Some(id))) => (collection, Some(id)),
            _ => (path, None),
        }
    }

    /// The recorded path for a live one. An id that is another resource's in the recording is marked.
    #[must_use]
    pub fn recorded_path(&self, path: &str) -> String {
        match Self::split(path) {
            (collection, Some(live)) => match self.recorded(collection, live) {
                Some(id) => format!("{collection}/{id}"),
                None => format!("{path} (live)"),
            },
            _ => path.to_owned(),
        }
    }

    /// The live path for a recorded one.
    #[must_use]
    pub fn live_path(&self, path: &str) -> String {
        let (target, query) = path.split_at(path.find('?').unwrap_or(path.len()));
        match Self::split(target) {
            (collection, Some(id)) if self.live(collection, id) != id => {
                format!("{collection}/{}{query}", self.live(collection, id))
            }
            _ => path.to_owned(),
        }
    }

    /// The live body for a recorded one: the same bytes, unless its id is another one there.
    #[must_use]
    pub fn live_body(&self, collection: &str, body: &[u8]) -> Vec<u8> {
        let rewritten = || {
            let mut value = Json::parse(body).ok()?;
            let id = value.get("id")?.as_u64()?;
            let live = self.live(collection, id);
            if let Json::Object(members) = &mut value {
                members.insert("id".to_owned(), live.into());
            }
            (live != id).then(|| value.to_string().into_bytes())
        };
        rewritten().unwrap_or_else(|| body.to_vec())
    }

    /// Replaces live ids by recorded ones, in every `id` of a live body.
    pub fn restore(&self, collection: &str, body: &mut Json) {
        match body {
            Json::List(items) => items.iter_mut().for_each(|item| self.restore(collection, item)),
            Json::Object(members) => {
                if let Some(id) = members.get_mut("id") {
                    if let Some(live) = id.as_u64() {
                        *id = self
                            .recorded(collection, live)
                            .map_or_else(|| Json::Text(foreign(live)), Json::from);
                    }
                }
            }
            _ => {}
        }
    }

    /// The same in a text whose layout is compared.
    #[must_use]
    pub fn restore_text(&self, collection: &str, text: &str) -> String {
        const NAME: &str = "\"id\":";
        let mut restored = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(NAME) {
            let (before, after) = rest.split_at(at + NAME.len());
            let digits = after.trim_start_matches(' ');
            let (space, _) = after.split_at(after.len() - digits.len());
            let (number, tail) =
                digits.split_at(digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()));
            let id = number.parse().ok().map(|live| {
                self.recorded(collection, live)
                    .map_or_else(|| Value::from(foreign(live)).to_string(), |id| id.to_string())
            });
            restored.extend([before, space, id.as_deref().unwrap_or(number)]);
            rest = tail;
        }
        restored + rest
    }
}

/// The mark for a live id that is another resource's in the recording.
fn foreign(live: u64) -> String {
    format!("{live} (live)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_mapped_both_ways_and_never_mixed_up() {
        let mut ids = Ids::default();
        assert_eq!(ids.capture("/api/ships", 16, 99), None);
        assert_eq!(ids.live_path("/api/ships/16?a=/1"), "/api/ships/99?a=/1");
        assert_eq!(ids.live_path("/api/ships/5"), "/api/ships/5");
        assert_eq!(ids.live_path("/api/users/16"), "/api/users/16");
        // In the recording there is no ship 99; here it must stay so.
        assert_eq!(ids.live_path("/api/ships/99"), "/api/ships/2000000099");
        assert_eq!(ids.live_body("/api/ships", br#"{"id": 16}"#), br#"{"id":99}"#);
        assert_eq!(ids.live_body("/api/ships", br#"{ "id": 5}"#), br#"{ "id": 5}"#);
        let big = br#"{"id": 16, "crew": 18446744073709551617}"#;
        assert_eq!(ids.live_body("/api/ships", big), br#"{"crew":18446744073709551617,"id":99}"#);
        let mut body = Json::parse(br#"[{"id": 1}, {"id": 9.9e1}, {"id": 16}]"#).expect("JSON");
        ids.restore("/api/ships", &mut body);
        assert_eq!(body.to_string(), r#"[{"id":1},{"id":16},{"id":"16 (live)"}]"#);
        let text = ids.restore_text("/api/ships", "[{\"id\": 99, \"crew\":99}, {\"id\":16}]");
        assert_eq!(text, "[{\"id\": 16, \"crew\":99}, {\"id\":\"16 (live)\"}]");
        for (live, recorded) in [
            ("/api/ships/99", "/api/ships/16"),
            ("/api/ships/16", "/api/ships/16 (live)"),
            ("/api/ships/+99", "/api/ships/+99"),
            ("/api/ships/099", "/api/ships/099"),
            ("/api/users/99", "/api/users/99"),
            ("/api/ships/98", "/api/ships/98"),
        ] {
            assert_eq!(ids.recorded_path(live), recorded);
        }
    }

    #[test]
    fn an_id_that_cannot_be_right_is_named() {
        let mut ids = Ids::with_seed_data();
        for (live, wrong) in [
            (4, "something else"),
            (15, "something else"),
            (0, "not from 1 to 2147483647"),
            (2_147_483_648, "not from 1 to 2147483647"),
        ] {
            assert!(ids.capture(SHIPS, 16, live).is_some_and(|flaw| flaw.contains(wrong)), "{live}");
        }
        assert_eq!(ids.capture(SHIPS, 16, 2_147_483_647), None);
        assert_eq!(ids.capture(USERS, 3, 4), None);
        assert!(ids.capture(USERS, 4, 4).is_some());
        // What was deleted has no id any more.
        ids.forget("/api/ships/4");
        assert_eq!(ids.capture(SHIPS, 17, 4), None);
    }
}
