//! Initial data: what the store starts with, kept so that it can start over while the server runs.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::ships::Ships;
use super::users::Users;
use super::Memory;
use crate::auth::password::Hasher;
use crate::auth::revocation::ValidAfter;
use crate::auth::token::Tokens;
use crate::internal_error::InternalError;
use crate::store::initial_rows::InitialRows;
use crate::store::seed::Data;

/// What a store starts over with. Clones share it.
#[derive(Clone)]
pub struct InitialData(Arc<Shared>);

struct Shared {
    store: Memory,
    tokens: Tokens,
    hasher: Hasher,
    rows: Mutex<InitialRows>,
}

impl fmt::Debug for InitialData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InitialData(..)")
    }
}

impl InitialData {
    /// The rows that the store has started with.
    #[must_use]
    pub fn new(rows: InitialRows, store: Memory, tokens: Tokens, hasher: Hasher) -> Self {
        Self(Arc::new(Shared { store, tokens, hasher, rows: Mutex::new(rows) }))
    }

    /// Puts the users and ships back to the initial data, and ends all tokens, as a restart does.
    pub fn reset(&self) {
        // Locked to the end, so that resets come one after the other.
        let rows = self.0.rows.lock();
        self.0.store.start_over(rows.clone(), self.0.tokens.now());
    }

    /// Replaces the initial data, and resets to it.
    ///
    /// # Errors
    /// As [`Data::hashed`]: nothing has changed.
    pub fn replace(&self, data: Data) -> Result<(), InternalError> {
        let new = data.hashed(&self.0.hasher)?;
        let mut rows = self.0.rows.lock();
        rows.clone_from(&new);
        self.0.store.start_over(new, self.0.tokens.now());
        Ok(())
    }
}

