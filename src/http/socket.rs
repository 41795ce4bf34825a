//! The socket under hyper. It tells the connection's progress, and keeps hyper's own error answers back: they
//! have no body, and every error here is JSON.

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
    /// The pieces of a short answer, put together.
    together: Vec<u8>,
    /// What has come of the head since the connection was idle, if it is kept: hyper drops a head that it refuses.
    pub(super) head: Option<Vec<u8>>,
}

/// Up to this many bytes it is cheaper to put pieces together than to hand each to the system.
const SHORT: usize = 8 * 1024;

impl Socket {
    pub(super) fn new(stream: TcpStream, progress: Arc<Progress>, keeps_head: bool) -> Self {
        Self { stream, progress, together: Vec::new(), head: keeps_head.then(Vec::new) }
    }

    /// Bytes have come, in that phase.
    fn keep(&mut self, bytes: &[u8], phase: Phase) {
        let Some(head) = &mut self.head else { return };
        match phase {
            Phase::Idle => *head = bytes.to_vec(),
            Phase::Head => head.extend_from_slice(bytes),
            _ => {}
        }
    }

    /// Whether there is a request to be answered. If not, whatever hyper writes is an error of its own.
    fn is_asked(&self) -> bool {
        !matches!(self.progress.phase(), Phase::Idle | Phase::Head)
    }

    fn noted(&self, written: io::Result<usize>) -> Poll<io::Result<usize>> {
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
        if !self.is_asked() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if !self.is_asked() {
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
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.progress.flushed();
        Poll::Ready(Ok(()))
    }

    /// How a connection ends is for `connection` to decide.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
