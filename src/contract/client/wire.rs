//! HTTP client that sends one request and reads everything that comes back.
//!
//! Ordinary clients are lenient: they read as many bytes as Content-Length says and ignore the rest. A contract check
//! must see a response as it was sent, so this client reads to the end of the connection, and reports missing and
//! excess bytes. One deadline limits every wait.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use rocket::http::Method;
use thiserror::Error;

use crate::contract::client::response_reader::ResponseReader;
use crate::contract::recording::message::{header, Request, Response};

/// Base URL of a live server: `http://host:port`, and the path of the API on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    authority: String,
    host: String,
    port: u16,
    prefix: String,
}

/// Why a text is not a base URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{shown:?}: {expected}, such as http://localhost:5000")]
pub struct TargetError {
    shown: String,
    expected: &'static str,
}

impl Target {
    /// Reads a base URL.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        // Do not show a password before the host.
        let shown = url.rsplit_once('@').map_or(url, |(_, host)| host);
        let wrong = |expected| TargetError { shown: shown.to_owned(), expected };
        // Schemes are case-insensitive (RFC 3986, section 3.1).
        let scheme = url.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
        let rest = scheme.and_then(|scheme| url.get(scheme.len()..));
        let rest = rest.ok_or_else(|| wrong("expected an http:// address"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.is_empty() || authority.contains(['@', ' ', '?', '#']) || path.contains(['?', '#', ' '])
        {
            return Err(wrong("expected a host and perhaps a port and a path"));
        }
        let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().ok().filter(|&port| port != 0);
                (bare(host), port.ok_or_else(|| wrong("expected a port from 1 to 65535"))?)
            }
            _ => (bare(authority), 80),
        };
        let prefix = path.trim_end_matches('/').to_owned();
        Ok(Self { authority: authority.to_owned(), host, port, prefix })
    }

    /// The start of its Location headers.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://{}{}", self.authority, self.prefix)
    }

    /// The path of a URL below this base; `None` if the URL is elsewhere. Scheme and host are case-insensitive
    /// (RFC 3986, section 6.2.2.1).
    #[must_use]
    pub fn path_of<'a>(&self, address: &'a str) -> Option<&'a str> {
        let root = "http://".len() + self.authority.len();
        let (start, path) = address.split_at_checked(root)?;
        let own = format!("http://{}", self.authority);
        start.eq_ignore_ascii_case(&own).then(|| path.strip_prefix(self.prefix.as_str()))?
    }

    /// Whether a process listens there.
    #[must_use]
    pub fn is_open(&self, limit: Duration) -> bool {
        self.connect(Instant::now() + limit).is_ok()
    }

    /// Sends a request on a new connection, with the server's own Host, and reads all of the response.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn send(&self, request: &Request, limit: Duration) -> Result<Response, WireError> {
        let deadline = Instant::now() + limit;
        let mut connection = self.connect(deadline)?;
        let late = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => WireError::Silent { limit, got: 0 },
            _ => WireError::Closed { got: 0, reason: error },
        };
        connection
            .set_write_timeout(Some(remaining(deadline).ok_or(WireError::Silent { limit, got: 0 })?))
            .map_err(late)?;
        // A server may respond and close before it has read everything. The response counts.
        let sent = connection.write_all(&self.bytes(request));
        let response = ResponseReader::new(connection).only(request.method, deadline, limit);
        match (response, sent) {
            (Err(WireError::Closed { got: 0, .. }), Err(error)) => Err(late(error)),
            (response, _) => response,
        }
    }

    /// The server's first response; `None` if it is not HTTP.
    ///
    /// # Errors
    /// [`WireError`]: there is no response.
    pub fn first_response(&self, limit: Duration) -> Result<Option<Response>, WireError> {
        match self.send(&Request::new(Method::Get, "/"), limit.max(Duration::from_millis(10))) {
            Ok(response) => Ok(Some(response)),
            // The first exchange reports what is wrong with it.
            Err(WireError::Garbage { .. } | WireError::Closed { got: 1.., .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn connect(&self, deadline: Instant) -> Result<TcpStream, WireError> {
        let unreachable = |source| WireError::Unreachable { at: self.base(), source };
        let addresses = (self.host.as_str(), self.port).to_socket_addrs().map_err(unreachable)?;
        let mut last = io::Error::other("no address has this name");
        for address in addresses {
            let Some(left) = remaining(deadline) else { break };
            match TcpStream::connect_timeout(&address, left) {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(unreachable(last))
    }

    fn bytes(&self, request: &Request) -> Vec<u8> {
        let mut head = format!("{} {}{} HTTP/1.1\r\n", request.method, self.prefix, request.path);
        head += &format!("Host: {}\r\n", self.authority);
        if header(&request.headers, "User-Agent").is_none() {
            head += concat!("User-Agent: shipyard/", env!("CARGO_PKG_VERSION"), "\r\n");
        }
        if header(&request.headers, "Accept").is_none() {
            head += "Accept: */*\r\n";
        }
        let own = ["Host", "Connection", "Content-Length"];
        for (name, value) in &request.headers {
            if !own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
                head += &format!("{name}: {value}\r\n");
            }
        }
        if let Some(body) = &request.body {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "Connection: close\r\n\r\n";
        [head.as_bytes(), request.body.as_deref().unwrap_or_default()].concat()
    }
}

/// Why there is no response to compare.
#[derive(Debug, Error)]
pub enum WireError {
    /// No process listens.
    #[error("cannot connect to {at}")]
    Unreachable {
        /// The address.
        at: String,
        /// The system's error.
        source: io::Error,
    },
    /// The connection was closed before the response was complete.
    #[error("{}", closed(*got))]
    Closed {
        /// The number of bytes received.
        got: usize,
        /// What is missing, or the system's error.
        #[source]
        reason: io::Error,
    },
    /// The response was not complete at the deadline.
    #[error("{}", late(*limit, *got))]
    Silent {
        /// The time limit.
        limit: Duration,
        /// The number of bytes received.
        got: usize,
    },
    /// The bytes received are not one HTTP/1 response.
    #[error("{reason}; the response begins with {beginning}")]
    Garbage {
        /// What is wrong with it.
        reason: String,
        /// Its first bytes.
        beginning: String,
    },
}

fn closed(got: usize) -> String {
    match got {
        0 => "the connection was closed without a response".to_owned(),
        got => format!("the connection was closed after {got} bytes"),
    }
}

fn late(limit: Duration, got: usize) -> String {
    let seconds = limit.as_secs_f32();
    match got {
        0 => format!("no response within {seconds} s"),
        got => format!("the response was not complete within {seconds} s: {got} bytes had come"),
    }
}

impl WireError {
    /// Whether the server is not expected to respond to the next request.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Silent { .. })
    }
}

/// The time until a deadline; `None` once it has passed.
pub(crate) fn remaining(deadline: Instant) -> Option<Duration> {
    deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}