impl Memory {
    /// Replaces all users and ships, at the time `now` (seconds since 1970). Ids begin again after the greatest, so all tokens
    /// issued until now end: a token of a former user must not become another user's.
    fn start_over(&self, rows: InitialRows, now: u64) {
        let users = Users::new(rows.users, self.0.style);
        let ships = Ships::new(&rows.ships, self.0.style);
        let mut state = self.0.state.write();
        // The time was read before the lock was taken, so a token may have been issued in a later second meanwhile.
        let now = now.max(state.users.newest_token());
        let ended = (state.users.end_all(), state.ships.end_all());
        let before = (std::mem::replace(&mut state.users, users), std::mem::replace(&mut state.ships, ships));
        state.start = ValidAfter::at(now, ValidAfter::SERVER_CAPACITY);
        drop(state);
        drop((ended, before));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::auth::clock::TokenIds;
    use crate::auth::password::{Cost, Hash};
    use crate::auth::rate_limit::Admission;
    use crate::auth::token::Claims;
    use crate::json::{JsonBody, Version};
    use crate::model::id::Id;
    use crate::model::password::Password;
    use crate::model::ship::ShipInput;
    use crate::model::{self, Input};
    use crate::store::memory::MemoryConfig;
    use crate::store::{
        AccessSessionError, HashedUser, Precondition, RefreshSessionError, StoredUser, UpdateUserError,
        UserChange,
    };

    const ANN: Id = Id::new(1);

    fn hash() -> Hash {
        let hasher = Cost { memory: 8, iterations: 1, parallelism: 1 }.hasher().expect("a cheap cost");
        hasher.hash(&Password::new("password".to_owned())).expect("a hash")
    }

    fn ship() -> ShipInput {
        model::read(ShipInput::example()).expect("the example fits")
    }

    fn rows(hash: &Hash) -> InitialRows {
        let ann = StoredUser { name: "ann".to_owned(), hash: hash.clone() };
        let ships = BTreeMap::from([(Id::new(7), ship().with_id(Id::new(7)))]);
        InitialRows { users: BTreeMap::from([(ANN, ann)]), ships }
    }

    fn store(hash: &Hash) -> Memory {
        Memory::new(rows(hash), &MemoryConfig::default())
    }

    fn token(identity: Id, iat: u64) -> Claims {
        Claims { identity, jti: TokenIds::Random.next().expect("an id"), iat, exp: iat + 100, family: None }
    }

    fn admission() -> Admission {
        Admission::uncounted(None.into())
    }

    fn new_user(store: &Memory) -> Id {
        let eve = HashedUser { id: None, name: "eve".to_owned(), hash: hash() };
        store.create_user(eve).expect("the name is free").0
    }

    #[test]
    fn the_rows_and_the_next_ids_are_those_of_the_beginning() {
        let hash = hash();
        let store = store(&hash);
        let text = |store: &Memory| {
            let ships = store.ships().to_body().and_then(|body| body.into_bytes().ok()).expect("JSON");
            let users = store.users().to_body().and_then(|body| body.into_bytes().ok()).expect("JSON");
            (ships, users)
        };
        let before = text(&store);
        let (list, read) = (store.ships(), store.ship(Id::new(7)).expect("it is there"));
        new_user(&store);
        store.create_ship(ship()).expect("there is room");
        let changed = store.ships();
        store.start_over(rows(&hash), 10);
        assert_eq!(text(&store), before);
        assert_eq!(
            (new_user(&store), store.create_ship(ship()).map(|(id, _)| id)),
            (Id::new(2), Ok(Id::new(8)))
        );
        assert!(store.credentials("ann").is_some());
        // Nothing that was made from the rows before is current.
        assert!(!read.version().is_some_and(Version::is_current));
        for list in [list, changed] {
            assert!(!list.version().is_current());
        }
    }

    /// While the password was hashed, the store started over, and the id became another user's.
    #[test]
    fn a_change_that_began_before_changes_nothing() {
        let hash = hash();
        let store = store(&hash);
        let old = token(ANN, 10);
        store.start_over(rows(&hash), 10);
        let change = |token| UserChange { id: None, name: Some("eve".to_owned()), hash: None, token };
        let refused = store.update_user(ANN, change(Some(old)), &Precondition::NONE, &admission(), 11);
        assert_eq!(refused.err(), Some(UpdateUserError::TokenEnded));
        assert!(store.credentials("ann").is_some() && store.credentials("eve").is_none());
        let new = token(ANN, 11);
        assert!(store.complete_login(&hash, &new, &token(ANN, 11), &admission()));
        assert!(store.update_user(ANN, change(Some(new)), &Precondition::NONE, &admission(), 11).is_ok());
    }

    #[test]
    fn all_tokens_issued_before_end_and_no_others() {
        let hash = hash();
        let store = store(&hash);
        let (access, refresh) = (token(ANN, 10), token(ANN, 11));
        assert!(store.complete_login(&hash, &access, &refresh, &admission()));
        let eve = new_user(&store);
        let hers = token(eve, 10);
        // The time was read in an earlier second than that in which the last token was issued.
        store.start_over(rows(&hash), 10);
        assert_eq!(new_user(&store), eve);
        for ended in [access, hers] {
            assert_eq!(store.check_access(&ended), Err(AccessSessionError::AllLoggedOut));
        }
        assert_eq!(store.check_refresh(&refresh), Err(RefreshSessionError::AllLoggedOut));
        assert_eq!(
            store.refresh(&refresh, &token(ANN, 11), &admission()),
            Err(RefreshSessionError::AllLoggedOut)
        );
        // In the same second, and later.
        let (access, refresh, refreshed) = (token(ANN, 11), token(ANN, 11), token(ANN, 11));
        assert!(store.complete_login(&hash, &access, &refresh, &admission()));
        assert_eq!(store.refresh(&refresh, &refreshed, &admission()), Ok(()));
        for accepted in [access, refreshed, token(ANN, 12)] {
            assert_eq!(store.check_access(&accepted), Ok(()));
        }
        assert_eq!(store.check_refresh(&refresh), Ok(()));
    }

    /// Otherwise a client that reads slowly would keep all rows of before.
    #[test]
    fn a_long_list_that_is_being_sent_breaks_off() {
        let hash = hash();
        let store = store(&hash);
        for _ in 0..1000 {
            store.create_ship(ship()).expect("there is room");
        }
        let streamed = store.ships().to_body().and_then(|body| match body {
            JsonBody::Stream(list) => Some(list),
            JsonBody::Full(_) => None,
        });
        let mut list = streamed.expect("it is long");
        assert!(list.next_piece().is_ok());
        store.start_over(rows(&hash), 10);
        assert!(list.next_piece().is_err());
        store.delete_ship(Id::new(7), &Precondition::NONE).expect("it is there");
    }
}
