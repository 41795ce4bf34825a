//! How a connection waits for its client.

use std::time::Duration;

use tokio::time::Instant;

use super::Phase;

/// A client that got a response less than this time ago is about to send the next request.
const SHORT_IDLE: Duration = Duration::from_millis(250);

/// A client that reads fewer than [`MIN_TRANSFER_RATE`](crate::http::HttpLimits::MIN_TRANSFER_RATE) bytes of its response in
/// this time has stalled.
const STALLED: Duration = Duration::from_secs(1);

/// How a connection waits for its client. Ordered: the smallest value is closed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::http) struct Wait {
    purpose: Purpose,
    since: Instant,
}

/// What a connection waits for. The first is missed least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    /// Nothing in particular: it is idle, or lingers.
    Nothing,
    /// The rest of a request, the client reading its response, or the first or second request of a connection.
    Request,
    /// The next request of a client that has sent several, and got the last response a moment ago.
    Next,
}

impl Wait {
    /// How a connection in `phase` waits since `since`, after `responses` responses. `None` while the server is at work.
    pub(super) fn of(phase: Phase, since: Instant, responses: u32, now: Instant) -> Option<Self> {
        let waited = now.saturating_duration_since(since);
        let purpose = match phase {
            Phase::Responding => return None,
            Phase::Sending if waited < STALLED => return None,
            Phase::Sending | Phase::Head | Phase::Body => Purpose::Request,
            Phase::Idle if waited >= SHORT_IDLE => Purpose::Nothing,
            Phase::Idle if responses > 1 => Purpose::Next,
            Phase::Idle => Purpose::Request,
            Phase::Lingering => Purpose::Nothing,
        };
        Some(Self { purpose, since })
    }

    /// Since when it waits.
    pub(super) const fn since(self) -> Instant {
        self.since
    }
}
