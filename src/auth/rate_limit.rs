//! Rate limits: by network, by user name, and overall.
//!
//! Each limit is a token bucket (generic cell rate algorithm): `60/minute` admits a burst of 60 requests, and then one
//! request each second. A rejected request takes nothing from the bucket that rejects it, but it has taken from the
//! buckets before.
//!
//! An attacker must not be able to lock out other clients:
//! - Only requests that are expensive or change data are counted, and only after all cheap checks. The functions that do
//!   such work take an [`Admission`], so no caller can skip the count.
//! - The overall limit protects the processor, so it counts the operations that hash a password; a refresh does not.
//!   Networks with a recent success have a reserve for when other clients have used up the overall limit.
//! - Logins under one name share a limit across all clients, except from networks from which that user has logged in:
//!   each of them has its own limit (OWASP Authentication Cheat Sheet, device cookies).
//!
//! Time between requests is measured with a monotonic clock ([`Ticker`]).

mod buckets;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock;
use governor::Quota;

use thiserror::Error;

use self::buckets::{KeyedLimiter, Recent};
use crate::auth::clock::Ticker;
use crate::auth::network::Network;
use crate::model::id::Id;

/// The minimum time for which a network counts as known after a success.
const KNOWN_FOR: Duration = Duration::from_secs(3600);

/// An operation with a rate limit. Each has its own buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A login.
    LogIn,
    /// A refresh.
    Refresh,
    /// A new user.
    CreateUser,
    /// A change of a user's name and password.
    UpdateUser,
}

impl Operation {
    fn hashes_a_password(self) -> bool {
        match self {
            Self::LogIn | Self::CreateUser | Self::UpdateUser => true,
            Self::Refresh => false,
        }
    }
}

/// A number of requests in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(Quota);

impl Rate {
    /// The maximum number of requests.
    pub const MAX: u32 = 1_000_000;

    fn per_minute(count: u32) -> Self {
        Self(Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)))
    }

    /// The most requests at once.
    pub(crate) fn burst(self) -> u32 {
        self.0.burst_size().get()
    }

    /// The time after which one more request is admitted.
    pub(crate) fn interval(self) -> Duration {
        self.0.replenish_interval()
    }

    /// A quarter of the burst size and of the refill rate.
    pub(crate) fn quarter(self) -> Self {
        let Self(quota) = self;
        let burst = NonZeroU32::new(quota.burst_size().get() / 4).unwrap_or(NonZeroU32::MIN);
        let quarter = Quota::with_period(quota.replenish_interval() * 4).unwrap_or(quota);
        Self(quarter.allow_burst(burst))
    }
}

/// The text is not a [`Rate`].
#[derive(Debug, Error)]
#[error("{0:?}; expected a number from 1 to {most} and a unit, such as \"60/minute\"", most = Rate::MAX)]
pub struct InvalidRate(String);

impl FromStr for Rate {
    type Err = InvalidRate;

    /// Parses `60/minute`; the other units are `second` and `hour`.
    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let expected = || InvalidRate(text.to_owned());
        let (count, unit) = text.split_once('/').ok_or_else(expected)?;
        let count: NonZeroU32 = count.trim().parse().map_err(|_| expected())?;
        if count.get() > Self::MAX {
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
    /// Requests of one client [`Network`].
    pub by_address: Rate,
    /// Logins under one name, whether the user exists or not. Each network from which that user has logged in has its own
    /// limit; all others share one.
    pub by_user: Rate,
    /// Requests of all clients together, for each operation that hashes a password.
    pub overall: Rate,
}

impl Rates {
    /// Requests of one client a minute: a classroom of 30 behind one address can try the same line at once.
    pub const BY_ADDRESS: u32 = 120;
    /// Logins under one name a minute. An attacker gets 43,000 guesses at a password a day; a list of leaked
    /// passwords has millions.
    pub const BY_USER: u32 = 30;
    /// Requests of all clients a minute. A password costs 16 ms of a core, so all logins together take a third of one.
    pub const OVERALL: u32 = 1200;
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            by_address: Rate::per_minute(Self::BY_ADDRESS),
            by_user: Rate::per_minute(Self::BY_USER),
            overall: Rate::per_minute(Self::OVERALL),
        }
    }
}

/// A rate limit was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many requests; the next is accepted in {retry_after} s")]
pub struct RateLimited {
    /// The number of seconds after which the next request is admitted; at least 1.
    pub retry_after: u32,
}

