//! One answer, read in pieces of any size and compared with what it must be as it comes.

use std::fmt;

use crate::chunked::Chunked;
use crate::head::{Body, Head};
use crate::job::Request;
use crate::template::{Matcher, Mismatch};

/// The longest head.
const LONGEST_HEAD: usize = 64 * 1024;

/// What is wrong with an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not HTTP as it should be.
    Malformed(String),
    /// The status is this one, and should be another.
    Status(u16),
    /// The body is another.
    Body(Mismatch),
    /// The connection ended before it was complete.
    Early,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(reason) => write!(f, "not understood: {reason}"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Body(mismatch) => mismatch.fmt(f),
            Self::Early => f.write_str("closed before the end of the answer"),
        }
    }
}

impl From<Mismatch> for Fault {
    fn from(mismatch: Mismatch) -> Self {
        Self::Body(mismatch)
    }
}

#[derive(Debug)]
enum Stage {
    Head,
    Sized(u64),
    Chunked(Chunked),
    UntilClose,
    Complete,
}

/// How far an answer has come.
#[derive(Debug)]
pub struct Answer {
    stage: Stage,
    /// What there is of a head that has not come whole.
    head: Vec<u8>,
    matcher: Matcher,
    keep_alive: bool,
}

impl Default for Answer {
    fn default() -> Self {
        Self { stage: Stage::Head, head: Vec::new(), matcher: Matcher::default(), keep_alive: false }
    }
}

