//! Revocation: the deny list of single tokens, and the cutoff for all tokens issued before a point in time.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use parking_lot::{Mutex, RwLock};
use thiserror::Error;
use uuid::Uuid;

/// The range of expiry times that one bucket covers, in seconds.
const BUCKET: u64 = 3600;

/// The revoked tokens that have not expired yet.
///
/// Tokens are in buckets by the hour in which they expire. A token carries its expiry, so a look-up reads one bucket: a
/// map of the hours ahead (720 with the default lifetime of 30 days), then a set. The sets are trees, with about 30 bytes
/// a token: a hash table would stop all requests while it doubles, for a fifth of a second at 10 million tokens. A bucket
/// is dropped as a whole when its hour has passed. From then on every token of that hour counts as revoked: the clock may
/// have been ahead, and be set back.
#[derive(Debug)]
pub(crate) struct Revocations {
    list: RwLock<DenyList>,
    /// The maximum number of tokens.
    max: usize,
}

#[derive(Debug, Default)]
struct DenyList {
    buckets: BTreeMap<u64, BTreeSet<Uuid>>,
    /// The first bucket that has not been dropped.
    first: u64,
}

impl DenyList {
    fn contains(&self, id: Uuid, exp: u64) -> bool {
        let bucket = exp / BUCKET;
        bucket < self.first || self.buckets.get(&bucket).is_some_and(|bucket| bucket.contains(&id))
    }

    fn revoke(&mut self, id: Uuid, exp: u64, max: usize) -> Result<(), CapacityExceeded> {
        if self.contains(id, exp) {
            return Ok(());
        }
        // Counted each time: a separate counter could get out of step.
        if self.buckets.values().map(BTreeSet::len).sum::<usize>() >= max {
            return Err(CapacityExceeded);
        }
        self.buckets.entry(exp / BUCKET).or_default().insert(id);
        Ok(())
    }

    /// Removes and returns the buckets whose hour has passed.
    fn remove_expired(&mut self, now: u64) -> BTreeMap<u64, BTreeSet<Uuid>> {
        self.first = self.first.max(now / BUCKET);
        let ahead = self.buckets.split_off(&self.first);
        std::mem::replace(&mut self.buckets, ahead)
    }
}

/// The deny list has the maximum number of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the deny list is full")]
pub struct CapacityExceeded;

impl Revocations {
    /// An empty list for at most `max` tokens.
    pub(crate) fn new(max: usize) -> Self {
        Self { list: RwLock::default(), max }
    }

    /// Removes tokens that expired before `now`, and revokes a token that expires at `exp`.
    ///
    /// # Errors
    /// [`CapacityExceeded`] if the list is full: the token is not revoked.
    pub(crate) fn revoke(&self, id: Uuid, exp: u64, now: u64) -> Result<(), CapacityExceeded> {
        let mut list = self.list.write();
        let expired = list.remove_expired(now);
        let result = list.revoke(id, exp, self.max);
        drop(list);
        // Dropped after the lock is released, because there may be many.
        drop(expired);
        result
    }

    /// Whether the token that expires at `exp` was revoked.
    pub(crate) fn contains(&self, id: Uuid, exp: u64) -> bool {
        self.list.read().contains(id, exp)
    }

    /// The number of tokens on the list.
    pub(crate) fn len(&self) -> usize {
        self.list.read().buckets.values().map(BTreeSet::len).sum()
    }
}

/// Invalidates every token that was issued before a point in time, although tokens carry only whole seconds.
///
/// The ids of tokens that were issued after that point, but within the same second, are kept; all others of that second
/// were issued before it.
/// The number of remembered ids is bounded. A token beyond the bound is rejected.
#[derive(Debug)]
pub struct ValidAfter {
    second: u64,
    capacity: usize,
    issued_after: Mutex<HashSet<Uuid>>,
}

impl ValidAfter {
    /// Capacity for the tokens that a whole server issues in one second: 2 MB.
    pub const SERVER_CAPACITY: usize = 65_536;

