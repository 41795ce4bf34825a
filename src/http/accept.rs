//! Accept loop.

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
use super::{origin, ServerState};
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::CONNECTIONS_EXHAUSTED;
use crate::log::RequestId;

/// How long the server waits after it could not accept because it lacked descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(100);

/// How long the server goes on accepting after it was asked to end.
const BACKLOG_WINDOW: Duration = Duration::from_millis(100);

/// How long it then waits for the next connection.
const BACKLOG_POLL: Duration = Duration::from_millis(10);

/// How long the server waits while many connections are closing, so that they can.
const PAUSE: Duration = Duration::from_millis(1);

/// How long the server waits for the head of a request on a connection for which there is no room.
const FIRST_BYTES: Duration = Duration::from_millis(100);

/// Accepts connections until the server is asked to end, and those in the system's queue at that time. A connection for which
/// there is no room is accepted too, and gets a 503: in the queue it would hang, and so would a health check.
pub(super) async fn accept(listener: TcpListener, server: &'static ServerState) {
    let mut stage = server.stage.clone();
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stage.wait_for(|stage| !stage.accepts()) => break,
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
                // Logged once until accepting works again: a full log would not help.
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

/// Accepts the connections in the system's queue. To their clients they are open, and may carry a request; closing the
/// listener would reset them.
async fn drain_backlog(listener: &TcpListener, server: &'static ServerState) {
    let end = Instant::now() + BACKLOG_WINDOW;
    // No system call tells whether the queue is empty. It counts as empty if nothing comes for a moment.
    while let Ok(accepted) = timeout_at(end.min(Instant::now() + BACKLOG_POLL), listener.accept()).await {
        match accepted {
            Ok((stream, address)) => admit(stream, address, server),
            Err(error) if is_connection_error(&error) => {}
            Err(_) => return,
        }
    }
}

/// Whether the error concerns one connection, whose client left before it was accepted.
fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn admit(stream: TcpStream, address: SocketAddr, server: &'static ServerState) {
    let progress = Arc::new(Progress::new(&server.limits).counted_in(server.metrics));
    let is_proxy = server.limits.trusted_proxies.trusts(address.ip());
    if let Ok(registration) = server.registry.register(address.ip(), is_proxy, &progress) {
        let Ok(stream) = stream.into_std() else { return };
        server.workers.spawn(async move {
            // Registers the stream with this thread's runtime.
            if let Ok(stream) = TcpStream::from_std(stream) {
                connection::run(stream, address, server, progress, registration).await;
            }
        });
        return;
    }
    server.rejections.rejected(address.ip().to_canonical());
    if let Ok(permit) = Arc::clone(&server.rejection_permits).try_acquire_owned() {
        tokio::spawn(async move {
            reject(stream, server).await;
            drop(permit);
        });
    }
}

/// Sends a 503 to a client for whose connection there is no room.
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

/// The head of a request, or the part of it that arrives in time. It shows whether the method is HEAD, and the Origin.
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
    // Part of the head is enough for a response.
    let _ = timeout(FIRST_BYTES, head).await;
    bytes
}
