//! How far a connection has come with its request, and until when the next step must be done.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Traffic;
use crate::log::{Entry, Outcome};

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
}

/// The progress of one connection. hyper, the socket under it and the request in it all take part.
pub(super) struct Progress {
    traffic: &'static Traffic,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// When the first byte of the request came.
    began: Instant,
    deadline: Instant,
    /// How many bytes of the answer the client has taken.
    taken: u64,
    /// Whether hyper has all of the answer.
    complete: bool,
    /// Whether the request is HEAD, whose answer has no body.
    is_head: bool,
    /// The line in the log of the request that is not over.
    entry: Option<Entry>,
}

impl Progress {
    pub(super) fn new(traffic: &'static Traffic) -> Self {
        let now = Instant::now();
        // A client that connects means to say something: it has as long as for a head.
        let deadline = now + traffic.header_timeout;
        let state = State {
            phase: Phase::Idle,
            began: now,
            deadline,
            taken: 0,
            complete: false,
            is_head: false,
            entry: None,
        };
        Self { traffic, state: Mutex::new(state) }
    }

    pub(super) fn phase(&self) -> Phase {
        self.state.lock().phase
    }

    /// Whether what has been asked is HEAD.
    pub(super) fn is_head(&self) -> bool {
        self.state.lock().is_head
    }

    /// The present phase, and until when it must be over.
    pub(super) fn step(&self) -> (Phase, Instant) {
        let state = self.state.lock();
        (state.phase, state.deadline)
    }

    /// When the first byte of the request came.
    pub(super) fn began(&self) -> Instant {
        self.state.lock().began
    }

    /// Bytes have come from the client.
    pub(super) fn received(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Idle {
            let now = Instant::now();
            state.phase = Phase::Head;
            state.deadline = now + self.traffic.header_timeout;
            state.begin(now);
        }
    }

    /// The head is there; `body` says whether a body follows. A request that came together with the one before
    /// it begins now.
    pub(super) fn head_is_complete(&self, is_head: bool, body: bool) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Idle | Phase::Sending) {
            state.begin(Instant::now());
        }
        state.is_head = is_head;
        (state.phase, state.deadline) = if body {
            (Phase::Body, Instant::now() + self.traffic.body_timeout)
        } else {
            (Phase::Answering, state.began + self.traffic.request_timeout)
        };
    }

    /// The body is there.
    pub(super) fn request_is_complete(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Answering;
        state.deadline = state.began + self.traffic.request_timeout;
    }

    /// The request is to be entered into the log when it is over.
    pub(super) fn note(&self, entry: Entry) {
        let before = self.state.lock().entry.replace(entry);
        // The system has yet to take the last of the answer before, but it is out of hyper's hands.
        if let Some(before) = before {
            before.end(Outcome::Answered);
        }
    }

    /// The status of the answer.
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

    /// Takes the line of the request that is not over, if there is one, for whoever gives the request up.
    pub(super) fn give_up(&self) -> Option<Entry> {
        self.state.lock().entry.take()
    }

    /// The answer is there.
    pub(super) fn answer_is_ready(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Sending;
        state.deadline = Instant::now() + self.traffic.request_timeout;
    }

    /// hyper has all of the answer.
    pub(super) fn answer_is_complete(&self) {
        self.state.lock().complete = true;
    }

    /// The client has taken so many bytes, which gives it time for the next; but never more than for the first,
    /// or who takes much at once could stop for as long.
    pub(super) fn sent(&self, bytes: usize) {
        let mut state = self.state.lock();
        let before = state.taken / Traffic::LEAST_RATE;
        state.taken = state.taken.saturating_add(bytes as u64);
        let earned = state.taken / Traffic::LEAST_RATE - before;
        if earned > 0 {
            let longest = Instant::now() + self.traffic.request_timeout;
            state.deadline = longest.min(state.deadline + Duration::from_secs(earned));
        }
    }

    /// The client, or its system, has all that hyper had to send.
    pub(super) fn flushed(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Sending && state.complete {
            let now = Instant::now();
            state.phase = Phase::Idle;
            state.deadline = now + self.traffic.keep_alive;
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
        (self.began, self.taken, self.complete, self.is_head) = (now, 0, false, false);
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
