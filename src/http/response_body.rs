//! Response body for hyper.

use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use rocket::local::asynchronous::LocalResponse;
use tokio::io::{AsyncRead, ReadBuf};

use super::progress::Progress;
use crate::json::{JsonBody, JsonStream, PIECE};

/// The body of a response.
pub(super) struct ResponseBody {
    content: Content,
    progress: Arc<Progress>,
}

enum Content {
    Nothing,
    Full(Bytes),
    /// Made piece by piece.
    Stream(Box<dyn JsonStream>),
    /// Read from Rocket's response, piece by piece.
    Pieces(Pin<Box<LocalResponse<'static>>>),
}

impl ResponseBody {
    pub(super) fn nothing(progress: Arc<Progress>) -> Self {
        Self { content: Content::Nothing, progress }
    }

    pub(super) fn full(bytes: Bytes, progress: Arc<Progress>) -> Self {
        Self { content: Content::Full(bytes), progress }
    }

    pub(super) fn json(json: JsonBody, progress: Arc<Progress>) -> Self {
        let content = match json {
            JsonBody::Full(text) => Content::Full(text),
            JsonBody::Stream(stream) => Content::Stream(stream),
        };
        Self { content, progress }
    }

    pub(super) fn pieces(response: LocalResponse<'static>, progress: Arc<Progress>) -> Self {
        Self { content: Content::Pieces(Box::pin(response)), progress }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match &mut self.content {
            Content::Nothing => return Poll::Ready(None),
            Content::Full(bytes) => std::mem::take(bytes),
            Content::Stream(stream) => ready!(stream.poll_piece(context))?.unwrap_or_default(),
            Content::Pieces(response) => {
                let mut piece = vec![0; PIECE];
                let mut buffer = ReadBuf::new(&mut piece);
                let read = || response.as_mut().poll_read(context, &mut buffer);
                // After a panic it is not read again: the connection ends.
                let read = catch_unwind(AssertUnwindSafe(read));
                ready!(read.unwrap_or_else(|_| Poll::Ready(Err(io::Error::other("a body panicked")))))?;
                let length = buffer.filled().len();
                piece.truncate(length);
                piece.into()
            }
        };
        if matches!(self.content, Content::Full(_)) || piece.is_empty() {
            self.content = Content::Nothing;
        }
        self.progress.sending(piece.len());
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Nothing => true,
            Content::Full(bytes) => bytes.is_empty(),
            Content::Stream(_) | Content::Pieces(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Nothing => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            // The Content-Length header has the length.
            Content::Stream(_) | Content::Pieces(_) => SizeHint::new(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.progress.response_is_complete();
    }
}
