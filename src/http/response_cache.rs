//! Answers that are given again.
//!
//! What an operation calls [`Cacheable`](crate::api::response::Cacheable) is the same for everyone who asks for its path and says
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

use super::ServerState;
use crate::json::PIECE;
use crate::log::{RequestId, RequestLogContext};

/// The headers that no operation looks at. A request with any other, such as `Authorization`, is asked of Rocket
/// (RFC 9111, section 3.5, has the same caution).
static IGNORED_HEADERS: [HeaderName; 15] = [
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
const MAX_CACHED_BODY: usize = PIECE;

thread_local! {
    /// Each worker has its own, which costs no lock.
    static CACHE: RefCell<ResponseCache> = RefCell::default();
}

/// The answers for one version of the store, by path.
#[derive(Default)]
struct ResponseCache {
    version: u64,
    answers: HashMap<String, CachedResponse>,
}

/// An answer: a 200.
#[derive(Clone)]
pub(super) struct CachedResponse {
    pub(super) head: HeaderMap,
    pub(super) json: Bytes,
    /// The template of the route that it came from, if requests are logged.
    pub(super) route: Option<String>,
}

/// Whether the request gets a path and says nothing else.
fn is_cacheable(head: &Parts) -> bool {
    head.method == Method::GET
        && head.uri.query().is_none()
        && head.headers.keys().all(|name| IGNORED_HEADERS.contains(name))
}

/// A request that asks for a path and says nothing else.
#[derive(Clone, Copy)]
pub(super) struct CacheKey<'a> {
    path: &'a str,
    version: u64,
}

impl<'a> CacheKey<'a> {
    /// The question of that request, which has no body, if it is one.
    #[inline]
    pub(super) fn of(server: &ServerState, head: &'a Parts) -> Option<Self> {
        if server.limits.response_cache_size == 0 || !is_cacheable(head) {
            return None;
        }
        Some(Self { path: head.uri.path(), version: server.store.as_ref()?.version() })
    }

    /// The answer that was given to it, if nothing has been written since.
    #[inline]
    pub(super) fn answered(self, log_context: Option<&RequestLogContext>) -> Option<CachedResponse> {
        CACHE.with_borrow_mut(|kept| {
            if kept.version != self.version {
                kept.answers.clear();
                kept.version = self.version;
            }
            let answer = kept.answers.get(self.path)?.clone();
            if let (Some(log_context), Some(route)) = (log_context, &answer.route) {
                // A request has one answer.
                let _ = log_context.route.set(route.clone());
            }
            Some(answer)
        })
    }

    /// Keeps the answer to it, of which there are `most` at most.
    pub(super) fn keep(self, answer: CachedResponse, most: usize) {
        CACHE.with_borrow_mut(|kept| {
            let has_room = kept.answers.len() < most && answer.json.len() <= MAX_CACHED_BODY;
            if kept.version == self.version && has_room {
                kept.answers.insert(self.path.to_owned(), answer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use hyper::http::request;

    use super::*;

    fn is_cacheable(request: request::Builder) -> bool {
        let (head, ()) = request.body(()).expect("a request").into_parts();
        super::is_cacheable(&head)
    }

    /// As yet no operation whose answers are kept looks at any of this, so that no answer would tell.
    #[test]
    fn what_says_more_than_its_path_is_no_question() {
        let get = |target: &str| request::Builder::new().uri(target).header("Host", "a");
        assert!(is_cacheable(get("/api/ships/2")));
        assert!(is_cacheable(get("/api/ships/2").header("Accept", "*/*").header("X-Request-Id", "b")));
        for target in ["/api/ships/2?", "/api/ships/2?a", "/?"] {
            assert!(!is_cacheable(get(target)), "{target}");
        }
        for method in ["HEAD", "OPTIONS", "POST", "PUT", "DELETE", "get"] {
            assert!(!is_cacheable(get("/api/ships/2").method(method)), "{method}");
        }
        for name in [
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "Origin",
            "Range",
            "If-None-Match",
            "If-Modified-Since",
            "Content-Type",
            "X-HTTP-Method-Override",
            "X-Unheard-Of",
        ] {
            assert!(!is_cacheable(get("/api/ships/2").header(name, "a")), "{name}");
        }
    }

    fn cache_key(path: &str, version: u64) -> CacheKey<'_> {
        CacheKey { path, version }
    }

    fn answer(length: usize) -> CachedResponse {
        CachedResponse {
            head: HeaderMap::new(),
            json: vec![b' '; length].into(),
            route: Some("/a".to_owned()),
        }
    }

    fn is_answered(path: &str, version: u64) -> bool {
        cache_key(path, version).answered(None).is_some()
    }

    #[test]
    fn an_answer_is_for_its_path_and_its_version() {
        assert!(!is_answered("/a", 1));
        cache_key("/a", 1).keep(answer(1), 2);
        assert!(is_answered("/a", 1) && !is_answered("/b", 1));
        assert!(!is_answered("/a", 2));
        // Nor again for the version before: of that nothing is there any more.
        assert!(!is_answered("/a", 1));
    }

    /// Somebody else has asked since, for what was written meanwhile.
    #[test]
    fn what_was_asked_before_a_write_is_not_kept_after_it() {
        let before = cache_key("/a", 1);
        assert!(before.answered(None).is_none());
        assert!(!is_answered("/b", 2));
        before.keep(answer(1), 2);
        assert!(!is_answered("/a", 2));
    }

    #[test]
    fn neither_more_nor_longer_answers_are_kept_than_may_be() {
        assert!(!is_answered("/a", 0));
        cache_key("/a", 0).keep(answer(MAX_CACHED_BODY), 2);
        cache_key("/b", 0).keep(answer(MAX_CACHED_BODY + 1), 2);
        assert!(is_answered("/a", 0) && !is_answered("/b", 0));
        cache_key("/b", 0).keep(answer(1), 2);
        cache_key("/c", 0).keep(answer(1), 2);
        assert!(is_answered("/b", 0) && !is_answered("/c", 0));
    }

    #[test]
    fn who_is_answered_again_has_come_to_the_same_route() {
        assert!(!is_answered("/a", 0));
        cache_key("/a", 0).keep(answer(1), 1);
        let log_context = RequestLogContext::default();
        assert!(cache_key("/a", 0).answered(Some(&log_context)).is_some());
        assert_eq!(log_context.route.get().map(String::as_str), Some("/a"));
    }
}
