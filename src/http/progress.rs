//! How far a connection has come with its request, and until when the next step must be done.

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

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Between requests: nothing has come, or all that was asked has been answered.
    Idle,
    /// The head of a request is on its way.
    Head,
    /// The body is on its way.
    Body,
    /// The server is at work.
    Answering,
    /// The answer is on its way.
    Sending,
    /// All is said. What the client still sends is read and discarded, so that it comes to read the answer.
    Lingering,
}

/// The progress of one connection. hyper, the socket under it and the request in it all take part.
pub(super) struct Progress {
    limits: &'static HttpLimits,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// When the first byte of the request came.
    began: Instant,
    deadline: Instant,
    /// There while the connection ends to make room for another.
    eviction: Option<Eviction>,
    /// How many bytes of the body the client has sent, more or less: they are counted as they are read.
    uploaded: u64,
    /// How many bytes of the answer the client has taken.
    taken: u64,
    /// When it sent or took the last [`HttpLimits::MIN_WRITE_RATE`] of them, or its turn began.
    advanced_at: Instant,
    /// Whether hyper has all of the answer.
    complete: bool,
    /// How many requests of the connection were answered.
    answered: u32,
    /// Whether the request is HEAD, whose answer has no body.
    is_head: bool,
    /// The line in the log of the request that is not over.
    entry: Option<AccessLogEntry>,
    /// Wakes the task that serves the connection.
    waker: Option<Waker>,
}

