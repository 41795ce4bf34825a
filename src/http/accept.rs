//! Takes connections, as many as there are places for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{timeout, timeout_at, Instant};

use super::close::{self, LingerTimeouts, Rejection};
use super::connection;
use super::progress::Progress;
use super::{origin, ServerState, Stage};
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::CONNECTIONS_EXHAUSTED;
use crate::log::RequestId;

/// How long to wait before accepting again when there is no descriptor or no memory for a connection.
const BACK_OFF: Duration = Duration::from_millis(100);

/// How long connections are accepted at most once the server is ending, and how long the next is waited for.
const BACKLOG_WINDOW: Duration = Duration::from_millis(100);
const BACKLOG_POLL: Duration = Duration::from_millis(10);

/// How long to wait before accepting again while many connections are about to close, so that they get to it.
const PAUSE: Duration = Duration::from_millis(1);

/// How long the head of a request is waited for, on a connection for which there is no room.
const FIRST_BYTES: Duration = Duration::from_millis(100);

/// Accepts connections until the server ends, and those that have come by then. One for which there is no place
/// is accepted all the same and told so: left in the system's queue, it would hang, and so would the health check
/// of the connection.
pub(super) async fn accept(listener: TcpListener, server: &'static ServerState) {
    let mut stage = server.stage.clone();
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage != Stage::Serving) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                failing = false;
                admit(stream, address, server);
                if server.registry.is_behind() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                // Once for each time that it begins: a full log would not help.
                if !failing {
                    tracing::error!(%error, "cannot accept connections; trying again until it works");
                }
                failing = true;
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
    drain_backlog(&listener, server).await;
}

/// Accepts what waits in the system's queue: its clients have been told that they are connected, and may have
/// asked something. To close the listener would reset them.
async fn drain_backlog(listener: &TcpListener, server: &'static ServerState) {
    let end = Instant::now() + BACKLOG_WINDOW;
    // No call tells whether the queue is empty: it is if nothing comes out of it in a moment.
    while let Ok(accepted) = timeout_at(end.min(Instant::now() + BACKLOG_POLL), listener.accept()).await {
        match accepted {
            Ok((stream, address)) => admit(stream, address, server),
            Err(error) if is_connection_error(&error) => {}
            Err(_) => return,
        }
    }
}

/// Whether the error is that of a client that has gone before it was accepted.
fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn admit(stream: TcpStream, address: SocketAddr, server: &'static ServerState) {
    let progress = Arc::new(Progress::new(&server.limits));
    let is_proxy = server.limits.trusted_proxies.trusts(address.ip());
    if let Some(registration) = server.registry.register(address.ip(), is_proxy, &progress) {
        let Ok(stream) = stream.into_std() else { return };
        server.workers.spawn(async move {
            // It was one a moment ago, and of this thread's runtime it is one now.
            if let Ok(stream) = TcpStream::from_std(stream) {
                connection::run(stream, address, server, progress, registration).await;
            }
        });
        return;
    }
    server.rejections.rejected(address.ip().to_canonical());
    if let Ok(place) = Arc::clone(&server.rejection_permits).try_acquire_owned() {
        tokio::spawn(async move {
            reject(stream, server).await;
            drop(place);
        });
    }
}

/// Tells a client that there is no room for its connection.
async fn reject(mut stream: TcpStream, server: &'static ServerState) {
    let head = first_bytes(&mut stream, server.limits.max_header_size).await;
    let rejection = Rejection {
        api_error: &ApiError::of(&CONNECTIONS_EXHAUSTED),
        id: RequestId::fresh(),
        is_head: origin::is_head_request(&head),
        origin: origin::of_bytes(&head),
    };
    if close::send(&mut stream, &rejection, server, close::CLOSE_TIMEOUT).await {
        close::close(stream, LingerTimeouts::of(close::CLOSE_TIMEOUT), std::future::pending()).await;
    }
}

/// The head of a request, or what comes of it in time: whether it is HEAD, and whose page asks.
async fn first_bytes(stream: &mut TcpStream, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let head = async {
        let mut stream = stream.take(most as u64);
        let mut searched = 0;
        while !bytes.get(searched..).is_some_and(|rest| rest.windows(4).any(|end| end == b"\r\n\r\n")) {
            searched = bytes.len().saturating_sub(3);
            if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
                break;
            }
        }
    };
    // Without all of it the answer says what it can.
    let _ = timeout(FIRST_BYTES, head).await;
    bytes
}
