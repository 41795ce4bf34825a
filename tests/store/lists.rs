//! Lists and pages. The store in memory is the model: both get the same rows and the same queries.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{select, subsequence, Index};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{json, Value};
use shipyard::json::Style;
use shipyard::model::id::Id;
use shipyard::model::query::{self, ListQuery};
use shipyard::model::ship::ShipInput;
use shipyard::model::user::UserInput;
use shipyard::store::initial_rows::InitialRows;
use shipyard::store::{List, Page, Precondition, Store};

use crate::fixture::{any_ship, network, ship, user, Backend, Config, Maker, ANN};

fn text<T: std::fmt::Debug + 'static>(list: &List<T>) -> String {
    let bytes = list.to_body().expect("JSON").into_bytes().expect("it is short");
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

pub(crate) async fn a_list_has_the_texts_of_its_rows(maker: Maker) {
    for style in [Style::Compact, Style::Pretty] {
        let store = maker.with(Config { style, ..Config::default() }).await;
        assert_eq!(text(&store.ships().await.expect("a list")), "[]\n");
        let mut ships = Vec::new();
        for at in 0..120 {
            let input = ship(json!({"model": format!("\u{e9}\"{at}"), "roles": vec!["x"; at % 4]}));
            let (id, _) = store.create_ship(input.clone()).await.expect("there is room");
            ships.push(input.with_id(id));
        }
        let expected = String::from_utf8(style.render(&ships).expect("JSON")).expect("UTF-8");
        assert_eq!(text(&store.ships().await.expect("a list")), expected);
        let users = text(&store.users().await.expect("a list"));
        let rendered = style.render(&json!([{"id": 1, "name": "ann"}])).expect("JSON");
        assert_eq!(users.as_bytes(), rendered);
    }
}

pub(crate) async fn each_write_changes_the_version_of_the_list(maker: Maker) {
    let store = maker.store().await;
    let query = || parsed::<ShipInput>(&[("limit", "2")]);
    let versions = async || {
        let all = store.ships().await.expect("a list").version().revision();
        let page = store.find_ships(query(), network(1)).await.expect("a page");
        (all, page.list.version().revision())
    };
    let mut seen = vec![versions().await];
    assert_eq!(versions().await, seen[0], "reading changes nothing");
    for write in 0..5 {
        match write {
            0..3 => drop(store.create_ship(any_ship()).await.expect("there is room")),
            3 => drop(
                store.update_ship(Id::new(1), any_ship(), &Precondition::NONE).await.expect("it is there"),
            ),
            _ => store.delete_ship(Id::new(3), &Precondition::NONE).await.expect("it is there"),
        }
        let now = versions().await;
        assert!(
            seen.iter().all(|before| before.0 != now.0 && before.1 != now.1),
            "{write}: {seen:?} {now:?}"
        );
        seen.push(now);
    }
}

fn parsed<T: shipyard::model::Input>(parameters: &[(&str, &str)]) -> ListQuery {
    let parameters = parameters.iter().map(|(name, value)| (Cow::from(*name), Some(Cow::from(*value))));
    query::parse::<T>(parameters, true).expect("a query").expect("a parameter")
}

const TEXTS: [&str; 8] =
    ["Empire", "empire", "Rebel Alliance", "\u{dc}nion", "", "a\u{0}b", "\u{1f680}", "\u{e000}"];
const ROLES: [&str; 4] = ["Carrier", "carrier", "Destroyer", ""];

fn ships() -> impl Strategy<Value = Value> {
    let roles = subsequence(ROLES.to_vec(), 0..=3).prop_shuffle();
    (select(&TEXTS), select(&TEXTS), roles, 1..6, 1..4).prop_map(|(affiliation, model, roles, crew, length)| {
        json!({"affiliation": affiliation, "model": model, "roles": roles, "crew": crew, "length": length})
    })
}

type Parameters = Vec<(&'static str, String)>;

fn queries() -> impl Strategy<Value = Parameters> {
    let fields = vec!["affiliation", "crew", "id", "length", "model"];
    let sort = (subsequence(fields, 0..=3).prop_shuffle(), prop::collection::vec(any::<bool>(), 3));
    let sort = sort.prop_map(|(fields, descending)| {
        let key = |(name, down): (&str, bool)| format!("{}{name}", if down { "-" } else { "" });
        fields.into_iter().zip(descending).map(key).collect::<Vec<_>>().join(",")
    });
    let text = || select(&TEXTS).prop_map(str::to_owned);
    let filter = prop_oneof![
        text().prop_map(|value| ("affiliation", value)),
        text().prop_map(|value| ("model", value)),
        select(&ROLES).prop_map(|value| ("roles", value.to_owned())),
        (select(vec!["crew", "id"]), 1..7_u32)
            .prop_map(|(name, number): (_, u32)| (name, number.to_string())),
    ];
    let bound = select(vec![
        ("crew.gte", "2"),
        ("crew.gt", "2147483647"),
        ("crew.lte", "4"),
        ("length.lt", "3"),
        ("id.gt", "-2147483648"),
        ("crew.lt", "-2147483648"),
    ]);
    let search =
        prop::option::of(select(vec!["e", "EMPIRE", "carr", "\u{dc}", "a\u{0}B", "zz", "n\u{0}", "x"]));
    (1..5_u32, sort, prop::collection::vec(filter, 0..4), prop::option::of(bound), search).prop_map(
        |(limit, sort, filters, bound, search)| {
            let mut all: Parameters = vec![("limit", limit.to_string())];
            if !sort.is_empty() {
                all.push(("sort", sort));
            }
            all.extend(filters);
            all.extend(bound.map(|(name, value)| (name, value.to_owned())));
            all.extend(search.map(|text| ("q", text.to_owned())));
            all
        },
    )
}

/// What a client sees of a page.
fn seen<T: std::fmt::Debug + 'static>(page: Page<T>) -> (String, usize, Option<String>) {
    (text(&page.list), page.total, page.next)
}

