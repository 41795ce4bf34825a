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

/// What a client is told.
fn told(admitted: Result<Admission, RateLimited>) -> Result<(), RateLimited> {
    admitted.map(drop)
}

#[test]
fn a_burst_is_let_through_and_then_one_in_each_interval() {
    let (rate_limiter, clock) = rate_limiter("3/minute", "1/hour", "100/second");
    let ask = || told(rate_limiter.admit(Operation::LogIn, network("192.0.2.1")));
    assert_eq!([ask(), ask(), ask()], [Ok(()); 3]);
    assert_eq!(ask(), Err(RateLimited { retry_after: 20 }));
    clock.advance(Duration::from_millis(900));
    // Rounded up, or the client would come too early.
    assert_eq!(ask(), Err(RateLimited { retry_after: 20 }));
    clock.advance(Duration::from_millis(19_099));
    assert_eq!(ask(), Err(RateLimited { retry_after: 1 }));
    clock.advance(Duration::from_millis(1));
    assert_eq!([ask(), ask()], [Ok(()), Err(RateLimited { retry_after: 20 })]);
}

#[test]
fn addresses_and_operations_have_buckets_of_their_own_and_networks_share_one() {
    let (rate_limiter, _) = rate_limiter("1/hour", "1/hour", "100/second");
    let refused = Err(RateLimited { retry_after: 3600 });
    let ask = |client| told(rate_limiter.admit(Operation::LogIn, client));
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
        assert_eq!(told(rate_limiter.admit(other, network("192.0.2.1"))), Ok(()));
        assert_eq!(told(rate_limiter.admit(other, network("192.0.2.1"))), refused);
    }
}

#[test]
fn one_client_cannot_use_up_what_all_have_together() {
    let (rate_limiter, _) = rate_limiter("2/hour", "1/hour", "3/hour");
    let ask = |client| rate_limiter.admit(Operation::LogIn, network(client)).is_ok();
    assert_eq!([(); 9].map(|()| ask("192.0.2.1")).into_iter().filter(|let_in| *let_in).count(), 2);
    assert!(ask("192.0.2.2"));
    assert!(!ask("192.0.2.2") && !ask("192.0.2.3"));
}

#[test]
fn many_clients_cannot_use_up_refreshes() {
    let (rate_limiter, _) = rate_limiter("2/hour", "1/hour", "3/hour");
    assert!((0..1000).all(|number| rate_limiter.admit(Operation::Refresh, numbered(number)).is_ok()));
}

#[test]
fn a_known_network_has_a_quarter_of_its_own_when_nothing_is_left_overall() {
    let (rate_limiter, clock) = rate_limiter("8/hour", "1/hour", "2/hour");
    let ask = |operation, client| rate_limiter.admit(operation, network(client));
    let good = ask(Operation::LogIn, "192.0.2.1").expect("it is the first");
    rate_limiter.succeeded(&good);
    // Another's success makes only that network known, and a refresh makes none known.
    rate_limiter.refreshed(&ask(Operation::Refresh, "192.0.2.2").expect("it is the first"));
    ask(Operation::LogIn, "192.0.2.3").expect("there is one left");
    assert_eq!(told(ask(Operation::LogIn, "192.0.2.2")), Err(RateLimited { retry_after: 1800 }));
    let asked = || [(); 3].map(|()| ask(Operation::LogIn, "192.0.2.1").is_ok());
    assert_eq!(asked(), [true, true, false]);
    clock.advance(Duration::from_secs(30 * 60));
    // One that came in between has taken what was left overall; it is a quarter of the rate as well.
    ask(Operation::LogIn, "192.0.2.4").expect("there is one again");
    assert_eq!(asked(), [true, false, false]);
}

#[test]
fn a_network_is_known_for_an_hour_after_a_success_and_a_refresh_prolongs_that() {
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
    assert!(!ask("192.0.2.1").is_known, "nothing came for two hours");
}

#[test]
fn known_networks_have_a_bound_and_the_latest_stay() {
    let (rate_limiter, _) = rate_limiter("1/hour", "1/hour", "1000000/second");
    let most = u32::try_from(MAX_KEYS).expect("it fits");
    let succeeds = |number| {
        let admission = Admission { network: numbered(number), is_known: false };
        rate_limiter.succeeded(&admission);
    };
    for number in 0..2 * most {
        succeeds(number);
        // Who comes again and again stays.
        succeeds(most + 7);
        assert!(rate_limiter.0.known.len() <= MAX_KEYS);
    }
    for (number, is_known) in
        [(0, false), (2 * most - most / 2, true), (2 * most - 1, true), (most + 7, true)]
    {
        let asked = rate_limiter.admit(Operation::Refresh, numbered(number)).expect("it is the first");
        assert_eq!(asked.is_known, is_known, "{number}");
    }
}

#[test]
fn names_have_buckets_of_their_own() {
    let (rate_limiter, _) = rate_limiter("100/hour", "2/hour", "100/hour");
    assert_eq!(
        ["ann", "ann", "ann", "bob"].map(|name| rate_limiter.admit_login(name, None, numbered(1)).is_ok()),
        [true, true, false, true]
    );
}

#[test]
fn what_strangers_guess_is_none_of_a_returning_users_business() {
    let (rate_limiter, _) = rate_limiter("100/hour", "2/hour", "1000/hour");
    let guess = |number| rate_limiter.admit_login("ann", None, numbered(number)).is_ok();
    assert_eq!([1, 2, 3, 4].map(guess), [true, true, false, false]);
    let returns = |number| rate_limiter.admit_login("ann", Some(ANN), numbered(number)).is_ok();
    // Each network from which the user returns has its own.
    assert_eq!([9, 9, 9, 10].map(returns), [true, true, false, true]);
}

/// A client cannot shut out all others by logging in again and again under one name.
#[test]
fn logins_under_one_name_do_not_use_up_what_all_have_together() {
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
fn without_limits_everything_is_let_through() {
    let rate_limiter = RateLimiter::new(None);
    for _ in 0..10_000 {
        assert!(rate_limiter.admit(Operation::LogIn, None.into()).is_ok());
        assert!(rate_limiter.admit_login("ann", None, None.into()).is_ok());
    }
}

#[test]
fn no_more_keys_are_kept_than_may_be_and_none_shares_a_bucket() {
    let (rate_limiter, clock) = rate_limiter("2/minute", "1/hour", "1000000/second");
    let ask = |number: u32| rate_limiter.admit(Operation::LogIn, numbered(number)).is_ok();
    let kept = || rate_limiter.0.buckets.as_ref().map_or(0, |buckets| buckets.by_address.len());
    let most = u32::try_from(MAX_KEYS).expect("it fits");
    assert_eq!([ask(0), ask(0), ask(0)], [true, true, false]);
    for number in 1..3 * most {
        assert!(ask(number), "{number} shares a bucket");
        assert!(kept() <= MAX_KEYS);
    }
    // Who has used up its bucket is not forgotten before those who have not.
    assert!(!ask(0));
    clock.advance(Duration::from_secs(121));
    assert!(ask(0));
    assert_eq!(kept(), 1);
}

#[test]
fn what_is_no_rate_is_named() {
    assert_eq!(rate("5 / second"), Rate(Quota::per_second(NonZeroU32::MIN.saturating_add(4))));
    for wrong in ["", "60", "/minute", "0/minute", "-1/minute", "60/day", "1000001/hour", "1.5/second"] {
        let error = wrong.parse::<Rate>().expect_err(wrong);
        assert!(error.to_string().starts_with(&format!("{wrong:?}; expected a number")), "{error}");
    }
}
