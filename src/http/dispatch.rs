//! One request: taken whole, handed to Rocket, and its answer handed to hyper.

use std::convert::Infallible;
use std::future::{poll_fn, Future};
use std::io;
use std::net::SocketAddr;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::{pin, Pin};
use std::str::FromStr;
use std::sync::Arc;
use std::task::Poll;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    HeaderMap, HeaderName, HeaderValue, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, ORIGIN,
};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode, Version};
use parking_lot::Mutex;
use rocket::futures::future::BoxFuture;
use rocket::http::uri::{Host, Origin};
use rocket::http::Method;
use rocket::local::asynchronous::LocalResponse;
use tokio::io::AsyncReadExt;

use super::progress::Progress;
use super::request_head::{self, LastHost, Target};
use super::response_body::ResponseBody;
use super::response_cache::{CacheKey, CachedResponse};
use super::rocket_request::RocketRequest;
use super::{origin, parse_error, ServerState, Stage};
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::{BODY_BROKE_OFF, INTERNAL};
use crate::api::routing;
use crate::api::security_headers::{self, Field, Place};
use crate::dispatch_context::{parse_method, ResponseSlot};
use crate::json::{JsonBody, PIECE};
use crate::log::{AccessLogEntry, RequestId, RequestLogContext};

#[allow(
    clippy::declare_interior_mutable_const,
    reason = "that of a static text has nothing that could change"
)]
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const X_REQUEST_ID: HeaderName = HeaderName::from_static(RequestId::HEADER);

/// An answer up to this size is taken from Rocket at once, if it says its size; a longer one piece by piece.
const MAX_BUFFERED_BODY: usize = PIECE;

/// The two ends of a connection, how far it has come, and what is kept from one of its requests to the next.
pub(super) struct ConnectionContext {
    pub(super) address: SocketAddr,
    pub(super) local: Option<SocketAddr>,
    pub(super) progress: Arc<Progress>,
    pub(super) last_host: LastHost,
    pub(super) response_slot: Arc<ResponseSlot>,
    /// The Origin of the present request, if pages of any origin may read answers.
    pub(super) origin: Mutex<Option<String>>,
}

/// Answers a request.
pub(super) async fn answer(
    server: &'static ServerState,
    connection: Arc<ConnectionContext>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let progress = &connection.progress;
    progress.head_is_complete(request.method() == hyper::Method::HEAD, !request.body().is_end_stream());
    let (head, body) = request.into_parts();
    if server.cors.is_on() {
        *connection.origin.lock() = origin::of_head(&head.headers);
    }
    let id = request_id(&head.headers);
    let client = server.limits.trusted_proxies.client(connection.address, &head.headers);
    let entry = AccessLogEntry::new(id, head.method.as_str(), client, progress.began());
    let log_context = entry.log_context();
    progress.set_log_entry(entry);
    let mut last = *server.stage.borrow() != Stage::Serving;
    let client = SocketAddr::new(client, connection.address.port());
    let mut answer = match read_request(server, &connection, &head, body, client, log_context.as_ref()).await
    {
        Ok(Routed::Cached(answer)) => from_cache(answer, progress),
        Ok(Routed::OptionsAsterisk { is_complete }) => {
            last |= !is_complete;
            options_asterisk(progress)
        }
        Ok(Routed::DecidedByHead(answer)) => {
            last = true;
            *answer
        }
        Ok(Routed::ToRocket { origin, host, body, cache_key }) => {
            progress.request_is_complete();
            // What goes beyond the limit has not been read: the next request cannot be found behind it.
            last |= body.len() > server.limits.max_body;
            let asked = RocketRequest { origin, host, body, client, log_context };
            let answer = dispatch_to_rocket(server, &connection, &head, asked, cache_key).await;
            answer.unwrap_or_else(|| error_response(server, &ApiError::of(&INTERNAL), progress, &head))
        }
        Err(api_error) => {
            last = true;
            error_response(server, &api_error, progress, &head)
        }
    };
    // It was made of nothing that a header cannot hold.
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        answer.headers_mut().insert(X_REQUEST_ID, id);
    }
    // The server may have begun to end while the request was being answered.
    if last || *server.stage.borrow() != Stage::Serving {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    progress.answer_is_ready();
    Ok(answer)
}

/// The id that the client gave, if it gave one, and one only.
fn request_id(headers: &HeaderMap) -> RequestId {
    let mut given = headers.get_all(X_REQUEST_ID).iter();
    let first = given.next().filter(|_| given.next().is_none());
    RequestId::of(first.map(HeaderValue::as_bytes))
}

/// A request that is complete, and whom it asks.
enum Routed<'a> {
    /// No one: it was cached.
    Cached(CachedResponse),
    /// The whole server (RFC 9110, section 9.3.7).
    OptionsAsterisk { is_complete: bool },
    /// Rocket, whose answer did not take a body; the client waits to be told to send one.
    DecidedByHead(Box<Response<ResponseBody>>),
    /// Rocket; whose answer may be one to keep, for that cache_key.
    ToRocket {
        origin: Origin<'static>,
        host: Option<Host<'static>>,
        body: Vec<u8>,
        cache_key: Option<CacheKey<'a>>,
    },
}

