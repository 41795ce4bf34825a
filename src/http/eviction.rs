//! Eviction: the search for the connection that has waited longest for its client, closed to make room for another.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::progress::{Progress, Wait};

/// A search keeps one of this many waiting connections as a candidate.
const SEARCHED_PER_CANDIDATE: usize = 32;

/// How long candidates are kept.
const CANDIDATES_KEPT: Duration = Duration::from_millis(100);

/// The pause between two searches, as a multiple of the time that the first took.
const PAUSE: u32 = 20;

/// The mark of a connection that is being closed to make room. While it exists, it counts in the numbers of closing
/// connections: that of the client and that of all.
pub(super) struct Eviction([Arc<AtomicUsize>; 2]);

impl Eviction {
    fn counted_by(counters: [&Arc<AtomicUsize>; 2]) -> Self {
        Self(counters.map(|counter| {
            counter.fetch_add(1, Ordering::Relaxed);
            Arc::clone(counter)
        }))
    }
}

impl Drop for Eviction {
    fn drop(&mut self) {
        for counter in &self.0 {
            counter.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A connection that may be closed if it still waits as it did when the search found it.
pub(super) struct Candidate {
    wait: Wait,
    progress: Weak<Progress>,
    /// The number of closing connections of its client.
    closing: Arc<AtomicUsize>,
}

impl Candidate {
    pub(super) fn new(wait: Wait, progress: &Arc<Progress>, closing: &Arc<AtomicUsize>) -> Self {
        Self { wait, progress: Arc::downgrade(progress), closing: Arc::clone(closing) }
    }
}

/// The candidates that the last search found, the longest waiting first.
#[derive(Default)]
pub(super) struct Candidates {
    queue: VecDeque<Candidate>,
    /// No search starts before this time.
    until: Option<Instant>,
}

impl Candidates {
    /// Evicts the longest waiting connection, if one waits. Calls `search` unless the last search is recent.
    pub(super) fn evict_one(
        &mut self,
        closing: &Arc<AtomicUsize>,
        search: impl FnOnce(Instant) -> Vec<Candidate>,
    ) -> bool {
        let now = Instant::now();
        let is_recent = self.until.is_some_and(|until| now < until);
        if is_recent {
            if self.queue.is_empty() {
                return false;
            }
            if self.evict_first(closing, now) {
                if self.queue.is_empty() {
                    self.until = None;
                }
                return true;
            }
        }
        let mut found = search(now);
        let count = (found.len() / SEARCHED_PER_CANDIDATE).max(1);
        if count < found.len() {
            found.select_nth_unstable_by_key(count, |candidate| candidate.wait);
            found.truncate(count);
        }
        found.sort_unstable_by_key(|candidate| candidate.wait);
        self.queue = found.into();
        let is_evicted = self.evict_first(closing, now);
        let pause = now.elapsed() * PAUSE;
        // If no candidate is left, the next search may find more.
        self.until = match (is_evicted, self.queue.is_empty()) {
            (true, true) => None,
            (true, false) => Some(now + pause.max(CANDIDATES_KEPT)),
            (false, _) => Some(now + pause),
        };
        is_evicted
    }

    /// Evicts the first candidate that still waits, and drops those before it.
    fn evict_first(&mut self, closing: &Arc<AtomicUsize>, now: Instant) -> bool {
        while let Some(Candidate { wait, progress, closing: client_closing }) = self.queue.pop_front() {
            let eviction = || Eviction::counted_by([closing, &client_closing]);
            if progress.upgrade().is_some_and(|progress| progress.evict(wait, now, eviction)) {
                return true;
            }
        }
        false
    }
}
