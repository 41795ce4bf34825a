//! Rules of the store that a client could see broken only in a race.

use std::collections::BTreeMap;

use super::*;
use crate::auth::clock::TokenIds;
use crate::auth::network::Network;
use crate::auth::password::{Cost, Hash};
use crate::auth::rate_limit::Admission;
use crate::auth::token::Claims;
use crate::model::id::Id;
use crate::model::password::Password;
use crate::store::{
    AccessSessionError, CreateShipError, CreateUserError, HashedUser, Precondition, RefreshSessionError,
    StoredUser, UserChange,
};

const ANN: Id = Id::new(1);

fn hash() -> Hash {
    let hasher = Cost { memory: 8, iterations: 1, parallelism: 1 }.hasher().expect("a cheap cost");
    hasher.hash(&Password::new("password".to_owned())).expect("a hash")
}

fn store(hash: &Hash) -> Memory {
    let ann = StoredUser { name: "ann".to_owned(), hash: hash.clone() };
    let rows = InitialRows { users: BTreeMap::from([(ANN, ann)]), ..InitialRows::default() };
    Memory::new(rows, &MemoryConfig::default())
}

fn token(iat: u64) -> Claims {
    Claims { identity: ANN, jti: TokenIds::Random.next().expect("an id"), iat, exp: iat + 100, family: None }
}

fn admission() -> Admission {
    Admission::uncounted(None.into())
}

fn change_password(store: &Memory, now: u64) {
    let change = UserChange { id: None, name: None, hash: Some(hash()), token: None };
    store.update_user(ANN, change, &Precondition::NONE, &admission(), now).expect("ann is there");
}

#[test]
fn a_login_verified_before_a_password_change_is_refused_after_it() {
    let old = hash();
    let store = store(&old);
    change_password(&store, 10);
    assert!(!store.complete_login(&old, &token(0), &token(10), &admission()));
    assert!(!store.complete_login(&old, &token(0), &token(11), &admission()));
    store.delete_user(ANN, &Precondition::NONE).expect("ann is there");
    assert!(!store.complete_login(&old, &token(0), &token(12), &admission()));
}

/// The time of the change is read before the lock is taken, and a login may come between.
#[test]
fn a_password_change_ends_tokens_issued_while_it_waited_for_the_lock() {
    let old = hash();
    let store = store(&old);
    let newer = token(11);
    assert!(store.complete_login(&old, &token(0), &newer, &admission()));
    assert_eq!(store.check_refresh(&newer), Ok(()));
    change_password(&store, 10);
    assert_eq!(store.check_refresh(&newer), Err(RefreshSessionError::PasswordChanged));
}

#[test]
fn of_tokens_issued_in_the_second_of_a_password_change_only_the_earlier_end() {
    let store = store(&hash());
    let before = token(10);
    assert!(store.complete_login(
        &store.credentials("ann").expect("ann is there").1,
        &token(0),
        &before,
        &admission()
    ));
    change_password(&store, 10);
    let after = token(10);
    assert!(store.complete_login(
        &store.credentials("ann").expect("ann is there").1,
        &token(0),
        &after,
        &admission()
    ));
    assert_eq!(store.check_refresh(&before), Err(RefreshSessionError::PasswordChanged));
    assert_eq!(store.check_refresh(&after), Ok(()));
    assert_eq!(store.check_refresh(&token(11)), Ok(()));
}

/// Whether the store accepts the access token, and the refresh token.
fn accepted(store: &Memory, access: &Claims, refresh: &Claims) -> (bool, bool) {
    (store.check_access(access).is_ok(), store.check_refresh(refresh).is_ok())
}

#[test]
fn logging_out_all_tokens_of_a_user_ends_those_issued_before_and_no_others() {
    let old = hash();
    let store = store(&old);
    let eve = HashedUser { id: None, name: "eve".to_owned(), hash: old.clone() };
    let (eve, _) = store.create_user(eve).expect("the name is free");
    let (access, refresh) = (token(10), token(10));
    assert!(store.complete_login(&old, &access, &refresh, &admission()));
    let hers = Claims { identity: eve, ..token(10) };
    store.log_out_everywhere(ANN, 10);
    assert_eq!(store.check_access(&access), Err(AccessSessionError::AllLoggedOut));
    assert_eq!(store.check_refresh(&refresh), Err(RefreshSessionError::AllLoggedOut));
    assert_eq!(store.refresh(&refresh, &token(10), &admission()), Err(RefreshSessionError::AllLoggedOut));
    assert_eq!(accepted(&store, &hers, &hers), (true, true));
    // Those of a login and of a refresh, in the same second and later.
    let (access, refresh, refreshed, late) = (token(10), token(10), token(10), token(11));
    assert!(store.complete_login(&old, &access, &refresh, &admission()));
    assert_eq!(store.refresh(&refresh, &refreshed, &admission()), Ok(()));
    assert_eq!(accepted(&store, &access, &refresh), (true, true));
    assert_eq!(accepted(&store, &refreshed, &late), (true, true));
    // The time of the logout is read before the lock is taken.
    assert_eq!(store.refresh(&refresh, &late, &admission()), Ok(()));
    store.log_out_everywhere(ANN, 10);
    assert_eq!(accepted(&store, &late, &refresh), (false, false));
    store.log_out_everywhere(Id::new(99), 10);
}

