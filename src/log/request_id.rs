//! Request ids, with which a client, its proxies and the log name the same request.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::LazyLock;

use crate::hex;

/// The id of a request: the client's, if it is short and plain, else one that is unique among all servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId {
    text: [u8; Self::MAX_LENGTH],
    length: usize,
}

impl RequestId {
    /// The name of the header, in requests and in responses.
    pub const HEADER: &'static str = "x-request-id";

    /// The longest id that is accepted from a client, in bytes.
    pub const MAX_LENGTH: usize = 64;

    /// The id of a request with that header. A value that is longer, or that any log would have to quote, is ignored.
    #[must_use]
    pub fn of(given: Option<&[u8]>) -> Self {
        let given = given.filter(|given| !given.is_empty() && given.iter().all(|byte| is_plain(*byte)));
        let mut id = Self { text: [0; Self::MAX_LENGTH], length: 0 };
        match given.and_then(|given| Some((id.text.get_mut(..given.len())?, given))) {
            Some((text, given)) => {
                text.copy_from_slice(given);
                id.length = given.len();
                id
            }
            None => Self::fresh(),
        }
    }

    /// A new id: a random number for the process, and a counter.
    #[must_use]
    pub fn fresh() -> Self {
        static PROCESS: LazyLock<RequestId> = LazyLock::new(|| {
            let mut id = RequestId { text: [0; RequestId::MAX_LENGTH], length: 0 };
            id.push_hexadecimal(getrandom::u64().unwrap_or_default(), 16);
            id.push(b'-');
            id
        });
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut id = *PROCESS;
        id.push_hexadecimal(COUNT.fetch_add(1, Ordering::Relaxed), 1);
        id
    }

    /// Adds a number with at least that many digits.
    fn push_hexadecimal(&mut self, number: u64, least: u32) {
        hex::digits(number, least).for_each(|digit| self.push(digit));
    }

    /// There is room for two numbers of 16 digits.
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Its text, which is ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_id_is_accepted_if_it_is_short_and_plain() {
        let longest = "x".repeat(RequestId::MAX_LENGTH);
        for sane in ["a", "A-b_c.9", longest.as_str()] {
            assert_eq!(RequestId::of(Some(sane.as_bytes())).as_str(), sane);
        }
        let too_long = "x".repeat(RequestId::MAX_LENGTH + 1);
        for odd in ["", " ", "a b", "a\"b", "a,b", "a/b", "\u{e9}", "a\n", too_long.as_str()] {
            let id = RequestId::of(Some(odd.as_bytes()));
            assert!(id.as_str() != odd && id.as_str().len() >= 18, "{odd:?}: {id}");
        }
    }

    #[test]
    fn two_new_ids_differ() {
        let (one, other) = (RequestId::of(None), RequestId::of(None));
        assert_ne!(one, other);
        assert_eq!(one.as_str().split('-').next().map(str::len), Some(16));
        assert_eq!(RequestId::of(Some(one.as_str().as_bytes())), one);
    }
}
