//! Users and ships in memory, and the rules that hold between them. No HTTP here.
//!
//! Every method takes the lock once, and checks and writes under it. Nothing is awaited meanwhile, and a
//! panic elsewhere does not poison the lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;

use crate::cutoff::Cutoff;
use crate::model::id::Id;
use crate::model::ship::{Ship, ShipInput};
use crate::model::user::User;
use crate::password::Hash;
use crate::token::Claims;

/// Nothing has that id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetError {
    /// Nothing has that id.
    NotFound,
}

/// Why a ship is not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateShipError {
    /// The body chose an id.
    IdGiven,
    /// The greatest id has been given out.
    IdsExhausted,
}

/// Why a ship is not replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateShipError {
    /// Nothing has that id.
    NotFound,
    /// The body names another id than the path.
    IdMismatch,
}

/// Why a user is not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateUserError {
    /// The body chose an id.
    IdGiven,
    /// Another user has that name.
    NameTaken,
    /// The greatest id has been given out.
    IdsExhausted,
}

/// Why a user is not replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateUserError {
    /// Nothing has that id.
    NotFound,
    /// The body names another id than the path.
    IdMismatch,
    /// Another user has that name.
    NameTaken,
}

/// Why a refresh token that is in order is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshError {
    /// Its user is gone.
    UnknownUser,
    /// Its user's password was changed after it was issued.
    Revoked,
}

/// A user with everything that is never answered.
#[derive(Debug)]
pub struct StoredUser {
    /// The unique name to log in with.
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
#[derive(Clone, Debug, Default)]
pub struct Store(Arc<RwLock<State>>);

#[derive(Debug, Default)]
struct State {
    ships: Table<Arc<Ship>>,
    users: Table<Account>,
    ids_by_name: HashMap<String, Id>,
}

#[derive(Debug)]
struct Account {
    name: String,
    hash: Hash,
    /// Since when refresh tokens count; none if the password is the first.
    password_change: Option<Cutoff>,
    /// When the newest refresh token was issued.
    newest_refresh: u64,
}

impl Account {
    fn new(name: String, hash: Hash) -> Self {
        Self { name, hash, password_change: None, newest_refresh: 0 }
    }
}

/// Rows by id, and the greatest id that was ever given out, so that none is given out twice: a token of a
/// deleted user must never become another user's.
#[derive(Debug)]
struct Table<T> {
    rows: BTreeMap<Id, T>,
    last_id: Id,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), last_id: Id::new(0) }
    }
}

impl<T> Table<T> {
    fn new(rows: BTreeMap<Id, T>) -> Self {
        let last_id = rows.keys().next_back().copied().unwrap_or(Id::new(0));
        Self { rows, last_id }
    }

    /// Adds a row under the next id; none is left after [`Id::MAX`].
    fn create(&mut self, row: impl FnOnce(Id) -> T) -> Option<(Id, &T)> {
        let id = self.last_id.next()?;
        self.last_id = id;
        Some((id, self.rows.entry(id).or_insert_with(|| row(id))))
    }
}

impl Store {
    /// A store with those users and ships. Names must be unique.
    #[must_use]
    pub fn new(users: BTreeMap<Id, StoredUser>, ships: BTreeMap<Id, Ship>) -> Self {
        let ids_by_name = users.iter().map(|(id, user)| (user.name.clone(), *id)).collect();
        let users =
            users.into_iter().map(|(id, StoredUser { name, hash })| (id, Account::new(name, hash))).collect();
        let ships = ships.into_iter().map(|(id, ship)| (id, Arc::new(ship))).collect();
        let state = State { ships: Table::new(ships), users: Table::new(users), ids_by_name };
        Self(Arc::new(RwLock::new(state)))
    }

    /// Runs something while nobody else can read or write: for tests of what happens if that panics.
    #[doc(hidden)]
    pub fn while_locked<T>(&self, work: impl FnOnce() -> T) -> T {
        let _state = self.0.write();
        work()
    }

    /// All ships, by ascending id.
    #[must_use]
    pub fn ships(&self) -> Vec<Arc<Ship>> {
        self.0.read().ships.rows.values().cloned().collect()
    }

    /// The ship of that id.
    ///
    /// # Errors
    /// [`GetError::NotFound`].
    pub fn ship(&self, id: Id) -> Result<Arc<Ship>, GetError> {
        self.0.read().ships.rows.get(&id).cloned().ok_or(GetError::NotFound)
    }

