//! Paths: which exist, with which methods. Each resource has one path (but for percent-encoding: `%31` and `1` are the same,
//! RFC 3986, section 6.2.2.2).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::str::FromStr;

use rocket::http::uri::Origin;
use rocket::http::{Method, RawStr, Status};
use rocket::route::{Handler, Outcome, Route};
use rocket::{async_trait, Data, Request};

use crate::log::RequestLogContext;
use crate::model::id::Id;

/// The methods of the request's path, sorted; none if the path is unknown. A path with a malformed id is unknown.
pub fn methods_at(request: &Request<'_>) -> Vec<&'static str> {
    let path = segments(request);
    let routes = request.rocket().routes();
    let mut methods: BTreeSet<&'static str> =
        routes.filter(|route| matches(route.uri.path(), &path)).map(|route| route.method.as_str()).collect();
    if methods.contains(Method::Get.as_str()) {
        methods.insert(Method::Head.as_str());
    }
    if !methods.is_empty() {
        methods.insert(Method::Options.as_str());
    }
    methods.into_iter().collect()
}

/// The decoded segments of the path, empty ones included.
fn segments<'r>(request: &'r Request<'_>) -> Vec<Cow<'r, str>> {
    let path = request.uri().path().raw().as_str();
    path.split('/').skip(1).map(|segment| RawStr::new(segment).percent_decode_lossy()).collect()
}

/// Whether `path` matches the template, in which `<id>` is an id, and `<name..>` the rest of the path.
fn matches(template: &str, path: &[Cow<'_, str>]) -> bool {
    let mut path = path.iter();
    for part in template.split('/').skip(1) {
        if part.ends_with("..>") {
            return true;
        }
        let fits = match path.next() {
            Some(segment) if part == "<id>" => Id::from_str(segment).is_ok(),
            Some(segment) => part == segment.as_ref(),
            None => false,
        };
        if !fits {
            return false;
        }
    }
    path.next().is_none()
}

/// A route that matches its canonical path only. Rocket also accepts `/api/ships/1/` and `//api//ships/1` for
/// `/api/ships/1`.
#[derive(Clone)]
struct CanonicalPath(Box<dyn Handler>);

#[async_trait]
impl Handler for CanonicalPath {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let path = request.uri().path().raw().as_str();
        if path.as_bytes().windows(2).any(|pair| pair == b"//") || (path.ends_with('/') && path != "/") {
            return Outcome::forward(data, Status::NotFound);
        }
        RequestLogContext::record_route(request);
        self.0.handle(request, data).await
    }
}

/// The routes, for canonical paths only.
pub fn canonical(routes: Vec<Route>) -> Vec<Route> {
    let strict = |mut route: Route| {
        route.handler = Box::new(CanonicalPath(route.handler));
        route
    };
    routes.into_iter().map(strict).collect()
}

/// The lowest rank that Rocket assigns by default.
const LEAST_RANK: isize = -12;

/// The offset that puts a route before all others.
const FIRST: isize = -20;

/// Whether all routes that match the request are [operations](crate::api::openapi::mounts). Their guards take the body from
/// the [`DispatchContext`](crate::dispatch_context::DispatchContext), where it may still be awaited; other routes get it from
/// Rocket. Also true if no route matches the path.
pub fn is_for_operations<'a>(
    routes: impl Iterator<Item = &'a Route>,
    method: Method,
    target: &Origin<'_>,
) -> bool {
    // The rank first: most requests with a body have a method that no other route has.
    let mut others = routes.filter(|route| route.rank >= LEAST_RANK);
    !others.any(|route| could_be(route, method, target))
}

/// The route that matches the request, if it is an operation. HEAD has the routes of GET.
pub fn operation<'a>(
    routes: impl Iterator<Item = &'a Route>,
    method: Method,
    target: &Origin<'_>,
) -> Option<&'a Route> {
    let method = if method == Method::Head { Method::Get } else { method };
    let mut candidates = routes.filter(|route| could_be(route, method, target));
    candidates.find(|route| route.rank < LEAST_RANK)
}

/// Whether a route matches the request as Rocket compares them: without empty segments, and with any value for a parameter.
fn could_be(route: &Route, method: Method, target: &Origin<'_>) -> bool {
    if route.method != method {
        return false;
    }
    let mut path = target.path().segments();
    let mut parts = route.uri.path().split('/').filter(|part| !part.is_empty());
    let mut has_rest = false;
    parts.all(|part| {
        has_rest = part.ends_with("..>");
        has_rest || path.next().is_some_and(|at| part.starts_with('<') || part == at)
    }) && (has_rest || path.next().is_none())
}

/// The routes, tried before all others. By default Rocket first tries those without parameters, of which Swagger UI has many.
pub fn with_rank(routes: Vec<Route>) -> Vec<Route> {
    let first = |mut route: Route| {
        route.rank += FIRST;
        route
    };
    routes.into_iter().map(first).collect()
}

/// The position of `<id>` among the segments of the matched route.
pub fn id_position(request: &Request<'_>) -> Option<usize> {
    request.route()?.uri.path().split('/').skip(1).position(|part| part == "<id>")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    fn matches(template: &str, path: &[&str]) -> bool {
        let path: Vec<_> = path.iter().copied().map(Cow::Borrowed).collect();
        super::matches(template, &path)
    }

    #[test]
    fn a_template_matches_well_formed_paths_only() {
        let ship = "/api/ships/<id>";
        assert!(matches(ship, &["api", "ships", "12"]));
        assert!(matches(ship, &["api", "ships", "0"]));
        for segment in ["", "01", "+1", "-1", "1.0", "a", "1 "] {
            assert!(!matches(ship, &["api", "ships", segment]), "{segment:?}");
        }
        assert!(!matches(ship, &["api", "ships"]));
        assert!(!matches(ship, &["api", "ships", "1", ""]));
        assert!(matches("/static/<path..>", &["static", "a", "b"]));
        assert!(!matches("/static/<path..>", &["api"]));
    }
}
