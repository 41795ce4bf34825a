//! Responses that the server makes without Rocket.

use std::str::FromStr;
use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderName, HeaderValue, CONTENT_TYPE};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use super::progress::Progress;
use super::response_body::ResponseBody;
use super::response_cache::CachedResponse;
use super::{cors_headers, ServerState};
use crate::api::error::api_error::ApiError;
use crate::api::security_headers::{self, Field};

#[allow(clippy::declare_interior_mutable_const, reason = "a static text has nothing that could change")]
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An error that the server finds before Rocket sees the request, or in Rocket's response.
pub(super) fn error_response(
    server: &ServerState,
    api_error: &ApiError,
    progress: &Arc<Progress>,
    head: &Parts,
) -> Response<ResponseBody> {
    progress.set_status(api_error.status().code);
    let body = api_error.body(server.style);
    let mut response = Response::new(ResponseBody::full(body.into(), Arc::clone(progress)));
    *response.status_mut() = StatusCode::from_u16(api_error.status().code).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    add_all(
        headers,
        api_error.headers().collect::<Vec<_>>().iter().map(|(name, value)| (*name, value.as_str())),
    );
    add_security_headers(headers);
    cors_headers::add(headers, server, head);
    response
}

/// The response to `OPTIONS *`, with which a client checks that the server is up (RFC 9110, section 9.3.7).
pub(super) fn options_asterisk(progress: &Arc<Progress>) -> Response<ResponseBody> {
    let status = StatusCode::NO_CONTENT;
    progress.set_status(status.as_u16());
    let mut response = Response::new(ResponseBody::nothing(Arc::clone(progress)));
    *response.status_mut() = status;
    add_security_headers(response.headers_mut());
    response
}

/// A response from the cache.
#[inline]
pub(super) fn from_cache(
    CachedResponse { head, json, .. }: CachedResponse,
    progress: &Arc<Progress>,
) -> Response<ResponseBody> {
    progress.request_is_complete();
    progress.set_status(StatusCode::OK.as_u16());
    let mut response = Response::new(ResponseBody::full(json, Arc::clone(progress)));
    *response.headers_mut() = head;
    response
}

pub(super) fn add_security_headers(headers: &mut HeaderMap) {
    for Field { name, value, .. } in security_headers::for_server_responses() {
        headers.insert(name, value.clone());
    }
}

/// Appends headers that are given as text.
pub(super) fn add_all<'a>(headers: &mut HeaderMap, all: impl Iterator<Item = (&'static str, &'a str)>) {
    for (name, value) in all {
        if let (Ok(name), Ok(value)) = (HeaderName::from_str(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
}
