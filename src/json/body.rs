//! JSON bodies: whole, or streamed in pieces.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;

/// The size of a piece of a streamed text, in bytes: all that a client that reads slowly takes up in memory.
pub const PIECE: usize = 32 * 1024;

/// JSON text as it is sent.
#[derive(Debug)]
pub enum JsonBody {
    /// The whole text.
    Full(Bytes),
    /// Pieces, each made when the client has read the one before.
    Stream(Box<dyn JsonStream>),
}

/// JSON text that is written while it is sent. The value does not change meanwhile.
pub trait JsonStream: Send + std::fmt::Debug {
    /// The length of the whole text in bytes.
    fn length(&self) -> usize;

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The rest is no longer available; the client must be disconnected.
    fn next_piece(&mut self) -> io::Result<Option<Bytes>>;

    /// The next piece, if it has to be waited for.
    ///
    /// # Errors
    /// As [`JsonStream::next_piece`].
    fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        Poll::Ready(self.next_piece())
    }
}

impl JsonBody {
    /// The length of the text in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Self::Full(text) => text.len(),
            Self::Stream(stream) => stream.length(),
        }
    }

    /// The whole text, for a reader in this process.
    ///
    /// # Errors
    /// The error of the stream.
    pub fn into_bytes(self) -> io::Result<Bytes> {
        match self {
            Self::Full(text) => Ok(text),
            Self::Stream(mut stream) => {
                let mut text = Vec::with_capacity(stream.length());
                while let Some(piece) = stream.next_piece()? {
                    text.extend_from_slice(&piece);
                }
                Ok(text.into())
            }
        }
    }
}
