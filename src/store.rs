//! Users and ships in memory, and the rules that hold between them. No HTTP here.
//!
//! Every method takes the lock once, and checks and writes under it. Nothing is awaited meanwhile, and a
//! panic elsewhere does not poison the lock.

pub mod accounts;
mod error;
mod rows;
pub mod seed;
mod table;
mod user_record;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;

pub use self::error::{
    CreateShipError, CreateUserError, GetError, RefreshError, SessionError, UpdateShipError, UpdateUserError,
};
pub use self::rows::List;
use self::rows::Rows;
use self::table::{Ids, Table};
use self::user_record::Account;
use crate::auth::network::Network;
use crate::auth::password::Hash;
use crate::auth::token::Claims;
use crate::json::{EncodedJson, Style};
use crate::model::id::Id;
use crate::model::ship::{Ship, ShipInput};
use crate::model::user::User;

/// How much is kept at most, so that memory has a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Users.
    pub users: usize,
    /// Ships.
    pub ships: usize,
    /// Tokens that were logged out and have not expired yet.
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

/// A user with everything that is never answered.
#[derive(Debug)]
pub struct StoredUser {
    /// The unique name to log in with, in normal form.
    pub name: String,
    /// The hash of the password.
    pub hash: Hash,
}

/// A user as sent, with the password hashed.
#[derive(Debug)]
pub struct HashedUser {
    /// The id, where the body repeats it.
    pub id: Option<Id>,
    /// The unique name to log in with.
    pub name: String,
    /// The hash of the password.
    pub hash: Hash,
}

/// The users and ships of a server. Clones share them.
#[derive(Clone, Debug)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    style: Style,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    ships: Rows<Ship>,
    ship_ids: Ids,
    users: Table<Account>,
    /// What is answered of the users.
    user_rows: Rows<User>,
    ids_by_name: HashMap<String, Id>,
    limits: StoreLimits,
}

impl Default for Store {
    fn default() -> Self {
        Self::new(BTreeMap::new(), BTreeMap::new())
    }
}

impl Store {
    /// A store with those users and ships, of the usual size, in compact style. Names must be unique.
    #[must_use]
    pub fn new(users: BTreeMap<Id, StoredUser>, ships: BTreeMap<Id, Ship>) -> Self {
        Self::with_limits(users, ships, StoreLimits::default(), Style::Compact)
    }

    /// A store with those users and ships, to which more are added only as far as `caps` allow, and which gives JSON
    /// in that style.
    #[must_use]
    pub fn with_limits(
        users: BTreeMap<Id, StoredUser>,
        ships: BTreeMap<Id, Ship>,
        limits: StoreLimits,
        style: Style,
    ) -> Self {
        let ids_by_name = users.iter().map(|(id, user)| (user.name.clone(), *id)).collect();
        let row = |(id, user): (&Id, &StoredUser)| {
            (*id, EncodedJson::new(&User { id: *id, name: user.name.clone() }, style))
        };
        let user_rows = Rows::new(style, users.iter().map(row));
        let users =
            users.into_iter().map(|(id, StoredUser { name, hash })| (id, Account::new(name, hash))).collect();
        let ship_ids = Ids::after(ships.keys().next_back().copied());
        let ships = Rows::new(style, ships.iter().map(|(id, ship)| (*id, EncodedJson::new(ship, style))));
        let users = Table::new(users);
        let state = RwLock::new(State { ships, ship_ids, users, user_rows, ids_by_name, limits });
        Self(Arc::new(Shared { style, state }))
    }

    /// Runs something while no other thread can read or write: for tests of what happens if that panics.
    #[doc(hidden)]
    pub fn while_locked<T>(&self, work: impl FnOnce() -> T) -> T {
        let _state = self.0.state.write();
        work()
    }

    /// All ships, by ascending id.
    #[must_use]
    pub fn ships(&self) -> List<Ship> {
        self.0.state.read().ships.list()
    }

