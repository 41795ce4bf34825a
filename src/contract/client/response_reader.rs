//! Reader of HTTP/1 responses, as they were sent.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rocket::http::Method;

use crate::contract::client::wire::{remaining, WireError};
use crate::contract::recording::message::{Headers, Response};

/// The maximum size of a response, in bytes.
const MAX_SIZE: usize = 16 * 1024 * 1024;

/// The maximum number of headers, and of bytes in the head.
const MAX_HEADERS: usize = 128;
const MAX_HEAD_SIZE: usize = 256 * 1024;

/// How long to wait for excess bytes if the server keeps the connection open although the client asked it to close it:
/// bytes sent with the response have arrived by then.
const EXCESS_TIMEOUT: Duration = Duration::from_millis(50);

/// The same if the server says that it closes the connection: late bytes are seen then.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How a body ends (RFC 9112, section 6.3).
enum Framing {
    Nothing,
    Length(usize),
    Chunked,
    Close,
}

/// Reader of the responses on one connection. It keeps the bytes of the next response.
pub struct ResponseReader {
    connection: TcpStream,
    bytes: Vec<u8>,
    deadline: Instant,
    /// The whole time until the deadline, for messages.
    limit: Duration,
}

impl ResponseReader {
    /// A reader of a new connection.
    #[must_use]
    pub fn new(connection: TcpStream) -> Self {
        Self { connection, bytes: Vec::new(), deadline: Instant::now(), limit: Duration::ZERO }
    }

    /// The connection, to send requests.
    #[must_use]
    pub fn connection(&self) -> &TcpStream {
        &self.connection
    }

    /// The bytes that have been received and not yet returned.
    #[must_use]
    pub fn buffer(&self) -> &[u8] {
        &self.bytes
    }

    /// The next response, to a request with this method. An interim response (RFC 9110, section 15.2) is returned too.
    /// With HEAD it is the head alone, and [`Read`] returns the body if there is one after all.
    ///
    /// # Errors
    /// [`WireError`]: no response, or not all of it within `limit`.
    pub fn next(&mut self, method: Method, limit: Duration) -> Result<Response, WireError> {
        (self.deadline, self.limit) = (Instant::now() + limit, limit);
        let (response, _, end) = self.read_response(method)?;
        self.bytes.drain(..end);
        Ok(response)
    }