async fn compare(memory: &Store, sql: &Store, parameters: &Parameters) {
    let mut parameters: Parameters = parameters.clone();
    loop {
        let borrowed: Vec<(&str, &str)> =
            parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let query = parsed::<ShipInput>(&borrowed);
        let expected = seen(memory.find_ships(query.clone(), network(1)).await.expect("a page"));
        let found = seen(sql.find_ships(query, network(1)).await.expect("a page"));
        assert_eq!(found, expected, "{parameters:?}");
        let Some(next) = expected.2 else { return };
        parameters.retain(|(name, _)| *name != "cursor");
        parameters.push(("cursor", next));
    }
}

/// Steps on one database: its rows change between the queries.
#[test]
fn pages_are_those_of_the_store_in_memory() {
    for backend in [Backend::READ_COMMITTED_15, Backend::SERIALIZABLE_18] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (memory, sql) = (Maker(Backend::Memory).store().await, Maker(backend).store().await);
            let mut runner = TestRunner::deterministic();
            let mut next = |steps: usize| {
                let step = (queries(), ships(), 0..5_usize, any::<Index>());
                prop::collection::vec(step, steps).new_tree(&mut runner).expect("steps").current()
            };
            let mut ids: Vec<Id> = Vec::new();
            for (query, fields, write, which) in next(400) {
                compare(&memory, &sql, &query).await;
                let input = ship(fields);
                let id = (!ids.is_empty()).then(|| ids[which.index(ids.len())]);
                match (write, id) {
                    (0, Some(id)) => {
                        for store in [&memory, &sql] {
                            store
                                .update_ship(id, input.clone(), &Precondition::NONE)
                                .await
                                .expect("it is there");
                        }
                    }
                    (1, Some(id)) if ids.len() > 5 => {
                        for store in [&memory, &sql] {
                            store.delete_ship(id, &Precondition::NONE).await.expect("it is there");
                        }
                        ids.retain(|other| *other != id);
                    }
                    _ if ids.len() < 20 => {
                        for store in [&memory, &sql] {
                            let (id, _) = store.create_ship(input.clone()).await.expect("there is room");
                            ids.retain(|other| *other != id);
                            ids.push(id);
                        }
                    }
                    _ => {}
                }
            }
            let all = [memory.ships().await.expect("a list"), sql.ships().await.expect("a list")];
            assert_eq!(text(&all[0]), text(&all[1]));
        });
    }
}

/// A cursor may name values that no row has, and rows that are gone.
#[test]
fn users_are_paged_by_name() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stores = [Maker(Backend::Memory).store().await, Maker(Backend::READ_COMMITTED_18).store().await];
        let mut pages = Vec::new();
        for store in &stores {
            for name in ["bob", "\u{e9}ve", "Bob", "zed"] {
                store.create_user(user(name)).await.expect("the name is free");
            }
            let query = parsed::<UserInput>(&[("limit", "2"), ("sort", "-name"), ("q", "B")]);
            let first = seen(store.find_users(query, network(1)).await.expect("a page"));
            let query = parsed::<UserInput>(&[("limit", "2"), ("sort", "name")]);
            let second = seen(store.find_users(query, network(1)).await.expect("a page"));
            let cursor = second.2.clone().expect("there is a next page");
            store.delete_user(ANN, &Precondition::NONE).await.expect("ann is there");
            let query = parsed::<UserInput>(&[("limit", "2"), ("sort", "name"), ("cursor", &cursor)]);
            let third = seen(store.find_users(query, network(1)).await.expect("a page"));
            pages.push([first, second, third]);
        }
        assert_eq!(pages[0], pages[1]);
    });
}

/// A list of 4,000 ships is longer than what is read at once.
#[test]
fn a_long_list_is_sent_in_pieces_and_does_not_change_meanwhile() {
    let ships: BTreeMap<Id, _> = (1..=4000)
        .map(|number| (Id::new(number), ship(json!({"model": "m".repeat(128)})).with_id(Id::new(number))))
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for style in [Style::Compact, Style::Pretty] {
        let rows = InitialRows { ships: ships.clone(), ..Config::default().rows };
        let values: Vec<_> = ships.values().collect();
        let expected = style.render(&values).expect("JSON");
        runtime.block_on(async {
            let store =
                Maker(Backend::READ_COMMITTED_15).with(Config { style, rows, ..Config::default() }).await;
            let mut lists = Vec::new();
            for _ in 0..4 {
                lists.push(store.ships().await.expect("a list"));
            }
            // Each holds a connection: a further one is refused, and short lists are not.
            assert!(store.ships().await.is_err());
            assert!(store.users().await.is_ok());
            store.delete_ship(Id::new(3999), &Precondition::NONE).await.expect("it is there");
            let mut body = lists.pop().and_then(|list| list.to_body()).expect("JSON");
            assert_eq!(body.length(), expected.len());
            let shipyard::json::JsonBody::Stream(stream) = &mut body else { panic!("it is long") };
            let (mut sent, mut pieces) = (Vec::new(), 0);
            while let Some(piece) =
                std::future::poll_fn(|context| stream.poll_piece(context)).await.expect("a piece")
            {
                assert!(piece.len() < 40 * 1024, "{}", piece.len());
                sent.extend_from_slice(&piece);
                pieces += 1;
                if pieces == 5 {
                    // Longer than a statement may take otherwise.
                    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
                }
            }
            assert!(sent == expected);
            drop(lists);
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            assert!(store.ships().await.is_ok(), "there is room again");
        });
    }
}