    /// The ship of that id.
    ///
    /// # Errors
    /// [`GetError::NotFound`].
    pub fn ship(&self, id: Id) -> Result<EncodedJson<Ship>, GetError> {
        self.0.state.read().ships.get(id).cloned().ok_or(GetError::NotFound)
    }

    /// Adds a ship under an id of the store's choosing, and gives both.
    ///
    /// # Errors
    /// [`CreateShipError`].
    pub fn create_ship(&self, input: ShipInput) -> Result<(Id, EncodedJson<Ship>), CreateShipError> {
        if input.id.is_some() {
            return Err(CreateShipError::IdGiven);
        }
        let mut state = self.0.state.write();
        if state.ships.len() >= state.limits.ships {
            return Err(CreateShipError::Full);
        }
        let id = state.ship_ids.next_id().ok_or(CreateShipError::IdsExhausted)?;
        let ship = EncodedJson::new(&input.with_id(id), self.0.style);
        let freed = state.ships.insert(id, ship.clone());
        drop(state);
        drop(freed);
        Ok((id, ship))
    }

    /// Replaces the ship of that id.
    ///
    /// # Errors
    /// [`UpdateShipError`].
    pub fn update_ship(&self, id: Id, input: ShipInput) -> Result<EncodedJson<Ship>, UpdateShipError> {
        let of_another = input.id.is_some_and(|given| given != id);
        let ship = EncodedJson::new(&input.with_id(id), self.0.style);
        let mut state = self.0.state.write();
        if state.ships.get(id).is_none() {
            return Err(UpdateShipError::NotFound);
        }
        if of_another {
            return Err(UpdateShipError::IdMismatch);
        }
        let freed = state.ships.insert(id, ship.clone());
        drop(state);
        drop(freed);
        Ok(ship)
    }

    /// Removes the ship of that id.
    ///
    /// # Errors
    /// [`GetError::NotFound`].
    pub fn delete_ship(&self, id: Id) -> Result<(), GetError> {
        let mut state = self.0.state.write();
        let freed = state.ships.remove(id).ok_or(GetError::NotFound)?;
        drop(state);
        drop(freed);
        Ok(())
    }

    /// All users, by ascending id.
    #[must_use]
    pub fn users(&self) -> List<User> {
        self.0.state.read().user_rows.list()
    }

    /// The user of that id.
    ///
    /// # Errors
    /// [`GetError::NotFound`].
    pub fn user(&self, id: Id) -> Result<EncodedJson<User>, GetError> {
        self.0.state.read().user_rows.get(id).cloned().ok_or(GetError::NotFound)
    }

