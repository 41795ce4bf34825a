//! Rate limits. Their times are so long that a test takes no notable part of them.

use shipyard::auth::rate_limit::{Operation, RateLimited};
use shipyard::store::{LoginAttempt, Store};
use std::net::IpAddr;

use crate::fixture::{admitted, hash, network, outcome, rates, token, Maker};

/// The result of a request, with what is left of the time to wait: it was said a little later than the last request.
async fn admit(store: &Store, operation: Operation, last: u8) -> Result<(), u32> {
    outcome(store.admit(operation, network(last)).await)
        .map(drop)
        .map_err(|RateLimited { retry_after }| retry_after)
}

async fn begin(store: &Store, name: &str, last: u8) -> Result<LoginAttempt, u32> {
    outcome(store.begin_login(name, network(last)).await).map_err(|RateLimited { retry_after }| retry_after)
}

/// Whether that is the time to wait, up to what the test took.
fn is_about(waited: Result<(), u32>, seconds: u32) -> bool {
    waited.is_err_and(|said| said <= seconds && said + 10 >= seconds)
}

pub(crate) async fn a_burst_is_admitted_and_then_the_wait_is_said(maker: Maker) {
    let store = maker.with(rates("3/hour", "1/hour", "100/second")).await;
    for operation in [Operation::Refresh, Operation::CreateUser] {
        for _ in 0..3 {
            assert_eq!(admit(&store, operation, 1).await, Ok(()));
        }
        for _ in 0..3 {
            let waited = admit(&store, operation, 1).await;
            assert!(is_about(waited, 1200), "{waited:?}");
        }
    }
    for _ in 0..1 {
        assert!(begin(&store, "ann", 1).await.is_ok());
    }
    let waited = begin(&store, "ann", 1).await.map(drop);
    assert!(is_about(waited, 3600), "{waited:?}");
}

pub(crate) async fn each_network_and_operation_has_its_own_bucket(maker: Maker) {
    let store = maker.with(rates("1/hour", "1/hour", "100/second")).await;
    let all = [Operation::LogIn, Operation::Refresh, Operation::CreateUser, Operation::UpdateUser];
    for operation in all {
        for last in [1, 2] {
            assert_eq!(admit(&store, operation, last).await, Ok(()));
            assert!(is_about(admit(&store, operation, last).await, 3600));
        }
    }
    let v6 = |text: &str| Some(text.parse::<IpAddr>().expect("an address")).into();
    let ask = async |client| outcome(store.admit(Operation::Refresh, client).await).is_ok();
    assert!(ask(v6("2001:db8:0:1::1")).await && !ask(v6("2001:db8:0:1:ffff::2")).await);
    assert!(ask(v6("2001:db8:0:2::1")).await && !ask(v6("::ffff:192.0.2.1")).await);
    assert!(ask(None.into()).await && !ask(None.into()).await);
}

pub(crate) async fn a_rejected_request_takes_nothing_from_later_buckets(maker: Maker) {
    let store = maker.with(rates("2/hour", "1/hour", "3/hour")).await;
    for at in 0..9 {
        assert_eq!(admit(&store, Operation::CreateUser, 1).await.is_ok(), at < 2);
    }
    assert_eq!(admit(&store, Operation::CreateUser, 2).await, Ok(()));
    assert!(is_about(admit(&store, Operation::CreateUser, 2).await, 1200), "overall");
    // That has taken from the bucket of the network.
    assert!(is_about(admit(&store, Operation::CreateUser, 2).await, 1800), "by address");
    // Logins under one name use up the limit of the name only.
    for last in 10..30 {
        assert_eq!(begin(&store, "ann", last).await.is_ok(), last == 10);
    }
    assert!(begin(&store, "bob", 31).await.is_ok() && begin(&store, "eve", 31).await.is_ok());
    assert!(begin(&store, "joe", 32).await.is_err());
}

pub(crate) async fn refreshes_do_not_count_overall(maker: Maker) {
    let store = maker.with(rates("2/hour", "1/hour", "3/hour")).await;
    for last in 0..20 {
        assert_eq!(admit(&store, Operation::Refresh, last).await, Ok(()));
    }
}

pub(crate) async fn a_known_network_has_a_reserve(maker: Maker) {
    let store = maker.with(rates("8/hour", "8/hour", "2/hour")).await;
    let good = begin(&store, "ann", 1).await.expect("it is the first");
    assert!(store
        .complete_login(&hash(), &token(10), &token(10), &good.admission)
        .await
        .expect("a database"));
    // A success makes only its own network known, and a refresh makes none known.
    store.refresh(&token(10), &token(10), &admitted(&store, 2).await).await.expect("it is accepted");
    assert!(begin(&store, "bob", 3).await.is_ok());
    let waited = begin(&store, "eve", 2).await.map(drop);
    assert!(is_about(waited, 1800), "{waited:?}");
    let mut admitted = Vec::new();
    for name in ["eve", "joe", "sue"] {
        admitted.push(begin(&store, name, 1).await.map(drop));
    }
    assert_eq!(admitted[..2], [Ok(()), Ok(())]);
    assert!(is_about(admitted[2], 1800), "{admitted:?}");
}

pub(crate) async fn each_name_has_its_own_bucket(maker: Maker) {
    let store = maker.with(rates("100/hour", "2/hour", "100/hour")).await;
    let mut admitted = Vec::new();
    for name in ["ann", "ann", "ann", "bob", "Ann"] {
        admitted.push(begin(&store, name, 1).await.is_ok());
    }
    assert_eq!(admitted, [true, true, false, true, true]);
}

pub(crate) async fn guesses_from_other_networks_do_not_limit_a_returning_user(maker: Maker) {
    let store = maker.with(rates("100/hour", "2/hour", "1000/hour")).await;
    for last in [9, 10] {
        let admission = admitted(&store, last).await;
        assert!(store.complete_login(&hash(), &token(10), &token(10), &admission).await.expect("a database"));
    }
    let mut admitted = Vec::new();
    for last in [1, 2, 3, 4, 9, 9, 9, 10] {
        admitted.push(begin(&store, "ann", last).await.is_ok());
    }
    // Each network from which the user returns has its own bucket.
    assert_eq!(admitted, [true, true, false, false, true, true, false, true]);
}

pub(crate) async fn without_limits_every_request_is_admitted(maker: Maker) {
    let store = maker.store().await;
    for _ in 0..200 {
        assert_eq!(admit(&store, Operation::CreateUser, 1).await, Ok(()));
        let attempt = begin(&store, "ann", 1).await.expect("nothing is limited");
        assert_eq!(attempt.account.map(|(id, found)| (id.number(), found)), Some((1, hash())));
        assert!(begin(&store, "no one", 1).await.expect("nothing is limited").account.is_none());
    }
}
