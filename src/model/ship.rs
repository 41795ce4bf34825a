//! Starships.

use super::id::Id;
use super::resource::resource;
use super::rule::Rule;

const POSITIVE: Rule = Rule::Integer { min: 1, max: i32::MAX as i64 };
/// Room for any name of a ship or of its maker, in characters. With [`ROLES`], the longest ship has 2.7 thousand
/// characters, and takes 4 KB in ASCII.
const ANY_TEXT: Rule = Rule::Text { min_length: 0, max_length: 128 };
const ROLES: Rule = Rule::TextList { max_items: 32, max_length: 64 };

resource! {
    Ship, "A stored ship." {
        affiliation: String, ANY_TEXT, "Whom the ship fights for.", "Empire";
        category: String, ANY_TEXT, "The group of ship classes.", "Capital Ships";
        crew: i32, POSITIVE, "How many people fly the ship.", 37085;
        id: Id, Rule::ID, "The id of the ship.", 3;
        length: i32, POSITIVE, "Length in metres.", 1600;
        manufacturer: String, ANY_TEXT, "Who built the ship.", "Kuat Drive Yards";
        model: String, ANY_TEXT, "The model name.", "Imperial I-class Star Destroyer";
        roles: Vec<String>, ROLES, "What the ship is used for.",
            ["Destroyer", "Carrier", "Military Transport", "Command Ship"];
        ship_class: String, ANY_TEXT, "The class of the ship.", "Star Destroyer";
    }
    ShipInput, ShipPatch, "A ship in a request body." {}
}

#[cfg(test)]
mod tests {
    use serde_json::{json, Value};

    use super::*;
    use crate::model::{parse, read, Input};

    #[test]
    fn the_bounds_of_a_ship_are_included() {
        let with = |name: &str, value: Value| {
            let mut ship = ShipInput::example();
            ship.as_object_mut().map(|ship| ship.insert(name.to_owned(), value));
            ship
        };
        let text = |length: usize| json!("é".repeat(length));
        let roles = |count: usize, length: usize| json!(vec![text(length); count]);
        let fits = |ship: &Value| {
            let parsed = parse::<ShipInput>(ship.to_string().as_bytes()).ok();
            assert_eq!(parsed, read(ship.clone()).ok(), "{ship}");
            parsed.is_some()
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
        let list: Vec<Value> = ShipInput::FIELDS.iter().map(|field| (field.example)()).collect();
        assert!(!fits(&json!(list)) && !fits(&json!(null)));
    }
}
