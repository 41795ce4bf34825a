//! Store: users and ships, the logins of users, and the rules that hold between them. No HTTP here.
//!
//! All state that outlives a request is behind [`Store`]: users, ships, which tokens are accepted, and rate limits. Each
//! operation checks and writes in one step.

pub mod accounts;
mod error;
pub mod initial_rows;
pub mod list;
pub mod memory;
mod monitoring;
mod page;
mod precondition;
pub mod seed;
mod session;
pub mod sql;
mod user;

use std::convert::Infallible;
use std::sync::Arc;

pub use self::error::{
    AccessSessionError, CreateShipError, CreateUserError, DeleteError, GetError, RefreshSessionError,
    TooManyQueries, UpdateShipError, UpdateUserError,
};
pub use self::list::List;
use self::memory::Memory;
pub use self::page::Page;
pub use self::precondition::{Precondition, PreconditionError, Revisions};
pub use self::session::{LoginAttempt, Rotation};
use self::sql::Sql;
pub use self::user::{HashedUser, StoredUser, UserChange};
use crate::auth::network::Network;
use crate::auth::password::Hash;
use crate::auth::rate_limit::{Admission, Operation, RateLimited};
use crate::auth::token::Claims;
use crate::internal_error::OperationError;
use crate::json::EncodedJson;
use crate::model::id::Id;
use crate::model::query::ListQuery;
use crate::model::ship::{Ship, ShipInput, ShipPatch};
use crate::model::user::User;

/// Limits of what the store takes, so that it has a bound.
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
    /// With the longest names and texts in ASCII these are 115, 420 and 30 MB of memory.
    pub const DEFAULT: Self = Self { users: 100_000, ships: 100_000, revocations: 1_000_000 };
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The result of an operation of the store.
type StoreResult<T, E> = Result<T, OperationError<E>>;

/// The store of a server. Clones share it.
///
/// Besides its own error, which each method names, an operation fails with [`OperationError::Unavailable`] if the store
/// cannot be reached.
#[derive(Clone, Debug)]
pub enum Store {
    /// In the memory of this process.
    Memory(Memory),
    /// In PostgreSQL, shared with other nodes.
    Sql(Arc<Sql>),
}

impl Store {
    /// The store in memory, if it is that.
    #[must_use]
    pub fn memory(&self) -> Option<&Memory> {
        match self {
            Self::Memory(memory) => Some(memory),
            Self::Sql(_) => None,
        }
    }
}

/// Calls the method of the same name of the store that it is.
macro_rules! delegate {
    ($store:expr, $method:ident($($argument:expr),*)) => {
        match $store {
            Store::Memory(memory) => memory.$method($($argument),*).map_err(OperationError::Rejected),
            // Boxed: a request in memory must not carry the state of a statement.
            Store::Sql(sql) => Box::pin(sql.$method($($argument),*)).await,
        }
    };
}

/// Ships.
impl Store {
    /// All ships, by ascending id.
    ///
    /// # Errors
    /// [`TooManyQueries`].
    pub async fn ships(&self) -> StoreResult<List<Ship>, TooManyQueries> {
        match self {
            Self::Memory(memory) => Ok(memory.ships().into()),
            Self::Sql(sql) => Box::pin(sql.ships()).await,
        }
    }

    /// The ships that the query asks for.
    ///
    /// # Errors
    /// [`TooManyQueries`].
    pub async fn find_ships(
        &self,
        query: ListQuery,
        client: Network,
    ) -> StoreResult<Page<Ship>, TooManyQueries> {
        match self {
            Self::Memory(memory) => memory.select_ships(query, client).await,
            Self::Sql(sql) => Box::pin(sql.find_ships(query, client)).await,
        }
    }

    /// The ship with that id.
    ///
    /// # Errors
    /// [`GetError`].
    pub async fn ship(&self, id: Id) -> StoreResult<EncodedJson<Ship>, GetError> {
        delegate!(self, ship(id))
    }

    /// Adds a ship under a new id, and returns both.
    ///
    /// # Errors
    /// [`CreateShipError`].
    pub async fn create_ship(
        &self,
        input: ShipInput,
    ) -> StoreResult<(Id, EncodedJson<Ship>), CreateShipError> {
        delegate!(self, create_ship(input))
    }

    /// Replaces the ship with that id.
    ///
    /// # Errors
    /// [`UpdateShipError`].
    pub async fn update_ship(
        &self,
        id: Id,
        input: ShipInput,
        precondition: &Precondition,
    ) -> StoreResult<EncodedJson<Ship>, UpdateShipError> {
        delegate!(self, update_ship(id, input, precondition))
    }

    /// Changes the fields of the ship with that id that the patch has.
    ///
    /// # Errors
    /// [`UpdateShipError`].
    pub async fn patch_ship(
        &self,
        id: Id,
        patch: ShipPatch,
        precondition: &Precondition,
    ) -> StoreResult<EncodedJson<Ship>, UpdateShipError> {
        match self {
            Self::Memory(memory) => memory.patch_ship(id, patch, precondition),
            Self::Sql(sql) => Box::pin(sql.patch_ship(id, patch, precondition)).await,
        }
    }

    /// Removes the ship with that id.
    ///
    /// # Errors
    /// [`DeleteError`].
    pub async fn delete_ship(&self, id: Id, precondition: &Precondition) -> StoreResult<(), DeleteError> {
        delegate!(self, delete_ship(id, precondition))
    }
}

