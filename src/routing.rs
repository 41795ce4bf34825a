//! What the mounted routes know about a path, whatever the method.

use std::collections::BTreeSet;
use std::str::FromStr;

use rocket::http::Method;
use rocket::Request;

use crate::model::id::Id;

/// The methods that the path of the request can be asked with, sorted; none if there is no such path. An id
/// that is malformed makes the path unknown, as everywhere.
pub fn methods_at(request: &Request<'_>) -> Vec<&'static str> {
    let path: Vec<&str> = request.uri().path().segments().collect();
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

/// Whether `path` is one of those that the template stands for: `<id>` for an id, `<name..>` for all the rest.
fn matches(template: &str, path: &[&str]) -> bool {
    let mut path = path.iter();
    for part in template.split('/').skip(1) {
        if part.ends_with("..>") {
            return true;
        }
        let fits = match path.next() {
            Some(segment) if part == "<id>" => Id::from_str(segment).is_ok(),
            Some(segment) => part == *segment,
            None => false,
        };
        if !fits {
            return false;
        }
    }
    path.next().is_none()
}

/// Which segment of the routed path the route calls `<id>`.
pub fn id_position(request: &Request<'_>) -> Option<usize> {
    request.route()?.uri.path().split('/').skip(1).position(|part| part == "<id>")
}

#[cfg(test)]
mod tests {
    use super::matches;

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
