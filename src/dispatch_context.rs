//! Data passed to Rocket with a request, and data that Rocket passes back.

use std::str::FromStr;
use std::sync::Arc;

use parking_lot::Mutex;
use rocket::http::{Method, Status};
use rocket::Request;

use crate::json::JsonBody;

/// What is left with a request, as `Some(DispatchContext)`.
#[derive(Debug)]
pub struct DispatchContext {
    /// The method that was sent.
    pub method: Method,
    /// There if it was the front, which adds to the answer what every answer has, and takes JSON from here.
    pub response_slot: Option<Arc<ResponseSlot>>,
}

impl DispatchContext {
    /// What was left with the request, if anything was.
    #[must_use]
    pub fn with<'r>(request: &'r Request<'_>) -> Option<&'r Self> {
        request.local_cache(|| None::<Self>).as_ref()
    }

    /// The shelf of the front that the request came from, if it came from there.
    #[must_use]
    pub fn response_slot<'r>(request: &'r Request<'_>) -> Option<&'r ResponseSlot> {
        Self::with(request)?.response_slot.as_deref()
    }
}

/// Where an answer's JSON is left for the front: in the answer itself it would need a label, and be copied when it is
/// read out of it, however long it is.
#[derive(Debug, Default)]
pub struct ResponseSlot {
    left: Mutex<SlotState>,
    body: Mutex<BodyState>,
}

/// Whether the body of a request is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum BodyState {
    /// It is.
    #[default]
    Arrived,
    /// The client waits to be told to send it (RFC 9110, section 10.1.1). It says how long it is, unless it is chunked.
    Awaited { length: Option<u64> },
    /// The client waits to send it, and the answer depends on it.
    Needed,
}

#[derive(Debug, Default)]
struct SlotState {
    json: Option<(Status, JsonBody)>,
    is_public: bool,
}

impl ResponseSlot {
    /// Leaves the JSON of an answer of that status.
    pub fn put(&self, status: Status, json: JsonBody) {
        *self.left.lock() = SlotState { json: Some((status, json)), is_public: false };
    }

    /// Says that what was left is the same for everyone.
    pub fn mark_cacheable(&self) {
        self.left.lock().is_public = true;
    }

    /// Takes what was left for an answer of that status, if anything was, and whether it is the same for everyone.
    /// Nothing is left behind.
    pub fn take(&self, status: Status) -> (Option<JsonBody>, bool) {
        let SlotState { json, is_public } = std::mem::take(&mut *self.left.lock());
        (json.and_then(|(its, json)| (its == status).then_some(json)), is_public)
    }

    /// Throws away what was left by a request that came to nothing.
    pub fn clear(&self) {
        *self.left.lock() = SlotState::default();
    }

    /// Says that the client waits to be told to send the body, of that length if it is known.
    pub fn await_body(&self, length: Option<u64>) {
        *self.body.lock() = BodyState::Awaited { length };
    }

    /// The length of a body that the client waits to be told to send, if it does and says so.
    pub fn awaited_length(&self) -> Option<Option<u64>> {
        match *self.body.lock() {
            BodyState::Awaited { length } => Some(length),
            BodyState::Arrived | BodyState::Needed => None,
        }
    }

    /// Says that the head does not decide the answer.
    pub fn need_body(&self) {
        *self.body.lock() = BodyState::Needed;
    }

    /// Whether the answer that was made is none, for want of the body. From here on the body counts as arrived.
    pub fn was_body_needed(&self) -> bool {
        std::mem::take(&mut *self.body.lock()) == BodyState::Needed
    }
}

/// The method of that name. Names are case-sensitive (RFC 9110, section 9.1), which Rocket forgets.
#[must_use]
pub fn parse_method(name: &str) -> Option<Method> {
    Method::from_str(name).ok().filter(|known| known.as_str() == name)
}
