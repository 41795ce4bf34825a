//! Ships and users.

use serde_json::json;
use shipyard::json::{EncodedJson, Style};
use shipyard::model::id::Id;
use shipyard::model::ship::ShipInput;
use shipyard::model::{parse_patch, Input};
use shipyard::store::{
    CreateShipError, CreateUserError, DeleteError, GetError, Precondition, PreconditionError, Revisions,
    StoreLimits, UpdateShipError, UpdateUserError, UserChange,
};

use crate::fixture::{
    admitted, any_ship, hash, if_match, log_in, outcome, rejected, renamed, ship, token, user, Config, Maker,
    ANN,
};

const NONE: &Precondition = &Precondition::NONE;

fn revision<T>(json: &EncodedJson<T>) -> u64 {
    json.version().expect("a stored value").revision()
}

fn text<T>(json: &EncodedJson<T>) -> String {
    String::from_utf8(json.text().expect("JSON").to_vec()).expect("UTF-8")
}

pub(crate) async fn ids_have_no_gaps_and_are_not_given_out_twice(maker: Maker) {
    let store = maker.store().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(store.create_ship(any_ship()).await.expect("there is room").0.number());
        let given = ship(json!({"id": 9}));
        assert_eq!(rejected(store.create_ship(given).await), CreateShipError::IdGiven);
    }
    store.delete_ship(Id::new(3), NONE).await.expect("it is there");
    ids.push(store.create_ship(any_ship()).await.expect("there is room").0.number());
    assert_eq!(ids, [1, 2, 3, 4]);
    let mut ids = Vec::new();
    for name in ["bob", "ann", "bob", "cid", "cid", "dan"] {
        match outcome(store.create_user(user(name)).await) {
            Ok((id, json)) => {
                assert_eq!(text(&json), format!("{{\"id\":{id},\"name\":\"{name}\"}}\n"));
                ids.push(id.number());
            }
            Err(error) => assert_eq!(error, CreateUserError::NameTaken),
        }
    }
    assert_eq!(ids, [2, 3, 4]);
}

pub(crate) async fn a_full_table_takes_nothing_until_a_row_is_removed(maker: Maker) {
    let limits = StoreLimits { users: 2, ships: 1, ..StoreLimits::default() };
    let store = maker.with(Config { limits, ..Config::default() }).await;
    store.create_user(user("bob")).await.expect("there is room");
    assert_eq!(rejected(store.create_user(user("cid")).await), CreateUserError::Full);
    assert_eq!(rejected(store.create_user(user("ann")).await), CreateUserError::NameTaken);
    store.create_ship(any_ship()).await.expect("there is room");
    assert_eq!(rejected(store.create_ship(any_ship()).await), CreateShipError::Full);
    store.delete_user(ANN, NONE).await.expect("ann is there");
    store.delete_ship(Id::new(1), NONE).await.expect("it is there");
    assert_eq!(store.create_user(user("cid")).await.expect("there is room").0, Id::new(3));
    assert_eq!(store.create_ship(any_ship()).await.expect("there is room").0, Id::new(2));
}

