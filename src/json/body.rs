//! JSON on its way to a client.

use std::io;

use bytes::Bytes;

/// The size of a piece of a streamed text, in bytes: what is in memory for a client that reads slowly.
pub const PIECE: usize = 32 * 1024;

/// JSON text as it is sent.
#[derive(Debug)]
pub enum JsonBody {
    /// All of it at once.
    Full(Bytes),
    /// Piece by piece, each made when the client has taken the one before.
    Stream(Box<dyn JsonStream>),
}

/// JSON text that is made while it is sent. It does not change meanwhile.
pub trait JsonStream: Send + std::fmt::Debug {
    /// The length of the whole text in bytes.
    fn length(&self) -> usize;

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// The rest cannot be made any more, so that the client must be disconnected.
    fn next_piece(&mut self) -> io::Result<Option<Bytes>>;
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
    /// That of the stream.
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
