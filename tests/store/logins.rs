//! Which tokens are accepted.

use shipyard::auth::token::Claims;
use shipyard::model::id::Id;
use shipyard::store::{AccessSessionError, Precondition, RefreshSessionError, Store, StoreLimits};

use crate::fixture::{
    admitted, change_password, hash, log_in, network, outcome, rates, rejected, token, user, Config, Maker,
    ANN, START,
};

async fn access(store: &Store, token: &Claims) -> Result<(), AccessSessionError> {
    outcome(store.check_access(token).await)
}

async fn refresh(store: &Store, token: &Claims) -> Result<(), RefreshSessionError> {
    outcome(store.check_refresh(token).await)
}

/// Gets an access token for a refresh token.
async fn refreshed(store: &Store, spent: &Claims, new: &Claims) -> Result<(), RefreshSessionError> {
    outcome(store.refresh(spent, new, &admitted(store, 1).await).await)
}

pub(crate) async fn a_late_login_is_refused(maker: Maker) {
    let store = maker.store().await;
    change_password(&store, 10).await;
    assert!(!log_in(&store, &hash(), &token(9), &token(10)).await);
    assert!(!log_in(&store, &hash(), &token(11), &token(11)).await);
    store.delete_user(ANN, &Precondition::NONE).await.expect("ann is there");
    assert!(!log_in(&store, &hash(), &token(12), &token(12)).await);
}

/// The time of the change is read before the row is locked, and a login may come between.
pub(crate) async fn a_password_change_ends_the_tokens_issued_before(maker: Maker) {
    let store = maker.store().await;
    let (hers, newer) = (token(11), token(11));
    assert!(log_in(&store, &hash(), &hers, &newer).await);
    assert_eq!(refresh(&store, &newer).await, Ok(()));
    change_password(&store, 10).await;
    assert_eq!(refresh(&store, &newer).await, Err(RefreshSessionError::PasswordChanged));
    assert_eq!(refreshed(&store, &newer, &token(12)).await, Err(RefreshSessionError::PasswordChanged));
    assert_eq!(access(&store, &hers).await, Ok(()), "access tokens live on");
}

pub(crate) async fn tokens_of_the_second_of_a_password_change(maker: Maker) {
    let store = maker.store().await;
    let before = token(10);
    assert!(log_in(&store, &hash(), &token(10), &before).await);
    let new = change_password(&store, 10).await;
    let after = token(10);
    assert!(log_in(&store, &new, &token(10), &after).await);
    assert_eq!(refresh(&store, &before).await, Err(RefreshSessionError::PasswordChanged));
    assert_eq!(refresh(&store, &after).await, Ok(()));
    assert_eq!(refresh(&store, &token(12)).await, Ok(()));
}

pub(crate) async fn a_full_deny_list_ends_all_tokens_of_the_user(maker: Maker) {
    let limits = StoreLimits { revocations: 1, ..StoreLimits::default() };
    let store = maker.with(Config { limits, ..Config::default() }).await;
    let (eve, _) = store.create_user(user("eve")).await.expect("the name is free");
    let (hers, eves) = ((token(10), token(10)), Claims { identity: eve, ..token(10) });
    assert!(log_in(&store, &hash(), &hers.0, &hers.1).await);
    let first = Claims { identity: eve, ..token(10) };
    store.log_out(&first, 10).await.expect("a database");
    // Again takes no room.
    store.log_out(&first, 10).await.expect("a database");
    assert_eq!(access(&store, &hers.0).await, Ok(()));
    store.log_out(&hers.0, 10).await.expect("a database");
    assert_eq!(access(&store, &hers.0).await, Err(AccessSessionError::AllLoggedOut));
    assert_eq!(refresh(&store, &hers.1).await, Err(RefreshSessionError::AllLoggedOut));
    assert_eq!(refreshed(&store, &hers.1, &token(10)).await, Err(RefreshSessionError::AllLoggedOut));
    assert_eq!((access(&store, &eves).await, refresh(&store, &eves).await), (Ok(()), Ok(())));
    // Those of a login and of a refresh, in the same second and later.
    let (a, r, new, late) = (token(10), token(10), token(10), token(12));
    assert!(log_in(&store, &hash(), &a, &r).await);
    assert_eq!(refreshed(&store, &r, &new).await, Ok(()));
    for accepted in [&a, &r, &new, &late] {
        assert_eq!((access(&store, accepted).await, refresh(&store, accepted).await), (Ok(()), Ok(())));
    }
    // The time of the logout is read before the row is locked.
    let ahead = token(11);
    assert_eq!(refreshed(&store, &r, &ahead).await, Ok(()));
    assert_eq!(access(&store, &ahead).await, Ok(()));
    store.log_out(&a, 10).await.expect("a database");
    assert_eq!(access(&store, &ahead).await, Err(AccessSessionError::AllLoggedOut));
    assert_eq!(refresh(&store, &r).await, Err(RefreshSessionError::AllLoggedOut));
    // There is no such user.
    store.log_out(&Claims { identity: Id::new(99), ..token(10) }, 10).await.expect("a database");
}

