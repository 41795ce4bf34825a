//! Answers that are given again.
//!
//! What an operation calls [`Public`](crate::reply::Public) is the same for everyone who asks for its path and says
//! nothing else, until something is written. The front gives such an answer again without asking Rocket: after the
//! checks of every request, with an id and a line in the log of its own.
//!
//! An answer counts for the version of the store that was there before it was made, and is given for that version
//! only: nothing is answered that had been written over when it was asked for.

use std::cell::RefCell;
use std::collections::HashMap;

use hyper::body::Bytes;
use hyper::header::{
    HeaderMap, HeaderName, ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, CONNECTION,
    CONTENT_LENGTH, FORWARDED, HOST, PRAGMA, USER_AGENT, VIA,
};
use hyper::http::request::Parts;
use hyper::Method;

use super::Front;
use crate::log::{Facts, RequestId};

/// The headers that no operation looks at. A request with any other, such as `Authorization`, is asked of Rocket
/// (RFC 9111, section 3.5, has the same caution).
const SAYS_NOTHING: [HeaderName; 15] = [
    HOST,
    USER_AGENT,
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CONNECTION,
    CACHE_CONTROL,
    // There is no body.
    CONTENT_LENGTH,
    PRAGMA,
    VIA,
    FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static(RequestId::HEADER),
];

/// A longer answer is not kept: it would take up memory long after it has been written over.
const LONGEST: usize = 64 * 1024;

thread_local! {
    /// Each worker has its own, which costs no lock.
    static KEPT: RefCell<Kept> = RefCell::default();
}

/// The answers for one version of the store, by path.
#[derive(Default)]
struct Kept {
    version: u64,
    answers: HashMap<String, Answer>,
}

/// An answer: a 200.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) head: HeaderMap,
    pub(super) json: Bytes,
    /// The template of the route that it came from, if requests are logged.
    pub(super) route: Option<String>,
}

/// A request that asks for a path and says nothing else.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    path: &'a str,
    version: u64,
}

impl<'a> Question<'a> {
    /// The question of that request, which has no body, if it is one.
    pub(super) fn of(front: &Front, head: &'a Parts) -> Option<Self> {
        if head.method != Method::GET || head.uri.query().is_some() || front.traffic.kept_answers == 0 {
            return None;
        }
        let version = front.store.as_ref()?.version();
        let says_nothing = |name: &HeaderName| SAYS_NOTHING.contains(name);
        head.headers.keys().all(says_nothing).then_some(Self { path: head.uri.path(), version })
    }

    /// The answer that was given to it, if nothing has been written since.
    pub(super) fn answered(self, facts: Option<&Facts>) -> Option<Answer> {
        KEPT.with_borrow_mut(|kept| {
            if kept.version != self.version {
                kept.answers.clear();
                kept.version = self.version;
            }
            let answer = kept.answers.get(self.path)?.clone();
            if let (Some(facts), Some(route)) = (facts, &answer.route) {
                // A request has one answer.
                let _ = facts.route.set(route.clone());
            }
            Some(answer)
        })
    }

    /// Keeps the answer to it, of which there are `most` at most.
    pub(super) fn keep(self, answer: Answer, most: usize) {
        KEPT.with_borrow_mut(|kept| {
            let has_room = kept.answers.len() < most && answer.json.len() <= LONGEST;
            if kept.version == self.version && has_room {
                kept.answers.insert(self.path.to_owned(), answer);
            }
        });
    }
}
