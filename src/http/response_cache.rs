//! Response cache.
//!
//! A [`Cacheable`](crate::api::response::Cacheable) response is the same for all clients that ask for its path and send
//! nothing else that an operation reads. The HTTP server caches it and returns it again without asking Rocket. A cached
//! response still passes the checks of every request, and has a request id and a line in the log of its own.
//!
//! A response is never stale. It is cached with the [`Version`] of the stored value that it was made from, which the store
//! ends under its lock before it acknowledges a write, and is returned only while that value is current.

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
use crate::json::{Version, PIECE};
use crate::log::{RequestId, RequestLogContext};
use crate::metrics::Metrics;

/// The headers that no operation reads. A request with any other, such as `Authorization`, goes to Rocket (RFC 9111,
/// section 3.5, has the same caution).
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

/// The longest body that is cached, in bytes. A longer one would take up memory long after a write has ended it.
const MAX_CACHED_BODY: usize = PIECE;

thread_local! {
    /// Each worker has its own cache, so that a look-up takes no lock.
    static CACHE: RefCell<ResponseCache> = RefCell::default();
}

/// Responses by path.
#[derive(Default)]
struct ResponseCache {
    /// By path. The hash has a random seed. One that resists more costs a look-up 190 instructions, and a cache has few
    /// entries, all for paths that exist.
    entries: HashMap<String, Entry, foldhash::fast::RandomState>,
    /// The number of insertions since invalid entries were last removed.
    insertions: usize,
}

struct Entry {
    response: CachedResponse,
    version: Version,
}

impl ResponseCache {
    /// The response for `path`, if the value that it was made from is current.
    fn get(&mut self, path: &str) -> Option<CachedResponse> {
        let entry = self.entries.get(path)?;
        if entry.version.is_current() {
            return Some(entry.response.clone());
        }
        self.entries.remove(path);
        None
    }

    /// Adds an entry if there is room for it among `max_entries`.
    fn insert(&mut self, path: &str, entry: Entry, max_entries: usize) {
        self.insertions += 1;
        // One pass for as many insertions as it visits entries: an insertion costs the same however many there are.
        if self.insertions > self.entries.len() {
            self.entries.retain(|_, entry| entry.version.is_current());
            self.insertions = 0;
        }
        if self.entries.len() < max_entries {
            self.entries.insert(path.to_owned(), entry);
        }
    }
}

/// A response with status 200.
#[derive(Clone)]
pub(super) struct CachedResponse {
    pub(super) head: HeaderMap,
    pub(super) json: Bytes,
    /// The template of its route, if requests are logged.
    pub(super) route: Option<String>,
}

/// Whether the request is a GET of a path that says nothing else that an operation reads.
fn is_cacheable(head: &Parts) -> bool {
    head.method == Method::GET
        && head.uri.query().is_none()
        && head.headers.keys().all(|name| IGNORED_HEADERS.contains(name))
}

/// The key of a cacheable request: its path.
#[derive(Clone, Copy)]
pub(super) struct CacheKey<'a>(&'a str);

impl<'a> CacheKey<'a> {
    /// The key of a request without a body, if the request is cacheable.
    #[inline]
    pub(super) fn of(server: &ServerState, head: &'a Parts) -> Option<Self> {
        let is_enabled = server.limits.response_cache_size > 0;
        (is_enabled && is_cacheable(head)).then(|| Self(head.uri.path()))
    }

    /// The cached response, if it is valid.
    #[inline]
    pub(super) fn lookup(
        self,
        log_context: Option<&RequestLogContext>,
        metrics: Option<&Metrics>,
    ) -> Option<CachedResponse> {
        CACHE.with_borrow_mut(|cache| {
            let response = cache.get(self.0);
            if let Some(metrics) = metrics {
                metrics.count_cache_lookup(response.is_some());
            }
            let response = response?;
            if let (Some(log_context), Some(route)) = (log_context, &response.route) {
                // It cannot be set already: a request has one response.
                let _ = log_context.route.set(route.clone());
            }
            Some(response)
        })
    }

