//! Store in the memory of this process.
//!
//! Each method takes the lock of users and ships once, and checks and writes under it. It awaits nothing meanwhile, and a
//! panic elsewhere does not poison the lock.

mod families;
mod figures;
mod ids;
mod index;
pub mod initial_data;
pub(super) mod list;
mod page;
mod page_selector;
mod rows;
mod sessions;
mod ships;
mod user_record;
mod users;

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use self::index::Index;
use self::page_selector::PageSelector;
use self::ships::Ships;
use self::users::Users;
use super::initial_rows::InitialRows;
use super::StoreLimits;
use crate::auth::rate_limit::{RateLimiter, Rates};
use crate::auth::revocation::{Revocations, ValidAfter};
use crate::json::Style;
use crate::model::ship::ShipInput;
use crate::model::user::UserInput;

/// The users and ships of a server, its logins and its rate limits. Clones share them.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    style: Style,
    state: RwLock<State>,
    /// Locked apart from `state`.
    revoked: Revocations,
    rate_limiter: RateLimiter,
    page_selector: PageSelector,
    /// Locked before `state`.
    ship_index: Mutex<Index<ShipInput>>,
    /// Locked before `state`.
    user_index: Mutex<Index<UserInput>>,
}

#[derive(Debug)]
struct State {
    ships: Ships,
    users: Users,
    limits: StoreLimits,
    /// Tokens from before the start are refused: their users and revocations are lost.
    start: ValidAfter,
}

/// How a store in memory starts.
#[derive(Clone, Debug, Default)]
pub struct MemoryConfig {
    /// Limits of what is added later.
    pub limits: StoreLimits,
    /// The style of JSON texts.
    pub style: Style,
    /// The rate limits, if there are any.
    pub rates: Option<Rates>,
    /// The time, in seconds since 1970. Tokens that were issued before are refused.
    pub now: u64,
}

impl Memory {
    /// A store with these users and ships.
    #[must_use]
    pub fn new(rows: InitialRows, config: &MemoryConfig) -> Self {
        let MemoryConfig { limits, style, rates, now } = *config;
        let (users, ships) = (Users::new(rows.users, style), Ships::new(&rows.ships, style));
        let start = ValidAfter::at(now, ValidAfter::SERVER_CAPACITY);
        Self(Arc::new(Shared {
            style,
            state: RwLock::new(State { ships, users, limits, start }),
            revoked: Revocations::new(limits.revocations),
            rate_limiter: RateLimiter::new(rates),
            page_selector: PageSelector::new(),
            ship_index: Mutex::default(),
            user_index: Mutex::default(),
        }))
    }

    /// Runs `work` while no other thread can read or write: for tests of a panic at that time.
    #[doc(hidden)]
    pub fn while_locked<T>(&self, work: impl FnOnce() -> T) -> T {
        let _state = self.0.state.write();
        work()
    }
}

#[cfg(test)]
mod tests;
