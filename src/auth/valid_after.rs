//! A moment that ends all tokens issued before it.

use std::collections::HashSet;

use parking_lot::Mutex;
use uuid::Uuid;

/// Ends every token issued before a moment, exactly, although tokens tell their age in whole seconds only.
///
/// Of the tokens of that one second, the ones issued after the cutoff are remembered by id; all others of
/// that second were issued before it. So many are remembered at most; what is issued beyond in that second is
/// never admitted: closed, rather than without bound.
#[derive(Debug)]
pub struct ValidAfter {
    second: u64,
    room: usize,
    issued_after: Mutex<HashSet<Uuid>>,
}

impl ValidAfter {
    /// Room for all that a whole server issues in one second: 2 MB.
    pub const SERVER_CAPACITY: usize = 65_536;

    /// Room for what one user is issued in one second: two bursts of refreshes at the default rate (120 from one
    /// address), and some logins. 8 KB. What is issued beyond it counts for nothing.
    pub const USER_CAPACITY: usize = 256;

    /// A cutoff now, `second` seconds after 1970, with room for that many tokens of this second.
    #[must_use]
    pub fn at(second: u64, room: usize) -> Self {
        Self { second, room, issued_after: Mutex::default() }
    }

    /// Takes note of a token issued after that second.
    pub fn record(&self, issued_at: u64, id: Uuid) {
        if issued_at == self.second {
            let mut noted = self.issued_after.lock();
            if noted.len() < self.room {
                noted.insert(id);
            }
        }
    }

    /// Whether the token was issued after that second.
    #[must_use]
    pub fn allows(&self, issued_at: u64, id: Uuid) -> bool {
        issued_at > self.second || (issued_at == self.second && self.issued_after.lock().contains(&id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_second_issues_beyond_the_room_is_refused_and_no_later_token_is() {
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
