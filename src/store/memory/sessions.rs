//! Logins: rate limits, credentials, and which tokens are accepted.

use super::{Memory, State};
use crate::auth::network::Network;
use crate::auth::password::Hash;
use crate::auth::rate_limit::{Admission, Operation, RateLimited};
use crate::auth::token::Claims;
use crate::model::id::Id;
use crate::store::{AccessSessionError, LoginAttempt, RefreshSessionError};

impl State {
    /// Whether the token was issued before the start.
    pub(super) fn has_ended(&self, token: &Claims) -> bool {
        !self.start.allows(token.iat, token.jti)
    }

    /// Records new tokens.
    pub(super) fn issued(&self, tokens: &[&Claims]) {
        tokens.iter().for_each(|token| self.start.record(token.iat, token.jti));
    }
}

impl Memory {
    /// Counts a request, and admits it if it is within the rate limits.
    ///
    /// # Errors
    /// [`RateLimited`].
    pub fn admit(&self, operation: Operation, client: Network) -> Result<Admission, RateLimited> {
        self.0.rate_limiter.admit(operation, client)
    }

    /// The id and the password hash of the user with that name.
    #[must_use]
    pub fn credentials(&self, name: &str) -> Option<(Id, Hash)> {
        let state = self.0.state.read();
        let (id, record) = state.users.by_name(name)?;
        Some((id, record.hash.clone()))
    }

    /// Counts a login, and finds the user with that name.
    ///
    /// # Errors
    /// [`RateLimited`].
    pub fn begin_login(&self, name: &str, client: Network) -> Result<LoginAttempt, RateLimited> {
        let (account, is_returning) = {
            let state = self.0.state.read();
            let user = state.users.by_name(name);
            let is_returning = user.is_some_and(|(_, record)| record.has_logged_in_from(client));
            (user.map(|(id, record)| (id, record.hash.clone())), is_returning)
        };
        let returning = account.as_ref().map(|(id, _)| *id).filter(|_| is_returning);
        let admission = self.0.rate_limiter.admit_login(name, returning, client)?;
        Ok(LoginAttempt { admission, account })
    }

    /// Accepts two tokens that were issued for a password with the hash `verified`, and remembers from where it was proved.
    /// Refuses them if the user has been deleted or has another password by now: the login came too late.
    #[must_use]
    pub fn complete_login(
        &self,
        verified: &Hash,
        access: &Claims,
        refresh: &Claims,
        admission: &Admission,
    ) -> bool {
        let is_admitted = self.0.state.write().complete_login(verified, access, refresh, admission.network);
        if is_admitted {
            self.0.rate_limiter.succeeded(admission);
        }
        is_admitted
    }

    /// Accepts an access token that was issued for a refresh token, if the store still accepts that one.
    ///
    /// # Errors
    /// [`RefreshSessionError`].
    pub fn refresh(
        &self,
        refresh: &Claims,
        access: &Claims,
        admission: &Admission,
    ) -> Result<(), RefreshSessionError> {
        let mut state = self.0.state.write();
        if state.has_ended(refresh) {
            return Err(RefreshSessionError::AllLoggedOut);
        }
        let record = state.users.record_mut(refresh.identity).ok_or(RefreshSessionError::UnknownUser)?;
        record.admit_refresh(refresh, access)?;
        state.issued(&[access]);
        drop(state);
        self.0.rate_limiter.refreshed(admission);
        Ok(())
    }

    /// Ends a token at the time `now` (seconds since 1970), and its family with it. If the deny list is full, ends all tokens
    /// that were issued to its user until now.
    pub fn log_out(&self, token: &Claims, now: u64) {
        self.end_family(token);
        if self.0.revoked.revoke(token.jti, token.exp, now).is_err() {
            self.log_out_everywhere(token.identity, now);
        }
    }

    /// Ends all tokens issued to a user until now, at the time `now` (seconds since 1970). Those of a deleted user have
    /// ended already.
    pub fn log_out_everywhere(&self, id: Id, now: u64) {
        if let Some(record) = self.0.state.write().users.record_mut(id) {
            record.log_out(now);
        }
    }

    /// Checks that a valid access token is still accepted: it was not logged out, its user exists and has not logged out
    /// all tokens since.
    ///
    /// # Errors
    /// [`AccessSessionError`].
    pub fn check_access(&self, access: &Claims) -> Result<(), AccessSessionError> {
        if self.0.revoked.contains(access.jti, access.exp) {
            return Err(AccessSessionError::Revoked);
        }
        let state = self.0.state.read();
        if state.has_ended(access) {
            return Err(AccessSessionError::AllLoggedOut);
        }
        let record = state.users.record(access.identity).ok_or(AccessSessionError::UnknownUser)?;
        record.check_access(access)
    }

    /// Checks that a valid refresh token is still accepted, as [`Memory::check_access`] does, and that the password has not
    /// been changed since.
    ///
    /// # Errors
    /// [`RefreshSessionError`].
    pub fn check_refresh(&self, refresh: &Claims) -> Result<(), RefreshSessionError> {
        if self.0.revoked.contains(refresh.jti, refresh.exp) {
            return Err(RefreshSessionError::Revoked);
        }
        let state = self.0.state.read();
        if state.has_ended(refresh) {
            return Err(RefreshSessionError::AllLoggedOut);
        }
        let record = state.users.record(refresh.identity).ok_or(RefreshSessionError::UnknownUser)?;
        record.check_refresh(refresh)
    }
}

impl State {
    fn complete_login(
        &mut self,
        verified: &Hash,
        access: &Claims,
        refresh: &Claims,
        network: Network,
    ) -> bool {
        let Some(record) = self.users.record_mut(refresh.identity) else { return false };
        if !record.admit_login(verified, access, refresh) {
            return false;
        }
        if let Some(family) = refresh.family {
            record.families.begin(refresh, family);
        }
        record.remember_network(verified, network);
        self.issued(&[access, refresh]);
        true
    }
}
