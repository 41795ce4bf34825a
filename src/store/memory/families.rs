//! Token families: which refresh tokens of a login are spent, with refresh rotation (RFC 9700, section 4.14.2).
//!
//! A family is a login, and the refresh tokens that were issued for its first one after another. Each has the number of its
//! generation in a claim, so that one number tells which of them are spent. A token is accepted only while the user has
//! the family on record: whatever is lost or dropped from the records ends the family.

use uuid::Uuid;

use super::Memory;
use crate::auth::network::Network;
use crate::auth::rate_limit::Admission;
use crate::auth::token::{Claims, Family};
use crate::store::{RefreshSessionError, Rotation};

/// The most families of a user: 2 KB. A login beyond that ends the family that was used the longest ago.
const MAX_FAMILIES: usize = 32;

/// The families of a user, the one that was used the longest ago first.
#[derive(Debug, Default)]
pub(super) struct Families(Vec<FamilyRecord>);

#[derive(Debug)]
struct FamilyRecord {
    id: Uuid,
    exp: u64,
    /// The generation of the tokens that are not spent.
    generation: u32,
    /// When the generation before was spent, and by whom.
    spent: Option<(u64, Network)>,
}

impl Families {
    /// Records the family of a login. Families that have expired by then are dropped.
    pub(super) fn begin(&mut self, first: &Claims, family: Family) {
        self.0.retain(|known| known.exp > first.iat);
        if self.0.len() >= MAX_FAMILIES {
            self.0.remove(0);
        }
        self.0.push(FamilyRecord {
            id: family.id,
            exp: first.exp,
            generation: family.generation,
            spent: None,
        });
    }

    /// Whether the family has not ended.
    pub(super) fn contains(&self, family: Family) -> bool {
        self.0.iter().any(|known| known.id == family.id)
    }

    fn end(&mut self, family: Family) {
        self.0.retain(|known| known.id != family.id);
    }

    /// Spends a token. If it is spent already, and this is not the client's retry, ends its family.
    pub(super) fn spend(&mut self, family: Family, rotation: &Rotation) -> Result<(), RefreshSessionError> {
        let Rotation { client, now, grace } = *rotation;
        let at = self.0.iter().position(|known| known.id == family.id);
        let mut record = self.0.remove(at.ok_or(RefreshSessionError::FamilyEnded)?);
        let next = family.generation.checked_add(1).ok_or(RefreshSessionError::Reused)?;
        let is_first_use = family.generation == record.generation;
        // Two requests may read the clock in one order and get here in the other.
        let is_retry = next == record.generation
            && record.spent.is_some_and(|(when, by)| by == client && when.abs_diff(now) < grace);
        if !is_first_use && !is_retry {
            return Err(RefreshSessionError::Reused);
        }
        if is_first_use {
            record.generation = next;
            record.spent = Some((now, client));
        }
        self.0.push(record);
        Ok(())
    }
}

impl Memory {
    /// Spends a refresh token, and accepts the access token and the refresh token that were issued for it. A token without a
    /// family is refused.
    ///
    /// # Errors
    /// [`RefreshSessionError`]. After [`RefreshSessionError::Reused`] the family has ended.
    pub fn rotate(
        &self,
        spent: &Claims,
        access: &Claims,
        next: &Claims,
        rotation: &Rotation,
        admission: &Admission,
    ) -> Result<(), RefreshSessionError> {
        let mut state = self.0.state.write();
        if state.has_ended(spent) {
            return Err(RefreshSessionError::AllLoggedOut);
        }
        let record = state.users.record_mut(spent.identity).ok_or(RefreshSessionError::UnknownUser)?;
        record.rotate(spent, access, next, rotation)?;
        state.issued(&[access, next]);
        drop(state);
        self.0.rate_limiter.refreshed(admission);
        Ok(())
    }

    /// Ends the family of a token that was logged out, if it has one.
    pub(super) fn end_family(&self, token: &Claims) {
        if let Some(family) = token.family {
            if let Some(record) = self.0.state.write().users.record_mut(token.identity) {
                record.families.end(family);
            }
        }
    }
}
