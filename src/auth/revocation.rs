//! Which tokens have been logged out.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::RwLock;
use thiserror::Error;
use uuid::Uuid;

/// How many seconds of expiry one bucket covers.
const BUCKET: u64 = 3600;

/// The revoked tokens that have not expired yet.
///
/// They lie in buckets by the hour in which they expire, which every token tells by itself, so that a look-up
/// goes to one bucket: a map of the hours ahead (720 with the default lifetime of 30 days), then a set. The sets are
/// trees, about 30 bytes a token: a hash table would stop every request while it doubles, a fifth of a second at 10
/// million. A bucket is dropped whole when its hour has passed. Whatever would lie in it counts as revoked from then
/// on: the clock may have been ahead of the time, and be set back.
#[derive(Debug)]
pub(crate) struct Revocations {
    list: RwLock<DenyList>,
    /// How many tokens it remembers at most.
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

    fn revoke(&mut self, id: Uuid, exp: u64, most: usize) -> Result<(), CapacityExceeded> {
        if self.contains(id, exp) {
            return Ok(());
        }
        // A sum over the hours ahead, rather than a number that would have to be kept equal to it.
        if self.buckets.values().map(BTreeSet::len).sum::<usize>() >= most {
            return Err(CapacityExceeded);
        }
        self.buckets.entry(exp / BUCKET).or_default().insert(id);
        Ok(())
    }

    /// Takes out the buckets whose hour has passed.
    fn forget(&mut self, now: u64) -> BTreeMap<u64, BTreeSet<Uuid>> {
        self.first = self.first.max(now / BUCKET);
        let ahead = self.buckets.split_off(&self.first);
        std::mem::replace(&mut self.buckets, ahead)
    }
}

/// As many tokens are revoked as can be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the deny list is full")]
pub struct CapacityExceeded;

impl Revocations {
    /// An empty list that has room for `max` tokens.
    pub(crate) fn new(max: usize) -> Self {
        Self { list: RwLock::default(), max }
    }

    /// Forgets the tokens that expired before `now`, and revokes one that expires at `exp`, if there is room for it.
    ///
    /// # Errors
    /// [`CapacityExceeded`]: the token is not revoked.
    pub(crate) fn revoke(&self, id: Uuid, exp: u64, now: u64) -> Result<(), CapacityExceeded> {
        let mut remembered = self.list.write();
        let expired = remembered.forget(now);
        let revoked = remembered.revoke(id, exp, self.max);
        drop(remembered);
        // Once no lock is held: they may be many.
        drop(expired);
        revoked
    }

    /// Whether the token that expires at `exp` was revoked.
    pub(crate) fn contains(&self, id: Uuid, exp: u64) -> bool {
        self.list.read().contains(id, exp)
    }

    /// How many tokens are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.list.read().buckets.values().map(BTreeSet::len).sum()
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_token_is_remembered_until_it_expires_and_forgotten_within_an_hour_after() {
        let revocations = Revocations::new(2);
        let (id, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let exp = 10 * BUCKET + 17;
        assert_eq!(revocations.revoke(id, exp, 0), Ok(()));
        for now in [exp - 1, exp, 11 * BUCKET - 1] {
            assert_eq!(revocations.revoke(other, exp, now), Ok(()));
            assert!(revocations.contains(id, exp), "forgotten at {now}");
        }
        assert_eq!(revocations.revoke(other, 12 * BUCKET, 11 * BUCKET), Ok(()));
        assert!(revocations.contains(id, exp));
        assert_eq!(revocations.len(), 1);
    }

    #[test]
    fn what_is_full_forgets_nothing_and_takes_nothing_until_something_has_expired() {
        let revocations = Revocations::new(2);
        let [one, two, three] = [1, 2, 3].map(Uuid::from_u128);
        assert_eq!(revocations.revoke(one, 5, 0), Ok(()));
        assert_eq!(revocations.revoke(two, BUCKET + 5, 0), Ok(()));
        assert_eq!(revocations.revoke(three, BUCKET + 5, 0), Err(CapacityExceeded));
        // What is revoked already takes no more room.
        assert_eq!(revocations.revoke(two, BUCKET + 5, 0), Ok(()));
        assert!(revocations.contains(one, 5) && revocations.contains(two, BUCKET + 5));
        assert!(!revocations.contains(three, BUCKET + 5));
        assert_eq!(revocations.len(), 2);
        assert_eq!(revocations.revoke(three, BUCKET + 5, BUCKET), Ok(()));
        assert!(revocations.contains(two, BUCKET + 5) && revocations.contains(three, BUCKET + 5));
    }

    #[test]
    fn another_token_of_the_same_second_is_not_revoked() {
        let revocations = Revocations::new(1);
        assert_eq!(revocations.revoke(Uuid::from_u128(1), 5, 0), Ok(()));
        assert!(!revocations.contains(Uuid::from_u128(2), 5));
    }

    /// The clock was wrong for a while, and a logout forgot what would have expired by then.
    #[test]
    fn a_clock_that_jumps_ahead_and_back_lets_nobody_in_again() {
        let revocations = Revocations::new(10);
        let (id, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let exp = 10 * BUCKET;
        revocations.revoke(id, exp, 0).expect("there is room");
        revocations.revoke(other, 90 * BUCKET, 50 * BUCKET).expect("there is room");
        revocations.revoke(other, 90 * BUCKET, 0).expect("it is revoked already");
        assert!(revocations.contains(id, exp));
    }
}
