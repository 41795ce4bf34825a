//! Progress of a connection: the phase of its request, and the deadline of that phase.

mod ending;
mod wait;

use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

pub(super) use self::wait::Wait;
use super::eviction::Eviction;
use super::HttpLimits;
use crate::log::{AccessLogEntry, Outcome};
use crate::metrics::Metrics;

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Between requests.
    Idle,
    /// The head of a request is arriving.
    Head,
    /// The body is arriving.
    Body,
    /// The server is working on the response.
    Responding,
    /// The response is being sent.
    Sending,
    /// The last response is sent. What the client still sends is read and discarded, so that it comes to read the response.
    Lingering,
}

/// The progress of one connection, reported by hyper, by the socket under it, and by the dispatch of its requests.
pub(super) struct Progress {
    limits: &'static HttpLimits,
    /// Where requests are counted, if they are.
    metrics: Option<&'static Metrics>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// When the first byte of the request arrived.
    began: Instant,
    deadline: Instant,
    /// Set while the connection closes to make room for another.
    eviction: Option<Eviction>,
    /// How many bytes of the body the client has sent, as far as they were read.
    uploaded: u64,
    /// How many bytes of the response the client has read.
    taken: u64,
    /// When it sent or read the last [`HttpLimits::MIN_TRANSFER_RATE`] bytes, or the phase began.
    advanced_at: Instant,
    /// Whether hyper has the whole response.
    complete: bool,
    /// How many responses the connection has had.
    responses: u32,
    /// Whether the request is HEAD, whose response has no body.
    is_head: bool,
    /// The log entry of the current request.
    entry: Option<AccessLogEntry>,
    /// Wakes the task that serves the connection.
    waker: Option<Waker>,
}

impl Progress {
    pub(super) fn new(limits: &'static HttpLimits) -> Self {
        let now = Instant::now();
        // A new connection has as long as a head.
        let deadline = now + limits.header_timeout;
        let state = State {
            phase: Phase::Idle,
            began: now,
            deadline,
            eviction: None,
            uploaded: 0,
            taken: 0,
            advanced_at: now,
            complete: false,
            responses: 0,
            is_head: false,
            entry: None,
            waker: None,
        };
        Self { limits, metrics: None, state: Mutex::new(state) }
    }

    pub(super) fn phase(&self) -> Phase {
        self.state.lock().phase
    }

    /// Whether the request is HEAD.
    pub(super) fn is_head(&self) -> bool {
        self.state.lock().is_head
    }

    /// The current phase and its deadline.
    pub(super) fn deadline(&self) -> (Phase, Instant) {
        let state = self.state.lock();
        (state.phase, state.deadline)
    }

    /// When the first byte of the request arrived.
    pub(super) fn began(&self) -> Instant {
        self.state.lock().began
    }

    /// Records that bytes arrived. Returns the phase in which they did.
    pub(super) fn received(&self, bytes: usize) -> Phase {
        let mut state = self.state.lock();
        let phase = state.phase;
        match phase {
            Phase::Idle => {
                let now = Instant::now();
                state.phase = Phase::Head;
                state.go_on_until(now + self.limits.header_timeout);
                state.begin(now);
            }
            Phase::Body => {
                let before = state.uploaded / HttpLimits::MIN_TRANSFER_RATE;
                state.uploaded = state.uploaded.saturating_add(bytes as u64);
                if state.uploaded / HttpLimits::MIN_TRANSFER_RATE > before {
                    state.advanced_at = Instant::now();
                }
            }
            _ => {}
        }
        phase
    }

