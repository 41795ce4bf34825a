//! Dispatch: reads a request, passes it to Rocket, and returns the response to hyper.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue, CONNECTION, CONTENT_LENGTH, EXPECT, HOST};
use hyper::http::request::Parts;
use hyper::{Request, Response, Version};
use parking_lot::Mutex;
use rocket::futures::future::BoxFuture;
use rocket::http::uri::{Host, Origin};
use rocket::http::{Header, Method};
use rocket::local::asynchronous::LocalRequest;

use super::progress::Progress;
use super::request_head::{self, LastHost, Target};
use super::response_body::ResponseBody;
use super::response_cache::{CacheKey, CachedResponse};
use super::rocket_response::{catch_unwind, into_hyper_response};
use super::server_response::{error_response, from_cache, options_asterisk};
use super::{origin, ServerState, Stage};
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::{BODY_BROKE_OFF, INTERNAL};
use crate::api::routing;
use crate::api::security_headers::Place;
use crate::dispatch_context::{parse_method, DispatchContext, RequestBody, ResponseSlot, SlotContent};
use crate::json::JsonBody;
use crate::log::{AccessLogEntry, RequestId, RequestLogContext};

static X_REQUEST_ID: HeaderName = HeaderName::from_static(RequestId::HEADER);

/// The state of a connection that its requests share.
pub(super) struct ConnectionContext {
    pub(super) address: SocketAddr,
    pub(super) local: Option<SocketAddr>,
    pub(super) progress: Arc<Progress>,
    pub(super) last_host: LastHost,
    pub(super) body: Arc<RequestBody>,
    pub(super) response_slot: Arc<ResponseSlot>,
    /// The Origin of the current request, if CORS is on.
    pub(super) origin: Mutex<Option<String>>,
}

/// Responds to a request.
pub(super) async fn respond(
    server: &'static ServerState,
    connection: Arc<ConnectionContext>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let progress = &connection.progress;
    progress.head_is_complete(request.method() == hyper::Method::HEAD, !request.body().is_end_stream());
    let (head, body) = request.into_parts();
    let id = request_id(&head.headers);
    let client = server.limits.trusted_proxies.client(connection.address, &head.headers);
    let entry =
        AccessLogEntry::new(id, head.method.as_str(), client, progress.began(), server.metrics.is_some());
    let log_context = entry.log_context();
    progress.set_log_entry(entry);
    let mut closes = *server.stage.borrow() != Stage::Serving;
    let client = SocketAddr::new(client, connection.address.port());
    let mut response =
        match read_request(server, &connection, &head, body, client, log_context.as_ref()).await {
            Ok(Routed::Cached(response)) => from_cache(response, progress),
            Ok(Routed::OptionsAsterisk { is_complete }) => {
                closes |= !is_complete;
                options_asterisk(progress)
            }
            Ok(Routed::DecidedByHead(response)) => {
                closes = true;
                *response
            }
            Ok(Routed::ToRocket { origin, host, body, cache_key }) => {
                progress.request_is_complete();
                // The rest of a body beyond the limit is not read, so the start of the next request is unknown.
                closes |= body.len() > server.limits.max_body;
                let request = RocketRequest { origin, host, body, client, log_context };
                let response = dispatch_to_rocket(server, &connection, &head, request, cache_key).await;
                response.unwrap_or_else(|| error_response(server, &ApiError::of(&INTERNAL), progress, &head))
            }
            Err(api_error) => {
                closes = true;
                error_response(server, &api_error, progress, &head)
            }
        };
    // It cannot fail: a request id has only bytes that a header may have.
    if let Ok(id) = HeaderValue::from_bytes(id.as_bytes()) {
        response.headers_mut().insert(&X_REQUEST_ID, id);
    }
    // A shutdown may have begun meanwhile.
    if closes || *server.stage.borrow() != Stage::Serving {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    progress.response_is_ready();
    Ok(response)
}

/// The client's id for the request if there is exactly one, else a new id.
fn request_id(headers: &HeaderMap) -> RequestId {
    let mut values = request_head::values(headers, &X_REQUEST_ID);
    let first = values.next().filter(|_| values.next().is_none());
    RequestId::of(first.map(HeaderValue::as_bytes))
}

/// A request that was read, by where its response comes from.
enum Routed<'a> {
    /// The response cache.
    Cached(CachedResponse),
    /// The server itself: the request is about the server as a whole (RFC 9110, section 9.3.7).
    OptionsAsterisk { is_complete: bool },
    /// Rocket, which needed only the head. The client still waits for a 100 response.
    DecidedByHead(Box<Response<ResponseBody>>),
    /// Rocket. With a key, the response may be cached.
    ToRocket {
        origin: Origin<'static>,
        host: Option<Host<'static>>,
        body: Bytes,
        cache_key: Option<CacheKey<'a>>,
    },
}

