//! Cutoff: invalidates all tokens that were issued before a point in time.

use std::collections::HashSet;

use parking_lot::Mutex;
use uuid::Uuid;

/// Invalidates every token that was issued before a point in time, although tokens carry only whole seconds.
///
/// Of the tokens of that second, those issued after the cutoff are remembered by id; all others were issued before it.
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
