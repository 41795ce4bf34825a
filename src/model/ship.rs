//! Starships.

use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{json, Value};

use super::field::{Field, Rule};
use super::id::Id;
use super::{stored_schema, Input};

/// A ship as it is stored and answered. The fields are in the order of the recorded bodies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "FIELDS says what each field is, for the specification too")]
pub struct Ship {
    pub affiliation: String,
    pub category: String,
    pub crew: i32,
    pub id: Id,
    pub length: i32,
    pub manufacturer: String,
    pub model: String,
    pub roles: Vec<String>,
    pub ship_class: String,
}

/// A ship as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "FIELDS says what each field is, for the specification too")]
pub struct ShipInput {
    #[serde(default, deserialize_with = "non_null")]
    pub id: Option<Id>,
    pub affiliation: String,
    pub category: String,
    pub crew: i32,
    pub length: i32,
    pub manufacturer: String,
    pub model: String,
    pub roles: Vec<String>,
    pub ship_class: String,
}

/// An id that is there must be one: null is none.
fn non_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Id>, D::Error> {
    Id::deserialize(deserializer).map(Some)
}

impl ShipInput {
    fn check_fast(&self) -> bool {
        let Self { id, affiliation, category, crew, length, manufacturer, model, roles, ship_class } = self;
        [affiliation, category, manufacturer, model, ship_class].into_iter().all(|text| ANY_TEXT.takes(text))
            && [*crew, *length].into_iter().all(|number| POSITIVE.takes_number(number))
            && ROLES.takes_list(roles)
            && id.is_none_or(|id| i64::try_from(id.number()).is_ok_and(|id| Rule::ID.takes_number(id)))
    }

    /// The ship of that id.
    #[must_use]
    pub fn with_id(self, id: Id) -> Ship {
        let Self { id: _, affiliation, category, crew, length, manufacturer, model, roles, ship_class } =
            self;
        Ship { affiliation, category, crew, id, length, manufacturer, model, roles, ship_class }
    }
}

const POSITIVE: Rule = Rule::Integer { min: 1, max: i32::MAX as i64 };
/// Room for any name of a ship or of its maker, in characters. With [`ROLES`], the longest ship has 2.7 thousand
/// characters, and takes 4 KB in ASCII.
const ANY_TEXT: Rule = Rule::Text { min_length: 0, max_length: 128 };
const ROLES: Rule = Rule::TextList { max_items: 32, max_length: 64 };

impl Input for ShipInput {
    const RESOURCE: &'static str = "Ship";

    const FIELDS: &'static [Field] = &[
        Field { name: "affiliation", about: "Whom the ship fights for.", required: true, rule: ANY_TEXT },
        Field { name: "category", about: "The group of ship classes.", required: true, rule: ANY_TEXT },
        Field { name: "crew", about: "How many people fly the ship.", required: true, rule: POSITIVE },
        Field { name: "id", about: "The id of the ship.", required: false, rule: Rule::ID },
        Field { name: "length", about: "Length in metres.", required: true, rule: POSITIVE },
        Field { name: "manufacturer", about: "Who built the ship.", required: true, rule: ANY_TEXT },
        Field { name: "model", about: "The model name.", required: true, rule: ANY_TEXT },
        Field { name: "roles", about: "What the ship is used for.", required: true, rule: ROLES },
        Field { name: "ship_class", about: "The class of the ship.", required: true, rule: ANY_TEXT },
    ];

    fn example() -> Value {
        json!({
            "affiliation": "Empire",
            "category": "Capital Ships",
            "crew": 37085,
            "length": 1600,
            "manufacturer": "Kuat Drive Yards",
            "model": "Imperial I-class Star Destroyer",
            "roles": ["Destroyer", "Carrier", "Military Transport", "Command Ship"],
            "ship_class": "Star Destroyer",
        })
    }

    const FAST_CHECK: Option<fn(&Self) -> bool> = Some(Self::check_fast);
}

impl JsonSchema for Ship {
    fn schema_name() -> String {
        ShipInput::RESOURCE.to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        stored_schema::<ShipInput>("A stored ship.", &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{parse_fast, read};

    /// Each is refused, with its reason, by [`read`].
    #[test]
    fn nothing_fits_plainly_that_does_not_fit() {
        let with = |name: &str, value: Value| {
            let mut ship = ShipInput::example();
            ship.as_object_mut().map(|ship| ship.insert(name.to_owned(), value));
            ship
        };
        let text = |length: usize| json!("é".repeat(length));
        let roles = |count: usize, length: usize| json!(vec![text(length); count]);
        let fits = |ship: &Value| {
            let plain = parse_fast::<ShipInput>(ship.to_string().as_bytes());
            assert_eq!(plain, read(ship.clone()).ok(), "{ship}");
            plain.is_some()
        };
        assert!(fits(&ShipInput::example()));
        for name in ["affiliation", "category", "manufacturer", "model", "ship_class"] {
            assert!(fits(&with(name, text(0))) && fits(&with(name, text(128))), "{name}");
            assert!(!fits(&with(name, text(129))) && !fits(&with(name, json!(null))), "{name}");
        }
        for name in ["crew", "length", "id"] {
            assert!(fits(&with(name, json!(1))) && fits(&with(name, json!(i32::MAX))), "{name}");
            for value in [json!(0), json!(-1), json!(i64::from(i32::MAX) + 1), json!(u64::MAX), json!(null)] {
                assert!(!fits(&with(name, value)), "{name}");
            }
        }
        assert!(fits(&with("roles", json!([]))) && fits(&with("roles", roles(32, 64))));
        assert!(!fits(&with("roles", roles(33, 1))) && !fits(&with("roles", roles(1, 65))));
        assert!(!fits(&with("roles", json!(null))) && !fits(&with("more", json!(1))));
        let ShipInput { id: _, affiliation, category, crew, length, manufacturer, model, roles, ship_class } =
            read(ShipInput::example()).expect("the example fits");
        // In the order in which serde would take them.
        let list = json!([1, affiliation, category, crew, length, manufacturer, model, roles, ship_class]);
        assert!(!fits(&list) && !fits(&json!(null)));
    }
}
