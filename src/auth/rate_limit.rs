//! Rate limits: by network, by user name, and overall. No HTTP here.
//!
//! Each limit is a bucket of the generic cell rate algorithm: `60/minute` lets 60 through at once, and then one
//! each second. What a bucket refuses takes nothing from it; what a later one refuses has taken from those before.
//!
//! A stranger must not be able to use up what others need:
//! - Only work that costs much, or changes something, is counted, and only once all cheap checks have passed.
//!   Such work takes an [`Admission`], so none can be forgotten.
//! - The overall limit protects the processor from passwords, so it counts what hashes one; a refresh does not.
//!   Networks with a recent success have a reserve of their own for when strangers have used up the overall limit.
//! - Logins under one name are limited for all clients, except those from a network from which that user has
//!   logged in: they are limited by themselves (OWASP Authentication Cheat Sheet, device cookies).
//!
//! The time between two requests is measured by a clock that cannot be set ([`Ticker`]).

mod buckets;
#[cfg(test)]
mod tests;

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

/// How long a network counts as known after a success, at least.
const KNOWN_FOR: Duration = Duration::from_secs(3600);

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

impl Operation {
    fn hashes_a_password(self) -> bool {
        match self {
            Self::LogIn | Self::CreateUser | Self::UpdateUser => true,
            Self::Refresh => false,
        }
    }
}

/// So many in such a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(Quota);

impl Rate {
    /// The greatest number of requests.
    pub const MAX: u32 = 1_000_000;

    fn per_minute(count: u32) -> Self {
        Self(Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)))
    }

    /// A quarter of it, both of the burst and of what follows.
    fn quarter(self) -> Self {
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

    /// Reads `60/minute`; the other units are `second` and `hour`.
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
    /// Of one client, which is its [`Network`].
    pub by_address: Rate,
    /// Of logins under one name, whether there is such a user or not: of those from networks from which that user
    /// has logged in each by itself, of all others together.
    pub by_user: Rate,
    /// Of all clients together, for each operation that hashes a password.
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

/// There were too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many requests; the next is accepted in {retry_after} s")]
pub struct RateLimited {
    /// After how many seconds the next is let through; at least 1.
    pub retry_after: u32,
}

/// A request that has been counted and let through. What costs much takes one.
#[derive(Debug)]
pub struct Admission {
    /// Who asks.
    pub(crate) network: Network,
    /// Whether the network had a success lately.
    pub(crate) is_known: bool,
}

/// Counts requests, and refuses those above the limits. Clones share what they count.
#[derive(Clone)]
pub struct RateLimiter<C: Clock = Ticker>(Arc<Shared<C>>);

struct Shared<C: Clock> {
    /// None if nothing is limited.
    buckets: Option<Buckets<C>>,
    /// Networks with a success lately: 1 MB at most.
    known: Recent<Network, C>,
    /// Names are kept as hashes that no other process can make: they are short, and tell nothing.
    hasher: RandomState,
}

struct Buckets<C: Clock> {
    by_address: KeyedLimiter<(Operation, Network), C>,
    /// By the hash of the name.
    by_user: KeyedLimiter<u64, C>,
    by_returning_user: KeyedLimiter<(Id, Network), C>,
    overall: KeyedLimiter<Operation, C>,
    /// Of each known network, when nothing is left overall.
    reserve: KeyedLimiter<(Operation, Network), C>,
}

impl RateLimiter {
    /// Of those limits; with none, everything is let through.
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
    /// Lets a client through, or not. What one network is refused does not count overall.
    ///
    /// # Errors
    /// [`RateLimited`].
    pub fn admit(&self, operation: Operation, client: Network) -> Result<Admission, RateLimited> {
        self.admitted(operation, client, |_| Ok(()))
    }

    /// Lets a login under that name through, or not. `returning` is the user of that name if that user has logged
    /// in from there before.
    ///
    /// # Errors
    /// [`RateLimited`].
    pub fn admit_login(
        &self,
        name: &str,
        returning: Option<Id>,
        client: Network,
    ) -> Result<Admission, RateLimited> {
        // Before the overall limit: many logins under one name must not use that up.
        self.admitted(Operation::LogIn, client, |buckets| match returning {
            Some(user) => buckets.by_returning_user.take(&(user, client)),
            None => buckets.by_user.take(&self.0.hasher.hash_one(name)),
        })
    }

    fn admitted(
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

    /// Takes note that the request proved a password, or the session of a user who changes one: the network is known
    /// from now on.
    pub fn succeeded(&self, admission: &Admission) {
        self.0.known.insert(admission.network);
    }

    /// Takes note that the request proved a session: a network that is known stays so for longer. (It does not become
    /// so: one refresh token, from many networks, would push out all others.)
    pub fn refreshed(&self, admission: &Admission) {
        if admission.is_known {
            self.succeeded(admission);
        }
    }
}
