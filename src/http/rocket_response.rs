//! Rocket's response, converted for hyper.

use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::{pin, Pin};
use std::sync::Arc;

use hyper::body::{Body, Bytes};
use hyper::header::{HeaderMap, HeaderName, HeaderValue, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use rocket::futures::FutureExt;
use rocket::local::asynchronous::LocalResponse;
use tokio::io::AsyncReadExt;

use super::progress::Progress;
use super::response_body::ResponseBody;
use super::server_response::JSON;
use super::{cors_headers, ServerState};
use crate::api::etag;
use crate::api::security_headers::{Field, Place};
use crate::dispatch_context::SlotContent;
use crate::json::{JsonBody, PIECE};

/// The longest body that is read from Rocket at once, in bytes, if Rocket states its size. A longer one is read in pieces.
const MAX_BUFFERED_BODY: usize = PIECE;

/// The most headers that a response usually gets in addition to Rocket's: growing a map costs more than a few free places.
const OTHER_HEADERS: usize = 8;

/// Converts Rocket's response, whose JSON was left in the response slot. `None` if a part of it failed.
pub(super) async fn into_hyper_response(
    server: &ServerState,
    head: &Parts,
    place: Place,
    response: LocalResponse<'static>,
    SlotContent { json, version, .. }: SlotContent,
    progress: &Arc<Progress>,
) -> Option<Response<ResponseBody>> {
    let status = StatusCode::from_u16(response.status().code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::INTERNAL_SERVER_ERROR && json.is_none() {
        // A catcher has panicked, and Rocket has responded in its place.
        return None;
    }
    let mut headers = headers(&response);
    for Field { name, value, .. } in place.headers(status.as_u16()) {
        headers.insert(name, value.clone());
    }
    cors_headers::add(&mut headers, server, head);
    if json.is_some() {
        headers.insert(CONTENT_TYPE, JSON);
    }
    // It cannot fail: an entity tag has only characters that a header may have.
    if let Some(etag) = version.and_then(|version| HeaderValue::try_from(etag::of(&version)).ok()) {
        headers.insert(ETAG, etag);
    }
    let size = json.as_ref().map(JsonBody::length).or_else(|| response.body().preset_size());
    let without_body = head.method == hyper::Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let body = match (size, json) {
        // For a response without a body Rocket gives none, rather than an empty one.
        _ if without_body || size == Some(0) => ResponseBody::nothing(Arc::clone(progress)),
        (_, Some(json)) => ResponseBody::json(json, Arc::clone(progress)),
        (Some(size), None) if size <= MAX_BUFFERED_BODY => {
            ResponseBody::full(read_body(response, size).await?, Arc::clone(progress))
        }
        _ => ResponseBody::pieces(response, Arc::clone(progress)),
    };
    // hyper writes Content-Length itself if the body states its size.
    let unstated = size.filter(|size| body.size_hint().exact() != Some(*size as u64));
    // That of a 304 would have to be that of the full response (RFC 9110, section 8.6).
    let states_no_length = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let Some(size) = unstated.filter(|_| !states_no_length) {
        headers.insert(CONTENT_LENGTH, size.into());
    }
    progress.set_status(status.as_u16());
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Some(response)
}

fn headers(response: &LocalResponse<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(response.headers().len() + OTHER_HEADERS);
    for header in response.headers().iter() {
        let name = HeaderName::from_bytes(header.name.as_str().as_bytes());
        // A line break in a value would end the header, or begin another.
        match (name, HeaderValue::from_str(&header.value)) {
            (Ok(name), Ok(value)) => {
                headers.append(name, value);
            }
            _ => tracing::error!(name = %header.name, "a response header cannot be sent"),
        }
    }
    headers
}

/// The body, of that size.
async fn read_body(response: LocalResponse<'_>, size: usize) -> Option<Bytes> {
    let error = match catch_unwind(pin!(read(response, size))).await {
        Some(Ok(bytes)) => return Some(bytes.into()),
        failed => failed.and_then(Result::err),
    };
    tracing::error!(?error, "a response body cannot be read");
    None
}

async fn read(mut response: LocalResponse<'_>, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        if response.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    // The rest of a file that has grown meanwhile would not fit its Content-Length.
    bytes.truncate(size);
    Ok(bytes)
}

/// The output of `future`; `None` if it panics, which the panic hook logs. None of its state is used again: locks here do
/// not poison, and each write is one step.
pub(super) async fn catch_unwind<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    AssertUnwindSafe(future).catch_unwind().await.ok()
}
