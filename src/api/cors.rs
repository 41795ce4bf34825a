//! CORS (Fetch Standard): the other origins whose pages may read responses. By default, while the server listens on loopback
//! only, these are pages that this machine serves; else there are none.
//!
//! A request is authorized by its Authorization header, which a browser never adds by itself. So no origin is allowed "with
//! credentials", and a page of any other origin can do only what every program can.

use std::collections::BTreeSet;
use std::sync::Arc;

use hyper::header::HeaderName;
use parking_lot::Mutex;
use rocket::http::Header;
use rocket::Request;
use thiserror::Error;

/// The response headers that a page may read, in addition to the safelisted ones.
const EXPOSED: &str =
    "Location, Retry-After, WWW-Authenticate, X-Request-Id, ETag, Link, X-Total-Count, Accept-Post";

/// How long a browser caches the response to a preflight request, in seconds.
const MAX_AGE: &str = "600";

/// The hosts of this machine, as browsers write them.
const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// How many refused origins are logged: clients choose them.
const MAX_LOGGED_ORIGINS: usize = 32;

/// The origins whose pages may read responses.
#[derive(Clone, Debug, Default)]
pub struct Cors(Allowed);

#[derive(Clone, Debug, Default)]
enum Allowed {
    #[default]
    None,
    Any,
    /// `http://localhost`, `http://127.0.0.1` and `http://[::1]`, with any port.
    Loopback,
    These(Arc<[String]>),
}

/// The text is not an origin.
#[derive(Debug, Error)]
#[error(
    "{0:?} is no origin as browsers write it: http[s]://host[:port], in lower case, without a usual port and without \
     anything behind; \"*\" stands alone"
)]
pub struct InvalidOrigin(String);

impl Cors {
    /// Parses origins as browsers send them (RFC 6454, section 6.2), or a single `*` for any origin.
    ///
    /// # Errors
    /// [`InvalidOrigin`]: the first text that is not an origin.
    pub fn parse(origins: Vec<String>) -> Result<Self, InvalidOrigin> {
        if origins.is_empty() {
            return Ok(Self::default());
        }
        if origins == ["*"] {
            return Ok(Self(Allowed::Any));
        }
        match origins.iter().find(|origin| !is_origin(origin)) {
            Some(other) => Err(InvalidOrigin(other.clone())),
            None => Ok(Self(Allowed::These(origins.into()))),
        }
    }

    /// Pages that this machine serves without TLS, as development servers do.
    #[must_use]
    pub fn loopback() -> Self {
        Self(Allowed::Loopback)
    }

    /// Whether any origin is allowed.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !matches!(self.0, Allowed::None)
    }

    /// The headers of a response to a request with these `Origin` headers.
    pub fn headers<'a>(
        &self,
        origins: &mut dyn Iterator<Item = &'a str>,
    ) -> impl Iterator<Item = (&'static str, &'a str)> + use<'a> {
        let is_on = self.is_on();
        let allowed = self.allowed(origins);
        // A cache must not use a response to one origin for another.
        let vary = is_on.then_some(("Vary", "Origin"));
        let allow = allowed.map(|origin| ("Access-Control-Allow-Origin", origin));
        let expose = allowed.map(|_| ("Access-Control-Expose-Headers", EXPOSED));
        vary.into_iter().chain(allow).chain(expose)
    }

    fn allowed<'a>(&self, origins: &mut dyn Iterator<Item = &'a str>) -> Option<&'a str> {
        match (&self.0, origins.next(), origins.next()) {
            (Allowed::Any, _, _) => Some("*"),
            (Allowed::Loopback, Some(origin), None) => is_loopback(origin).then_some(origin),
            (Allowed::These(these), Some(origin), None) => {
                these.iter().any(|this| this == origin).then_some(origin)
            }
            _ => None,
        }
    }
}

/// Whether the text is the origin of a page that this machine serves without TLS.
fn is_loopback(origin: &str) -> bool {
    let host = origin.strip_prefix("http://").map(|rest| host_and_port(rest).0);
    host.is_some_and(|host| LOOPBACK_HOSTS.contains(&host)) && is_origin(origin)
}

/// The host of an origin without its scheme, and the port if there is one.
fn host_and_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    }
}

/// Whether the text is an origin as browsers send it.
fn is_origin(text: &str) -> bool {
    let (rest, usual_port) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(rest), _) => (rest, "80"),
        (_, Some(rest)) => (rest, "443"),
        _ => return false,
    };
    let (host, port) = host_and_port(rest);
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_host = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok_and(|read| read.to_string() == address),
        None => !host.is_empty() && host.bytes().all(plain),
    };
    let is_port =
        |port: &str| port != usual_port && port.parse::<u16>().is_ok_and(|read| read.to_string() == port);
    is_host && port.is_none_or(is_port)
}

