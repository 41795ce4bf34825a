//! Admin listener: health, metrics and the reset, on an address of their own.
//!
//! It asks for no login. So the reset is on a loopback address only, and no operation answers pages: a browser on this machine
//! would send requests for any site. It has a few connections, closes the oldest to make room for another, and serves until the
//! process ends, so that probes get an answer while the server shuts down.

mod address;
mod health;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderValue, ALLOW, CACHE_CONTROL, CONTENT_TYPE, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

pub use self::address::{AdminAddress, InvalidAdminAddress};
pub use self::health::{AskStore, Readiness};
use super::server_response::{add_all, add_security_headers, JSON};
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::{FORBIDDEN, INTERNAL, METHOD_NOT_ALLOWED, NOT_FOUND, NOT_READY};
use crate::internal_error::chain;
use crate::json::Style;
use crate::metrics::{self, Metrics};
use crate::store::memory::initial_data::InitialData;

/// How many connections there are at a time. A further one replaces the oldest, so that slow clients do not keep a probe out.
const MAX_CONNECTIONS: usize = 64;

/// How long the head of a request may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may take. It has one request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long the server waits after it could not accept.
const BACK_OFF: Duration = Duration::from_millis(100);

/// What the admin operations need.
#[derive(Debug)]
pub struct Admin {
    /// What a reset starts over with. `None` if there is no reset.
    pub initial_data: Option<InitialData>,
    /// The layout of JSON.
    pub style: Style,
    /// Whether the server is ready.
    pub readiness: Readiness,
    /// What `/metrics` answers.
    pub metrics: Arc<Metrics>,
}

/// The admin operations, and what they share.
struct Server {
    admin: Admin,
    /// The connections from the oldest.
    connections: Mutex<VecDeque<AbortHandle>>,
    /// Held while metrics are read. If that hangs, it takes up one thread, not one for each request.
    scraping: Arc<tokio::sync::Mutex<()>>,
}

/// Serves admin operations for as long as the runtime lives.
pub fn serve(listeners: Vec<TcpListener>, admin: Admin) {
    let server = Arc::new(Server { admin, connections: Mutex::default(), scraping: Arc::default() });
    for listener in listeners {
        tokio::spawn(accept(listener, Arc::clone(&server)));
    }
}

async fn accept(listener: TcpListener, server: Arc<Server>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(BACK_OFF).await;
            continue;
        };
        let mut connections = server.connections.lock();
        connections.retain(|connection| !connection.is_finished());
        if connections.len() >= MAX_CONNECTIONS {
            if let Some(oldest) = connections.pop_front() {
                oldest.abort();
            }
        }
        // A client that leaves or is slow gets nothing.
        let serving = timeout(TIMEOUT, serve_one(stream, Arc::clone(&server)));
        connections.push_back(tokio::spawn(serving).abort_handle());
    }
}

async fn serve_one(stream: TcpStream, server: Arc<Server>) -> hyper::Result<()> {
    let service = service_fn(|request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(respond(&server, &request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn respond(server: &Server, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let admin = &server.admin;
    if request.headers().contains_key(ORIGIN) {
        let refused =
            ApiError::of(&FORBIDDEN).with_message("No page of a browser may use the admin listener.");
        return error(admin, &refused);
    }
    match (request.uri().path(), request.method()) {
        ("/health/live", &Method::GET | &Method::HEAD) => status(admin, "live"),
        ("/health/ready", &Method::GET | &Method::HEAD) => match admin.readiness.check().await {
            Ok(()) => status(admin, "ready"),
            Err(reason) => error(admin, &ApiError::of(&NOT_READY).with_message(reason)),
        },
        ("/metrics", &Method::GET | &Method::HEAD) => metrics(server).await,
        ("/health/live" | "/health/ready" | "/metrics", _) => not_allowed(admin, "GET, HEAD"),
        ("/reset", &Method::POST) => reset(admin).await,
        ("/reset", _) => not_allowed(admin, "POST"),
        _ => error(admin, &ApiError::of(&NOT_FOUND)),
    }
}

/// A healthy status.
fn status(admin: &Admin, status: &'static str) -> Response<Full<Bytes>> {
    // Serializing a text cannot fail.
    let body = admin.style.render(&json!({ "status": status })).unwrap_or_default();
    let mut response = response(StatusCode::OK, body.into());
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// All metrics. They are read on another thread, since some wait for a lock.
async fn metrics(server: &Server) -> Response<Full<Bytes>> {
    let metrics = Arc::clone(&server.admin.metrics);
    let scraping = Arc::clone(&server.scraping).lock_owned().await;
    let read = move || {
        let _scraping = scraping;
        metrics.text().map_err(|error| tracing::error!("no metrics: {}", chain(&error)))
    };
    let Ok(Ok(text)) = tokio::task::spawn_blocking(read).await else {
        return error(&server.admin, &ApiError::of(&INTERNAL));
    };
    let mut response = response(StatusCode::OK, text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
    response
}

/// Puts users and ships back to the initial data.
async fn reset(admin: &Admin) -> Response<Full<Bytes>> {
    let Some(initial_data) = admin.initial_data.clone() else {
        let refused = ApiError::of(&FORBIDDEN).with_message(
            "There is a reset only if admin_address is a loopback address, and the data is in memory.",
        );
        return error(admin, &refused);
    };
    // Large data takes a while.
    if tokio::task::spawn_blocking(move || initial_data.reset()).await.is_err() {
        return error(admin, &ApiError::of(&INTERNAL));
    }
    response(StatusCode::NO_CONTENT, Bytes::new())
}

fn not_allowed(admin: &Admin, methods: &'static str) -> Response<Full<Bytes>> {
    let mut response = error(admin, &ApiError::of(&METHOD_NOT_ALLOWED));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn error(admin: &Admin, api_error: &ApiError) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(api_error.status().code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = response(status, api_error.body(admin.style).into());
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    let fields: Vec<(&str, String)> = api_error.headers().collect();
    add_all(response.headers_mut(), fields.iter().map(|(name, value)| (*name, value.as_str())));
    response
}

fn response(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    add_security_headers(response.headers_mut());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