    /// Adds a ship under an id of the store's choosing.
    ///
    /// # Errors
    /// [`CreateShipError`].
    pub fn create_ship(&self, input: ShipInput) -> Result<Arc<Ship>, CreateShipError> {
        if input.id.is_some() {
            return Err(CreateShipError::IdGiven);
        }
        let mut state = self.0.write();
        let created = state.ships.create(|id| Arc::new(input.with_id(id)));
        created.map(|(_, ship)| Arc::clone(ship)).ok_or(CreateShipError::IdsExhausted)
    }

    /// Replaces the ship of that id.
    ///
    /// # Errors
    /// [`UpdateShipError`].
    pub fn update_ship(&self, id: Id, input: ShipInput) -> Result<Arc<Ship>, UpdateShipError> {
        let mut state = self.0.write();
        let row = state.ships.rows.get_mut(&id).ok_or(UpdateShipError::NotFound)?;
        if input.id.is_some_and(|given| given != id) {
            return Err(UpdateShipError::IdMismatch);
        }
        *row = Arc::new(input.with_id(id));
        Ok(Arc::clone(row))
    }

    /// Removes the ship of that id.
    ///
    /// # Errors
    /// [`GetError::NotFound`].
    pub fn delete_ship(&self, id: Id) -> Result<(), GetError> {
        self.0.write().ships.rows.remove(&id).map(drop).ok_or(GetError::NotFound)
    }