/// Users.
impl Store {
    /// All users, by ascending id.
    ///
    /// # Errors
    /// [`TooManyQueries`].
    pub async fn users(&self) -> StoreResult<List<User>, TooManyQueries> {
        match self {
            Self::Memory(memory) => Ok(memory.users().into()),
            Self::Sql(sql) => Box::pin(sql.users()).await,
        }
    }

    /// The users that the query asks for.
    ///
    /// # Errors
    /// [`TooManyQueries`].
    pub async fn find_users(
        &self,
        query: ListQuery,
        client: Network,
    ) -> StoreResult<Page<User>, TooManyQueries> {
        match self {
            Self::Memory(memory) => memory.select_users(query, client).await,
            Self::Sql(sql) => Box::pin(sql.find_users(query, client)).await,
        }
    }

    /// The user with that id.
    ///
    /// # Errors
    /// [`GetError`].
    pub async fn user(&self, id: Id) -> StoreResult<EncodedJson<User>, GetError> {
        delegate!(self, user(id))
    }

    /// Adds a user under a new id, and returns both.
    ///
    /// # Errors
    /// [`CreateUserError`].
    pub async fn create_user(
        &self,
        input: HashedUser,
    ) -> StoreResult<(Id, EncodedJson<User>), CreateUserError> {
        delegate!(self, create_user(input))
    }

    /// Changes a user for an admitted request, at the time `now` (seconds since 1970). If the password changes, the refresh
    /// tokens issued to the user until now end.
    ///
    /// # Errors
    /// [`UpdateUserError`].
    pub async fn update_user(
        &self,
        id: Id,
        change: UserChange,
        precondition: &Precondition,
        admission: &Admission,
        now: u64,
    ) -> StoreResult<EncodedJson<User>, UpdateUserError> {
        delegate!(self, update_user(id, change, precondition, admission, now))
    }

    /// Removes a user.
    ///
    /// # Errors
    /// [`DeleteError`].
    pub async fn delete_user(&self, id: Id, precondition: &Precondition) -> StoreResult<(), DeleteError> {
        delegate!(self, delete_user(id, precondition))
    }
}

/// Logins.
impl Store {
    /// Checks that a valid access token is still accepted: it was not logged out, its user exists and has not logged out
    /// all tokens since.
    ///
    /// # Errors
    /// [`AccessSessionError`].
    pub async fn check_access(&self, access: &Claims) -> StoreResult<(), AccessSessionError> {
        delegate!(self, check_access(access))
    }

    /// Checks that a valid refresh token is still accepted, as [`Store::check_access`] does, and that the password has not
    /// been changed since.
    ///
    /// # Errors
    /// [`RefreshSessionError`].
    pub async fn check_refresh(&self, refresh: &Claims) -> StoreResult<(), RefreshSessionError> {
        delegate!(self, check_refresh(refresh))
    }

    /// Counts a request, and admits it if it is within the rate limits.
    ///
    /// # Errors
    /// [`RateLimited`].
    pub async fn admit(&self, operation: Operation, client: Network) -> StoreResult<Admission, RateLimited> {
        delegate!(self, admit(operation, client))
    }

    /// Counts a login, and finds the user with that name.
    ///
    /// # Errors
    /// [`RateLimited`].
    pub async fn begin_login(&self, name: &str, client: Network) -> StoreResult<LoginAttempt, RateLimited> {
        delegate!(self, begin_login(name, client))
    }

    /// Accepts two tokens that were issued for a password with the hash `verified`. Refuses them if the user has been
    /// deleted or has another password by now: the login came too late.
    ///
    /// # Errors
    /// None of its own.
    pub async fn complete_login(
        &self,
        verified: &Hash,
        access: &Claims,
        refresh: &Claims,
        admission: &Admission,
    ) -> StoreResult<bool, Infallible> {
        match self {
            Self::Memory(memory) => Ok(memory.complete_login(verified, access, refresh, admission)),
            Self::Sql(sql) => Box::pin(sql.complete_login(verified, access, refresh, admission)).await,
        }
    }

    /// Accepts an access token that was issued for a refresh token, if that one is still accepted.
    ///
    /// # Errors
    /// [`RefreshSessionError`].
    pub async fn refresh(
        &self,
        refresh: &Claims,
        access: &Claims,
        admission: &Admission,
    ) -> StoreResult<(), RefreshSessionError> {
        delegate!(self, refresh(refresh, access, admission))
    }

    /// Spends a refresh token, and accepts the access token and the refresh token that were issued for it. A token without a
    /// family is refused.
    ///
    /// # Errors
    /// [`RefreshSessionError`]. After [`RefreshSessionError::Reused`] the family has ended.
    pub async fn rotate(
        &self,
        spent: &Claims,
        access: &Claims,
        next: &Claims,
        rotation: &Rotation,
        admission: &Admission,
    ) -> StoreResult<(), RefreshSessionError> {
        delegate!(self, rotate(spent, access, next, rotation, admission))
    }

    /// Ends a token at the time `now` (seconds since 1970), and the family of a refresh token with it. If the deny list is
    /// full, ends all tokens that were issued to its user until now: no logged-out token is accepted again, and other users
    /// are not affected.
    ///
    /// # Errors
    /// None of its own.
    pub async fn log_out(&self, token: &Claims, now: u64) -> StoreResult<(), Infallible> {
        match self {
            Self::Memory(memory) => {
                memory.log_out(token, now);
                Ok(())
            }
            Self::Sql(sql) => Box::pin(sql.log_out(token, now)).await,
        }
    }
}
