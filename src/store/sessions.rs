//! Logins of the users in the store: credentials, and which tokens are accepted.

use super::{AccessSessionError, RefreshSessionError, State, Store};
use crate::auth::network::Network;
use crate::auth::password::Hash;
use crate::auth::token::Claims;
use crate::model::id::Id;

impl State {
    /// Whether the store has started over since the token was issued.
    pub(super) fn has_ended(&self, token: &Claims) -> bool {
        self.started_over.as_ref().is_some_and(|started| !started.allows(token.iat, token.jti))
    }

    /// Records new tokens.
    pub(super) fn issued(&self, tokens: &[&Claims]) {
        if let Some(started) = &self.started_over {
            tokens.iter().for_each(|token| started.record(token.iat, token.jti));
        }
    }
}

impl Store {
    /// The id and the password hash of the user with that name.
    #[must_use]
    pub fn credentials(&self, name: &str) -> Option<(Id, Hash)> {
        let state = self.0.state.read();
        let (id, record) = state.users.by_name(name)?;
        Some((id, record.hash.clone()))
    }

    /// The user with that name, if that user has proved the present password from that network.
    #[must_use]
    pub fn returning_user(&self, name: &str, network: Network) -> Option<Id> {
        let state = self.0.state.read();
        let (id, record) = state.users.by_name(name)?;
        record.has_logged_in_from(network).then_some(id)
    }

    /// Remembers that a user has proved the password with the hash `verified` from that network. Does nothing if the user
    /// has been deleted or has another password by now.
    pub fn remember_network(&self, id: Id, verified: &Hash, network: Network) {
        if let Some(record) = self.0.state.write().users.record_mut(id) {
            record.remember_network(verified, network);
        }
    }

    /// Accepts two tokens that were issued for a password with the hash `verified`. Refuses them if the user has been
    /// deleted or has another password by now: the login came too late.
    #[must_use]
    pub fn admit_login(&self, verified: &Hash, access: &Claims, refresh: &Claims) -> bool {
        let mut state = self.0.state.write();
        let record = state.users.record_mut(refresh.identity);
        let is_admitted = record.is_some_and(|record| record.admit_login(verified, access, refresh));
        if is_admitted {
            state.issued(&[access, refresh]);
        }
        is_admitted
    }

    /// Accepts an access token that was issued for a refresh token, if the store still accepts that one.
    ///
    /// # Errors
    /// [`RefreshSessionError`].
    pub fn admit_refresh(&self, refresh: &Claims, access: &Claims) -> Result<(), RefreshSessionError> {
        let mut state = self.0.state.write();
        if state.has_ended(refresh) {
            return Err(RefreshSessionError::AllLoggedOut);
        }
        let record = state.users.record_mut(refresh.identity).ok_or(RefreshSessionError::UnknownUser)?;
        record.admit_refresh(refresh, access)?;
        state.issued(&[access]);
        Ok(())
    }

    /// Ends all tokens issued to a user until now, at the time `now` (seconds since 1970). Those of a deleted user have
    /// ended already.
    pub fn log_out(&self, id: Id, now: u64) {
        if let Some(record) = self.0.state.write().users.record_mut(id) {
            record.log_out(now);
        }
    }

    /// Checks that a valid access token is still accepted: its user exists and has not logged out all tokens since.
    ///
    /// # Errors
    /// [`AccessSessionError`].
    pub fn check_access(&self, access: &Claims) -> Result<(), AccessSessionError> {
        let state = self.0.state.read();
        if state.has_ended(access) {
            return Err(AccessSessionError::AllLoggedOut);
        }
        let record = state.users.record(access.identity).ok_or(AccessSessionError::UnknownUser)?;
        record.check_access(access)
    }

    /// Checks that a valid refresh token is still accepted, as [`Store::check_access`] does, and that the password has not
    /// been changed since.
    ///
    /// # Errors
    /// [`RefreshSessionError`].
    pub fn check_refresh(&self, refresh: &Claims) -> Result<(), RefreshSessionError> {
        let state = self.0.state.read();
        if state.has_ended(refresh) {
            return Err(RefreshSessionError::AllLoggedOut);
        }
        let record = state.users.record(refresh.identity).ok_or(RefreshSessionError::UnknownUser)?;
        record.check_refresh(refresh)
    }
}
