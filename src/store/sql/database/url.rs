//! Database URL: where the database is, who logs in, and how the connection is protected.
//!
//! tokio-postgres knows three TLS modes, none of which checks the server's name by itself, and its `prefer` falls back to clear
//! text on any network. So this module reads the URL, and `connect` applies it to one host at a time.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use zeroize::Zeroizing;

mod parse;

/// The parameters that a URL can have, for messages.
const PARAMETERS: &str =
    "application_name, connect_timeout, dbname, host, password, port, sslmode, sslrootcert, \
                          target_session_attrs, user";

/// A database URL. `{:?}` and `{}` do not print the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    /// In the order in which they are tried; at least one.
    pub(super) hosts: Vec<Endpoint>,
    /// None means the name of the user that runs this program.
    pub(super) user: Option<String>,
    pub(super) password: Option<Zeroizing<String>>,
    /// None means a database with the name of the user.
    pub(super) database: Option<String>,
    pub(super) application_name: Option<String>,
    /// The longest time to connect to one host.
    pub(super) connect_timeout: Option<Duration>,
    /// `sslrootcert`, if it is a file.
    pub(super) root_certificates: Option<PathBuf>,
    /// Whether a server that refuses writes is passed over.
    pub(super) writable: bool,
}

/// A host, its port, and whether the connection to it is encrypted and the server checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) tls: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Tcp(String),
    /// The folder of a Unix socket.
    Unix(PathBuf),
}

/// Why a database URL is invalid. No text of the URL is in it that may be a part of the password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// It begins otherwise.
    #[error("expected postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETER=VALUE")]
    Scheme,
    /// An `@` follows a `/`, `?` or `#`.
    #[error("a `/`, `?`, `#` or `@` in a password or name must be percent-encoded (%2F, %3F, %23, %40)")]
    Unescaped,
    /// A `#`.
    #[error("a URL of a database has no fragment; a `#` must be percent-encoded (%23)")]
    Fragment,
    /// A `%` without two hexadecimal digits, text that is not UTF-8, or U+0000.
    #[error("{0}: invalid percent-encoding; expected UTF-8 without U+0000")]
    Encoding(&'static str),
    /// No host.
    #[error("no host")]
    NoHost,
    /// Brackets around something other than an IPv6 address.
    #[error("in brackets, expected an IPv6 address")]
    Bracket,
    /// A port out of range.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// As many ports as hosts, or one.
    #[error("there must be one port, or one for each host")]
    Ports,
    /// The hosts are in two places.
    #[error("{0}: given twice")]
    Twice(&'static str),
    /// A parameter without `=`, or with an unknown name.
    #[error("unknown parameter{}; known are {PARAMETERS}", quoted(.0))]
    Unknown(Option<String>),
    /// The value of a parameter.
    #[error("{name}: expected {expected}")]
    Value {
        /// The name of the parameter.
        name: &'static str,
        /// What it can be.
        expected: &'static str,
    },
    /// `sslmode=prefer` or `allow` for a host on the network.
    #[error(
        "sslmode: `prefer` and `allow` fall back to clear text, which anyone on the way to {0} could force; use `verify-full`, or \
         `disable` on a network that you trust"
    )]
    FallsBack(String),
    /// TLS over a Unix socket.
    #[error("sslmode: there is no TLS over a Unix socket")]
    TlsOverSocket,
}

/// A name in quotes after a space, if it is shown.
fn quoted(name: &Option<String>) -> String {
    name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default()
}

impl DatabaseUrl {
    /// Whether a connection over the network is neither encrypted nor checked, because the URL says so.
    #[must_use]
    pub fn is_clear_text(&self) -> bool {
        self.hosts.iter().any(|endpoint| !endpoint.tls && !endpoint.host.is_local())
    }

    /// Whether any host is reached with TLS.
    pub(super) fn uses_tls(&self) -> bool {
        self.hosts.iter().any(|endpoint| endpoint.tls)
    }

    /// The same with this file of certificates, unless the URL names one.
    #[must_use]
    pub fn with_root_certificates(mut self, file: Option<PathBuf>) -> Self {
        self.root_certificates = self.root_certificates.or(file);
        self
    }
}

impl Host {
    /// Whether nothing leaves this machine.
    fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp(name) => {
                name.eq_ignore_ascii_case("localhost")
                    || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(name) if name.contains(':') => write!(f, "[{name}]"),
            Self::Tcp(name) => f.write_str(name),
            Self::Unix(folder) => write!(f, "{}", folder.display()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, endpoint) in self.hosts.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{endpoint}")?;
        }
        self.database.iter().try_for_each(|database| write!(f, "/{database}"))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests;
