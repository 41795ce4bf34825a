//! Answers without a request that could be answered, and how a connection ends.

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

/// How long the system keeps what is left of an answer for a client that takes none of it.
#[cfg(target_os = "linux")]
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of what a client goes on sending is read, so that it comes to read the answer. Many clients read nothing
/// before they have sent all of their body.
const MAX_DRAIN_BYTES: usize = 64 * 1024 * 1024;

/// How much of it is read at a time.
const DRAIN_BUFFER: usize = 8 * 1024;

/// An error for a request that is not complete, or was given up.
pub(super) struct Rejection<'a> {
    pub(super) api_error: &'a ApiError,
    pub(super) id: RequestId,
    /// Whether the request is HEAD, whose answer has no body (RFC 9110, section 9.3.2).
    pub(super) is_head: bool,
    /// The origin of the page that asks, if it is known (see [`super::origin`]).
    pub(super) origin: Option<String>,
}

/// How long a connection lingers for a client that has been answered.
#[derive(Clone, Copy)]
pub(super) struct LingerTimeouts {
    /// For a client that sends nothing more.
    pub(super) silent: Duration,
    /// For one that still sends.
    pub(super) sending: Duration,
}

impl LingerTimeouts {
    /// That long, whatever the client does.
    pub(super) fn of(limit: Duration) -> Self {
        Self { silent: limit, sending: limit }
    }
}

/// Sends the error as an answer of its own. Says whether the system has taken it.
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

/// Ends a connection so that the client has what was sent (RFC 9112, section 9.6): the system would throw it
/// away if something that came were unread. What `hurry` gives ends it early.
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
        // The client may still be at the last of its answer.
        Drained::TimedOut => linger(&stream),
        Drained::Aborted => abort(&stream),
    }
}

/// How it went to read what the client still sent.
pub(super) enum Drained {
    /// The client has closed its side.
    Ended,
    /// It has not, and its time is over.
    TimedOut,
    /// It has sent too much, the connection broke, or its place is needed.
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

/// Leaves it to the system to send the rest, as long as the client takes some of it.
fn linger(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let left = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(TCP_USER_TIMEOUT)).is_ok();
    #[cfg(not(target_os = "linux"))]
    let left = false;
    if !left {
        abort(stream);
    }
}

/// Lets the system forget the connection at once, rather than keep what the client does not take.
pub(super) fn abort(stream: &TcpStream) {
    // It closes all the same, later.
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
