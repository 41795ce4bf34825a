//! Log of outages: one line when it begins, one now and then, one when it is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The shortest time between two lines.
const INTERVAL: Duration = Duration::from_secs(10);

/// Whether statements fail at the moment.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// The same as whether `state.since` is set: all that a statement that worked reads.
    is_on: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    /// Statements that failed since then.
    failed: u64,
    /// When the last line was written.
    line: Option<Instant>,
    /// Whether this outage has a line, so that its end gets one.
    has_line: bool,
}

impl Outage {
    /// A statement failed because the database is unavailable.
    pub(super) fn failed(&self, host: &str, what: &str) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let since = *state.since.get_or_insert(now);
        state.failed += 1;
        self.is_on.store(true, Ordering::Relaxed);
        if state.line.is_some_and(|line| now.duration_since(line) < INTERVAL) {
            return;
        }
        state.line = Some(now);
        state.has_line = true;
        let (failed, seconds) = (state.failed, now.duration_since(since).as_secs_f32());
        drop(state);
        tracing::error!(host, reason = what, failed, seconds, "the database is unavailable");
    }

    /// A statement worked.
    pub(super) fn worked(&self, host: &str) {
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.state.lock();
        let Some(since) = state.since.take() else { return };
        self.is_on.store(false, Ordering::Relaxed);
        let (failed, has_line) = (std::mem::take(&mut state.failed), std::mem::take(&mut state.has_line));
        drop(state);
        if has_line {
            let seconds = since.elapsed().as_secs_f32();
            tracing::warn!(host, failed, seconds, "the database is available again");
        }
    }
}