    /// Capacity for the tokens that one user gets in one second: two bursts of refreshes at the default rate (120 from
    /// one address), and some logins. 8 KB.
    pub const USER_CAPACITY: usize = 256;

    /// A cutoff now, `second` seconds after 1970, that remembers at most `capacity` tokens of this second.
    #[must_use]
    pub fn at(second: u64, capacity: usize) -> Self {
        Self { second, capacity, issued_after: Mutex::default() }
    }

    /// Records a token that is issued after the cutoff.
    pub fn record(&self, issued_at: u64, id: Uuid) {
        if issued_at == self.second {
            let mut ids = self.issued_after.lock();
            if ids.len() < self.capacity {
                ids.insert(id);
            }
        }
    }

    /// Whether the token was issued after the cutoff.
    #[must_use]
    pub fn allows(&self, issued_at: u64, id: Uuid) -> bool {
        issued_at > self.second || (issued_at == self.second && self.issued_after.lock().contains(&id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_token_until_it_expires_and_removes_it_within_an_hour() {
        let revocations = Revocations::new(2);
        let (id, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let exp = 10 * BUCKET + 17;
        assert_eq!(revocations.revoke(id, exp, 0), Ok(()));
        for now in [exp - 1, exp, 11 * BUCKET - 1] {
            assert_eq!(revocations.revoke(other, exp, now), Ok(()));
            assert!(revocations.contains(id, exp), "removed at {now}");
        }
        assert_eq!(revocations.revoke(other, 12 * BUCKET, 11 * BUCKET), Ok(()));
        assert!(revocations.contains(id, exp));
        assert_eq!(revocations.len(), 1);
    }

    #[test]
    fn a_full_list_rejects_tokens_until_one_expires() {
        let revocations = Revocations::new(2);
        let [one, two, three] = [1, 2, 3].map(Uuid::from_u128);
        assert_eq!(revocations.revoke(one, 5, 0), Ok(()));
        assert_eq!(revocations.revoke(two, BUCKET + 5, 0), Ok(()));
        assert_eq!(revocations.revoke(three, BUCKET + 5, 0), Err(CapacityExceeded));
        // Revoking a token again takes no space.
        assert_eq!(revocations.revoke(two, BUCKET + 5, 0), Ok(()));
        assert!(revocations.contains(one, 5) && revocations.contains(two, BUCKET + 5));
        assert!(!revocations.contains(three, BUCKET + 5));
        assert_eq!(revocations.len(), 2);
        assert_eq!(revocations.revoke(three, BUCKET + 5, BUCKET), Ok(()));
        assert!(revocations.contains(two, BUCKET + 5) && revocations.contains(three, BUCKET + 5));
    }

    #[test]
    fn does_not_revoke_another_token_of_the_same_second() {
        let revocations = Revocations::new(1);
        assert_eq!(revocations.revoke(Uuid::from_u128(1), 5, 0), Ok(()));
        assert!(!revocations.contains(Uuid::from_u128(2), 5));
    }

    /// The clock was ahead for a while, and a logout removed tokens that had expired by that clock.
    #[test]
    fn a_removed_token_stays_revoked_when_the_clock_is_set_back() {
        let revocations = Revocations::new(10);
        let (id, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let exp = 10 * BUCKET;
        revocations.revoke(id, exp, 0).expect("there is room");
        revocations.revoke(other, 90 * BUCKET, 50 * BUCKET).expect("there is room");
        revocations.revoke(other, 90 * BUCKET, 0).expect("it is revoked already");
        assert!(revocations.contains(id, exp));
    }

    #[test]
    fn rejects_tokens_beyond_capacity_in_the_same_second_only() {
        let valid_after = ValidAfter::at(10, 2);
        let ids = [1, 2, 3].map(Uuid::from_u128);
        for id in ids {
            valid_after.record(10, id);
        }
        assert_eq!(ids.map(|id| valid_after.allows(10, id)), [true, true, false]);
        assert_eq!(ids.map(|id| valid_after.allows(11, id)), [true; 3]);
        assert_eq!(ids.map(|id| valid_after.allows(9, id)), [false; 3]);
    }
}
