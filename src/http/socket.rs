//! Socket under hyper: reports bytes to the connection's progress, and discards hyper's own error responses, which have no
//! body. Every error of this server is JSON.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::progress::{Phase, Progress};

/// A client's socket.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    progress: Arc<Progress>,
    /// A buffer in which the pieces of a short response are joined.
    together: Vec<u8>,
    /// The bytes of the head so far, if CORS is on: hyper drops a head that it rejects.
    pub(super) head: Option<Vec<u8>>,
}

/// Up to this many bytes, joining the pieces costs less than passing each to the system.
const SHORT: usize = 8 * 1024;

impl Socket {
    pub(super) fn new(stream: TcpStream, progress: Arc<Progress>, keeps_head: bool) -> Self {
        Self { stream, progress, together: Vec::new(), head: keeps_head.then(Vec::new) }
    }

    /// Keeps bytes of the head that arrived in that phase.
    fn keep(&mut self, bytes: &[u8], phase: Phase) {
        let Some(head) = &mut self.head else { return };
        match phase {
            Phase::Idle => {
                head.clear();
                head.extend_from_slice(bytes);
            }
            Phase::Head => head.extend_from_slice(bytes),
            _ => {}
        }
    }

    /// Whether there is a request. If not, what hyper writes is an error response of its own.
    fn has_request(&self) -> bool {
        !matches!(self.progress.phase(), Phase::Idle | Phase::Head)
    }

    fn record(&self, written: io::Result<usize>) -> Poll<io::Result<usize>> {
        if let Ok(bytes) = written {
            self.progress.sent(bytes);
        }
        Poll::Ready(written)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let bytes = buffer.filled().get(before..).unwrap_or_default();
        if !bytes.is_empty() {
            let phase = self.progress.received(bytes.len());
            self.keep(bytes, phase);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.has_request() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.record(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if !self.has_request() {
            return Poll::Ready(Ok(length));
        }
        let Self { stream, together, .. } = &mut *self;
        let stream = Pin::new(stream);
        let written = ready!(match slices {
            [all] => stream.poll_write(context, all),
            _ if length <= SHORT => {
                together.clear();
                slices.iter().for_each(|slice| together.extend_from_slice(slice));
                stream.poll_write(context, together)
            }
            _ => stream.poll_write_vectored(context, slices),
        });
        self.record(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.progress.flushed();
        Poll::Ready(Ok(()))
    }

    /// Does nothing: `connection` closes the stream.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