/// The refused origins that have been logged. A page that cannot read a response does not learn why.
#[derive(Debug, Default)]
pub struct RefusedOrigins(Mutex<BTreeSet<String>>);

impl RefusedOrigins {
    /// Logs an origin once, unless it is that of a page of this server: such a page may read the response, and sends its
    /// origin with most methods.
    pub fn log(&self, origin: &str, host: Option<&str>) {
        if !is_origin(origin) || origin.split_once("://").map(|(_, host)| host) == host {
            return;
        }
        let mut logged = self.0.lock();
        if logged.len() < MAX_LOGGED_ORIGINS && logged.insert(origin.to_owned()) {
            tracing::warn!(
                origin,
                "a browser page cannot read responses: its origin is not allowed; cors_origins = [\"{origin}\"] \
                 allows it"
            );
        }
    }
}

/// The headers of the response to a preflight request (Fetch Standard, "CORS-preflight request") from an allowed origin, for a
/// path with these methods. None for any other request.
pub fn preflight_headers(request: &Request<'_>, methods: &str) -> Vec<Header<'static>> {
    let field = |name| request.headers().get(name).next();
    let cors = request.rocket().state::<Cors>();
    let is_allowed = cors.is_some_and(|cors| cors.allowed(&mut request.headers().get("Origin")).is_some());
    if !is_allowed || field("Access-Control-Request-Method").is_none() {
        return Vec::new();
    }
    let names = field("Access-Control-Request-Headers").filter(|names| is_list_of_names(names));
    let names = names.map(|names| Header::new("Access-Control-Allow-Headers", names.to_owned()));
    [
        Header::new("Access-Control-Allow-Methods", methods.to_owned()),
        Header::new("Access-Control-Max-Age", MAX_AGE),
    ]
    .into_iter()
    .chain(names)
    .collect()
}

/// Whether the text lists names of header fields (RFC 9110, section 5.6.2). Which ones is up to the page: no header gives it
/// more rights than any other client has.
fn is_list_of_names(text: &str) -> bool {
    text.split(',').all(|name| HeaderName::from_bytes(name.trim().as_bytes()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_would_write() {
        for origin in [
            "http://localhost:3000",
            "https://app.example",
            "http://app.example:443",
            "http://127.0.0.1:5173",
            "http://[::1]:8080",
            "https://[::1]",
        ] {
            assert!(is_origin(origin), "{origin}");
        }
        for other in [
            "",
            "*",
            "null",
            "app.example",
            "https://",
            "https://app.example/",
            "https://app.example:443",
            "http://app.example:80",
            "https://App.example",
            "ftp://app.example",
            "https://app.example:",
            "https://app.example:0443",
            "https://app.example:65536",
            "https://a b",
            "https://*.example",
            "https://user@app.example",
            "http://[::1",
            "http://[0:0::1]",
            "https://app.example?x",
        ] {
            assert!(!is_origin(other), "{other:?}");
        }
    }

    #[test]
    fn pages_of_this_machine_are_loopback() {
        for origin in
            ["http://localhost:5173", "http://localhost", "http://127.0.0.1:3000", "http://[::1]:8080"]
        {
            assert!(is_loopback(origin), "{origin}");
        }
        for other in [
            "null",
            "",
            "https://localhost:5173",
            "http://localhost.evil.example",
            "http://localhost:5173.evil.example",
            "http://localhost:evil",
            "http://localhost:80@evil.example",
            "http://evil.example:5173",
            "http://127.0.0.1.evil.example:80",
            "http://127.0.0.2:80",
            "http://[::1].evil.example",
            "http://Localhost:5173",
            "http://localhost:5173/",
        ] {
            assert!(!is_loopback(other), "{other:?}");
        }
    }

    #[test]
    fn only_names_of_headers_are_allowed_back() {
        assert!(is_list_of_names("authorization,content-type, If-Match"));
        for other in ["", "a,", "a b", "a:b", "a,\u{e9}", "a;b"] {
            assert!(!is_list_of_names(other), "{other:?}");
        }
    }

    #[test]
    fn any_origin_stands_alone() {
        let parse = |origins: &[&str]| Cors::parse(origins.iter().map(|&origin| origin.to_owned()).collect());
        assert!(parse(&["*"]).is_ok() && parse(&[]).is_ok());
        assert!(parse(&["https://app.example", "*"]).is_err());
        assert!(parse(&["*", "*"]).is_err());
    }
}
