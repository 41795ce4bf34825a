//! Paths: which of them exist, with which methods, and that each is the only address of what it names (but for
//! percent-encoding: RFC 3986, section 6.2.2.2, makes `%31` and `1` the same).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::str::FromStr;

use rocket::http::uri::Origin;
use rocket::http::{Method, RawStr, Status};
use rocket::route::{Handler, Outcome, Route};
use rocket::{async_trait, Data, Request};

use crate::model::id::Id;

/// The methods that the path of the request can be asked with, sorted; none if there is no such path. An id
/// that is malformed makes the path unknown, as everywhere.
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

/// Whether `path` is one of those that the template stands for: `<id>` for an id, `<name..>` for all the rest.
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

/// A route that is found under its one address only. Rocket would also take `/api/ships/1/` and
/// `//api//ships/1` for `/api/ships/1`.
#[derive(Clone)]
struct CanonicalPath(Box<dyn Handler>);

#[async_trait]
impl Handler for CanonicalPath {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let path = request.uri().path().raw().as_str();
        if path.as_bytes().windows(2).any(|pair| pair == b"//") || path.ends_with('/') {
            return Outcome::forward(data, Status::NotFound);
        }
        self.0.handle(request, data).await
    }
}

/// The routes, found under their one address only.
pub fn canonical(routes: Vec<Route>) -> Vec<Route> {
    let strict = |mut route: Route| {
        route.handler = Box::new(CanonicalPath(route.handler));
        route
    };
    routes.into_iter().map(strict).collect()
}

/// The least rank that Rocket gives by itself.
const LEAST_RANK: isize = -12;

/// Beyond all of those.
const FIRST: isize = -20;

/// Whether all routes that match the request are [operations](crate::api::openapi::mounts). Their guards take the body from
/// the [`DispatchContext`](crate::dispatch_context::DispatchContext), where it may still be awaited; other routes get it from
/// Rocket. Also true if no route matches the path.
pub fn is_for_operations<'a>(
    routes: impl Iterator<Item = &'a Route>,
    method: Method,
    target: &Origin<'_>,
) -> bool {
    // As Rocket compares them, which skips empty segments; whatever a parameter stands for.
    let path: Vec<_> = target.path().segments().collect();
    let could_be = |route: &&Route| {
        let mut path = path.iter();
        let mut parts = route.uri.path().split('/').filter(|part| !part.is_empty());
        route.method == method
            && parts.all(|part| {
                part.ends_with("..>") || path.next().is_some_and(|at| part.starts_with('<') || part == *at)
            })
    };
    routes.filter(could_be).all(|route| route.rank < LEAST_RANK)
}

/// The routes, looked at before any others: Rocket looks at those without parameters first, of which Swagger UI has
/// many that are seldom asked for.
pub fn with_rank(routes: Vec<Route>) -> Vec<Route> {
    let first = |mut route: Route| {
        route.rank += FIRST;
        route
    };
    routes.into_iter().map(first).collect()
}

/// Which segment of the routed path the route calls `<id>`.
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
    fn a_template_stands_for_well_formed_paths_only() {
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
