//! Lingering close, and errors sent without hyper (RFC 9112, section 9.6).

use std::future::Future;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at, Instant};

use super::ServerState;
use crate::api::error::api_error::ApiError;
use crate::api::security_headers::{self, Field};
use crate::auth::clock;
use crate::log::RequestId;

/// How long a client may take to read an error and to close the connection, unless it still sends.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the system keeps the rest of a response for a client that reads none of it.
#[cfg(target_os = "linux")]
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);

/// How many bytes are read and discarded, so that the client comes to read the response. Many clients read nothing before
/// they have sent their whole body.
const MAX_DRAIN_BYTES: usize = 64 * 1024 * 1024;

/// How many of them are read at a time.
const DRAIN_BUFFER: usize = 8 * 1024;

/// An error for a request that is incomplete or was aborted.
pub(super) struct Rejection<'a> {
    pub(super) api_error: &'a ApiError,
    pub(super) id: RequestId,
    /// Whether the request is HEAD, whose response has no body (RFC 9110, section 9.3.2).
    pub(super) is_head: bool,
    /// The Origin of the request, if it is known (see [`super::origin`]).
    pub(super) origin: Option<String>,
}

/// How long a connection lingers after its last response.
#[derive(Clone, Copy)]
pub(super) struct LingerTimeouts {
    /// While the client sends nothing.
    pub(super) silent: Duration,
    /// In total.
    pub(super) sending: Duration,
}

impl LingerTimeouts {
    /// The same limit for both.
    pub(super) fn of(limit: Duration) -> Self {
        Self { silent: limit, sending: limit }
    }
}

/// Sends the error as a response. Returns whether the system took it.
pub(super) async fn send(
    stream: &mut TcpStream,
    rejection: &Rejection<'_>,
    server: &ServerState,
    limit: Duration,
) -> bool {
    let text = text(rejection, server);
    matches!(timeout(limit, stream.write_all(&text)).await, Ok(Ok(())))
}

fn text(rejection: &Rejection<'_>, server: &ServerState) -> Vec<u8> {
    let Rejection { api_error, id, is_head, origin } = rejection;
    let status = api_error.status();
    let body = api_error.body(server.style);
    let mut head = format!("HTTP/1.1 {} {}\r\n", status.code, status.reason_lossy());
    let mut line = |name: &str, value: &str| head += &format!("{name}: {value}\r\n");
    line("Content-Type", "application/json");
    line("Content-Length", &body.len().to_string());
    for (name, value) in api_error.headers() {
        line(name, &value);
    }
    for Field { text: (name, value), .. } in security_headers::for_server_responses() {
        line(name, value);
    }
    for (name, value) in server.cors.headers(&mut origin.as_deref().into_iter()) {
        line(name, value);
    }
    line("X-Request-Id", id.as_str());
    line("Connection", "close");
    line("Date", &clock::http_date());
    let body = if *is_head { Vec::new() } else { body };
    [format!("{head}\r\n").into_bytes(), body].concat()
}

/// Closes a connection after the client has read the response (RFC 9112, section 9.6): the system would discard the
/// response if received bytes were unread. `hurry` ends the wait early.
pub(super) async fn close(
    mut stream: TcpStream,
    timeouts: LingerTimeouts,
    hurry: impl Future<Output = Drained>,
) {
    let drained = tokio::select! {
        biased;
        drained = hurry => drained,
        drained = drain(&mut stream, timeouts) => drained,
    };
    match drained {
        Drained::Ended => {}
        // The client may still be reading the response.
        Drained::TimedOut => linger(&stream),
        Drained::Aborted => abort(&stream),
    }
}

/// How reading the client's remaining bytes ended.
pub(super) enum Drained {
    /// The client closed its side.
    Ended,
    /// The client did not, and its time is over.
    TimedOut,
    /// The client sent too much, the connection broke, or another client needs the connection.
    Aborted,
}

async fn drain(stream: &mut TcpStream, timeouts: LingerTimeouts) -> Drained {
    let end = Instant::now() + timeouts.sending;
    if stream.shutdown().await.is_err() {
        return Drained::Aborted;
    }
    let mut buffer = vec![0; DRAIN_BUFFER];
    let mut left = MAX_DRAIN_BYTES;
    loop {
        let next = end.min(Instant::now() + timeouts.silent);
        match timeout_at(next, stream.read(&mut buffer)).await {
            Err(_) => return Drained::TimedOut,
            Ok(Ok(0)) => return Drained::Ended,
            Ok(Ok(count)) if count < left => left -= count,
            Ok(_) => return Drained::Aborted,
        }
    }
}

/// Lets the system send the rest, as long as the client reads some of it.
fn linger(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let left = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(TCP_USER_TIMEOUT)).is_ok();
    #[cfg(not(target_os = "linux"))]
    let left = false;
    if !left {
        abort(stream);
    }
}

/// Lets the system drop the connection at once, with what the client has not read.
pub(super) fn abort(stream: &TcpStream) {
    // Without this option the connection closes too, later.
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