pub(crate) async fn errors_of_ships_come_in_order(maker: Maker) {
    let store = maker.store().await;
    let (id, first) = store.create_ship(any_ship()).await.expect("there is room");
    let (other, unknown) = (ship(json!({"id": 7})), Id::new(9));
    let failed = UpdateShipError::Precondition(PreconditionError::Failed);
    let required = Precondition { is_required: true, ..Precondition::NONE };
    let none_match = |these| Precondition { if_none_match: Some(these), ..Precondition::NONE };
    let current = revision(&first);
    let refusing = [
        if_match(&[]),
        if_match(&[current ^ 1]),
        none_match(Revisions::Any),
        none_match(Revisions::These(vec![3, current])),
        Precondition { if_match: Some(Revisions::Any), ..none_match(Revisions::Any) },
    ];
    for precondition in refusing.iter().chain([NONE, &required]) {
        let missing = store.update_ship(unknown, other.clone(), precondition).await;
        assert_eq!(rejected(missing), UpdateShipError::NotFound);
        let mismatch = store.update_ship(id, other.clone(), precondition).await;
        assert_eq!(rejected(mismatch), UpdateShipError::IdMismatch);
        assert_eq!(rejected(store.delete_ship(unknown, precondition).await), DeleteError::NotFound);
        let patch = || parse_patch::<ShipInput>(br#"{"id":7}"#).expect("a change");
        let missing = store.patch_ship(unknown, patch(), precondition).await;
        assert_eq!(rejected(missing), UpdateShipError::NotFound);
        let mismatch = store.patch_ship(id, patch(), precondition).await;
        assert_eq!(rejected(mismatch), UpdateShipError::IdMismatch);
    }
    for precondition in &refusing {
        assert_eq!(
            rejected(store.update_ship(id, any_ship(), precondition).await),
            failed,
            "{precondition:?}"
        );
        let patch = parse_patch::<ShipInput>(b"{}").expect("a change");
        assert_eq!(rejected(store.patch_ship(id, patch, precondition).await), failed, "{precondition:?}");
        let deleted = rejected(store.delete_ship(id, precondition).await);
        assert_eq!(deleted, DeleteError::Precondition(PreconditionError::Failed), "{precondition:?}");
    }
    let unsaid = rejected(store.update_ship(id, any_ship(), &required).await);
    assert_eq!(unsaid, UpdateShipError::Precondition(PreconditionError::Required));
    let unsaid = rejected(store.delete_ship(id, &required).await);
    assert_eq!(unsaid, DeleteError::Precondition(PreconditionError::Required));
    assert_eq!(revision(&store.ship(id).await.expect("it is there")), current, "nothing was written");
    let allowing = Precondition { is_required: true, ..if_match(&[1, current]) };
    let second = store.update_ship(id, ship(json!({"id": 1})), &allowing).await.expect("it is the version");
    assert_eq!(rejected(store.update_ship(id, any_ship(), &allowing).await), failed);
    let any = Precondition { if_match: Some(Revisions::Any), ..none_match(Revisions::These(vec![current])) };
    let third = store.update_ship(id, any_ship(), &any).await.expect("any version");
    assert!(revision(&second) != revision(&third) && current != revision(&third));
    store.delete_ship(id, &if_match(&[revision(&third)])).await.expect("it is the version");
    assert_eq!(rejected(store.ship(id).await), GetError::NotFound);
}

pub(crate) async fn errors_of_users_come_in_order(maker: Maker) {
    let store = maker.store().await;
    store.create_user(user("bob")).await.expect("the name is free");
    let admission = admitted(&store, 1).await;
    let update = async |id: u64, change, precondition: &Precondition| {
        outcome(store.update_user(Id::new(id), change, precondition, &admission, 10).await)
    };
    let stale = if_match(&[]);
    assert_eq!(update(9, renamed(Some(7), "bob"), &stale).await, Err(UpdateUserError::NotFound));
    assert_eq!(update(1, renamed(Some(7), "bob"), &stale).await, Err(UpdateUserError::IdMismatch));
    assert_eq!(update(1, renamed(Some(1), "bob"), &stale).await, Err(UpdateUserError::NameTaken));
    assert_eq!(update(1, renamed(None, "bob"), NONE).await, Err(UpdateUserError::NameTaken));
    let failed = UpdateUserError::Precondition(PreconditionError::Failed);
    assert_eq!(update(1, renamed(None, "eve"), &stale).await, Err(failed));
    let before = UserChange { token: Some(token(1)), ..renamed(Some(7), "bob") };
    assert_eq!(update(9, before, &stale).await, Err(UpdateUserError::TokenEnded));
    let same = update(1, renamed(Some(1), "ann"), NONE).await.expect("it is her own name");
    assert_eq!(text(&same), "{\"id\":1,\"name\":\"ann\"}\n");
    let nothing = UserChange { id: None, name: None, hash: None, token: Some(token(10)) };
    let again = update(1, nothing, &if_match(&[revision(&same)])).await.expect("it is the version");
    assert_eq!(text(&again), text(&same));
    assert_ne!(revision(&again), revision(&same));
    let deleted = store.delete_user(ANN, &if_match(&[revision(&same)])).await;
    assert_eq!(rejected(deleted), DeleteError::Precondition(PreconditionError::Failed));
    store.delete_user(ANN, &if_match(&[revision(&again)])).await.expect("it is the version");
    assert_eq!(rejected(store.delete_user(ANN, NONE).await), DeleteError::NotFound);
}

pub(crate) async fn a_renamed_user_leaves_the_old_name_free(maker: Maker) {
    let store = maker.store().await;
    let admission = admitted(&store, 1).await;
    store.update_user(ANN, renamed(Some(1), "eve"), NONE, &admission, 0).await.expect("ann is there");
    let account = async |name: &str| {
        let attempt = store.begin_login(name, crate::fixture::network(1)).await.expect("no limit is near");
        attempt.account.map(|(id, _)| id)
    };
    assert_eq!((account("ann").await, account("eve").await), (None, Some(ANN)));
    assert_eq!(store.create_user(user("ann")).await.expect("the name is free").0, Id::new(2));
    assert_eq!(account("ann").await, Some(Id::new(2)));
    // The tokens of a user stay those of the user.
    let (access, refresh) = (token(10), token(10));
    assert!(log_in(&store, &hash(), &access, &refresh).await);
    assert_eq!(outcome(store.check_access(&access).await), Ok(()));
}

pub(crate) async fn a_change_keeps_the_other_fields(maker: Maker) {
    let store = maker.store().await;
    let (id, first) = store.create_ship(any_ship()).await.expect("there is room");
    let patch = parse_patch::<ShipInput>(br#"{"crew":7,"roles":[],"model":"\u0000\"\n"}"#).expect("a change");
    let changed =
        store.patch_ship(id, patch, &if_match(&[revision(&first)])).await.expect("it is the version");
    let expected = ship(json!({"crew": 7, "roles": [], "model": "\u{0}\"\n"})).with_id(id);
    assert_eq!(text(&changed), text(&EncodedJson::new(&expected, Style::Compact)));
    let stored = store.ship(id).await.expect("it is there");
    assert_eq!((text(&stored), revision(&stored)), (text(&changed), revision(&changed)));
    let nothing = parse_patch::<ShipInput>(b"{}").expect("a change");
    let again = store.patch_ship(id, nothing, NONE).await.expect("it is there");
    assert_eq!(text(&again), text(&changed));
    assert_ne!(revision(&again), revision(&changed), "every write makes a version");
}

pub(crate) async fn texts_are_answered_as_they_were_written(maker: Maker) {
    for style in [Style::Compact, Style::Pretty] {
        let store = maker.with(Config { style, ..Config::default() }).await;
        let odd = "\u{0}\u{1f}\"\\/\u{7f}\u{2028}\u{e9}\u{1f680}\"id\":0,";
        let ships = [
            json!({}),
            json!({"affiliation": odd, "model": "\"id\":0", "roles": [odd, "", "x"], "crew": 2_147_483_647}),
            json!({"affiliation": "", "roles": []}),
        ];
        for fields in ships {
            let (id, created) = store.create_ship(ship(fields.clone())).await.expect("there is room");
            let expected = text(&EncodedJson::new(&ship(fields.clone()).with_id(id), style));
            let stored = store.ship(id).await.expect("it is there");
            assert_eq!((text(&created), text(&stored)), (expected.clone(), expected.clone()));
            assert_eq!(revision(&created), revision(&stored));
            let updated = store.update_ship(id, ship(fields), NONE).await.expect("it is there");
            let stored = store.ship(id).await.expect("it is there");
            assert_eq!((text(&updated), text(&stored)), (expected.clone(), expected));
            assert_eq!(revision(&updated), revision(&stored));
        }
        let (id, created) = store.create_user(user("\u{e9}\"\\")).await.expect("the name is free");
        assert_eq!(text(&created), text(&store.user(id).await.expect("it is there")));
    }
    assert!(ShipInput::FIELDS.iter().any(|field| field.name == "affiliation"));
}

pub(crate) async fn ids_that_are_never_given_out_are_not_found(maker: Maker) {
    let store = maker.store().await;
    for id in [0, Id::MAX, Id::MAX + 1, u64::MAX].map(Id::new) {
        assert_eq!(rejected(store.ship(id).await), GetError::NotFound);
        assert_eq!(rejected(store.user(id).await), GetError::NotFound);
        assert_eq!(rejected(store.delete_ship(id, NONE).await), DeleteError::NotFound);
        assert_eq!(rejected(store.update_ship(id, any_ship(), NONE).await), UpdateShipError::NotFound);
        let patch = parse_patch::<ShipInput>(b"{}").expect("a change");
        assert_eq!(rejected(store.patch_ship(id, patch, NONE).await), UpdateShipError::NotFound);
    }
}