    /// Records that the head is complete; `body` tells whether a body follows. A request that arrived together with the
    /// previous one begins now.
    #[inline]
    pub(super) fn head_is_complete(&self, is_head: bool, body: bool) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Idle | Phase::Sending) {
            state.begin(Instant::now());
        }
        state.is_head = is_head;
        let deadline;
        (state.phase, deadline) = if body {
            state.advanced_at = Instant::now();
            (Phase::Body, state.advanced_at + self.limits.body_timeout)
        } else {
            (Phase::Responding, state.began + self.limits.request_timeout)
        };
        state.go_on_until(deadline);
    }

    /// Records that the body is complete.
    pub(super) fn request_is_complete(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Responding;
        let deadline = state.began + self.limits.request_timeout;
        state.go_on_until(deadline);
    }

    /// Records that the response depends on the body, for which the client gets a 100 response.
    pub(super) fn body_is_awaited(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Body;
        state.advanced_at = Instant::now();
        let deadline = state.advanced_at + self.limits.body_timeout;
        state.go_on_until(deadline);
    }

    /// Sets the log entry of the request, written when the request is over.
    #[inline]
    pub(super) fn set_log_entry(&self, entry: AccessLogEntry) {
        let before = self.state.lock().entry.replace(entry);
        // The system has yet to send the end of the previous response, but hyper is done with it.
        if let Some(before) = before {
            self.end(before, Outcome::Responded);
        }
    }

    /// Records the status of the response.
    #[inline]
    pub(super) fn set_status(&self, status: u16) {
        if let Some(entry) = &mut self.state.lock().entry {
            entry.set_status(status);
        }
    }

    /// Records that bytes of the response's body go to hyper.
    pub(super) fn sending(&self, bytes: usize) {
        if let Some(entry) = &mut self.state.lock().entry {
            entry.sent(bytes);
        }
    }

    /// Records that the response is ready to be sent.
    pub(super) fn response_is_ready(&self) {
        let mut state = self.state.lock();
        let now = Instant::now();
        state.phase = Phase::Sending;
        state.advanced_at = now;
        state.go_on_until(now + self.limits.request_timeout);
    }

    /// Records that hyper has the whole response.
    pub(super) fn response_is_complete(&self) {
        self.state.lock().complete = true;
    }

    /// Records that the client has read bytes, which gives it time for the next. The time is never more than that for the first
    /// bytes: a client that reads much at once could pause for as long.
    pub(super) fn sent(&self, bytes: usize) {
        let mut state = self.state.lock();
        let before = state.taken / HttpLimits::MIN_TRANSFER_RATE;
        state.taken = state.taken.saturating_add(bytes as u64);
        let earned = state.taken / HttpLimits::MIN_TRANSFER_RATE - before;
        if earned > 0 {
            let now = Instant::now();
            state.advanced_at = now;
            let longest = now + self.limits.request_timeout;
            let deadline = longest.min(state.deadline + Duration::from_secs(earned));
            state.go_on_until(deadline);
        }
    }

    /// Records that the last response is sent. The connection lingers for at most `longest`.
    pub(super) fn begin_linger(&self, longest: Duration) {
        let mut state = self.state.lock();
        let now = Instant::now();
        state.phase = Phase::Lingering;
        state.go_on_until(now + longest);
        state.begin(now);
    }

    /// How the connection waits for its client. `None` while the server works for it, or once it is evicted.
    pub(super) fn wait(&self, now: Instant) -> Option<Wait> {
        self.state.lock().wait(now)
    }

    /// Closes the connection to make room for another, if it still waits as it did at `wait`: its deadline passes. Bytes that
    /// arrive first set a new deadline. Returns whether it closes.
    pub(super) fn evict(&self, wait: Wait, now: Instant, eviction: impl FnOnce() -> Eviction) -> bool {
        let mut state = self.state.lock();
        if state.wait(now).map(Wait::since) != Some(wait.since()) {
            return false;
        }
        state.deadline = wait.since();
        state.eviction = Some(eviction());
        let waker = state.waker.clone();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Whether the connection closes to make room for another.
    pub(super) fn is_evicted(&self) -> bool {
        self.state.lock().eviction.is_some()
    }

    /// Records that the connection has left the registry.
    pub(super) fn has_left(&self) {
        self.state.lock().eviction = None;
    }

    /// Waits until the connection is evicted.
    pub(super) async fn evicted(&self) {
        poll_fn(|context| {
            self.is_served_by(context.waker());
            if self.is_evicted() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Sets the task to wake when the connection is evicted.
    pub(super) fn is_served_by(&self, waker: &Waker) {
        self.state.lock().waker.get_or_insert_with(|| waker.clone()).clone_from(waker);
    }

    /// Records that the client, or its system, has everything that hyper had to send.
    pub(super) fn flushed(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Sending && state.complete {
            let now = Instant::now();
            state.phase = Phase::Idle;
            state.responses = state.responses.saturating_add(1);
            state.go_on_until(now + self.limits.keep_alive);
            // Resets the counters: the next request may have arrived already.
            state.begin(now);
            let entry = state.entry.take();
            drop(state);
            if let Some(entry) = entry {
                self.end(entry, Outcome::Responded);
            }
        }
    }
}

impl State {
    /// Resets the state for a new request.
    fn begin(&mut self, now: Instant) {
        (self.began, self.uploaded, self.taken, self.complete, self.is_head) = (now, 0, 0, false, false);
    }

    /// The time since which the connection waits for its client, if it does.
    fn since(&self) -> Instant {
        if matches!(self.phase, Phase::Body | Phase::Sending) {
            self.advanced_at
        } else {
            self.began
        }
    }

    /// Sets the deadline. A connection that was about to close for another goes on.
    fn go_on_until(&mut self, deadline: Instant) {
        self.deadline = deadline;
        if self.eviction.is_some() {
            self.eviction = None;
        }
    }

    fn wait(&self, now: Instant) -> Option<Wait> {
        if self.eviction.is_some() {
            return None;
        }
        Wait::of(self.phase, self.since(), self.responses, now)
    }
}
