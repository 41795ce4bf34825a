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
use super::response_body::Reply;
use super::response_cache::{self, Question};
use super::rocket_request::Asked;
use super::{origin, parse_error, Front, Stage};
use crate::api::error::fault::Fault;
use crate::api::error::{BODY_BROKE_OFF, INTERNAL};
use crate::api::routing;
use crate::api::security_headers::{self, Field, Place};
use crate::dispatch_context::Shelf;
use crate::json::{JsonBody, PIECE};
use crate::log::{Entry, Facts, RequestId};

#[allow(
    clippy::declare_interior_mutable_const,
    reason = "that of a static text has nothing that could change"
)]
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const X_REQUEST_ID: HeaderName = HeaderName::from_static(RequestId::HEADER);

/// An answer up to this size is taken from Rocket at once, if it says its size; a longer one piece by piece.
const WHOLE: usize = PIECE;

/// The two ends of a connection, how far it has come, and what is kept from one of its requests to the next.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) local: Option<SocketAddr>,
    pub(super) progress: Arc<Progress>,
    pub(super) last_host: LastHost,
    pub(super) shelf: Arc<Shelf>,
    /// The Origin of the present request, if pages of any origin may read answers.
    pub(super) origin: Mutex<Option<String>>,
}

/// Answers a request.
pub(super) async fn answer(
    front: &'static Front,
    peer: Arc<Peer>,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Infallible> {
    let progress = &peer.progress;
    progress.head_is_complete(request.method() == hyper::Method::HEAD, !request.body().is_end_stream());
    let (head, body) = request.into_parts();
    if front.cors.is_on() {
        *peer.origin.lock() = origin::of_head(&head.headers);
    }
    let id = request_id(&head.headers);
    let client = front.traffic.trusted_proxies.client(peer.address, &head.headers);
    let entry = Entry::new(id, head.method.as_str(), client, progress.began());
    let facts = entry.facts();
    progress.note(entry);
    let mut last = *front.stage.borrow() != Stage::Serving;
    let client = SocketAddr::new(client, peer.address.port());
    let mut answer = match whole(front, &peer, &head, body, client, facts.as_ref()).await {
        Ok(Whole::AnsweredBefore(answer)) => again(answer, progress),
        Ok(Whole::OfTheServer { is_complete }) => {
            last |= !is_complete;
            of_the_server(progress)
        }
        Ok(Whole::DecidedByHead(answer)) => {
            last = true;
            *answer
        }
        Ok(Whole::OfRocket { origin, host, body, question }) => {
            progress.request_is_complete();
            // What goes beyond the limit has not been read: the next request cannot be found behind it.
            last |= body.len() > front.traffic.max_body;
            let asked = Asked { origin, host, body, client, facts };
            let answer = of_rocket(front, &peer, &head, asked, question).await;
            answer.unwrap_or_else(|| of_front(front, &Fault::of(&INTERNAL), progress, &head))
        }
        Err(fault) => {
            last = true;
            of_front(front, &fault, progress, &head)
        }
    };
    // It was made of nothing that a header cannot hold.
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        answer.headers_mut().insert(X_REQUEST_ID, id);
    }
    // The server may have begun to end while the request was being answered.
    if last || *front.stage.borrow() != Stage::Serving {
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
enum Whole<'a> {
    /// Nobody: it was asked before.
    AnsweredBefore(response_cache::Answer),
    /// The whole server (RFC 9110, section 9.3.7).
    OfTheServer { is_complete: bool },
    /// Rocket, whose answer did not take a body; the client waits to be told to send one.
    DecidedByHead(Box<Response<Reply>>),
    /// Rocket; whose answer may be one to keep, for that question.
    OfRocket {
        origin: Origin<'static>,
        host: Option<Host<'static>>,
        body: Vec<u8>,
        question: Option<Question<'a>>,
    },
}

/// The request, complete; of its body at most one byte more than may be is read.
async fn whole<'a>(
    front: &'static Front,
    peer: &Peer,
    head: &'a Parts,
    body: Incoming,
    client: SocketAddr,
    facts: Option<&Arc<Facts>>,
) -> Result<Whole<'a>, Fault> {
    if head.headers.len() > front.traffic.max_headers {
        return Err(parse_error::head_too_large(&front.traffic));
    }
    let target = request_head::read(head, &peer.last_host)?;
    // Asked before Rocket is: only what was so by then can be known to be so still.
    let question = if body.is_end_stream() { Question::of(front, head) } else { None };
    if let Some(answer) = question.and_then(|question| question.answered(facts.map(Arc::as_ref))) {
        return Ok(Whole::AnsweredBefore(answer));
    }
    let origin = target.as_ref().map(Target::origin).transpose()?;
    // A request that names no host is told the address that it came to.
    let local = || Host::parse_owned(peer.local?.to_string()).ok();
    let (host, is_for_server) = match target {
        Some(target) => (target.host.or_else(local), false),
        None => (None, true),
    };
    if waits_to_send(head, &body) {
        let Some(origin) = origin.clone().filter(|_| !is_for_server) else {
            return Ok(Whole::OfTheServer { is_complete: false });
        };
        let asked = Asked { origin, host: host.clone(), body: Vec::new(), client, facts: facts.cloned() };
        if let Some(answer) = by_head(front, peer, head, asked, body.size_hint().exact()).await {
            return Ok(Whole::DecidedByHead(answer));
        }
    }
    let body = read_body(body, front.traffic.max_body.saturating_add(1)).await?;
    let Some(origin) = origin else { return Ok(Whole::OfTheServer { is_complete: true }) };
    Ok(Whole::OfRocket { origin, host, body, question })
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
fn by_head<'a>(
    front: &'static Front,
    peer: &'a Peer,
    head: &'a Parts,
    asked: Asked,
    length: Option<u64>,
) -> BoxFuture<'a, Option<Box<Response<Reply>>>> {
    Box::pin(async move {
        let method = routing::known_method(head.method.as_str()).unwrap_or(Method::Trace);
        if !routing::is_for_operations(front.rocket.rocket().routes(), method, &asked.origin) {
            return None;
        }
        peer.progress.request_is_complete();
        peer.shelf.await_body(length);
        let answer = of_rocket(front, peer, head, asked, None).await;
        if answer.is_none() {
            peer.progress.body_is_awaited();
        }
        answer.map(Box::new)
    })
}