/// Proof that a request was counted and admitted. Expensive operations require one.
#[derive(Debug)]
pub struct Admission {
    /// The client's network.
    pub(crate) network: Network,
    /// Whether the network had a recent success.
    pub(crate) is_known: bool,
}

impl Admission {
    /// An admission of an unknown network without a count, for tests of what needs one.
    #[doc(hidden)]
    #[must_use]
    pub fn uncounted(network: Network) -> Self {
        Self { network, is_known: false }
    }
}

/// Counts requests, and rejects those above the limits. Clones share their counts.
#[derive(Clone)]
pub struct RateLimiter<C: Clock = Ticker>(Arc<Shared<C>>);

struct Shared<C: Clock> {
    /// `None` if nothing is limited.
    buckets: Option<Buckets<C>>,
    /// Networks with a recent success: at most 1 MB.
    known: Recent<Network, C>,
    /// User names are stored as keyed hashes: short, and meaningless outside this process.
    hasher: RandomState,
}

struct Buckets<C: Clock> {
    by_address: KeyedLimiter<(Operation, Network), C>,
    /// By hash of the user name.
    by_user: KeyedLimiter<u64, C>,
    by_returning_user: KeyedLimiter<(Id, Network), C>,
    overall: KeyedLimiter<Operation, C>,
    /// For known networks, when the overall limit is used up.
    reserve: KeyedLimiter<(Operation, Network), C>,
}

impl<C: Clock> fmt::Debug for RateLimiter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RateLimiter(..)")
    }
}

impl RateLimiter {
    /// A rate limiter with these limits; with `None` it admits every request.
    #[must_use]
    pub fn new(rates: Option<Rates>) -> Self {
        Self::with_clock(rates, &Ticker::default())
    }
}

impl<C: Clock + Clone> RateLimiter<C> {
    fn with_clock(rates: Option<Rates>, clock: &C) -> Self {
        let buckets = rates.map(|Rates { by_address, by_user, overall }| Buckets {
            by_address: KeyedLimiter::new(by_address, clock),
            by_user: KeyedLimiter::new(by_user, clock),
            by_returning_user: KeyedLimiter::new(by_user, clock),
            overall: KeyedLimiter::new(overall, clock),
            reserve: KeyedLimiter::new(by_address.quarter(), clock),
        });
        let known = Recent::new(KNOWN_FOR, clock.clone());
        Self(Arc::new(Shared { buckets, known, hasher: RandomState::new() }))
    }
}

impl<C: Clock> RateLimiter<C> {
    /// Admits or rejects a request. A request that the limit of its network rejects does not count overall.
    ///
    /// # Errors
    /// [`RateLimited`].
    pub fn admit(&self, operation: Operation, client: Network) -> Result<Admission, RateLimited> {
        self.check(operation, client, |_| Ok(()))
    }

    /// Admits or rejects a login under a name. `returning` is the user with that name, if that user has logged in from
    /// this network before.
    ///
    /// # Errors
    /// [`RateLimited`].
    pub fn admit_login(
        &self,
        name: &str,
        returning: Option<Id>,
        client: Network,
    ) -> Result<Admission, RateLimited> {
        // Checked before the overall limit, which many logins under one name must not use up.
        self.check(Operation::LogIn, client, |buckets| match returning {
            Some(user) => buckets.by_returning_user.take(&(user, client)),
            None => buckets.by_user.take(&self.0.hasher.hash_one(name)),
        })
    }

    fn check(
        &self,
        operation: Operation,
        client: Network,
        by_user: impl FnOnce(&Buckets<C>) -> Result<(), RateLimited>,
    ) -> Result<Admission, RateLimited> {
        let is_known = self.0.known.contains(&client);
        if let Some(buckets) = &self.0.buckets {
            buckets.by_address.take(&(operation, client))?;
            by_user(buckets)?;
            if operation.hashes_a_password() {
                match buckets.overall.take(&operation) {
                    Err(_) if is_known => buckets.reserve.take(&(operation, client))?,
                    taken => taken?,
                }
            }
        }
        Ok(Admission { network: client, is_known })
    }

    /// Records that the request proved a password, or the session of a user who changes the password: its network is
    /// known from now on.
    pub fn succeeded(&self, admission: &Admission) {
        self.0.known.insert(admission.network);
    }

    /// Records that the request proved a session: a known network stays known for longer. An unknown network does not
    /// become known: one refresh token, used from many networks, would push out all others.
    pub fn refreshed(&self, admission: &Admission) {
        if admission.is_known {
            self.succeeded(admission);
        }
    }
}
