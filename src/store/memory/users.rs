//! Users of the store.

use std::collections::{BTreeMap, HashMap};

use super::ids::Ids;
use super::list::List;
use super::page::page;
use super::rows::{Rows, Tree};
use super::user_record::UserRecord;
use super::{Memory, Shared};
use crate::auth::rate_limit::Admission;
use crate::json::{EncodedJson, Style};
use crate::model::id::Id;
use crate::model::query::ListQuery;
use crate::model::user::User;
use crate::store::{
    CreateUserError, DeleteError, GetError, HashedUser, Page, Precondition, StoredUser, UpdateUserError,
    UserChange,
};

/// The users: their records, and the part that clients may see as encoded text.
#[derive(Debug)]
pub(super) struct Users {
    records: BTreeMap<Id, UserRecord>,
    rows: Rows<User>,
    ids: Ids,
    ids_by_name: HashMap<String, Id>,
}

impl Users {
    pub(super) fn new(users: BTreeMap<Id, StoredUser>, style: Style) -> Self {
        let encoded = users
            .iter()
            .map(|(id, user)| (*id, EncodedJson::new(&User { id: *id, name: user.name.clone() }, style)));
        let rows = Rows::new(style, encoded);
        let ids = Ids::after(users.keys().next_back().copied());
        let ids_by_name = users.iter().map(|(id, user)| (user.name.clone(), *id)).collect();
        let record = |(id, StoredUser { name, hash })| (id, UserRecord::new(name, hash));
        Self { records: users.into_iter().map(record).collect(), rows, ids, ids_by_name }
    }

    /// When the newest token of these users was issued, in seconds since 1970.
    pub(super) fn newest_token(&self) -> u64 {
        self.records.values().map(UserRecord::newest_token).max().unwrap_or(0)
    }

    /// Records that all rows are about to be dropped.
    pub(super) fn end_all(&mut self) -> Vec<Tree<User>> {
        self.rows.end_all()
    }

    pub(super) fn record(&self, id: Id) -> Option<&UserRecord> {
        self.records.get(&id)
    }

    pub(super) fn record_mut(&mut self, id: Id) -> Option<&mut UserRecord> {
        self.records.get_mut(&id)
    }

    pub(super) fn by_name(&self, name: &str) -> Option<(Id, &UserRecord)> {
        let id = *self.ids_by_name.get(name)?;
        Some((id, self.record(id)?))
    }
}

impl Memory {
    /// All users, by ascending id.
    #[must_use]
    pub fn users(&self) -> List<User> {
        self.0.state.read().users.rows.list()
    }

    /// The users that the query asks for.
    #[must_use]
    pub fn find_users(&self, query: &ListQuery) -> Page<User> {
        let Shared { user_index, state, .. } = &*self.0;
        page(
            user_index,
            query,
            || state.read().users.rows.for_index(),
            |list| state.read().users.rows.track(list),
        )
    }

    /// The user with that id.
    ///
    /// # Errors
    /// [`GetError::NotFound`].
    pub fn user(&self, id: Id) -> Result<EncodedJson<User>, GetError> {
        self.0.state.read().users.rows.get(id).cloned().ok_or(GetError::NotFound)
    }

    /// Adds a user under a new id, and returns both.
    ///
    /// # Errors
    /// [`CreateUserError`].
    pub fn create_user(&self, input: HashedUser) -> Result<(Id, EncodedJson<User>), CreateUserError> {
        if input.id.is_some() {
            return Err(CreateUserError::IdGiven);
        }
        let mut state = self.0.state.write();
        let max_users = state.limits.users;
        let Users { records, rows, ids, ids_by_name } = &mut state.users;
        if ids_by_name.contains_key(&input.name) {
            return Err(CreateUserError::NameTaken);
        }
        if records.len() >= max_users {
            return Err(CreateUserError::Full);
        }
        let HashedUser { id: _, name, hash } = input;
        let id = ids.next_id().ok_or(CreateUserError::IdsExhausted)?;
        records.insert(id, UserRecord::new(name.clone(), hash));
        ids_by_name.insert(name.clone(), id);
        let (user, freed) = rows.insert(id, EncodedJson::new(&User { id, name }, self.0.style));
        drop(state);
        drop(freed);
        Ok((id, user))
    }

    /// Changes a user for an admitted request, at the time `now` (seconds since 1970). If the password changes, the refresh tokens issued to the user
    /// until now end.
    ///
    /// # Errors
    /// [`UpdateUserError`].
    pub fn update_user(
        &self,
        id: Id,
        change: UserChange,
        precondition: &Precondition,
        admission: &Admission,
        now: u64,
    ) -> Result<EncodedJson<User>, UpdateUserError> {
        let UserChange { id: given_id, name, hash, token } = change;
        let mut state = self.0.state.write();
        // While the password was hashed, the store may have started over, and another user may have the id.
        if token.is_some_and(|token| state.has_ended(&token)) {
            return Err(UpdateUserError::TokenEnded);
        }
        let Users { records, rows, ids_by_name, .. } = &mut state.users;
        let (record, current) = records.get_mut(&id).zip(rows.get(id)).ok_or(UpdateUserError::NotFound)?;
        if given_id.is_some_and(|given| given != id) {
            return Err(UpdateUserError::IdMismatch);
        }
        if name.as_ref().and_then(|name| ids_by_name.get(name)).is_some_and(|owner| *owner != id) {
            return Err(UpdateUserError::NameTaken);
        }
        precondition.check(current.version())?;
        if let Some(name) = name {
            ids_by_name.remove(&record.name);
            ids_by_name.insert(name.clone(), id);
            record.name = name;
        }
        if let Some(hash) = hash {
            record.change_password(hash.clone(), now);
            // A client that sets a password knows it.
            record.remember_network(&hash, admission.network);
        }
        let user = User { id, name: record.name.clone() };
        let (user, freed) = rows.insert(id, EncodedJson::new(&user, self.0.style));
        drop(state);
        drop(freed);
        self.0.rate_limiter.succeeded(admission);
        Ok(user)
    }

    /// Removes a user.
    ///
    /// # Errors
    /// [`DeleteError`].
    pub fn delete_user(&self, id: Id, precondition: &Precondition) -> Result<(), DeleteError> {
        let mut state = self.0.state.write();
        let Users { records, rows, ids_by_name, .. } = &mut state.users;
        let current = rows.get(id).ok_or(DeleteError::NotFound)?;
        precondition.check(current.version())?;
        if let Some(record) = records.remove(&id) {
            ids_by_name.remove(&record.name);
        }
        let freed = rows.remove(id);
        drop(state);
        drop(freed);
        Ok(())
    }
}