    /// All users, by ascending id.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        let state = self.0.read();
        state.users.rows.iter().map(|(id, account)| User { id: *id, name: account.name.clone() }).collect()
    }

    /// The user of that id.
    ///
    /// # Errors
    /// [`GetError::NotFound`].
    pub fn user(&self, id: Id) -> Result<User, GetError> {
        let state = self.0.read();
        let account = state.users.rows.get(&id).ok_or(GetError::NotFound)?;
        Ok(User { id, name: account.name.clone() })
    }

    /// Whether there is a user of that id.
    #[must_use]
    pub fn has_user(&self, id: Id) -> bool {
        self.0.read().users.rows.contains_key(&id)
    }

    /// The id and the password hash of the user of that name.
    #[must_use]
    pub fn credentials(&self, name: &str) -> Option<(Id, Hash)> {
        let state = self.0.read();
        let id = *state.ids_by_name.get(name)?;
        Some((id, state.users.rows.get(&id)?.hash.clone()))
    }

    /// Adds a user under an id of the store's choosing.
    ///
    /// # Errors
    /// [`CreateUserError`].
    pub fn create_user(&self, input: HashedUser) -> Result<User, CreateUserError> {
        if input.id.is_some() {
            return Err(CreateUserError::IdGiven);
        }
        let mut state = self.0.write();
        let State { users, ids_by_name, .. } = &mut *state;
        if ids_by_name.contains_key(&input.name) {
            return Err(CreateUserError::NameTaken);
        }
        let HashedUser { id: _, name, hash } = input;
        let account = Account::new(name.clone(), hash);
        let (id, _) = users.create(|_| account).ok_or(CreateUserError::IdsExhausted)?;
        ids_by_name.insert(name.clone(), id);
        Ok(User { id, name })
    }

    /// Replaces the name and the password of a user, at the time `now` (seconds since 1970). The refresh
    /// tokens issued to the user until now end.
    ///
    /// # Errors
    /// [`UpdateUserError`].
    pub fn update_user(&self, id: Id, input: HashedUser, now: u64) -> Result<User, UpdateUserError> {
        let mut state = self.0.write();
        let State { users, ids_by_name, .. } = &mut *state;
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
        account.hash = input.hash;
        // A login may have issued a token in a later second than `now`, if it came between that and the lock.
        account.password_change = Some(Cutoff::at(now.max(account.newest_refresh)));
        Ok(User { id, name: input.name })
    }

    /// Removes a user.
    ///
    /// # Errors
    /// [`GetError::NotFound`].
    pub fn delete_user(&self, id: Id) -> Result<(), GetError> {
        let mut state = self.0.write();
        let account = state.users.rows.remove(&id).ok_or(GetError::NotFound)?;
        state.ids_by_name.remove(&account.name);
        Ok(())
    }

    /// Accepts a refresh token that was issued for a password whose hash was `verified`. It is refused if the
    /// user is gone or has another password by now: then the login came too late.
    #[must_use]
    pub fn admit_login(&self, verified: &Hash, refresh: &Claims) -> bool {
        let mut state = self.0.write();
        let Some(account) = state.users.rows.get_mut(&refresh.identity) else { return false };
        if account.hash != *verified {
            return false;
        }
        account.newest_refresh = account.newest_refresh.max(refresh.iat);
        if let Some(cutoff) = &account.password_change {
            cutoff.note(refresh.iat, refresh.jti);
        }
        true
    }

    /// Whether a refresh token that is in order still stands for its user.
    ///
    /// # Errors
    /// [`RefreshError`].
    pub fn check_refresh(&self, refresh: &Claims) -> Result<(), RefreshError> {
        let state = self.0.read();
        let account = state.users.rows.get(&refresh.identity).ok_or(RefreshError::UnknownUser)?;
        match &account.password_change {
            Some(cutoff) if !cutoff.admits(refresh.iat, refresh.jti) => Err(RefreshError::Revoked),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TokenIds;
    use crate::password::{Cost, Password};

    const ANN: Id = Id::new(1);

    fn hash() -> Hash {
        let hasher = Cost { memory: 8, iterations: 1, parallelism: 1 }.hasher().expect("a cheap cost");
        hasher.hash(&Password::new("password".to_owned())).expect("a hash")
    }

    fn store(hash: &Hash) -> Store {
        let ann = StoredUser { name: "ann".to_owned(), hash: hash.clone() };
        Store::new(BTreeMap::from([(ANN, ann)]), BTreeMap::new())
    }

    fn refresh_token(iat: u64) -> Claims {
        Claims { identity: ANN, jti: TokenIds::Random.next().expect("an id"), iat, exp: iat + 100 }
    }

    fn change_password(store: &Store, now: u64) {
        let user = HashedUser { id: None, name: "ann".to_owned(), hash: hash() };
        store.update_user(ANN, user, now).expect("ann is there");
    }

    #[test]
    fn a_login_that_verified_the_old_password_comes_too_late_after_the_change() {
        let old = hash();
        let store = store(&old);
        change_password(&store, 10);
        assert!(!store.admit_login(&old, &refresh_token(10)));
        assert!(!store.admit_login(&old, &refresh_token(11)));
        store.delete_user(ANN).expect("ann is there");
        assert!(!store.admit_login(&old, &refresh_token(12)));
    }

    /// The time of the change is read before the lock is taken, and a login may come between.
    #[test]
    fn a_change_ends_tokens_that_are_newer_than_the_time_it_was_asked_at() {
        let old = hash();
        let store = store(&old);
        let token = refresh_token(11);
        assert!(store.admit_login(&old, &token));
        assert_eq!(store.check_refresh(&token), Ok(()));
        change_password(&store, 10);
        assert_eq!(store.check_refresh(&token), Err(RefreshError::Revoked));
    }

    #[test]
    fn tokens_of_the_second_of_the_change_are_told_apart() {
        let store = store(&hash());
        let before = refresh_token(10);
        assert!(store.admit_login(&store.credentials("ann").expect("ann is there").1, &before));
        change_password(&store, 10);
        let after = refresh_token(10);
        assert!(store.admit_login(&store.credentials("ann").expect("ann is there").1, &after));
        assert_eq!(store.check_refresh(&before), Err(RefreshError::Revoked));
        assert_eq!(store.check_refresh(&after), Ok(()));
        assert_eq!(store.check_refresh(&refresh_token(11)), Ok(()));
    }

    #[test]
    fn a_renamed_user_leaves_the_old_name_free() {
        let store = store(&hash());
        let renamed = HashedUser { id: Some(ANN), name: "eve".to_owned(), hash: hash() };
        store.update_user(ANN, renamed, 0).expect("ann is there");
        assert!(store.credentials("ann").is_none());
        assert_eq!(store.credentials("eve").map(|(id, _)| id), Some(ANN));
        let new = HashedUser { id: None, name: "ann".to_owned(), hash: hash() };
        assert_eq!(store.create_user(new).map(|user| user.id), Ok(Id::new(2)));
    }

    #[test]
    fn a_panic_while_the_lock_is_held_leaves_the_store_usable() {
        let store = store(&hash());
        let other = store.clone();
        let thread = std::thread::spawn(move || {
            let _locked = other.0.write();
            std::panic::resume_unwind(Box::new("a defect"));
        });
        assert!(thread.join().is_err());
        assert!(store.has_user(ANN));
        assert!(store.delete_user(ANN).is_ok());
    }
}
