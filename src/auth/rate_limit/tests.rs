use std::net::IpAddr;

use governor::clock::FakeRelativeClock;

use super::buckets::MAX_KEYS;
use super::*;

const ANN: Id = Id::new(1);

fn rate(text: &str) -> Rate {
    text.parse().expect("a rate")
}

fn rate_limiter(
    by_address: &str,
    by_user: &str,
    overall: &str,
) -> (RateLimiter<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    let rates = Rates { by_address: rate(by_address), by_user: rate(by_user), overall: rate(overall) };
    (RateLimiter::with_clock(Some(rates), &clock), clock)
}

fn network(text: &str) -> Network {
    Some(text.parse().expect("an address")).into()
}

fn numbered(number: u32) -> Network {
    Some(IpAddr::from(number.to_be_bytes())).into()
}

/// The result for the client.
fn result(admitted: Result<Admission, RateLimited>) -> Result<(), RateLimited> {
    admitted.map(drop)
}

#[test]
fn admits_a_burst_then_one_request_in_each_interval() {
    let (rate_limiter, clock) = rate_limiter("3/minute", "1/hour", "100/second");
    let ask = || result(rate_limiter.admit(Operation::LogIn, network("192.0.2.1")));
    assert_eq!([ask(), ask(), ask()], [Ok(()); 3]);
    assert_eq!(ask(), Err(RateLimited { retry_after: 20 }));
    clock.advance(Duration::from_millis(900));
    // Rounded up: otherwise the client would return too early.
    assert_eq!(ask(), Err(RateLimited { retry_after: 20 }));
    clock.advance(Duration::from_millis(19_099));
    assert_eq!(ask(), Err(RateLimited { retry_after: 1 }));
    clock.advance(Duration::from_millis(1));
    assert_eq!([ask(), ask()], [Ok(()), Err(RateLimited { retry_after: 20 })]);
}

#[test]
fn each_network_and_operation_has_its_own_bucket() {
    let (rate_limiter, _) = rate_limiter("1/hour", "1/hour", "100/second");
    let refused = Err(RateLimited { retry_after: 3600 });
    let ask = |client| result(rate_limiter.admit(Operation::LogIn, client));
    assert_eq!(ask(network("192.0.2.1")), Ok(()));
    assert_eq!(ask(network("192.0.2.1")), refused);
    assert_eq!(ask(network("::ffff:192.0.2.1")), refused);
    assert_eq!(ask(network("192.0.2.2")), Ok(()));
    assert_eq!(ask(network("2001:db8:0:1::1")), Ok(()));
    assert_eq!(ask(network("2001:db8:0:1:ffff::2")), refused);
    assert_eq!(ask(network("2001:db8:0:2::1")), Ok(()));
    assert_eq!(ask(None.into()), Ok(()));
    assert_eq!(ask(None.into()), refused);
    for other in [Operation::Refresh, Operation::CreateUser, Operation::UpdateUser] {
        assert_eq!(result(rate_limiter.admit(other, network("192.0.2.1"))), Ok(()));
        assert_eq!(result(rate_limiter.admit(other, network("192.0.2.1"))), refused);
    }
}

#[test]
fn one_client_cannot_use_up_the_overall_limit() {
    let (rate_limiter, _) = rate_limiter("2/hour", "1/hour", "3/hour");
    let ask = |client| rate_limiter.admit(Operation::LogIn, network(client)).is_ok();
    assert_eq!([(); 9].map(|()| ask("192.0.2.1")).into_iter().filter(|admitted| *admitted).count(), 2);
    assert!(ask("192.0.2.2"));
    assert!(!ask("192.0.2.2") && !ask("192.0.2.3"));
}

#[test]
fn refreshes_do_not_count_towards_the_overall_limit() {
    let (rate_limiter, _) = rate_limiter("2/hour", "1/hour", "3/hour");
    assert!((0..1000).all(|number| rate_limiter.admit(Operation::Refresh, numbered(number)).is_ok()));
}

#[test]
fn a_known_network_has_a_reserve_of_a_quarter_of_its_rate() {
    let (rate_limiter, clock) = rate_limiter("8/hour", "1/hour", "2/hour");
    let ask = |operation, client| rate_limiter.admit(operation, network(client));
    let good = ask(Operation::LogIn, "192.0.2.1").expect("it is the first");
    rate_limiter.succeeded(&good);
    // A success makes only its own network known, and a refresh makes none known.
    rate_limiter.refreshed(&ask(Operation::Refresh, "192.0.2.2").expect("it is the first"));
    ask(Operation::LogIn, "192.0.2.3").expect("one is left");
    assert_eq!(result(ask(Operation::LogIn, "192.0.2.2")), Err(RateLimited { retry_after: 1800 }));
    let admitted = || [(); 3].map(|()| ask(Operation::LogIn, "192.0.2.1").is_ok());
    assert_eq!(admitted(), [true, true, false]);
    clock.advance(Duration::from_secs(30 * 60));
    // Another client has taken the overall limit. The reserve has also refilled at a quarter of the rate.
    ask(Operation::LogIn, "192.0.2.4").expect("one is left again");
    assert_eq!(admitted(), [true, false, false]);
}