pub(crate) async fn a_logged_out_token_is_revoked_and_others_are_not(maker: Maker) {
    let store = maker.store().await;
    let (a, r, other) = (token(10), token(10), token(10));
    assert!(log_in(&store, &hash(), &a, &r).await);
    store.log_out(&a, 10).await.expect("a database");
    assert_eq!(access(&store, &a).await, Err(AccessSessionError::Revoked));
    assert_eq!((access(&store, &other).await, refresh(&store, &r).await), (Ok(()), Ok(())));
    store.log_out(&r, 10).await.expect("a database");
    assert_eq!(refresh(&store, &r).await, Err(RefreshSessionError::Revoked));
    assert_eq!(access(&store, &other).await, Ok(()));
}

pub(crate) async fn a_revoked_token_of_a_deleted_user_is_revoked(maker: Maker) {
    let store = maker.store().await;
    let (a, other) = (token(10), token(10));
    store.log_out(&a, 10).await.expect("a database");
    store.delete_user(ANN, &Precondition::NONE).await.expect("ann is there");
    assert_eq!(access(&store, &a).await, Err(AccessSessionError::Revoked));
    assert_eq!(refresh(&store, &a).await, Err(RefreshSessionError::Revoked));
    assert_eq!(access(&store, &other).await, Err(AccessSessionError::UnknownUser));
    assert_eq!(refresh(&store, &other).await, Err(RefreshSessionError::UnknownUser));
}

pub(crate) async fn tokens_from_before_the_start_are_refused(maker: Maker) {
    let store = maker.store().await;
    let (before, same) = (token(START - 1), token(START));
    for token in [&before, &same] {
        assert_eq!(access(&store, token).await, Err(AccessSessionError::AllLoggedOut));
        assert_eq!(refresh(&store, token).await, Err(RefreshSessionError::AllLoggedOut));
    }
    let (a, r, new) = (token(START), token(START), token(START));
    assert!(log_in(&store, &hash(), &a, &r).await);
    assert_eq!(refreshed(&store, &r, &new).await, Ok(()));
    for token in [&a, &r, &new] {
        assert_eq!((access(&store, token).await, refresh(&store, token).await), (Ok(()), Ok(())));
    }
    assert_eq!(access(&store, &same).await, Err(AccessSessionError::AllLoggedOut));
    assert_eq!(access(&store, &token(START + 1)).await, Ok(()));
}

/// In the second of a logout of all tokens, 256 tokens are noted; a further one is refused.
pub(crate) async fn noted_tokens_are_bounded(maker: Maker) {
    let limits = StoreLimits { revocations: 0, ..StoreLimits::default() };
    let store = maker.with(Config { limits, ..Config::default() }).await;
    store.log_out(&token(10), 10).await.expect("a database");
    let mut tokens = Vec::new();
    for _ in 0..130 {
        let pair = (token(10), token(10));
        assert!(log_in(&store, &hash(), &pair.0, &pair.1).await);
        tokens.push(pair);
    }
    for (at, (a, r)) in tokens.iter().enumerate() {
        assert_eq!(
            (access(&store, a).await.is_ok(), refresh(&store, r).await.is_ok()),
            (at < 128, at < 128),
            "{at}"
        );
    }
}

pub(crate) async fn a_network_is_remembered_for_the_present_password(maker: Maker) {
    let store = maker.with(rates("1000/hour", "1/hour", "1000/hour")).await;
    // The bucket of the name is empty from now on: only a network that is remembered gets in, once.
    store.begin_login("ann", network(99)).await.expect("it is the first");
    let is_remembered = async |last| store.begin_login("ann", network(last)).await.is_ok();
    assert!(!is_remembered(1).await);
    assert!(log_in(&store, &hash(), &token(10), &token(10)).await);
    assert!(is_remembered(1).await);
    assert!(!is_remembered(2).await);
    // The client that changes a password knows it; the others are forgotten.
    for last in 3..=4 {
        let admission = admitted(&store, last).await;
        assert!(store.complete_login(&hash(), &token(10), &token(10), &admission).await.expect("a database"));
    }
    assert!(is_remembered(4).await);
    change_password(&store, 10).await;
    assert!(!is_remembered(3).await);
    assert!(!log_in(&store, &hash(), &token(11), &token(11)).await);
}

pub(crate) async fn a_deleted_user_is_unknown(maker: Maker) {
    let store = maker.store().await;
    let (a, r) = (token(10), token(10));
    assert!(log_in(&store, &hash(), &a, &r).await);
    store.delete_user(ANN, &Precondition::NONE).await.expect("ann is there");
    assert_eq!(access(&store, &a).await, Err(AccessSessionError::UnknownUser));
    assert_eq!(refresh(&store, &r).await, Err(RefreshSessionError::UnknownUser));
    let spent = store.refresh(&r, &token(10), &admitted(&store, 1).await).await;
    assert_eq!(rejected(spent), RefreshSessionError::UnknownUser);
    let none = Claims { identity: Id::new(u64::MAX), ..token(10) };
    assert_eq!(access(&store, &none).await, Err(AccessSessionError::UnknownUser));
}
