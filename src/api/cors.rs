//! CORS (Fetch Standard): the other origins whose pages may read responses. None, unless configured.
//!
//! A request is authorized by its Authorization header, which a browser never adds by itself. So no origin is allowed "with
//! credentials", and a page of any other origin can do only what every program can.

use std::sync::Arc;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::{Header, Method, Status};
use rocket::{async_trait, Request, Response};
use thiserror::Error;

use crate::api::routing;

/// The response headers that a page may read, in addition to the safelisted ones.
const EXPOSED: &str = "Location, Retry-After, WWW-Authenticate, X-Request-Id, ETag";

/// The request headers that a page may send, in addition to the safelisted ones.
const ACCEPTED: &str = "Authorization, Content-Type, If-None-Match, X-Request-Id";

/// How long a browser caches the response to a preflight request, in seconds.
const MAX_AGE: &str = "600";

/// The origins whose pages may read responses.
#[derive(Clone, Debug, Default)]
pub struct Cors(Allowed);

#[derive(Clone, Debug, Default)]
enum Allowed {
    #[default]
    None,
    Any,
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
            (Allowed::These(these), Some(origin), None) => {
                these.iter().any(|this| this == origin).then_some(origin)
            }
            _ => None,
        }
    }
}

/// Whether the text is an origin as browsers send it.
fn is_origin(text: &str) -> bool {
    let (rest, usual_port) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(rest), _) => (rest, "80"),
        (_, Some(rest)) => (rest, "443"),
        _ => return false,
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
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

/// A fairing that adds the headers to every response of Rocket, and responds to preflight requests.
pub struct CorsHeaders(pub Cors);

#[async_trait]
impl Fairing for CorsHeaders {
    fn info(&self) -> Info {
        Info { name: "CORS", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let mut allowed = false;
        for (name, value) in self.0.headers(&mut request.headers().get("Origin")) {
            allowed |= name == "Access-Control-Allow-Origin";
            response.adjoin_header(Header::new(name, value));
        }
        if allowed && is_preflight(request) && response.status() == Status::NoContent {
            response.remove_header("Access-Control-Expose-Headers");
            response.set_header(Header::new(
                "Access-Control-Allow-Methods",
                routing::methods_at(request).join(", "),
            ));
            response.set_header(Header::new("Access-Control-Allow-Headers", ACCEPTED));
            response.set_header(Header::new("Access-Control-Max-Age", MAX_AGE));
        }
    }
}

/// Whether the request is a preflight request (Fetch Standard, "CORS-preflight request").
fn is_preflight(request: &Request<'_>) -> bool {
    request.method() == Method::Options && request.headers().contains("Access-Control-Request-Method")
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
    fn any_origin_stands_alone() {
        let parse = |origins: &[&str]| Cors::parse(origins.iter().map(|&origin| origin.to_owned()).collect());
        assert!(parse(&["*"]).is_ok() && parse(&[]).is_ok());
        assert!(parse(&["https://app.example", "*"]).is_err());
        assert!(parse(&["*", "*"]).is_err());
    }
}