/// Reads a request. Of the body it reads at most one byte beyond the limit.
async fn read_request<'a>(
    server: &'static ServerState,
    connection: &ConnectionContext,
    head: &'a Parts,
    body: Incoming,
    client: SocketAddr,
    log_context: Option<&Arc<RequestLogContext>>,
) -> Result<Routed<'a>, ApiError> {
    let target = request_head::read(head, &connection.last_host, &server.limits)?;
    if let Some(faults) = &server.faults {
        faults.inject(server, connection, head, target.as_ref(), &body, log_context.map(Arc::as_ref)).await?;
    }
    let cache_key = if body.is_end_stream() { CacheKey::of(server, head) } else { None };
    let lookup = |key: CacheKey<'_>| key.lookup(log_context.map(Arc::as_ref), server.metrics);
    if let Some(response) = cache_key.and_then(lookup) {
        return Ok(Routed::Cached(response));
    }
    // For an error while the body arrives, or instead of a response.
    if server.cors.is_on() {
        *connection.origin.lock() = origin::of_head(&head.headers);
    }
    let origin = target.as_ref().map(Target::origin).transpose()?;
    // A request without a host gets links with the address of the socket.
    let local = || Host::parse_owned(connection.local?.to_string()).ok();
    let (host, is_for_server) = match target {
        Some(target) => (target.host.map(Arc::unwrap_or_clone).or_else(local), false),
        None => (None, true),
    };
    if waits_for_continue(head, &body) {
        let Some(origin) = origin.clone().filter(|_| !is_for_server) else {
            return Ok(Routed::OptionsAsterisk { is_complete: false });
        };
        let request = RocketRequest {
            origin,
            host: host.clone(),
            body: Bytes::new(),
            client,
            log_context: log_context.cloned(),
        };
        let length = body.size_hint().exact();
        if let Some(response) = decide_by_head(server, connection, head, request, length).await {
            return Ok(Routed::DecidedByHead(response));
        }
    }
    let body = read_body(body, server.limits.max_body.saturating_add(1)).await?;
    let Some(origin) = origin else { return Ok(Routed::OptionsAsterisk { is_complete: true }) };
    Ok(Routed::ToRocket { origin, host, body, cache_key })
}

/// Whether the client sends the body only after a 100 response, which hyper sends when the body is first read (RFC 9110,
/// section 10.1.1). Any other expectation was rejected before.
fn waits_for_continue(head: &Parts, body: &Incoming) -> bool {
    !body.is_end_stream() && head.version == Version::HTTP_11 && head.headers.get(EXPECT).is_some()
}

/// The response to a request if the head alone decides it. The client has not sent the body, of that length. Boxed: the future
/// is large and rare, and other requests need no room for it.
#[cold]
#[inline(never)]
fn decide_by_head<'a>(
    server: &'static ServerState,
    connection: &'a ConnectionContext,
    head: &'a Parts,
    request: RocketRequest,
    length: Option<u64>,
) -> BoxFuture<'a, Option<Box<Response<ResponseBody>>>> {
    Box::pin(async move {
        let method = parse_method(head.method.as_str()).unwrap_or(Method::Trace);
        if !routing::is_for_operations(server.rocket.rocket().routes(), method, &request.origin) {
            return None;
        }
        connection.progress.request_is_complete();
        connection.body.set_awaited(length);
        let response = dispatch_to_rocket(server, connection, head, request, None).await;
        if response.is_none() {
            connection.progress.body_is_awaited();
        }
        response.map(Box::new)
    })
}

/// Reads the first `max` bytes of the body. A body that comes in one piece is not copied, any other once.
async fn read_body(mut body: Incoming, max: usize) -> Result<Bytes, ApiError> {
    let mut first = next_piece(&mut body).await?.unwrap_or_default();
    first.truncate(max);
    let mut joined = Vec::new();
    while first.len().max(joined.len()) < max {
        let Some(piece) = next_piece(&mut body).await? else { break };
        if joined.is_empty() {
            joined.extend_from_slice(&first);
        }
        joined.extend_from_slice(piece.get(..max - joined.len()).unwrap_or(&piece));
    }
    Ok(if joined.is_empty() { first } else { joined.into() })
}

