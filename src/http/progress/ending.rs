//! Ends of requests, which are counted and logged.

use super::Progress;
use crate::log::{AccessLogEntry, Outcome};
use crate::metrics::Metrics;

impl Progress {
    /// The same, with requests counted there.
    pub(in crate::http) fn counted_in(mut self, metrics: Option<&'static Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Takes the log entry of a request that is aborted.
    pub(in crate::http) fn take_log_entry(&self) -> Option<AccessLogEntry> {
        self.state.lock().entry.take()
    }

    /// Counts and logs a request that has ended.
    #[inline]
    pub(in crate::http) fn end(&self, entry: AccessLogEntry, outcome: Outcome) {
        if let Some(metrics) = self.metrics {
            entry.count(metrics);
        }
        entry.end(outcome);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // The entry is gone unless the connection broke.
        if let Some(entry) = self.take_log_entry() {
            self.end(entry, Outcome::Failed);
        }
    }
}