#[test]
fn a_success_makes_a_network_known_for_an_hour_and_a_refresh_extends_it() {
    let (rate_limiter, clock) = rate_limiter("1000/second", "1/hour", "1000/second");
    let ask = |client| rate_limiter.admit(Operation::LogIn, network(client)).expect("nothing is limited");
    for client in ["192.0.2.1", "192.0.2.2"] {
        assert!(!ask(client).is_known);
        rate_limiter.succeeded(&ask(client));
    }
    for _ in 0..4 {
        clock.advance(Duration::from_secs(3600));
        rate_limiter.refreshed(&ask("192.0.2.1"));
    }
    assert!(ask("192.0.2.1").is_known);
    assert!(!ask("192.0.2.2").is_known);
    clock.advance(Duration::from_secs(2 * 3600));
    assert!(!ask("192.0.2.1").is_known, "no request for two hours");
}

#[test]
fn known_networks_are_bounded_and_the_latest_stay() {
    let (rate_limiter, _) = rate_limiter("1/hour", "1/hour", "1000000/second");
    let max = u32::try_from(MAX_KEYS).expect("it fits");
    let succeeds = |number| {
        let admission = Admission { network: numbered(number), is_known: false };
        rate_limiter.succeeded(&admission);
    };
    for number in 0..2 * max {
        succeeds(number);
        // A network that keeps returning stays known.
        succeeds(max + 7);
        assert!(rate_limiter.0.known.len() <= MAX_KEYS);
    }
    for (number, is_known) in [(0, false), (2 * max - max / 2, true), (2 * max - 1, true), (max + 7, true)] {
        let admission = rate_limiter.admit(Operation::Refresh, numbered(number)).expect("it is the first");
        assert_eq!(admission.is_known, is_known, "{number}");
    }
}

#[test]
fn each_name_has_its_own_bucket() {
    let (rate_limiter, _) = rate_limiter("100/hour", "2/hour", "100/hour");
    assert_eq!(
        ["ann", "ann", "ann", "bob"].map(|name| rate_limiter.admit_login(name, None, numbered(1)).is_ok()),
        [true, true, false, true]
    );
}

#[test]
fn guesses_from_other_networks_do_not_limit_a_returning_user() {
    let (rate_limiter, _) = rate_limiter("100/hour", "2/hour", "1000/hour");
    let guess = |number| rate_limiter.admit_login("ann", None, numbered(number)).is_ok();
    assert_eq!([1, 2, 3, 4].map(guess), [true, true, false, false]);
    let returns = |number| rate_limiter.admit_login("ann", Some(ANN), numbered(number)).is_ok();
    // Each network from which the user returns has its own bucket.
    assert_eq!([9, 9, 9, 10].map(returns), [true, true, false, true]);
}

/// A client cannot lock out all others with many logins under one name.
#[test]
fn logins_under_one_name_do_not_use_up_the_overall_limit() {
    let (rate_limiter, _) = rate_limiter("100/hour", "1/hour", "3/hour");
    for number in 0..50 {
        assert_eq!(rate_limiter.admit_login("ann", None, numbered(number)).is_ok(), number == 0);
    }
    assert_eq!(
        ["bob", "eve", "joe"].map(|name| rate_limiter.admit_login(name, None, numbered(99)).is_ok()),
        [true, true, false]
    );
}

#[test]
fn admits_every_request_without_limits() {
    let rate_limiter = RateLimiter::new(None);
    for _ in 0..10_000 {
        assert!(rate_limiter.admit(Operation::LogIn, None.into()).is_ok());
        assert!(rate_limiter.admit_login("ann", None, None.into()).is_ok());
    }
}

#[test]
fn keys_are_bounded_and_never_share_a_bucket() {
    let (rate_limiter, clock) = rate_limiter("2/minute", "1/hour", "1000000/second");
    let ask = |number: u32| rate_limiter.admit(Operation::LogIn, numbered(number)).is_ok();
    let keys = || rate_limiter.0.buckets.as_ref().map_or(0, |buckets| buckets.by_address.len());
    let max = u32::try_from(MAX_KEYS).expect("it fits");
    assert_eq!([ask(0), ask(0), ask(0)], [true, true, false]);
    for number in 1..3 * max {
        assert!(ask(number), "{number} shares a bucket");
        assert!(keys() <= MAX_KEYS);
    }
    // An empty bucket stays longer than fuller ones.
    assert!(!ask(0));
    clock.advance(Duration::from_secs(121));
    assert!(ask(0));
    assert_eq!(keys(), 1);
}

#[test]
fn an_invalid_rate_is_named_in_the_error() {
    assert_eq!(rate("5 / second"), Rate(Quota::per_second(NonZeroU32::MIN.saturating_add(4))));
    for invalid in ["", "60", "/minute", "0/minute", "-1/minute", "60/day", "1000001/hour", "1.5/second"] {
        let error = invalid.parse::<Rate>().expect_err(invalid);
        assert!(error.to_string().starts_with(&format!("{invalid:?}; expected a number")), "{error}");
    }
}