#[test]
fn a_full_table_takes_nothing_until_a_row_is_removed() {
    let ship = || -> ShipInput {
        crate::model::read(<ShipInput as crate::model::Input>::example()).expect("the example fits")
    };
    let user = |name: &str| HashedUser { id: None, name: name.to_owned(), hash: hash() };
    let limits = StoreLimits { users: 2, ships: 1, ..StoreLimits::default() };
    let config = MemoryConfig { limits, ..MemoryConfig::default() };
    let store = Memory::new(InitialRows::default(), &config);
    for name in ["ann", "bob"] {
        assert!(store.create_user(user(name)).is_ok());
    }
    assert_eq!(store.create_user(user("cid")), Err(CreateUserError::Full));
    assert_eq!(store.create_user(user("ann")), Err(CreateUserError::NameTaken));
    assert!(store.create_ship(ship()).is_ok());
    assert_eq!(store.create_ship(ship()), Err(CreateShipError::Full));
    assert!(
        store.delete_user(ANN, &Precondition::NONE).is_ok()
            && store.delete_ship(Id::new(1), &Precondition::NONE).is_ok()
    );
    assert_eq!(store.create_user(user("cid")).map(|(id, _)| id), Ok(Id::new(3)));
    assert_eq!(store.create_ship(ship()).map(|(id, _)| id), Ok(Id::new(2)));
}

#[test]
fn a_renamed_user_leaves_the_old_name_free() {
    let store = store(&hash());
    let renamed = UserChange { id: Some(ANN), name: Some("eve".to_owned()), hash: None, token: None };
    store.update_user(ANN, renamed, &Precondition::NONE, &admission(), 0).expect("ann is there");
    assert!(store.credentials("ann").is_none());
    assert_eq!(store.credentials("eve").map(|(id, _)| id), Some(ANN));
    let new = HashedUser { id: None, name: "ann".to_owned(), hash: hash() };
    assert_eq!(store.create_user(new).map(|(id, _)| id), Ok(Id::new(2)));
}

#[test]
fn a_panic_while_the_lock_is_held_leaves_the_store_usable() {
    let store = store(&hash());
    let other = store.clone();
    let thread = std::thread::spawn(move || {
        let _locked = other.0.state.write();
        std::panic::resume_unwind(Box::new("a defect"));
    });
    assert!(thread.join().is_err());
    assert!(store.user(ANN).is_ok());
    assert!(store.delete_user(ANN, &Precondition::NONE).is_ok());
}

#[test]
fn a_network_is_remembered_for_the_password_that_was_proved_from_there() {
    let old = hash();
    let store = store(&old);
    let network = |last: u8| Network::from(Some([192, 0, 2, last].into()));
    let remember = |hash: &Hash, network: Network| {
        let mut state = store.0.state.write();
        state.users.record_mut(ANN).expect("ann is there").remember_network(hash, network);
    };
    let is_known = |name: &str, network: Network| {
        let state = store.0.state.read();
        state.users.by_name(name).is_some_and(|(_, record)| record.has_logged_in_from(network))
    };
    remember(&old, network(1));
    assert!(is_known("ann", network(1)));
    assert!(!is_known("ann", network(2)));
    assert!(!is_known("bob", network(1)));
    let change = UserChange { id: None, name: None, hash: Some(hash()), token: None };
    let from_here = Admission { network: network(3), is_known: false };
    store.update_user(ANN, change, &Precondition::NONE, &from_here, 10).expect("ann is there");
    assert!(!is_known("ann", network(1)));
    // A client that sets a password knows it.
    assert!(is_known("ann", network(3)));
    // A login that verified the old password comes too late.
    remember(&old, network(1));
    assert!(!is_known("ann", network(1)));
}
