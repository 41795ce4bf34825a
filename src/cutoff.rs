//! A moment that ends all tokens issued before it.

use std::collections::HashSet;

use parking_lot::Mutex;
use uuid::Uuid;

/// Ends every token issued before a moment, exactly, although tokens tell their age in whole seconds only.
///
/// Of the tokens of that one second, the ones issued after the cutoff are remembered by id; all others of
/// that second were issued before it. What is remembered is bounded by what one second can issue.
#[derive(Debug)]
pub struct Cutoff {
    second: u64,
    issued_after: Mutex<HashSet<Uuid>>,
}

impl Cutoff {
    /// A cutoff now, `second` seconds after 1970.
    #[must_use]
    pub fn at(second: u64) -> Self {
        Self { second, issued_after: Mutex::default() }
    }

    /// Takes note of a token issued after the cutoff.
    pub fn note(&self, issued_at: u64, id: Uuid) {
        if issued_at == self.second {
            self.issued_after.lock().insert(id);
        }
    }

    /// Whether the token was issued after the cutoff.
    #[must_use]
    pub fn admits(&self, issued_at: u64, id: Uuid) -> bool {
        issued_at > self.second || (issued_at == self.second && self.issued_after.lock().contains(&id))
    }
}
