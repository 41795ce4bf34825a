//! Data passed to Rocket with a request, and data that Rocket passes back.

use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rocket::http::{Method, Status};
use rocket::Request;

use crate::json::{JsonBody, Version};

/// The context of one request, in its local cache as `Some(DispatchContext)`. A request of Rocket's local client in a test
/// has none.
#[derive(Debug)]
pub struct DispatchContext {
    /// The body of a request for an operation. It goes past Rocket, which would copy it twice, and would take a form's
    /// `_method` field for the method: a request that caches, proxies and the browser's same-origin rules take for a POST
    /// must not delete anything.
    pub body: Arc<RequestBody>,
    /// Where the response's JSON goes, if the request comes from the HTTP server. That server adds the headers that every
    /// response has.
    pub response_slot: Option<Arc<ResponseSlot>>,
}

impl DispatchContext {
    /// The context of a request, if it has one.
    #[must_use]
    pub fn of<'r>(request: &'r Request<'_>) -> Option<&'r Self> {
        request.local_cache(|| None::<Self>).as_ref()
    }

    /// The response slot of a request, if it comes from the HTTP server.
    #[must_use]
    pub fn response_slot<'r>(request: &'r Request<'_>) -> Option<&'r ResponseSlot> {
        Self::of(request)?.response_slot.as_deref()
    }
}

/// The body of a request, if it has arrived.
#[derive(Debug, Default)]
pub struct RequestBody(Mutex<BodyState>);

#[derive(Debug)]
enum BodyState {
    /// It has: these are its first bytes, at most one more than the limit.
    Arrived(Bytes),
    /// The client waits for a 100 before it sends the body (RFC 9110, section 10.1.1).
    Awaited(AwaitedBody),
    /// The client waits for a 100, and the response depends on the body.
    Needed,
}

/// A body that the client sends only after a 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwaitedBody {
    /// The length that the client states, which it does unless the body is chunked.
    pub length: Option<u64>,
}

impl Default for BodyState {
    fn default() -> Self {
        Self::Arrived(Bytes::new())
    }
}

impl RequestBody {
    /// Passes a body that has arrived.
    pub fn put(&self, body: Bytes) {
        *self.0.lock() = BodyState::Arrived(body);
    }

    /// Takes the body and leaves an empty one.
    pub fn take(&self) -> Bytes {
        match &mut *self.0.lock() {
            BodyState::Arrived(body) => std::mem::take(body),
            BodyState::Awaited(_) | BodyState::Needed => Bytes::new(),
        }
    }

    /// Marks the body as one that the client sends only after a 100, with its length if the client states it.
    pub fn set_awaited(&self, length: Option<u64>) {
        *self.0.lock() = BodyState::Awaited(AwaitedBody { length });
    }

    /// The body, if the client sends it only after a 100.
    pub fn awaited(&self) -> Option<AwaitedBody> {
        match *self.0.lock() {
            BodyState::Awaited(body) => Some(body),
            BodyState::Arrived(_) | BodyState::Needed => None,
        }
    }

    /// Marks the body as needed: the head does not decide the response.
    pub fn set_needed(&self) {
        *self.0.lock() = BodyState::Needed;
    }

    /// Whether the response depends on a body that has yet to arrive. Drops a body that was not taken.
    pub fn was_needed(&self) -> bool {
        matches!(std::mem::take(&mut *self.0.lock()), BodyState::Needed)
    }
}

/// A side channel for the JSON of a response, past Rocket's response: that would have to copy the text, whatever its
/// length.
#[derive(Debug, Default)]
pub struct ResponseSlot(Mutex<SlotState>);

#[derive(Debug, Default)]
struct SlotState {
    status: Option<Status>,
    content: SlotContent,
}

/// What a response slot has.
#[derive(Debug, Default)]
pub struct SlotContent {
    /// The JSON.
    pub json: Option<JsonBody>,
    /// The version of the stored value that is in the JSON, if it is one.
    pub version: Option<Version>,
    /// Whether all clients get the same until a write ends the version.
    pub is_cacheable: bool,
}

impl ResponseSlot {
    /// Puts the JSON of a response with that status, and the version of the stored value in it.
    pub fn put(&self, status: Status, json: JsonBody, version: Option<Version>) {
        let content = SlotContent { json: Some(json), version, is_cacheable: false };
        *self.0.lock() = SlotState { status: Some(status), content };
    }

    /// Marks the JSON as the same for all clients until a write ends its version.
    pub fn mark_cacheable(&self) {
        self.0.lock().content.is_cacheable = true;
    }

    /// Takes the content of a response with that status. Empties the slot.
    pub fn take(&self, status: Status) -> SlotContent {
        let slot = std::mem::take(&mut *self.0.lock());
        if slot.status == Some(status) {
            slot.content
        } else {
            SlotContent::default()
        }
    }

    /// Empties the slot.
    pub fn clear(&self) {
        *self.0.lock() = SlotState::default();
    }
}

/// The method of that name. Names are case-sensitive (RFC 9110, section 9.1); Rocket ignores case.
#[must_use]
pub fn parse_method(name: &str) -> Option<Method> {
    Method::from_str(name).ok().filter(|known| known.as_str() == name)
}