impl Progress {
    pub(super) fn new(limits: &'static HttpLimits) -> Self {
        let now = Instant::now();
        // A client that connects means to say something: it has as long as for a head.
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
            answered: 0,
            is_head: false,
            entry: None,
            waker: None,
        };
        Self { limits, state: Mutex::new(state) }
    }

    pub(super) fn phase(&self) -> Phase {
        self.state.lock().phase
    }

    /// Whether what has been asked is HEAD.
    pub(super) fn is_head(&self) -> bool {
        self.state.lock().is_head
    }

    /// The present phase, and until when it must be over.
    pub(super) fn deadline(&self) -> (Phase, Instant) {
        let state = self.state.lock();
        (state.phase, state.deadline)
    }

    /// When the first byte of the request came.
    pub(super) fn began(&self) -> Instant {
        self.state.lock().began
    }

    /// So many bytes have come from the client. Gives the phase in which they came.
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
                let before = state.uploaded / HttpLimits::MIN_WRITE_RATE;
                state.uploaded = state.uploaded.saturating_add(bytes as u64);
                if state.uploaded / HttpLimits::MIN_WRITE_RATE > before {
                    state.advanced_at = Instant::now();
                }
            }
            _ => {}
        }
        phase
    }

    /// The head is there; `body` says whether a body follows. A request that came together with the one before
    /// it begins now.
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
            (Phase::Answering, state.began + self.limits.request_timeout)
        };
        state.go_on_until(deadline);
    }

    /// The body is there.
    pub(super) fn request_is_complete(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Answering;
        let deadline = state.began + self.limits.request_timeout;
        state.go_on_until(deadline);
    }

    /// The head does not decide the answer, and the client is told to send the body.
    pub(super) fn body_is_awaited(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Body;
        state.advanced_at = Instant::now();
        let deadline = state.advanced_at + self.limits.body_timeout;
        state.go_on_until(deadline);
    }

    /// The request is to be entered into the log when it is over.
    #[inline]
    pub(super) fn set_log_entry(&self, entry: AccessLogEntry) {
        let before = self.state.lock().entry.replace(entry);
        // The system has yet to take the last of the answer before, but it is out of hyper's hands.
        if let Some(before) = before {
            before.end(Outcome::Answered);
        }
    }

    /// The status of the answer.
    #[inline]
    pub(super) fn answered(&self, status: u16) {
        if let Some(entry) = &mut self.state.lock().entry {
            entry.answered(status);
        }
    }

    /// So many bytes of the answer's body go to hyper.
    pub(super) fn sending(&self, bytes: usize) {
        if let Some(entry) = &mut self.state.lock().entry {
            entry.sent(bytes);
        }
    }

    /// Takes the line of the request that is not over, if there is one, when the request is given up.
    pub(super) fn take_log_entry(&self) -> Option<AccessLogEntry> {
        self.state.lock().entry.take()
    }

    /// The answer is there.
    pub(super) fn answer_is_ready(&self) {
        let mut state = self.state.lock();
        let now = Instant::now();
        state.phase = Phase::Sending;
        state.advanced_at = now;
        state.go_on_until(now + self.limits.request_timeout);
    }

    /// hyper has all of the answer.
    pub(super) fn answer_is_complete(&self) {
        self.state.lock().complete = true;
    }

    /// The client has taken so many bytes, which gives it time for the next; but never more than for the first,
    /// or who takes much at once could stop for as long.
    pub(super) fn sent(&self, bytes: usize) {
        let mut state = self.state.lock();
        let before = state.taken / HttpLimits::MIN_WRITE_RATE;
        state.taken = state.taken.saturating_add(bytes as u64);
        let earned = state.taken / HttpLimits::MIN_WRITE_RATE - before;
        if earned > 0 {
            let now = Instant::now();
            state.advanced_at = now;
            let longest = now + self.limits.request_timeout;
            let deadline = longest.min(state.deadline + Duration::from_secs(earned));
            state.go_on_until(deadline);
        }
    }

    /// The last answer is out, and the connection lingers for `longest`.
    pub(super) fn begin_linger(&self, longest: Duration) {
        let mut state = self.state.lock();
        let now = Instant::now();
        state.phase = Phase::Lingering;
        state.go_on_until(now + longest);
        state.begin(now);
    }

    /// How the connection waits for its client. `None` while the server is at work for it, or once it is evicted.
    pub(super) fn wait(&self, now: Instant) -> Option<Wait> {
        self.state.lock().wait(now)
    }

    /// Ends the connection to make room for another, if it still waits as it did at `wait`: its deadline is over. What
    /// comes from its client first sets a new one. Says whether it ends.
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

    /// Whether the connection ends to make room for another.
    pub(super) fn is_evicted(&self) -> bool {
        self.state.lock().eviction.is_some()
    }

    /// The connection has left its place.
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

    /// Which task is to be woken when the connection is evicted.
    pub(super) fn is_served_by(&self, waker: &Waker) {
        self.state.lock().waker.get_or_insert_with(|| waker.clone()).clone_from(waker);
    }

    /// The client, or its system, has all that hyper had to send.
    pub(super) fn flushed(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Sending && state.complete {
            let now = Instant::now();
            state.phase = Phase::Idle;
            state.answered = state.answered.saturating_add(1);
            state.go_on_until(now + self.limits.keep_alive);
            // Nothing of this request may be taken for something of the next, which may be there already.
            state.begin(now);
            let entry = state.entry.take();
            drop(state);
            if let Some(entry) = entry {
                entry.end(Outcome::Answered);
            }
        }
    }
}

impl State {
    /// A request begins.
    fn begin(&mut self, now: Instant) {
        (self.began, self.uploaded, self.taken, self.complete, self.is_head) = (now, 0, 0, false, false);
    }

    /// Since when the connection waits for its client, if it does.
    fn since(&self) -> Instant {
        if matches!(self.phase, Phase::Body | Phase::Sending) {
            self.advanced_at
        } else {
            self.began
        }
    }

    /// The next step must be done by then. If the connection was about to end for another, it goes on.
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
        Wait::of(self.phase, self.since(), self.answered, now)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // The connection has told how the request ended, unless it broke.
        if let Some(entry) = self.state.lock().entry.take() {
            entry.end(Outcome::Failed);
        }
    }
}