/// The first bytes of the body, up to so many.
async fn read_body(mut body: Incoming, most: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|error| {
            Fault::of(&BODY_BROKE_OFF).with_message(format!("The body cannot be read: {error}."))
        })?;
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data.get(..most - bytes.len()).unwrap_or(data));
        }
    }
    Ok(bytes)
}

/// The answer that was given before.
#[inline]
fn again(
    response_cache::Answer { head, json, .. }: response_cache::Answer,
    progress: &Arc<Progress>,
) -> Response<Reply> {
    progress.request_is_complete();
    progress.answered(StatusCode::OK.as_u16());
    let mut response = Response::new(Reply::whole(json, Arc::clone(progress)));
    *response.headers_mut() = head;
    response
}

/// Asks Rocket. `None` if it takes the body to answer, and that is still to come.
async fn of_rocket(
    front: &'static Front,
    peer: &Peer,
    head: &Parts,
    asked: Asked,
    question: Option<Question<'_>>,
) -> Option<Response<Reply>> {
    let broken = || of_front(front, &Fault::of(&INTERNAL), &peer.progress, head);
    let place = Place::of(&asked.origin);
    let facts = asked.facts.clone();
    // What a request has left that panicked is nobody's.
    peer.shelf.clear();
    // Where it lies it stays: it is large.
    let dispatched = pin!(asked.of(front, head, &peer.shelf).dispatch());
    let answer = unpanicked(dispatched).await;
    if peer.shelf.was_body_needed() {
        return None;
    }
    let Some(answer) = answer else { return Some(broken()) };
    let (json, is_public) = peer.shelf.take(answer.status());
    let kept = match &json {
        Some(JsonBody::Full(json)) if is_public => question.zip(Some(json.clone())),
        _ => None,
    };
    let Some(response) = sent(peer, head, place, answer, json).await else { return Some(broken()) };
    if let Some((question, json)) = kept {
        let route = facts.and_then(|facts| facts.route.get().cloned());
        let answer = response_cache::Answer { head: response.headers().clone(), json, route };
        question.keep(answer, front.traffic.kept_answers);
    }
    Some(response)
}

/// Rocket's answer, and the JSON that it left on the shelf, as hyper sends it. None if it is broken.
async fn sent(
    peer: &Peer,
    head: &Parts,
    place: Place,
    answer: LocalResponse<'static>,
    json: Option<JsonBody>,
) -> Option<Response<Reply>> {
    let progress = &peer.progress;
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
        _ if without_body || size == Some(0) => Reply::nothing(Arc::clone(progress)),
        (_, Some(json)) => Reply::json(json, Arc::clone(progress)),
        (Some(size), None) if size <= WHOLE => Reply::whole(body(answer, size).await?, Arc::clone(progress)),
        _ => Reply::pieces(answer, Arc::clone(progress)),
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
    let failed = match unpanicked(pin!(read(answer, size))).await {
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
async fn unpanicked<T>(mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(Poll::Ready(done)) => Poll::Ready(Some(done)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// The answer to `OPTIONS *`, which is good for finding out whether the server is there.
fn of_the_server(progress: &Arc<Progress>) -> Response<Reply> {
    let status = StatusCode::NO_CONTENT;
    progress.answered(status.as_u16());
    let mut response = Response::new(Reply::nothing(Arc::clone(progress)));
    *response.status_mut() = status;
    dress(response.headers_mut());
    response
}

/// Adds what every answer of the front has.
fn dress(headers: &mut HeaderMap) {
    for Field { name, value, .. } in security_headers::of_the_front() {
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
fn of_front(front: &Front, fault: &Fault, progress: &Arc<Progress>, head: &Parts) -> Response<Reply> {
    progress.answered(fault.status().code);
    let body = fault.body(front.style);
    let mut response = Response::new(Reply::whole(body.into(), Arc::clone(progress)));
    *response.status_mut() = StatusCode::from_u16(fault.status().code).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    add_all(headers, fault.headers().collect::<Vec<_>>().iter().map(|(name, value)| (*name, value.as_str())));
    dress(headers);
    let mut origins = head.headers.get_all(ORIGIN).iter().map(|origin| origin.to_str().unwrap_or_default());
    add_all(headers, front.cors.headers(&mut origins));
    response
}
