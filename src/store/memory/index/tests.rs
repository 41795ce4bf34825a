#![allow(clippy::indexing_slicing, reason = "they are tests")]

use serde_json::json;

use super::*;
use crate::json::{EncodedJson, Style};
use crate::model::query;
use crate::model::ship::{Ship, ShipInput};
use crate::store::memory::rows::Rows;

fn ship(id: u64, model: &str) -> (Id, EncodedJson<Ship>) {
    let mut ship = ShipInput::example();
    ship["model"] = json!(model);
    let input: ShipInput = model::read(ship).expect("it fits");
    (Id::new(id), EncodedJson::new(&input.with_id(Id::new(id)), Style::Compact))
}

fn query(parameters: &[(&str, &str)]) -> ListQuery {
    let parameters = parameters.iter().map(|(name, value)| ((*name).into(), Some((*value).into())));
    query::parse::<ShipInput>(parameters, true).expect("a query").expect("a parameter")
}

fn found(index: &Index<ShipInput>, parameters: &[(&str, &str)]) -> Vec<u64> {
    index.select(&query(parameters)).ids.iter().map(|id| id.number()).collect()
}

/// An index that grew with each write would be a lever for an attack.
#[test]
fn garbage_is_bounded() {
    /// So many that the index is not built again because too many of them were written.
    const ROWS: u64 = 20;
    let mut rows = Rows::new(Style::Compact, (1..=ROWS).map(|id| ship(id, "first")));
    let mut index = Index::<ShipInput>::default();
    let most = MAX_GARBAGE + 4 * ROWS as usize;
    for number in ROWS + 1..12_000 {
        let (id, json) = ship(number, &format!("model {number}"));
        rows.insert(id, json);
        rows.insert(Id::new(1), ship(1, &format!("other model {number}")).1);
        rows.remove(id);
        let state = rows.for_index();
        index.update(&state.tree, state.changes);
        assert!(index.ids.len() <= most, "{}", index.ids.len());
    }
    let unused = index.columns.iter().flatten().map(Column::unused).max();
    assert!(unused.is_some_and(|unused| unused <= most), "{unused:?}");
    assert_eq!(found(&index, &[("q", "other")]), [1]);
    assert_eq!(found(&index, &[("model", "model 11999")]), [0; 0]);
}

#[test]
fn writes_before_the_first_query_are_not_recorded_and_later_ones_are_bounded() {
    let mut rows = Rows::new(Style::Compact, (1..=3).map(|id| ship(id, "a")));
    rows.insert(Id::new(1), ship(1, "b").1);
    assert!(matches!(rows.for_index().changes, Changes::All));
    rows.insert(Id::new(1), ship(1, "c").1);
    assert!(matches!(rows.for_index().changes, Changes::These(ids) if ids == [Id::new(1)]));
    for _ in 0..10 {
        rows.insert(Id::new(2), ship(2, "d").1);
    }
    assert!(matches!(rows.for_index().changes, Changes::All));
    assert!(matches!(rows.for_index().changes, Changes::These(ids) if ids.is_empty()));
}
