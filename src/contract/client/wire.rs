//! One request over the wire, and everything that came back.
//!
//! A client that is made for use forgives: it reads as many bytes as Content-Length says and leaves the rest.
//! What is held to a contract must be seen as it was sent, so this one reads to the end of the connection and
//! reports what is too little and what is too much. Every wait ends at one deadline.

use std::fmt;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use rocket::http::Method;

use crate::contract::client::response_reader::Reader;
use crate::contract::recording::message::{header, Request, Response};

/// Where a live server is: `http://host:port`, and the path under which it has the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    authority: String,
    host: String,
    port: u16,
    prefix: String,
}

impl Target {
    /// Reads a base URL.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(url: &str) -> Result<Self, String> {
        // A password before the host is not shown.
        let shown = url.rsplit_once('@').map_or(url, |(_, host)| host);
        let wrong = |reason: &str| format!("{shown:?}: {reason}, such as http://localhost:5000");
        // Schemes have no case (RFC 3986, section 3.1).
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

    /// What its Locations begin with.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://{}{}", self.authority, self.prefix)
    }

    /// The path of an address on this server, below its own; `None` if it is elsewhere. Scheme and host have no case
    /// (RFC 3986, section 6.2.2.1).
    #[must_use]
    pub fn path_of<'a>(&self, address: &'a str) -> Option<&'a str> {
        let root = "http://".len() + self.authority.len();
        let (start, path) = address.split_at_checked(root)?;
        let own = format!("http://{}", self.authority);
        start.eq_ignore_ascii_case(&own).then(|| path.strip_prefix(self.prefix.as_str()))?
    }

    /// Whether somebody listens there.
    #[must_use]
    pub fn is_open(&self, limit: Duration) -> bool {
        self.connect(Instant::now() + limit).is_ok()
    }

    /// Sends a request on a connection of its own, in the server's own name, and reads all of the answer.
    ///
    /// # Errors
    /// [`WireError`]: there is no answer, it is no HTTP, or it is not as long as it says.
    pub fn send(&self, request: &Request, limit: Duration) -> Result<Response, WireError> {
        let deadline = Instant::now() + limit;
        let mut connection = self.connect(deadline)?;
        let late = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => WireError::Silent { limit, got: 0 },
            _ => WireError::Closed { got: 0, reason: error.to_string() },
        };
        connection
            .set_write_timeout(Some(remaining(deadline).ok_or(WireError::Silent { limit, got: 0 })?))
            .map_err(late)?;
        // A server may answer and close before it has read everything. The answer counts.
        let sent = connection.write_all(&self.bytes(request));
        let mut reader = Reader::new(connection, deadline, limit);
        match (reader.answer(request.method), sent) {
            (Err(WireError::Closed { got: 0, .. }), Err(error)) => Err(late(error)),
            (answer, _) => answer,
        }
    }

    /// What the server answers that is asked for the first time; `None` if it answers something that is no HTTP.
    ///
    /// # Errors
    /// [`WireError`]: there is no answer.
    pub fn first_answer(&self, limit: Duration) -> Result<Option<Response>, WireError> {
        match self.send(&Request::new(Method::Get, "/"), limit.max(Duration::from_millis(10))) {
            Ok(answer) => Ok(Some(answer)),
            // That there is something wrong with its answers is found with the first exchange.
            Err(WireError::Garbage { .. } | WireError::Closed { got: 1.., .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn connect(&self, deadline: Instant) -> Result<TcpStream, WireError> {
        let refused = |reason: String| WireError::Unreachable { at: self.base(), reason };
        let addresses = (self.host.as_str(), self.port).to_socket_addrs();
        let mut reason = "no address has this name".to_owned();
        for address in addresses.map_err(|error| refused(error.to_string()))? {
            let Some(left) = remaining(deadline) else { break };
            match TcpStream::connect_timeout(&address, left) {
                Ok(connection) => return Ok(connection),
                Err(error) => reason = error.to_string(),
            }
        }
        Err(refused(reason))
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

/// Why there is no answer that could be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireError {
    /// No process listens.
    Unreachable {
        /// The address.
        at: String,
        /// What the system says.
        reason: String,
    },
    /// The connection was closed before the answer was complete.
    Closed {
        /// How many bytes had come.
        got: usize,
        /// What was missing.
        reason: String,
    },
    /// The answer was not complete when its time was up.
    Silent {
        /// The time.
        limit: Duration,
        /// How many bytes had come.
        got: usize,
    },
    /// What came is not one HTTP/1 response.
    Garbage {
        /// What is wrong with it.
        reason: String,
        /// How it begins.
        beginning: String,
    },
}

impl WireError {
    /// Whether the server can be expected to answer the next request.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Silent { .. })
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { at, reason } => write!(f, "cannot connect to {at}: {reason}"),
            Self::Closed { got: 0, reason } => {
                write!(f, "the connection was closed without an answer: {reason}")
            }
            Self::Closed { got, reason } => {
                write!(f, "the connection was closed after {got} bytes: {reason}")
            }
            Self::Silent { limit, got: 0 } => write!(f, "no answer within {} s", limit.as_secs_f32()),
            Self::Silent { limit, got } => {
                write!(
                    f,
                    "the answer was not complete within {} s: {got} bytes had come",
                    limit.as_secs_f32()
                )
            }
            Self::Garbage { reason, beginning } => write!(f, "{reason}; the answer begins with {beginning}"),
        }
    }
}

pub(crate) fn remaining(deadline: Instant) -> Option<Duration> {
    deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}
