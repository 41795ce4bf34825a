//! CORS headers of responses.

use hyper::header::{
    HeaderMap, HeaderValue, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, HOST, ORIGIN, VARY,
};
use hyper::http::request::Parts;

use super::server_response::add_all;
use super::ServerState;

#[allow(clippy::declare_interior_mutable_const, reason = "a static text has nothing that could change")]
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

/// Adds the headers to the response to a request with that head. Most requests have no Origin, and should not pay for those
/// that do.
pub(super) fn add(headers: &mut HeaderMap, server: &ServerState, head: &Parts) {
    if head.headers.contains_key(ORIGIN) {
        add_for_origin(headers, server, &head.headers);
    } else if server.cors.is_on() {
        headers.append(VARY, VARY_ORIGIN);
    }
}

#[cold]
fn add_for_origin(headers: &mut HeaderMap, server: &ServerState, request: &HeaderMap) {
    let origins = || request.get_all(ORIGIN).iter().map(|origin| origin.to_str().unwrap_or_default());
    add_all(headers, server.cors.headers(&mut origins()));
    // The response to a preflight request goes to the browser, not to the page.
    if headers.contains_key(ACCESS_CONTROL_ALLOW_METHODS) {
        headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
    }
    if !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        let host = request.get(HOST).and_then(|host| host.to_str().ok());
        origins().for_each(|origin| server.refused_origins.log(origin, host));
    }
}
