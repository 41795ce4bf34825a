//! Clock of a live server, estimated from its responses.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// The maximum wait for a time: whole seconds and one slow response can make so much of a second.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// One reading of the clock, and the two moments of this machine that it lies between.
#[derive(Clone, Copy)]
struct Reading {
    shown: u64,
    sent: Instant,
    received: Instant,
}

/// The live server's clock: by the times at which it issues tokens, and before the first one by its Date headers. The
/// clock that issues tokens also verifies them; a Date may come from a proxy with another clock.
pub(crate) struct ServerClock {
    /// When this machine first saw the server.
    first: Instant,
    last: Reading,
    issues: bool,
}

impl ServerClock {
    /// A clock that shows `shown` seconds since 1970 now.
    pub(crate) fn showing(shown: u64) -> Self {
        let now = Instant::now();
        Self { first: now, last: Reading { shown, sent: now, received: now }, issues: false }
    }

    /// Takes the Date of a response that has just arrived, to a request sent at `sent`.
    pub(crate) fn dated(&mut self, shown: u64, sent: Instant) {
        if !self.issues {
            self.last = Reading { shown, sent, received: Instant::now() };
        }
    }

    /// Takes the time at which a token in a response was issued.
    pub(crate) fn issued(&mut self, shown: u64, sent: Instant, received: Instant) {
        self.issues = true;
        self.last = Reading { shown, sent, received };
    }

    /// Whether the server has issued a token. Before, the estimate comes from a Date.
    pub(crate) fn issues(&self) -> bool {
        self.issues
    }

    /// The earliest time that it can show now.
    pub(crate) fn now(&self) -> u64 {
        self.last.shown.saturating_add(self.last.received.elapsed().as_secs())
    }

    /// The latest time that it can have shown when the server was first seen.
    pub(crate) fn first(&self) -> u64 {
        self.last.shown.saturating_sub(self.last.sent.saturating_duration_since(self.first).as_secs())
    }

    /// Waits until it shows a time, for [`MAX_WAIT`] at most. Returns what it shows.
    pub(crate) fn wait_for(&self, time: u64) -> u64 {
        let deadline = Instant::now() + MAX_WAIT;
        while self.now() < time && Instant::now() < deadline {
            sleep(Duration::from_millis(20));
        }
        self.now().max(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_tell_the_time_better_than_a_date() {
        let mut clock = ServerClock::showing(1000);
        let sent = Instant::now();
        clock.dated(1100, sent);
        assert_eq!((clock.first(), clock.now()), (1100, 1100));
        // A difference as small as that of a proxy's clock counts as well.
        clock.issued(1094, sent, Instant::now());
        assert_eq!((clock.first(), clock.now()), (1094, 1094));
        clock.dated(1100, sent);
        assert_eq!((clock.first(), clock.now()), (1094, 1094));
        clock.issued(1090, sent, Instant::now());
        assert_eq!(clock.wait_for(1091), 1091);
        assert!(clock.now() >= 1091);
    }
}
