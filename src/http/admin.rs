//! Admin listener: operations for the person who runs the server, on an address of their own.
//!
//! It asks for no login. So it is on a loopback address only, and refuses requests of pages: a browser on this machine
//! would send them for any site.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderValue, ALLOW, CONTENT_TYPE, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::listen;
use super::server_response::{add_all, add_security_headers, JSON};
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::{FORBIDDEN, INTERNAL, METHOD_NOT_ALLOWED, NOT_FOUND};
use crate::json::Style;
use crate::store::memory::initial_data::InitialData;

/// How many connections are served at a time. Others wait in the system's queue.
const MAX_CONNECTIONS: usize = 16;

/// How long the head of a request may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may take. It has one request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long the server waits after it could not accept.
const BACK_OFF: Duration = Duration::from_millis(100);

/// The address of the admin listener: a loopback address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminAddress(SocketAddr);

/// The text is not an [`AdminAddress`].
#[derive(Debug, Error)]
#[error(
    "{0:?} is not a loopback address and a port, such as 127.0.0.1:5001; any client that reaches it could reset the data"
)]
pub struct InvalidAdminAddress(String);

impl FromStr for AdminAddress {
    type Err = InvalidAdminAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAdminAddress> {
        let address = text.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback());
        address.map(Self).ok_or_else(|| InvalidAdminAddress(text.to_owned()))
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AdminAddress {
    /// Listens on the address.
    ///
    /// # Errors
    /// [`io::Error`], for example if the port is in use.
    pub fn listen(self) -> io::Result<TcpListener> {
        listen::bind(self.0)
    }
}

/// What the admin operations need.
#[derive(Debug)]
pub struct Admin {
    /// What a reset starts over with.
    pub initial_data: InitialData,
    /// The layout of errors.
    pub style: Style,
}

/// Serves admin operations for as long as the runtime lives.
pub async fn serve(listener: TcpListener, admin: Admin) {
    let (admin, permits) = (Arc::new(admin), Arc::new(Semaphore::new(MAX_CONNECTIONS)));
    // An error would mean that the semaphore is closed, which it never is.
    while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(BACK_OFF).await;
            continue;
        };
        let admin = Arc::clone(&admin);
        tokio::spawn(async move {
            // A client that leaves or is slow gets nothing.
            let _ = timeout(TIMEOUT, serve_one(stream, admin)).await;
            drop(permit);
        });
    }
}

async fn serve_one(stream: TcpStream, admin: Arc<Admin>) -> hyper::Result<()> {
    let service = service_fn(|request| {
        let admin = Arc::clone(&admin);
        async move { Ok::<_, Infallible>(respond(&admin, &request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn respond(admin: &Admin, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.headers().contains_key(ORIGIN) {
        let refused =
            ApiError::of(&FORBIDDEN).with_message("No page of a browser may use the admin listener.");
        return error(admin, &refused);
    }
    match (request.uri().path(), request.method()) {
        ("/reset", &Method::POST) => reset(admin).await,
        ("/reset", _) => {
            let mut response = error(admin, &ApiError::of(&METHOD_NOT_ALLOWED));
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            response
        }
        _ => error(admin, &ApiError::of(&NOT_FOUND)),
    }
}

/// Puts users and ships back to the initial data.
async fn reset(admin: &Admin) -> Response<Full<Bytes>> {
    let initial_data = admin.initial_data.clone();
    // Large data takes a while.
    if tokio::task::spawn_blocking(move || initial_data.reset()).await.is_err() {
        return error(admin, &ApiError::of(&INTERNAL));
    }
    response(StatusCode::NO_CONTENT, Bytes::new())
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
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_a_loopback_address_with_a_port() {
        for address in ["127.0.0.1:5001", "[::1]:0", "127.1.2.3:65535"] {
            assert_eq!(
                address.parse::<AdminAddress>().map(|address| address.to_string()).ok().as_deref(),
                Some(address)
            );
        }
        for other in
            ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.0.0.1", "localhost:1", "127.0.0.1:65536", ":1", ""]
        {
            assert!(other.parse::<AdminAddress>().is_err(), "{other:?}");
        }
    }
}
