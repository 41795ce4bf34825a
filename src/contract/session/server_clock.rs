//! The clock of a live server, as far as its answers tell it.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// The longest wait for it to show a time: what whole seconds and one slow answer can make of a second.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// One look at it: what it showed, and between which two moments of this machine.
#[derive(Clone, Copy)]
struct Look {
    shown: u64,
    sent: Instant,
    received: Instant,
}

/// The live server's clock: by the times at which it issues tokens, and until it has issued one by its Date headers.
/// The clock that issues tokens is the one that verifies them; a Date may come from a proxy with another.
pub(crate) struct ServerClock {
    /// When the server was first seen, by this machine.
    first: Instant,
    last: Look,
    issues: bool,
}

impl ServerClock {
    /// A clock that shows `shown` seconds since 1970 now.
    pub(crate) fn showing(shown: u64) -> Self {
        let now = Instant::now();
        Self { first: now, last: Look { shown, sent: now, received: now }, issues: false }
    }

    /// An answer to a request that was sent then, and has arrived now, has that Date.
    pub(crate) fn dated(&mut self, shown: u64, sent: Instant) {
        if !self.issues {
            self.last = Look { shown, sent, received: Instant::now() };
        }
    }

    /// A token in such an answer was issued at that time.
    pub(crate) fn issued(&mut self, shown: u64, sent: Instant, received: Instant) {
        self.issues = true;
        self.last = Look { shown, sent, received };
    }

    /// Whether it has issued a token: until then there is only a Date to go by.
    pub(crate) fn issues(&self) -> bool {
        self.issues
    }

    /// What it shows now, at least.
    pub(crate) fn now(&self) -> u64 {
        self.last.shown.saturating_add(self.last.received.elapsed().as_secs())
    }

    /// What it showed when the server ran already, at most.
    pub(crate) fn first(&self) -> u64 {
        self.last.shown.saturating_sub(self.last.sent.saturating_duration_since(self.first).as_secs())
    }

    /// Waits until it shows that time, within reason, and gives what it shows.
    pub(crate) fn wait_for(&self, time: u64) -> u64 {
        let deadline = Instant::now() + LONGEST_WAIT;
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
