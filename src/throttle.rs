//! How often a client may ask for what costs much: by address, by user name, and overall. No HTTP here.
//!
//! Each limit is a bucket of the generic cell rate algorithm: `60/minute` lets 60 through at once, and then one
//! each second. What a bucket refuses takes nothing from it; what a later one refuses has taken from those before.
//!
//! The time between two requests is measured by a clock that nobody can set ([`Ticker`]).

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::{HashMapStateStore, ShrinkableKeyedStateStore};
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;

use crate::clock::Ticker;

/// The greatest number of addresses, and of names, that are told apart. All that come when so many have been
/// here lately share one bucket: 32,768 names of 64 characters are 10 MB at most.
const MOST_KEYS: usize = 32_768;

/// How often those who have not been here lately are forgotten.
const PRUNED_EVERY: Duration = Duration::from_secs(10);

/// What is limited. Each has buckets of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A login.
    LogIn,
    /// A refresh.
    Refresh,
    /// A new user.
    CreateUser,
    /// A user's new name and password.
    UpdateUser,
}

/// So many in such a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(Quota);

impl Rate {
    const MOST: u32 = 1_000_000;

    fn per_minute(count: u32) -> Self {
        Self(Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)))
    }
}

impl FromStr for Rate {
    type Err = String;

    /// Reads `60/minute`; the other units are `second` and `hour`.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!("{text:?}; expected a number from 1 to {} and a unit, such as \"60/minute\"", Self::MOST)
        };
        let (count, unit) = text.split_once('/').ok_or_else(expected)?;
        let count: NonZeroU32 = count.trim().parse().map_err(|_| expected())?;
        if count.get() > Self::MOST {
            return Err(expected());
        }
        match unit.trim() {
            "second" => Ok(Self(Quota::per_second(count))),
            "minute" => Ok(Self(Quota::per_minute(count))),
            "hour" => Ok(Self(Quota::per_hour(count))),
            _ => Err(expected()),
        }
    }
}

/// The limits of each operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Of one client. IPv6 addresses count by their first 64 bits, which is the least that anybody is given
    /// (RFC 6177, section 2).
    pub by_address: Rate,
    /// Of logins under one name, whoever sends them and whether there is such a user or not.
    pub by_user: Rate,
    /// Of all clients together.
    pub overall: Rate,
}

impl Default for Rates {
    /// A classroom of 30 behind one address, all trying the same line, is let in at once. Whoever guesses the
    /// password of one user has 43 thousand guesses a day, where a list of leaked passwords has millions. The
    /// default cost of a password takes 16 ms of a core, so that all logins together take a third of one.
    fn default() -> Self {
        Self {
            by_address: Rate::per_minute(120),
            by_user: Rate::per_minute(30),
            overall: Rate::per_minute(1200),
        }
    }
}

/// There were too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// After how many seconds the next is let through; at least 1.
    pub wait: u32,
}

/// Counts requests, and refuses those above the limits. Clones share what they count.
#[derive(Clone)]
pub struct Throttle<C: Clock = Ticker>(Option<Arc<Buckets<C>>>);

struct Buckets<C: Clock> {
    by_address: Keyed<(Operation, Option<IpAddr>), C>,
    by_user: Keyed<String, C>,
    overall: Keyed<Operation, C>,
}

impl Throttle {
    /// Of those limits; with none, everything is let through.
    #[must_use]
    pub fn new(rates: Option<Rates>) -> Self {
        Self::with_clock(rates, &Ticker::default())
    }
}

impl<C: Clock + Clone> Throttle<C> {
    fn with_clock(rates: Option<Rates>, clock: &C) -> Self {
        Self(rates.map(|Rates { by_address, by_user, overall }| {
            Arc::new(Buckets {
                by_address: Keyed::new(by_address, clock),
                by_user: Keyed::new(by_user, clock),
                overall: Keyed::new(overall, clock),
            })
        }))
    }
}

