//! What is known of a request, for its line in the log: never tokens or bodies.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use tokio::time::Instant;

use crate::model::id::Id;

/// The id of a request: the client's own, if it is sane, else one that no other request of any server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// The header that carries it, both ways.
    pub const HEADER: &'static str = "x-request-id";

    /// The longest that is taken over from a client, in bytes.
    pub const MAX_LENGTH: usize = 64;

    /// The id for a request that came with that header.
    #[must_use]
    pub fn of(given: Option<&[u8]>) -> Self {
        let given = given.filter(|given| (1..=Self::MAX_LENGTH).contains(&given.len()));
        let given = given.filter(|given| given.iter().all(|byte| is_plain(*byte)));
        match given.and_then(|given| std::str::from_utf8(given).ok()) {
            Some(given) => Self(given.to_owned()),
            None => Self::fresh(),
        }
    }

    /// A number that is random for each process, and a count.
    fn fresh() -> Self {
        static PROCESS: LazyLock<String> =
            LazyLock::new(|| format!("{:016x}-", getrandom::u64().unwrap_or_default()));
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut id = PROCESS.clone();
        id.push_str(&COUNT.fetch_add(1, Ordering::Relaxed).to_string());
        Self(id)
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What needs no quotation marks in any log.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

/// What guards and routing find out about a request.
#[derive(Debug, Default)]
pub struct Facts {
    /// The user of its token, once that is verified.
    pub user: OnceLock<Id>,
    /// The template of the route that answered.
    pub route: OnceLock<String>,
}

/// The line of one request. It is written when the last of the answer is gone.
#[derive(Debug)]
pub struct Entry {
    id: RequestId,
    method: String,
    began: Instant,
    facts: Arc<Facts>,
    status: u16,
    bytes: u64,
}

impl Entry {
    /// For a request whose first byte came at `began`.
    #[must_use]
    pub fn new(id: &RequestId, method: &str, began: Instant, facts: Arc<Facts>) -> Self {
        Self { id: id.clone(), method: method.to_owned(), began, facts, status: 0, bytes: 0 }
    }

    /// The status is known.
    pub fn answered(&mut self, status: u16) {
        self.status = status;
    }

    /// So many bytes of the body are on their way.
    pub fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}