    /// Whether an access token that is in order still stands for its user.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn check_access(&self, access: &Claims) -> Result<(), SessionError> {
        let state = self.0.state.read();
        let account = state.users.rows.get(&access.identity).ok_or(SessionError::UnknownUser)?;
        account.check_access(access)
    }

    /// The id and the password hash of the user of that name.
    #[must_use]
    pub fn credentials(&self, name: &str) -> Option<(Id, Hash)> {
        let state = self.0.state.read();
        let id = *state.ids_by_name.get(name)?;
        Some((id, state.users.rows.get(&id)?.hash.clone()))
    }

    /// The user of that name, if that user has proved the present password from that network.
    #[must_use]
    pub fn returning_user(&self, name: &str, network: Network) -> Option<Id> {
        let state = self.0.state.read();
        let id = *state.ids_by_name.get(name)?;
        state.users.rows.get(&id)?.has_logged_in_from(network).then_some(id)
    }

    /// Remembers that a user has proved the password with the hash `verified` from that network. Nothing happens if
    /// the user is gone or has another password by now.
    pub fn remember_network(&self, id: Id, verified: &Hash, network: Network) {
        if let Some(account) = self.0.state.write().users.rows.get_mut(&id) {
            account.remember_network(verified, network);
        }
    }

    /// Adds a user under an id of the store's choosing.
    ///
    /// # Errors
    /// [`CreateUserError`].
    pub fn create_user(&self, input: HashedUser) -> Result<User, CreateUserError> {
        if input.id.is_some() {
            return Err(CreateUserError::IdGiven);
        }
        let mut state = self.0.state.write();
        let State { users, user_rows, ids_by_name, limits, .. } = &mut *state;
        if ids_by_name.contains_key(&input.name) {
            return Err(CreateUserError::NameTaken);
        }
        if users.rows.len() >= limits.users {
            return Err(CreateUserError::Full);
        }
        let HashedUser { id: _, name, hash } = input;
        let id = users.next_id().ok_or(CreateUserError::IdsExhausted)?;
        users.rows.insert(id, Account::new(name.clone(), hash));
        ids_by_name.insert(name.clone(), id);
        let user = User { id, name };
        let freed = user_rows.insert(id, EncodedJson::new(&user, self.0.style));
        drop(state);
        drop(freed);
        Ok(user)
    }

    /// Replaces the name and the password of a user, at the time `now` (seconds since 1970). The refresh
    /// tokens issued to the user until now end.
    ///
    /// # Errors
    /// [`UpdateUserError`].
    pub fn update_user(&self, id: Id, input: HashedUser, now: u64) -> Result<User, UpdateUserError> {
        let mut state = self.0.state.write();
        let State { users, user_rows, ids_by_name, .. } = &mut *state;
        let account = users.rows.get_mut(&id).ok_or(UpdateUserError::NotFound)?;
        if input.id.is_some_and(|given| given != id) {
            return Err(UpdateUserError::IdMismatch);
        }
        if ids_by_name.get(&input.name).is_some_and(|owner| *owner != id) {
            return Err(UpdateUserError::NameTaken);
        }
        ids_by_name.remove(&account.name);
        ids_by_name.insert(input.name.clone(), id);
        account.name.clone_from(&input.name);
        account.change_password(input.hash, now);
        let user = User { id, name: input.name };
        let freed = user_rows.insert(id, EncodedJson::new(&user, self.0.style));
        drop(state);
        drop(freed);
        Ok(user)
    }

    /// Removes a user.
    ///
    /// # Errors
    /// [`GetError::NotFound`].
    pub fn delete_user(&self, id: Id) -> Result<(), GetError> {
        let mut state = self.0.state.write();
        let account = state.users.rows.remove(&id).ok_or(GetError::NotFound)?;
        state.ids_by_name.remove(&account.name);
        let freed = state.user_rows.remove(id);
        drop(state);
        drop(freed);
        Ok(())
    }

    /// Ends all tokens issued to a user until now, at the time `now` (seconds since 1970). Those of a user who is
    /// gone have ended already.
    pub fn log_out(&self, id: Id, now: u64) {
        if let Some(account) = self.0.state.write().users.rows.get_mut(&id) {
            account.log_out(now);
        }
    }

    /// Accepts two tokens that were issued for a password whose hash was `verified`. They are refused if the
    /// user is gone or has another password by now: then the login came too late.
    #[must_use]
    pub fn admit_login(&self, verified: &Hash, access: &Claims, refresh: &Claims) -> bool {
        let mut state = self.0.state.write();
        let account = state.users.rows.get_mut(&refresh.identity);
        account.is_some_and(|account| account.admit_login(verified, access, refresh))
    }

    /// Whether a refresh token that is in order still stands for its user.
    ///
    /// # Errors
    /// [`RefreshError`].
    pub fn check_refresh(&self, refresh: &Claims) -> Result<(), RefreshError> {
        let state = self.0.state.read();
        let account = state.users.rows.get(&refresh.identity).ok_or(RefreshError::UnknownUser)?;
        account.check_refresh(refresh)
    }

    /// Accepts an access token that was issued for a refresh token, if that still stands for its user.
    ///
    /// # Errors
    /// [`RefreshError`].
    pub fn admit_refresh(&self, refresh: &Claims, access: &Claims) -> Result<(), RefreshError> {
        let mut state = self.0.state.write();
        let account = state.users.rows.get_mut(&refresh.identity).ok_or(RefreshError::UnknownUser)?;
        account.admit_refresh(refresh, access)
    }
}

#[cfg(test)]
mod tests;