impl<C: Clock> Throttle<C> {
    /// Lets a client through, or not. Clients without an address, within this process, count as one. What the
    /// address is refused does not count overall: one address alone cannot keep out all others. (Ten networks can.)
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn admit(&self, operation: Operation, client: Option<IpAddr>) -> Result<(), TooMany> {
        let Some(buckets) = &self.0 else { return Ok(()) };
        buckets.by_address.take(&(operation, client.map(network)))?;
        buckets.overall.take(&operation)
    }

    /// Lets a login under that name through, or not. A name is as long as names can be, at most.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn admit_login_of(&self, name: &str) -> Result<(), TooMany> {
        let Some(buckets) = &self.0 else { return Ok(()) };
        buckets.by_user.take(&name.to_owned())
    }
}

/// What counts as one client.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// A bucket for each key.
struct Keyed<K: Hash + Eq + Clone, C: Clock> {
    buckets: RateLimiter<K, Bounded<K>, C, NoOpMiddleware<C::Instant>>,
    /// When those that are full again were last forgotten.
    pruned: Mutex<C::Instant>,
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> Keyed<K, C> {
    fn new(Rate(quota): Rate, clock: &C) -> Self {
        let buckets = RateLimiter::new(quota, Bounded::default(), clock.clone());
        Self { buckets, pruned: Mutex::new(clock.now()) }
    }
}

impl<K: Hash + Eq + Clone, C: Clock> Keyed<K, C> {
    fn take(&self, key: &K) -> Result<(), TooMany> {
        self.prune();
        self.buckets.check_key(key).map(drop).map_err(|until| {
            let wait = until.wait_time_from(self.buckets.clock().now());
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            TooMany { wait: u32::try_from(seconds).unwrap_or(u32::MAX).max(1) }
        })
    }

