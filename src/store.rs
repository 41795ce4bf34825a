//! Store: users and ships in memory, and the rules that hold between them. No HTTP here.
//!
//! Each method takes the lock once, and checks and writes under it. It awaits nothing meanwhile, and a panic elsewhere does
//! not poison the lock.

pub mod accounts;
mod error;
mod families;
mod ids;
mod index;
pub mod initial_data;
mod list;
mod page;
pub mod page_selector;
mod precondition;
mod rows;
pub mod seed;
mod sessions;
mod ships;
pub mod sql;
mod user_record;
mod users;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

pub use self::error::{
    AccessSessionError, CreateShipError, CreateUserError, DeleteError, GetError, RefreshSessionError,
    UpdateShipError, UpdateUserError,
};
pub use self::families::Rotation;
use self::index::Index;
pub use self::list::List;
pub use self::page::Page;
pub use self::precondition::{Precondition, PreconditionError, Revisions};
use self::ships::Ships;
use self::users::Users;
pub use self::users::{HashedUser, StoredUser, UserChange};
use crate::auth::revocation::ValidAfter;
use crate::json::Style;
use crate::model::id::Id;
use crate::model::ship::{Ship, ShipInput};
use crate::model::user::UserInput;

/// Limits of what the store takes, so that memory has a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// The most users.
    pub users: usize,
    /// The most ships.
    pub ships: usize,
    /// The most logged-out tokens that have not expired yet.
    pub revocations: usize,
}

impl StoreLimits {
    /// With the longest names and texts in ASCII these are 115, 420 and 30 MB.
    pub const DEFAULT: Self = Self { users: 100_000, ships: 100_000, revocations: 1_000_000 };
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The users and ships of a server. Clones share them.
#[derive(Clone, Debug)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    style: Style,
    state: RwLock<State>,
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
    /// Since when tokens are accepted; none if the users and ships were never replaced.
    started_over: Option<ValidAfter>,
}

impl Default for Store {
    fn default() -> Self {
        Self::new(BTreeMap::new(), BTreeMap::new())
    }
}

impl Store {
    /// A store with these users and ships, with the default limits and compact JSON. Names must be unique.
    #[must_use]
    pub fn new(users: BTreeMap<Id, StoredUser>, ships: BTreeMap<Id, Ship>) -> Self {
        Self::with_limits(users, ships, StoreLimits::default(), Style::Compact)
    }

    /// A store with these users and ships, which gives JSON in `style`. `limits` apply to what is added later.
    #[must_use]
    pub fn with_limits(
        users: BTreeMap<Id, StoredUser>,
        ships: BTreeMap<Id, Ship>,
        limits: StoreLimits,
        style: Style,
    ) -> Self {
        let (users, ships) = (Users::new(users, style), Ships::new(&ships, style));
        Self(Arc::new(Shared {
            style,
            state: RwLock::new(State { ships, users, limits, started_over: None }),
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