    /// The response to the only request on this connection: nothing may follow it.
    pub(crate) fn only(
        &mut self,
        method: Method,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Response, WireError> {
        (self.deadline, self.limit) = (deadline, limit);
        let (response, framing, end) = loop {
            let (response, framing, end) = self.read_response(method)?;
            // After a 101, another protocol follows, which the client did not ask for.
            if !(100..200).contains(&response.status) || response.status == 101 {
                break (response, framing, end);
            }
            self.bytes.drain(..end);
        };
        // A server encodes bodies on request only, so the curl line asks for it.
        if let Some(coding) = response.header("Content-Encoding").filter(|_| !response.body.is_empty()) {
            if !coding.eq_ignore_ascii_case("identity") {
                let reason = format!(
                    "the body is encoded ({coding}), and is not decoded here: take --compressed and Accept-Encoding \
                     out of the curl line"
                );
                return Err(self.garbage(reason));
            }
        }
        let closes = is_closed_after(&response);
        self.nothing_more(end, &framing, if closes { CLOSE_TIMEOUT } else { EXCESS_TIMEOUT })?;
        Ok(response)
    }

    /// Reads more. `false` at the end of the connection.
    fn more(&mut self) -> Result<bool, WireError> {
        let (limit, got) = (self.limit, self.bytes.len());
        let left = remaining(self.deadline).ok_or(WireError::Silent { limit, got })?;
        let closed = |reason| WireError::Closed { got, reason };
        self.connection.set_read_timeout(Some(left)).map_err(closed)?;
        let mut buffer = [0; 16 * 1024];
        match self.connection.read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
                if self.bytes.len() > MAX_SIZE {
                    return Err(self.garbage(format!("more than {MAX_SIZE} bytes")));
                }
                Ok(true)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => Ok(true),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Err(WireError::Silent { limit, got }),
                _ => Err(closed(error)),
            },
        }
    }

    /// Reads a response. Returns it, and how and at which offset it ends.
    fn read_response(&mut self, method: Method) -> Result<(Response, Framing, usize), WireError> {
        let (head, mut response) = self.head()?;
        let framing = self.framing(method, &response)?;
        let (body, end) = self.body(head, &framing)?;
        response.body = body;
        Ok((response, framing, end))
    }

    /// Reads the head. Returns its length, and a response without a body.
    fn head(&mut self) -> Result<(usize, Response), WireError> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut parsed = httparse::Response::new(&mut headers);
            match parsed.parse(&self.bytes) {
                Ok(httparse::Status::Complete(length)) => {
                    let status = parsed.code.unwrap_or_default();
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
                    let headers: Headers = parsed
                        .headers
                        .iter()
                        .map(|header| (header.name.to_owned(), text(header.value)))
                        .collect();
                    let version = parsed.version.unwrap_or_default();
                    let status_line =
                        format!("HTTP/1.{version} {status} {}", parsed.reason.unwrap_or_default());
                    return Ok((length, Response { status_line, status, headers, body: Vec::new() }));
                }
                Ok(httparse::Status::Partial) => {}
                Err(error) => return Err(self.garbage(format!("not an HTTP/1 response ({error})"))),
            }
            if self.bytes.len() > MAX_HEAD_SIZE {
                return Err(self.garbage(format!("no end of the headers within {MAX_HEAD_SIZE} bytes")));
            }
            if !self.more()? {
                let reason =
                    if self.bytes.is_empty() { "nothing was sent" } else { "the headers have no end" };
                return Err(self.incomplete(reason));
            }
        }
    }

    /// How the body ends.
    fn framing(&self, method: Method, response: &Response) -> Result<Framing, WireError> {
        let values = |name: &str| -> Vec<&str> {
            let headers = response.headers.iter();
            headers
                .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
                .collect()
        };
        let (lengths, codings) = (values("Content-Length"), values("Transfer-Encoding"));
        let without_body = method == Method::Head || matches!(response.status, 100..=199 | 204 | 304);
        match (lengths.as_slice(), codings.as_slice()) {
            (_, [_, ..]) if response.status == 204 || response.status < 200 => Err(self.garbage(format!(
                "a {} has no Transfer-Encoding (RFC 9112, section 6.1)",
                response.status
            ))),
            _ if without_body => Ok(Framing::Nothing),
            ([], []) => Ok(Framing::Close),
            ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
            ([length], []) => {
                let length = number(length, 10).filter(|&length| length <= MAX_SIZE);
                let wrong = || self.garbage(format!("Content-Length is {:?}", lengths.join(", ")));
                Ok(Framing::Length(length.ok_or_else(wrong)?))
            }
            _ => Err(self.garbage(format!(
                "the length of the body is ambiguous (Content-Length: {lengths:?}, Transfer-Encoding: {codings:?})"
            ))),
        }
    }

    /// Reads the body. Returns it, and the offset of its end.
    fn body(&mut self, start: usize, framing: &Framing) -> Result<(Vec<u8>, usize), WireError> {
        match framing {
            Framing::Nothing => Ok((Vec::new(), start)),
            Framing::Close => {
                while self.more()? {}
                Ok((self.bytes.get(start..).unwrap_or_default().to_vec(), self.bytes.len()))
            }
            Framing::Length(length) => {
                let end = start + length;
                while self.bytes.len() < end {
                    if !self.more()? {
                        let got = self.bytes.len() - start;
                        let reason = format!("Content-Length is {length}, the body has {got} bytes");
                        return Err(self.incomplete(&reason));
                    }
                }
                Ok((self.bytes.get(start..end).unwrap_or_default().to_vec(), end))
            }
            Framing::Chunked => self.chunks(start),
        }
    }

    /// Reads a chunked body (RFC 9112, section 7.1), and drops its trailers.
    fn chunks(&mut self, start: usize) -> Result<(Vec<u8>, usize), WireError> {
        let mut body = Vec::new();
        let mut at = start;
        loop {
            let line = self.line(at)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = number(size, 16).filter(|&size| size <= MAX_SIZE);
            let size = size.ok_or_else(|| self.garbage(format!("{line:?} is no size of a chunk")))?;
            at += line.len() + 2;
            if size == 0 {
                break;
            }
            while self.bytes.len() < at + size + 2 {
                self.more_of_chunks()?;
            }
            body.extend_from_slice(self.bytes.get(at..at + size).unwrap_or_default());
            at += size;
            if self.bytes.get(at..at + 2) != Some(b"\r\n") {
                return Err(self.garbage("a chunk is longer than it says".to_owned()));
            }
            at += 2;
        }
        loop {
            let trailer = self.line(at)?;
            at += trailer.len() + 2;
            if trailer.is_empty() {
                return Ok((body, at));
            }
        }
    }

    /// Reads the line that begins at `at`, without its line end.
    fn line(&mut self, at: usize) -> Result<String, WireError> {
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            if let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
                return String::from_utf8(rest.get(..end).unwrap_or_default().to_vec())
                    .map_err(|_| self.garbage("a chunk begins with what is no text".to_owned()));
            }
            self.more_of_chunks()?;
        }
    }

    fn more_of_chunks(&mut self) -> Result<(), WireError> {
        if self.more()? {
            return Ok(());
        }
        Err(self.incomplete("the last chunk is missing"))
    }

    /// Checks that nothing follows the response.
    fn nothing_more(&mut self, end: usize, framing: &Framing, watch: Duration) -> Result<(), WireError> {
        self.deadline = self.deadline.min(Instant::now() + watch);
        // Errors do not matter here: only excess bytes do.
        while self.bytes.len() == end && self.more().unwrap_or(false) {}
        let excess = self.bytes.len().saturating_sub(end);
        if excess == 0 {
            return Ok(());
        }
        Err(self.garbage(match framing {
            Framing::Length(length) => {
                format!(
                    "Content-Length is {length}, the body has {excess} bytes more or a second answer follows"
                )
            }
            _ => format!("{excess} bytes after the end of the answer"),
        }))
    }

    fn incomplete(&self, reason: &str) -> WireError {
        let reason = io::Error::new(io::ErrorKind::UnexpectedEof, reason);
        WireError::Closed { got: self.bytes.len(), reason }
    }

    fn garbage(&self, reason: String) -> WireError {
        const SHOWN: usize = 60;
        let beginning = String::from_utf8_lossy(self.bytes.get(..SHOWN).unwrap_or(&self.bytes)).into_owned();
        WireError::Garbage { reason, beginning: format!("{beginning:?}") }
    }
}

/// Reads bytes without parsing them: buffered ones first, then the connection.
impl Read for ResponseReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            return self.connection.read(buffer);
        }
        let count = self.bytes.as_slice().read(buffer)?;
        self.bytes.drain(..count);
        Ok(count)
    }
}

/// Whether the server says that it closes the connection, by the default of its version too (RFC 9112, section 9.3).
fn is_closed_after(response: &Response) -> bool {
    let says = |option: &str| {
        let headers = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Connection"));
        headers.flat_map(|(_, value)| value.split(',')).any(|known| known.trim().eq_ignore_ascii_case(option))
    };
    says("close") || (response.status_line.starts_with("HTTP/1.0") && !says("keep-alive"))
}

/// Parses digits and nothing else: Rust would accept a sign as well.
fn number(text: &str, radix: u32) -> Option<usize> {
    let digits = text.chars().all(|digit| digit.is_digit(radix));
    usize::from_str_radix(text, radix).ok().filter(|_| digits)
}