/// The request, complete; of its body at most one byte more than may be is read.
async fn read_request<'a>(
    server: &'static ServerState,
    connection: &ConnectionContext,
    head: &'a Parts,
    body: Incoming,
    client: SocketAddr,
    log_context: Option<&Arc<RequestLogContext>>,
) -> Result<Routed<'a>, ApiError> {
    if head.headers.len() > server.limits.max_headers {
        return Err(parse_error::head_too_large(&server.limits));
    }
    let target = request_head::read(head, &connection.last_host)?;
    // Looked up before Rocket is asked: only what was so by then can be known to be so still.
    let cache_key = if body.is_end_stream() { CacheKey::of(server, head) } else { None };
    if let Some(answer) = cache_key.and_then(|cache_key| cache_key.answered(log_context.map(Arc::as_ref))) {
        return Ok(Routed::Cached(answer));
    }
    let origin = target.as_ref().map(Target::origin).transpose()?;
    // A request that names no host is told the address that it came to.
    let local = || Host::parse_owned(connection.local?.to_string()).ok();
    let (host, is_for_server) = match target {
        Some(target) => (target.host.or_else(local), false),
        None => (None, true),
    };
    if waits_to_send(head, &body) {
        let Some(origin) = origin.clone().filter(|_| !is_for_server) else {
            return Ok(Routed::OptionsAsterisk { is_complete: false });
        };
        let asked = RocketRequest {
            origin,
            host: host.clone(),
            body: Vec::new(),
            client,
            log_context: log_context.cloned(),
        };
        if let Some(answer) = decide_by_head(server, connection, head, asked, body.size_hint().exact()).await
        {
            return Ok(Routed::DecidedByHead(answer));
        }
    }
    let body = read_body(body, server.limits.max_body.saturating_add(1)).await?;
    let Some(origin) = origin else { return Ok(Routed::OptionsAsterisk { is_complete: true }) };
    Ok(Routed::ToRocket { origin, host, body, cache_key })
}

/// Whether the client sends the body only when it is told to, which hyper does when the body is first asked for (RFC
/// 9110, section 10.1.1). That it expects nothing else is known by now.
fn waits_to_send(head: &Parts, body: &Incoming) -> bool {
    !body.is_end_stream() && head.version == Version::HTTP_11 && head.headers.get(EXPECT).is_some()
}

/// The answer to a request whose head decides it. Its body, of that length, has not been sent. Boxed and out of the
/// way: it is large and rare, and the other requests need not make room for it.
#[cold]
#[inline(never)]
fn decide_by_head<'a>(
    server: &'static ServerState,
    connection: &'a ConnectionContext,
    head: &'a Parts,
    asked: RocketRequest,
    length: Option<u64>,
) -> BoxFuture<'a, Option<Box<Response<ResponseBody>>>> {
    Box::pin(async move {
        let method = parse_method(head.method.as_str()).unwrap_or(Method::Trace);
        if !routing::is_for_operations(server.rocket.rocket().routes(), method, &asked.origin) {
            return None;
        }
        connection.progress.request_is_complete();
        connection.response_slot.await_body(length);
        let answer = dispatch_to_rocket(server, connection, head, asked, None).await;
        if answer.is_none() {
            connection.progress.body_is_awaited();
        }
        answer.map(Box::new)
    })
}

/// The first bytes of the body, up to so many.
async fn read_body(mut body: Incoming, most: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|error| {
            ApiError::of(&BODY_BROKE_OFF).with_message(format!("The body cannot be read: {error}."))
        })?;
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data.get(..most - bytes.len()).unwrap_or(data));
        }
    }
    Ok(bytes)
}

/// The answer that was given before.
#[inline]
fn from_cache(
    CachedResponse { head, json, .. }: CachedResponse,
    progress: &Arc<Progress>,
) -> Response<ResponseBody> {
    progress.request_is_complete();
    progress.answered(StatusCode::OK.as_u16());
    let mut response = Response::new(ResponseBody::full(json, Arc::clone(progress)));
    *response.headers_mut() = head;
    response
}

/// Asks Rocket. `None` if it takes the body to answer, and that is still to come.
async fn dispatch_to_rocket(
    server: &'static ServerState,
    connection: &ConnectionContext,
    head: &Parts,
    asked: RocketRequest,
    cache_key: Option<CacheKey<'_>>,
) -> Option<Response<ResponseBody>> {
    let broken = || error_response(server, &ApiError::of(&INTERNAL), &connection.progress, head);
    let place = Place::of(&asked.origin);
    let log_context = asked.log_context.clone();
    // Discard what a panicked request left behind.
    connection.response_slot.clear();
    // Where it lies it stays: it is large.
    let dispatched = pin!(asked.of(server, head, &connection.response_slot).dispatch());
    let answer = catch_panic(dispatched).await;
    if connection.response_slot.was_body_needed() {
        return None;
    }
    let Some(answer) = answer else { return Some(broken()) };
    let (json, is_public) = connection.response_slot.take(answer.status());
    let kept = match &json {
        Some(JsonBody::Full(json)) if is_public => cache_key.zip(Some(json.clone())),
        _ => None,
    };
    let Some(response) = into_hyper_response(connection, head, place, answer, json).await else {
        return Some(broken());
    };
    if let Some((cache_key, json)) = kept {
        let route = log_context.and_then(|log_context| log_context.route.get().cloned());
        let answer = CachedResponse { head: response.headers().clone(), json, route };
        cache_key.keep(answer, server.limits.response_cache_size);
    }
    Some(response)
}

