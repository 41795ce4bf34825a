//! Which tokens have been logged out.

use std::collections::{BTreeMap, HashSet};

use parking_lot::RwLock;
use uuid::Uuid;

/// How many seconds of expiry one bucket covers.
const BUCKET: u64 = 3600;

/// The revoked tokens that have not expired yet.
///
/// They lie in buckets by the hour in which they expire, which every token tells by itself, so that a look-up
/// goes to one bucket: a map of the hours ahead (720 with the default lifetime of 30 days), then a hash set.
/// A bucket is dropped whole when its hour has passed; until then nothing in it is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Revocations(RwLock<BTreeMap<u64, HashSet<Uuid>>>);

impl Revocations {
    /// Revokes a token that expires at `exp`, and forgets those that expired before `now`.
    pub(crate) fn revoke(&self, id: Uuid, exp: u64, now: u64) {
        let mut buckets = self.0.write();
        buckets.entry(exp / BUCKET).or_default().insert(id);
        *buckets = buckets.split_off(&(now / BUCKET));
    }

    /// Whether the token that expires at `exp` was revoked.
    pub(crate) fn contains(&self, id: Uuid, exp: u64) -> bool {
        self.0.read().get(&(exp / BUCKET)).is_some_and(|bucket| bucket.contains(&id))
    }

    /// How many tokens are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.read().values().map(HashSet::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_remembered_until_it_expires_and_forgotten_within_an_hour_after() {
        let revocations = Revocations::default();
        let (id, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let exp = 10 * BUCKET + 17;
        revocations.revoke(id, exp, 0);
        for now in [exp - 1, exp, 11 * BUCKET - 1] {
            revocations.revoke(other, exp, now);
            assert!(revocations.contains(id, exp), "forgotten at {now}");
        }
        revocations.revoke(other, 12 * BUCKET, 11 * BUCKET);
        assert!(!revocations.contains(id, exp));
        assert_eq!(revocations.len(), 1);
    }

    #[test]
    fn another_token_of_the_same_second_is_not_revoked() {
        let revocations = Revocations::default();
        revocations.revoke(Uuid::from_u128(1), 5, 0);
        assert!(!revocations.contains(Uuid::from_u128(2), 5));
    }
}