    /// Caches a response that was made from a value with that flag. A flag that a write has ended by now does no harm: the
    /// response is never returned.
    pub(super) fn insert(self, response: CachedResponse, version: Version, max_entries: usize) {
        if response.json.len() <= MAX_CACHED_BODY {
            CACHE.with_borrow_mut(|cache| cache.insert(self.0, Entry { response, version }, max_entries));
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::http::request;

    use super::*;
    use crate::model::id::Id;
    use crate::model::ship::ShipInput;
    use crate::model::{self, Input};
    use crate::store::initial_rows::InitialRows;
    use crate::store::memory::{Memory, MemoryConfig};
    use crate::store::Precondition;

    fn is_cacheable(request: request::Builder) -> bool {
        let (head, ()) = request.body(()).expect("a request").into_parts();
        super::is_cacheable(&head)
    }

    /// No operation with a cacheable response reads any of this as yet, so no test over the wire would notice.
    #[test]
    fn only_a_get_of_a_bare_path_is_cacheable() {
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

    fn response(length: usize) -> CachedResponse {
        let route = Some("/a".to_owned());
        CachedResponse { head: HeaderMap::new(), json: vec![b' '; length].into(), route }
    }

    fn insert(path: &str, length: usize, max_entries: usize) -> Version {
        let version = Version::default();
        CacheKey(path).insert(response(length), version.clone(), max_entries);
        version
    }

    fn is_cached(path: &str) -> bool {
        CacheKey(path).lookup(None, None).is_some()
    }

    fn entries() -> usize {
        CACHE.with_borrow(|cache| cache.entries.len())
    }

    #[test]
    fn a_response_is_returned_for_its_path_until_its_value_ends() {
        assert!(!is_cached("/a"));
        let (a, b) = (insert("/a", 1, 2), insert("/b", 1, 2));
        assert!(is_cached("/a") && is_cached("/b") && !is_cached("/c"));
        a.end();
        assert!(!is_cached("/a") && is_cached("/b"));
        // The response of the new value is cached again.
        insert("/a", 1, 2);
        b.end();
        assert!(is_cached("/a") && !is_cached("/b"));
    }

    /// Fifteen reads of fifteen ships and one write of one of them, in turn.
    #[test]
    fn a_write_of_one_ship_leaves_the_responses_of_the_others_cached() {
        const SHIPS: usize = 15;
        const ROUNDS: usize = 10;
        let input = || -> ShipInput { model::read(ShipInput::example()).expect("the example fits") };
        let store = Memory::new(InitialRows::default(), &MemoryConfig::default());
        let ids: Vec<Id> = (0..SHIPS).map(|_| store.create_ship(input()).expect("there is room").0).collect();
        let get = |id: Id| {
            let path = format!("/api/ships/{id}");
            let is_hit = is_cached(&path);
            if !is_hit {
                let ship = store.ship(id).expect("it is there");
                let version = ship.version().cloned().expect("it is stored");
                CacheKey(&path).insert(response(1), version, 1024);
            }
            is_hit
        };
        assert!(!ids.iter().any(|id| get(*id)));
        for written in ids.iter().cycle().take(ROUNDS) {
            store.update_ship(*written, input(), &Precondition::NONE).expect("it is there");
            assert_eq!(ids.iter().filter(|id| get(**id)).count(), SHIPS - 1);
        }
    }

    /// A write came between reading the value and inserting the response.
    #[test]
    fn a_response_whose_value_has_ended_is_not_returned() {
        let version = Version::default();
        version.end();
        CacheKey("/a").insert(response(1), version, 2);
        assert!(!is_cached("/a"));
    }

    #[test]
    fn no_more_entries_and_no_longer_bodies_are_cached_than_allowed() {
        insert("/a", MAX_CACHED_BODY, 2);
        insert("/b", MAX_CACHED_BODY + 1, 2);
        assert!(is_cached("/a") && !is_cached("/b"));
        insert("/b", 1, 2);
        insert("/c", 1, 2);
        assert!(is_cached("/b") && !is_cached("/c"));
    }

    #[test]
    fn invalid_entries_make_room() {
        const MAX: usize = 8;
        let path = |number: usize| format!("/{number}");
        let ended: Vec<Version> = (0..MAX).map(|number| insert(&path(number), 1, MAX)).collect();
        assert_eq!(entries(), MAX);
        ended.iter().for_each(Version::end);
        // Not at the first insertion in every case, but soon.
        (0..=MAX).for_each(|number| drop(insert(&path(MAX + number), 1, MAX)));
        assert!(is_cached(&path(2 * MAX)));
        assert!((0..MAX).all(|number| !is_cached(&path(number))));
    }

    #[test]
    fn a_cached_response_is_logged_with_its_route() {
        insert("/a", 1, 1);
        let log_context = RequestLogContext::default();
        assert!(CacheKey("/a").lookup(Some(&log_context), None).is_some());
        assert_eq!(log_context.route.get().map(String::as_str), Some("/a"));
    }
}
