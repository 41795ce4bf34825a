//! Answers without a request that could be answered, and how a connection ends.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::clock;
use crate::error::fault::Fault;
use crate::json::Style;
use crate::log::RequestId;
use crate::security_headers::{self, Field};

/// How long a client may take to read an error and to close the connection.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// How long the system keeps what is left of an answer for a client that takes none of it.
#[cfg(target_os = "linux")]
const LEFT_FOR: Duration = Duration::from_secs(5);

/// How much of what a client goes on sending is read, so that it comes to read the answer.
const MOST_DRAINED: usize = 256 * 1024;

/// Sends the error as an answer of its own, and ends the connection. `is_head`: to a HEAD request, whose answer
/// has no body (RFC 9110, section 9.3.2).
pub(super) async fn send(
    mut stream: TcpStream,
    fault: &Fault,
    id: &RequestId,
    style: Style,
    is_head: bool,
    patience: Duration,
) {
    let text = text(fault, id, style, is_head);
    if let Ok(Ok(())) = timeout(patience, stream.write_all(&text)).await {
        close(stream, patience).await;
    }
}

fn text(fault: &Fault, id: &RequestId, style: Style, is_head: bool) -> Vec<u8> {
    let status = fault.status();
    let body = fault.body(style);
    let mut head = format!("HTTP/1.1 {} {}\r\n", status.code, status.reason_lossy());
    let mut line = |name: &str, value: &str| head += &format!("{name}: {value}\r\n");
    line("Content-Type", "application/json");
    line("Content-Length", &body.len().to_string());
    for (name, value) in fault.headers() {
        line(name, &value);
    }
    for Field { text: (name, value), .. } in security_headers::of_the_front() {
        line(name, value);
    }
    line("X-Request-Id", id.as_str());
    line("Connection", "close");
    line("Date", &clock::http_date());
    let body = if is_head { Vec::new() } else { body };
    [format!("{head}\r\n").into_bytes(), body].concat()
}

/// Ends a connection so that the client has what was sent (RFC 9112, section 9.6): the system would throw it
/// away if something that came were unread.
pub(super) async fn close(mut stream: TcpStream, patience: Duration) {
    let drained = timeout(patience, async {
        stream.shutdown().await?;
        let mut rest = (&mut stream).take(MOST_DRAINED as u64);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    });
    match drained.await {
        Ok(Ok(count)) if count < MOST_DRAINED as u64 => {}
        // The client may still be at the last of its answer.
        Err(_) => leave(&stream),
        Ok(_) => abort(&stream),
    }
}

/// Leaves it to the system to send the rest, as long as the client takes some of it.
fn leave(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let left = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(LEFT_FOR)).is_ok();
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
