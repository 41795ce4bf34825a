//! Refresh rotation.

use shipyard::auth::token::Claims;
use shipyard::store::{RefreshSessionError, Rotation, Store};

use crate::fixture::{
    admitted, first_of_family, hash, log_in, network, next_of_family, outcome, token, Maker,
};

const GRACE: u64 = 10;

async fn rotate(store: &Store, spent: &Claims, last: u8, now: u64) -> Result<Claims, RefreshSessionError> {
    let next = next_of_family(spent, now);
    let rotation = Rotation { client: network(last), now, grace: GRACE };
    let admission = admitted(store, last).await;
    outcome(store.rotate(spent, &token(now), &next, &rotation, &admission).await).map(|()| next)
}

async fn begun(store: &Store, iat: u64) -> Claims {
    let first = first_of_family(iat);
    assert!(log_in(store, &hash(), &token(iat), &first).await);
    first
}

async fn check(store: &Store, token: &Claims) -> Result<(), RefreshSessionError> {
    outcome(store.check_refresh(token).await)
}

pub(crate) async fn a_token_is_spent_once_and_the_same_client_may_retry(maker: Maker) {
    let store = maker.store().await;
    let first = begun(&store, 10).await;
    assert_eq!(check(&store, &first).await, Ok(()));
    let second = rotate(&store, &first, 1, 20).await.expect("it is the first use");
    // The clocks of two requests may be apart in either direction.
    for now in [20, 29, 11] {
        let again = rotate(&store, &first, 1, now).await.expect("it is a retry");
        assert_eq!(check(&store, &again).await, Ok(()));
    }
    let third = rotate(&store, &second, 2, 40).await.expect("it is the first use");
    assert!(rotate(&store, &second, 2, 49).await.is_ok());
    assert!(rotate(&store, &third, 2, 41).await.is_ok());
    // The grace is that of the latest token.
    assert_eq!(rotate(&store, &second, 2, 42).await, Err(RefreshSessionError::Reused));
}

pub(crate) async fn a_second_use_ends_the_family_and_no_other(maker: Maker) {
    let store = maker.store().await;
    for (last, now) in [(1, 30), (1, 9), (2, 20)] {
        let (first, other) = (begun(&store, 10).await, begun(&store, 10).await);
        let second = rotate(&store, &first, 1, 20).await.expect("it is the first use");
        assert_eq!(rotate(&store, &first, last, now).await, Err(RefreshSessionError::Reused));
        for token in [&first, &second] {
            assert_eq!(check(&store, token).await, Err(RefreshSessionError::FamilyEnded));
            assert_eq!(rotate(&store, token, 1, 20).await, Err(RefreshSessionError::FamilyEnded));
        }
        assert_eq!(check(&store, &other).await, Ok(()));
    }
    // A token without a family is refused, and so is one of a later generation.
    assert_eq!(rotate(&store, &token(10), 1, 20).await, Err(RefreshSessionError::FamilyEnded));
    let first = begun(&store, 10).await;
    let later = next_of_family(&next_of_family(&first, 10), 10);
    assert_eq!(rotate(&store, &later, 1, 20).await, Err(RefreshSessionError::Reused));
}

pub(crate) async fn a_logout_of_a_refresh_token_ends_its_family(maker: Maker) {
    let store = maker.store().await;
    let (first, other) = (begun(&store, 10).await, begun(&store, 10).await);
    let second = rotate(&store, &first, 1, 20).await.expect("it is the first use");
    store.log_out(&second, 21).await.expect("a database");
    assert_eq!(check(&store, &second).await, Err(RefreshSessionError::Revoked));
    assert_eq!(check(&store, &first).await, Err(RefreshSessionError::FamilyEnded));
    assert!(rotate(&store, &other, 1, 22).await.is_ok());
}

pub(crate) async fn a_user_has_the_32_families_that_were_used_last(maker: Maker) {
    let store = maker.store().await;
    let mut families = Vec::new();
    for _ in 0..32 {
        families.push(begun(&store, 10).await);
    }
    // Using the oldest makes it the latest.
    let kept = rotate(&store, &families[0], 1, 20).await.expect("it is the first use");
    let new = begun(&store, 10).await;
    assert_eq!(check(&store, &families[1]).await, Err(RefreshSessionError::FamilyEnded));
    for token in families[2..].iter().chain([&kept, &new]) {
        assert_eq!(check(&store, token).await, Ok(()));
    }
}

pub(crate) async fn families_that_have_expired_make_room(maker: Maker) {
    let store = maker.store().await;
    let oldest = begun(&store, 100).await;
    let short = Claims { exp: 200, ..first_of_family(100) };
    assert!(log_in(&store, &hash(), &token(100), &short).await);
    for _ in 0..30 {
        begun(&store, 100).await;
    }
    assert_eq!(check(&store, &short).await, Ok(()));
    begun(&store, 200).await;
    assert_eq!(check(&store, &short).await, Err(RefreshSessionError::FamilyEnded));
    assert_eq!(check(&store, &oldest).await, Ok(()));
}
