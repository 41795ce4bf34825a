//! User record: the password of a user, and which tokens of the user are accepted.

use super::families::Families;
use crate::auth::network::Network;
use crate::auth::password::Hash;
use crate::auth::revocation::ValidAfter;
use crate::auth::token::Claims;
use crate::store::{AccessSessionError, RefreshSessionError, Rotation};

/// The most networks that are remembered for a user: 300 bytes.
const MAX_NETWORKS: usize = 16;

/// A user as stored.
#[derive(Debug)]
pub(super) struct UserRecord {
    pub(super) name: String,
    pub(super) hash: Hash,
    /// Since when refresh tokens are accepted; none if the password was never changed.
    password_change: Option<ValidAfter>,
    /// Since when tokens of either kind are accepted; none if they were never all logged out.
    logout: Option<ValidAfter>,
    /// When the newest token was issued, in seconds since 1970.
    newest_token: u64,
    /// The networks from which the user has proved the present password, the latest last.
    networks: Vec<Network>,
    /// The logins whose refresh tokens are rotated.
    pub(super) families: Families,
}

impl UserRecord {
    pub(super) fn new(name: String, hash: Hash) -> Self {
        Self {
            name,
            hash,
            password_change: None,
            logout: None,
            newest_token: 0,
            networks: Vec::new(),
            families: Families::default(),
        }
    }

    /// A mark that ends the tokens issued until `now`. That time was read before the lock was taken, so a token may have been
    /// issued in a later second meanwhile.
    fn valid_after(&self, now: u64) -> ValidAfter {
        ValidAfter::at(now.max(self.newest_token), ValidAfter::USER_CAPACITY)
    }

    pub(super) fn newest_token(&self) -> u64 {
        self.newest_token
    }

    /// Records a new token of either kind.
    fn issued(&mut self, token: &Claims) {
        self.newest_token = self.newest_token.max(token.iat);
        if let Some(valid_after) = &self.logout {
            valid_after.record(token.iat, token.jti);
        }
    }

    fn is_logged_out(&self, token: &Claims) -> bool {
        self.logout.as_ref().is_some_and(|valid_after| !valid_after.allows(token.iat, token.jti))
    }

    /// Whether the user has proved the present password from that network.
    pub(super) fn has_logged_in_from(&self, network: Network) -> bool {
        self.networks.contains(&network)
    }

    /// Remembers from where a password was proved, if the user still has it.
    pub(super) fn remember_network(&mut self, verified: &Hash, network: Network) {
        if self.hash == *verified {
            self.networks.retain(|known| *known != network);
            if self.networks.len() >= MAX_NETWORKS {
                self.networks.remove(0);
            }
            self.networks.push(network);
        }
    }

    /// Ends the refresh tokens issued until `now`, and forgets from where the old password was proved.
    pub(super) fn change_password(&mut self, hash: Hash, now: u64) {
        self.hash = hash;
        self.networks.clear();
        self.password_change = Some(self.valid_after(now));
    }

    /// Ends all tokens issued until `now`.
    pub(super) fn log_out(&mut self, now: u64) {
        self.logout = Some(self.valid_after(now));
    }

    pub(super) fn admit_login(&mut self, verified: &Hash, access: &Claims, refresh: &Claims) -> bool {
        if self.hash != *verified {
            return false;
        }
        self.issued(access);
        self.issued_refresh(refresh);
        true
    }

    /// Records a new refresh token.
    fn issued_refresh(&mut self, refresh: &Claims) {
        self.issued(refresh);
        if let Some(valid_after) = &self.password_change {
            valid_after.record(refresh.iat, refresh.jti);
        }
    }

    pub(super) fn rotate(
        &mut self,
        spent: &Claims,
        access: &Claims,
        next: &Claims,
        rotation: &Rotation,
    ) -> Result<(), RefreshSessionError> {
        self.check_refresh(spent)?;
        self.families.spend(spent.family.ok_or(RefreshSessionError::FamilyEnded)?, rotation)?;
        self.issued(access);
        self.issued_refresh(next);
        Ok(())
    }

    pub(super) fn admit_refresh(
        &mut self,
        refresh: &Claims,
        access: &Claims,
    ) -> Result<(), RefreshSessionError> {
        self.check_refresh(refresh)?;
        self.issued(access);
        Ok(())
    }

    pub(super) fn check_access(&self, access: &Claims) -> Result<(), AccessSessionError> {
        if self.is_logged_out(access) {
            return Err(AccessSessionError::AllLoggedOut);
        }
        Ok(())
    }

    pub(super) fn check_refresh(&self, refresh: &Claims) -> Result<(), RefreshSessionError> {
        if self.is_logged_out(refresh) {
            return Err(RefreshSessionError::AllLoggedOut);
        }
        match &self.password_change {
            Some(valid_after) if !valid_after.allows(refresh.iat, refresh.jti) => {
                return Err(RefreshSessionError::PasswordChanged);
            }
            _ => {}
        }
        match refresh.family {
            Some(family) if !self.families.contains(family) => Err(RefreshSessionError::FamilyEnded),
            _ => Ok(()),
        }
    }
}