    /// Forgets those of whom nothing is to be known any more, now and then.
    fn prune(&self) {
        let now = self.buckets.clock().now();
        // Who finds it taken need not wait: somebody else is at it.
        let Some(mut pruned) = self.pruned.try_lock() else { return };
        if now.duration_since(*pruned) >= Nanos::from(PRUNED_EVERY) {
            *pruned = now;
            self.buckets.retain_recent();
            self.buckets.shrink_to_fit();
        }
    }
}

/// The states of at most [`MOST_KEYS`] buckets, and of one more for all others.
struct Bounded<K> {
    each: HashMapStateStore<K>,
    others: InMemoryState,
}

impl<K> Default for Bounded<K> {
    fn default() -> Self {
        Self { each: Mutex::new(HashMap::new()), others: InMemoryState::default() }
    }
}

impl<K: Hash + Eq + Clone> StateStore for Bounded<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut each = self.each.lock();
        let state = if each.len() < MOST_KEYS {
            each.entry(key.clone()).or_default()
        } else {
            each.get(key).unwrap_or(&self.others)
        };
        state.measure_and_replace(&NotKeyed::NonKey, measure)
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Bounded<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.each.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        self.each.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.each.len()
    }

    fn is_empty(&self) -> bool {
        self.each.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().expect("a rate")
    }

    fn throttle(
        by_address: &str,
        by_user: &str,
        overall: &str,
    ) -> (Throttle<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let rates = Rates { by_address: rate(by_address), by_user: rate(by_user), overall: rate(overall) };
        (Throttle::with_clock(Some(rates), &clock), clock)
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn a_burst_is_let_through_and_then_one_in_each_interval() {
        let (throttle, clock) = throttle("3/minute", "1/hour", "100/second");
        let ask = || throttle.admit(Operation::LogIn, address("192.0.2.1"));
        assert_eq!([ask(), ask(), ask()], [Ok(()); 3]);
        assert_eq!(ask(), Err(TooMany { wait: 20 }));
        clock.advance(Duration::from_millis(900));
        // Rounded up, or the client would come too early.
        assert_eq!(ask(), Err(TooMany { wait: 20 }));
        clock.advance(Duration::from_millis(19_099));
        assert_eq!(ask(), Err(TooMany { wait: 1 }));
        clock.advance(Duration::from_millis(1));
        assert_eq!([ask(), ask()], [Ok(()), Err(TooMany { wait: 20 })]);
    }

    #[test]
    fn addresses_and_operations_have_buckets_of_their_own_and_networks_share_one() {
        let (throttle, _) = throttle("1/hour", "1/hour", "100/second");
        let refused = Err(TooMany { wait: 3600 });
        let ask = |client| throttle.admit(Operation::LogIn, client);
        assert_eq!(ask(address("192.0.2.1")), Ok(()));
        assert_eq!(ask(address("192.0.2.1")), refused);
        assert_eq!(ask(address("::ffff:192.0.2.1")), refused);
        assert_eq!(ask(address("192.0.2.2")), Ok(()));
        assert_eq!(ask(address("2001:db8:0:1::1")), Ok(()));
        assert_eq!(ask(address("2001:db8:0:1:ffff::2")), refused);
        assert_eq!(ask(address("2001:db8:0:2::1")), Ok(()));
        assert_eq!(ask(None), Ok(()));
        assert_eq!(ask(None), refused);
        for other in [Operation::Refresh, Operation::CreateUser, Operation::UpdateUser] {
            assert_eq!(throttle.admit(other, address("192.0.2.1")), Ok(()));
            assert_eq!(throttle.admit(other, address("192.0.2.1")), refused);
        }
    }

    #[test]
    fn one_client_cannot_use_up_what_all_have_together() {
        let (throttle, _) = throttle("2/hour", "1/hour", "3/hour");
        let ask = |client| throttle.admit(Operation::LogIn, address(client)).is_ok();
        assert_eq!([(); 9].map(|()| ask("192.0.2.1")).into_iter().filter(|let_in| *let_in).count(), 2);
        assert!(ask("192.0.2.2"));
        assert!(!ask("192.0.2.2") && !ask("192.0.2.3"));
        assert!(throttle.admit(Operation::Refresh, address("192.0.2.3")).is_ok());
    }

    #[test]
    fn names_have_buckets_of_their_own() {
        let (throttle, _) = throttle("1/hour", "2/hour", "1/hour");
        assert_eq!(
            ["ann", "ann", "ann", "bob"].map(|name| throttle.admit_login_of(name).is_ok()),
            [true, true, false, true]
        );
    }

    #[test]
    fn without_limits_everything_is_let_through() {
        let throttle = Throttle::new(None);
        for _ in 0..10_000 {
            assert_eq!(throttle.admit(Operation::LogIn, None), Ok(()));
            assert_eq!(throttle.admit_login_of("ann"), Ok(()));
        }
    }

    #[test]
    fn no_more_keys_are_kept_than_may_be_and_those_beyond_share_a_bucket() {
        let (throttle, clock) = throttle("1/minute", "1/hour", "1000000/second");
        let ask = |number: u32| throttle.admit(Operation::LogIn, Some(IpAddr::from(number.to_be_bytes())));
        let kept = || throttle.0.as_ref().map_or(0, |buckets| buckets.by_address.buckets.len());
        let most = u32::try_from(MOST_KEYS).expect("it fits");
        for number in 0..most {
            assert_eq!(ask(number), Ok(()));
        }
        assert_eq!(kept(), MOST_KEYS);
        assert_eq!(ask(most), Ok(()));
        assert!((1..1000).all(|number| ask(most + number).is_err()));
        // Those who were here are told apart all the same.
        assert!(ask(0).is_err());
        assert_eq!(kept(), MOST_KEYS);
        // What is forgotten is as good as never seen, and so twice as old as it would have to be.
        clock.advance(Duration::from_secs(121));
        assert_eq!([ask(0), ask(most), ask(most + 1)], [Ok(()); 3]);
        assert_eq!(kept(), 3);
    }

    #[test]
    fn what_is_no_rate_is_named() {
        assert_eq!(rate("5 / second"), Rate(Quota::per_second(NonZeroU32::MIN.saturating_add(4))));
        for wrong in ["", "60", "/minute", "0/minute", "-1/minute", "60/day", "1000001/hour", "1.5/second"] {
            let error = wrong.parse::<Rate>().expect_err(wrong);
            assert!(error.starts_with(&format!("{wrong:?}; expected a number")), "{error}");
        }
    }
}