impl Answer {
    /// Nothing of it has come yet.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        matches!(self.stage, Stage::Head) && self.head.is_empty()
    }

    /// All of it has come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.stage, Stage::Complete)
    }

    /// Whether the connection can be asked again.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        self.keep_alive
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`Fault`]: this is not the answer to `request`.
    pub fn feed(&mut self, request: &Request, bytes: &[u8]) -> Result<(), Fault> {
        if !matches!(self.stage, Stage::Head) {
            return self.body(request, bytes);
        }
        // The usual: the head comes whole, and is read where it lies.
        if self.head.is_empty() {
            return match Head::read(bytes)? {
                Some(head) => self.begin(request, head, bytes),
                None => {
                    self.head.extend_from_slice(bytes);
                    Ok(())
                }
            };
        }
        self.head.extend_from_slice(bytes);
        match Head::read(&self.head)? {
            Some(head) => {
                let all = std::mem::take(&mut self.head);
                self.begin(request, head, &all)
            }
            None if self.head.len() > LONGEST_HEAD => Err(Fault::Malformed("a head without end".into())),
            None => Ok(()),
        }
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// [`Fault`]: the answer was not complete.
    pub fn end(&mut self, request: &Request) -> Result<(), Fault> {
        if !matches!(self.stage, Stage::UntilClose) {
            return Err(Fault::Early);
        }
        self.complete(request)
    }

    fn begin(&mut self, request: &Request, head: Head, bytes: &[u8]) -> Result<(), Fault> {
        if head.status != request.status {
            return Err(Fault::Status(head.status));
        }
        self.keep_alive = head.keep_alive;
        self.stage = match head.body {
            Body::Sized(length) => Stage::Sized(length),
            Body::Chunked => Stage::Chunked(Chunked::new()),
            Body::UntilClose => Stage::UntilClose,
        };
        self.body(request, &bytes[head.length..])
    }

    fn body(&mut self, request: &Request, mut bytes: &[u8]) -> Result<(), Fault> {
        loop {
            match &mut self.stage {
                Stage::Sized(left) => {
                    let count = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    self.matcher.feed(&request.template, &bytes[..count])?;
                    *left -= count as u64;
                    bytes = &bytes[count..];
                    if *left > 0 {
                        return Ok(());
                    }
                    self.complete(request)?;
                }
                Stage::Chunked(_) if bytes.is_empty() => return Ok(()),
                Stage::Chunked(chunked) => {
                    let (data, over) = chunked.take(&mut bytes).map_err(Fault::Malformed)?;
                    self.matcher.feed(&request.template, data)?;
                    if over {
                        self.complete(request)?;
                    }
                }
                Stage::UntilClose => return Ok(self.matcher.feed(&request.template, bytes)?),
                Stage::Head | Stage::Complete if bytes.is_empty() => return Ok(()),
                Stage::Head | Stage::Complete => {
                    return Err(Fault::Malformed(format!("{} bytes after the answer", bytes.len())));
                }
            }
        }
    }

    fn complete(&mut self, request: &Request) -> Result<(), Fault> {
        self.matcher.finish(&request.template)?;
        self.stage = Stage::Complete;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Segment;

    const SIZED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nhello, world!";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
        7\r\nhello, \r\n5;note=1\r\nworld\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n";
    const UNTIL_CLOSE: &str = "HTTP/1.1 200 OK\r\n\r\nhello, world!";

    fn request(status: u16, body: &str) -> Request {
        let segments = if body.is_empty() { vec![] } else { vec![Segment::Literal(body.into())] };
        Request { bytes: String::new(), status, template: segments.try_into().unwrap() }
    }

    fn read(request: &Request, pieces: &[&str]) -> Result<Answer, Fault> {
        let mut answer = Answer::default();
        pieces.iter().filter(|piece| !piece.is_empty()).try_for_each(|piece| {
            assert!(!answer.is_complete(), "complete before {piece:?}");
            answer.feed(request, piece.as_bytes())
        })?;
        Ok(answer)
    }

    #[test]
    fn an_answer_is_the_same_however_it_is_cut() {
        let request = request(200, "hello, world!");
        for text in [SIZED, CHUNKED] {
            for at in 0..=text.len() {
                let (one, two) = text.split_at(at);
                let answer = read(&request, &[one, two]).unwrap();
                assert!(answer.is_complete() && answer.keeps_alive(), "cut at {at}: {text}");
            }
            let single: Vec<String> = text.chars().map(String::from).collect();
            let single: Vec<&str> = single.iter().map(String::as_str).collect();
            assert!(read(&request, &single).unwrap().is_complete(), "byte by byte: {text}");
        }
    }

    #[test]
    fn a_connection_that_ends_early_is_noticed_at_every_byte() {
        let request = request(200, "hello, world!");
        for text in [SIZED, CHUNKED, UNTIL_CLOSE] {
            for at in 0..text.len() {
                let mut answer = read(&request, &[&text[..at]]).unwrap();
                assert!(!answer.is_complete(), "cut at {at}: {text}");
                assert!(answer.end(&request).is_err(), "cut at {at}: {text}");
            }
        }
    }

    #[test]
    fn a_body_may_last_until_the_connection_ends() {
        let request = request(200, "hello, world!");
        let mut answer = read(&request, &[UNTIL_CLOSE]).unwrap();
        assert!(!answer.is_complete());
        answer.end(&request).unwrap();
        assert!(answer.is_complete() && !answer.keeps_alive());
    }

    #[test]
    fn what_is_not_the_answer_is_refused() {
        let request = request(200, "hello, world!");
        let head = "HTTP/1.1 200 OK\r\n";
        for (text, reason) in [
            ("HTTP/1.1 500 Oh\r\nContent-Length: 13\r\n\r\nhello, world!".into(), "status 500"),
            (SIZED.replace("world", "World"), "body, byte 7"),
            (SIZED.replace("13", "12"), "body, byte 12"),
            (format!("{SIZED}H"), "after the answer"),
            (format!("{CHUNKED}H"), "after the answer"),
            (CHUNKED.replace("world", "w0rld"), "body, byte 8"),
            (CHUNKED.replace("5;note=1", "4"), "longer than its size"),
            (CHUNKED.replace("5;note=1", "x"), "a chunk of size"),
            (format!("{head}Content-Length: -1\r\n\r\n"), "Content-Length"),
            ("ICY 200 OK\r\n\r\n".into(), "not understood"),
        ] {
            let fault = read(&request, &[&text]).expect_err(&text).to_string();
            assert!(fault.contains(reason), "{text}: {fault}");
        }
    }

    #[test]
    fn an_answer_without_a_body_is_complete_at_once() {
        let answer = read(&request(204, ""), &["HTTP/1.1 204 No Content\r\n\r\n"]).unwrap();
        assert!(answer.is_complete() && answer.keeps_alive());
    }

    #[test]
    fn the_head_says_whether_the_connection_goes_on() {
        let request = request(200, "");
        for (version, connection, goes_on) in [
            ("1.1", "", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "connection: keep-alive\r\n", true),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
        ] {
            let text = format!("HTTP/{version} 200 OK\r\n{connection}Content-Length: 0\r\n\r\n");
            assert_eq!(read(&request, &[&text]).unwrap().keeps_alive(), goes_on, "{text}");
        }
    }
}
