//! What the head of a request must be, beyond what hyper asks of it: one that two readers could read in two
//! ways is refused.

use hyper::header::{HeaderMap, HeaderValue, EXPECT, HOST, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Method, Version};
use rocket::http::uri::{Host, Origin};

use crate::error::fault::Fault;
use crate::error::{EXPECTATION, METHOD_NOT_IMPLEMENTED, REQUEST_MALFORMED, TRANSFER_CODING};

/// Whom and what the request asks.
#[derive(Debug)]
pub(super) struct Target {
    /// The host, if the request names one.
    pub(super) host: Option<Host<'static>>,
    /// The path and the query.
    pub(super) origin: Origin<'static>,
}

fn malformed(reason: &str) -> Fault {
    Fault::of(&REQUEST_MALFORMED).with_message(format!("Malformed request: {reason}."))
}

/// Reads the target and the Host header (RFC 9112, sections 3.2 and 6.1).
pub(super) fn read(head: &Parts) -> Result<Target, Fault> {
    if head.method == Method::CONNECT {
        // Its target is no path, but an address to connect to (RFC 9110, section 9.3.6).
        return Err(Fault::of(&METHOD_NOT_IMPLEMENTED));
    }
    codings(&head.headers)?;
    expectations(&head.headers)?;
    let named = host(head)?;
    let uri = &head.uri;
    let host = match uri.authority() {
        // The target wins over the Host header.
        Some(authority) if uri.scheme_str() == Some("http") => {
            Some(parsed(authority.as_str()).ok_or_else(|| malformed("the host of the target is none"))?)
        }
        Some(_) => return Err(malformed("the target is neither a path nor an http:// address")),
        None => named,
    };
    if uri.path() == "*" {
        if head.method != Method::OPTIONS {
            return Err(malformed("the target * is for OPTIONS"));
        }
        return Ok(Target { host, origin: Origin::ROOT });
    }
    let target = uri.path_and_query().map_or("/", |path| path.as_str());
    let origin = Origin::parse_owned(target.to_owned());
    Ok(Target { host, origin: origin.map_err(|_| malformed("the target is no path"))? })
}

/// The only transfer coding that is understood is `chunked`, once.
fn codings(headers: &HeaderMap) -> Result<(), Fault> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let plain = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if plain(coding) => Ok(()),
        _ => Err(Fault::of(&TRANSFER_CODING)),
    }
}

/// RFC 9110, section 10.1.1.
fn expectations(headers: &HeaderMap) -> Result<(), Fault> {
    let known = |expected: &HeaderValue| expected.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if headers.get_all(EXPECT).iter().all(known) {
        Ok(())
    } else {
        Err(Fault::of(&EXPECTATION))
    }
}

/// RFC 9112, section 3.2: HTTP/1.1 has exactly one Host header, which may be empty.
fn host(head: &Parts) -> Result<Option<Host<'static>>, Fault> {
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if head.version == Version::HTTP_11 => Err(malformed("there is no Host header")),
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(malformed("there is more than one Host header")),
        (Some(host), None) if host.is_empty() => Ok(None),
        (Some(host), None) => {
            let host = host.to_str().ok().and_then(parsed);
            Ok(Some(host.ok_or_else(|| malformed("the Host header is no host"))?))
        }
    }
}

fn parsed(host: &str) -> Option<Host<'static>> {
    let host = Host::parse_owned(host.to_owned()).ok()?;
    (!host.domain().is_empty()).then_some(host)
}