/// The next piece of the body; `None` at its end.
async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, ApiError> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            ApiError::of(&BODY_BROKE_OFF).with_message(format!("The body cannot be read: {error}."))
        })?;
        // Trailers are discarded.
        if let Ok(piece) = frame.into_data() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

/// Passes a request to Rocket. `None` if the response depends on a body that has yet to arrive.
async fn dispatch_to_rocket(
    server: &'static ServerState,
    connection: &ConnectionContext,
    head: &Parts,
    request: RocketRequest,
    cache_key: Option<CacheKey<'_>>,
) -> Option<Response<ResponseBody>> {
    let internal_error = || error_response(server, &ApiError::of(&INTERNAL), &connection.progress, head);
    let place = Place::of(&request.origin);
    let log_context = request.log_context.clone();
    // Discard what a panicked request left behind.
    connection.response_slot.clear();
    // Pinned here, because moving it would cost: it is large.
    let dispatched = pin!(request.into_local(server, head, connection).dispatch());
    let response = catch_unwind(dispatched).await;
    if connection.body.was_needed() {
        return None;
    }
    let Some(response) = response else { return Some(internal_error()) };
    let answer = connection.response_slot.take(response.status());
    let cacheable = match (cache_key, &answer) {
        (
            Some(key),
            SlotContent { json: Some(JsonBody::Full(json)), version: Some(version), is_cacheable: true },
        ) => Some((key, version.clone(), json.clone())),
        _ => None,
    };
    let response = into_hyper_response(server, head, place, response, answer, &connection.progress).await;
    let Some(response) = response else {
        return Some(internal_error());
    };
    if let Some((cache_key, version, json)) = cacheable {
        let route = log_context.and_then(|log_context| log_context.route.get().cloned());
        let cached = CachedResponse { head: response.headers().clone(), json, route };
        cache_key.insert(cached, version, server.limits.response_cache_size);
    }
    Some(response)
}

/// What Rocket needs of a request beyond its method and header fields.
struct RocketRequest {
    origin: Origin<'static>,
    host: Option<Host<'static>>,
    body: Bytes,
    client: SocketAddr,
    log_context: Option<Arc<RequestLogContext>>,
}

impl RocketRequest {
    /// The request in Rocket's types.
    fn into_local(
        self,
        server: &'static ServerState,
        head: &Parts,
        connection: &ConnectionContext,
    ) -> LocalRequest<'static> {
        // An unknown method gets the response of one that no path has.
        let method = parse_method(head.method.as_str()).unwrap_or(Method::Trace);
        let routes = server.rocket.rocket().routes();
        let body_goes_to_rocket =
            !self.body.is_empty() && !routing::is_for_operations(routes, method, &self.origin);
        let mut local = server.rocket.req(method, ParsedOrigin(self.origin));
        if body_goes_to_rocket {
            local.set_body(self.body);
        } else if !self.body.is_empty() {
            connection.body.put(self.body);
        }
        // Rocket gets the host and the body separately.
        for (name, value) in head.headers.iter().filter(|(name, _)| ![HOST, CONTENT_LENGTH].contains(name)) {
            let value = match std::str::from_utf8(value.as_bytes()) {
                Ok(text) => text.to_owned(),
                // Rocket's header values are strings. No guard accepts a value that is not UTF-8.
                Err(_) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
            };
            local.add_header(Header::new(name.as_str().to_owned(), value));
        }
        let request = local.inner_mut();
        request.set_remote(self.client);
        if let Some(host) = self.host {
            request.set_host(host);
        }
        request.local_cache(|| {
            Some(DispatchContext {
                body: Arc::clone(&connection.body),
                response_slot: Some(Arc::clone(&connection.response_slot)),
            })
        });
        if self.log_context.is_some() {
            request.local_cache(|| self.log_context);
        }
        local
    }
}

/// A parsed target. Rocket formats whatever target it is given, to use the text in place of one that cannot be parsed; this
/// one is parsed already, so its text is empty.
struct ParsedOrigin(Origin<'static>);

impl fmt::Display for ParsedOrigin {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl From<ParsedOrigin> for Origin<'static> {
    fn from(ParsedOrigin(origin): ParsedOrigin) -> Self {
        origin
    }
}