/// Rocket's answer, and the JSON that it left in the response slot, as hyper sends it. None if it is broken.
async fn into_hyper_response(
    connection: &ConnectionContext,
    head: &Parts,
    place: Place,
    answer: LocalResponse<'static>,
    json: Option<JsonBody>,
) -> Option<Response<ResponseBody>> {
    let progress = &connection.progress;
    let status = StatusCode::from_u16(answer.status().code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::INTERNAL_SERVER_ERROR && json.is_none() {
        // A catcher has panicked, and Rocket has answered in its place.
        return None;
    }
    let mut headers = headers(&answer);
    for Field { name, value, .. } in place.headers(status.as_u16()) {
        headers.insert(name, value.clone());
    }
    if json.is_some() {
        headers.insert(CONTENT_TYPE, JSON);
    }
    let size = json.as_ref().map(JsonBody::length).or_else(|| answer.body().preset_size());
    let without_body = head.method == hyper::Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let reply = match (size, json) {
        // Of an answer without a body Rocket gives none, rather than an empty one.
        _ if without_body || size == Some(0) => ResponseBody::nothing(Arc::clone(progress)),
        (_, Some(json)) => ResponseBody::json(json, Arc::clone(progress)),
        (Some(size), None) if size <= MAX_BUFFERED_BODY => {
            ResponseBody::full(body(answer, size).await?, Arc::clone(progress))
        }
        _ => ResponseBody::pieces(answer, Arc::clone(progress)),
    };
    // What hyper cannot see in the body.
    let unseen = size.filter(|size| reply.size_hint().exact() != Some(*size as u64));
    if let Some(size) = unseen.filter(|_| status != StatusCode::NO_CONTENT) {
        headers.insert(CONTENT_LENGTH, size.into());
    }
    progress.answered(status.as_u16());
    let mut response = Response::new(reply);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Some(response)
}

/// The body of that size.
async fn body(answer: LocalResponse<'_>, size: usize) -> Option<Bytes> {
    let failed = match catch_panic(pin!(read(answer, size))).await {
        Some(Ok(bytes)) => return Some(bytes.into()),
        failed => failed.and_then(Result::err),
    };
    tracing::error!(error = ?failed, "an answer could not be read");
    None
}

async fn read(mut answer: LocalResponse<'_>, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        if answer.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    // The rest of a file that has grown meanwhile would not fit its Content-Length.
    bytes.truncate(size);
    Ok(bytes)
}

fn headers(answer: &LocalResponse<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(answer.headers().len() + 4);
    for header in answer.headers().iter() {
        let name = HeaderName::from_bytes(header.name.as_str().as_bytes());
        // A value that is no value would end the header, or begin another.
        match (name, HeaderValue::from_str(&header.value)) {
            (Ok(name), Ok(value)) => {
                headers.append(name, value);
            }
            _ => tracing::error!(name = %header.name, "an answer has a header that cannot be sent"),
        }
    }
    headers
}

/// What comes of it, unless it panics. The log says where; none of its state is used again:
/// locks here do not poison, and each write is one step.
async fn catch_panic<T>(mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(Poll::Ready(done)) => Poll::Ready(Some(done)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// The answer to `OPTIONS *`, which is good for finding out whether the server is there.
fn options_asterisk(progress: &Arc<Progress>) -> Response<ResponseBody> {
    let status = StatusCode::NO_CONTENT;
    progress.answered(status.as_u16());
    let mut response = Response::new(ResponseBody::nothing(Arc::clone(progress)));
    *response.status_mut() = status;
    add_security_headers(response.headers_mut());
    response
}

/// Adds what every answer of the front has.
fn add_security_headers(headers: &mut HeaderMap) {
    for Field { name, value, .. } in security_headers::for_server_responses() {
        headers.insert(name, value.clone());
    }
}

fn add_all<'a>(headers: &mut HeaderMap, all: impl Iterator<Item = (&'static str, &'a str)>) {
    for (name, value) in all {
        if let (Ok(name), Ok(value)) = (HeaderName::from_str(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
}

/// An answer that Rocket has no part in.
fn error_response(
    server: &ServerState,
    api_error: &ApiError,
    progress: &Arc<Progress>,
    head: &Parts,
) -> Response<ResponseBody> {
    progress.answered(api_error.status().code);
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
    let mut origins = head.headers.get_all(ORIGIN).iter().map(|origin| origin.to_str().unwrap_or_default());
    add_all(headers, server.cors.headers(&mut origins));
    response
}
