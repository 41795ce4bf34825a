//! Validation of a request head, beyond hyper's. A head that two readers could read in two ways is rejected.

use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderName, HeaderValue, EXPECT, HOST, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Method, Uri, Version};
use parking_lot::Mutex;
use rocket::http::uri::{Host, Origin};

use super::{parse_error, HttpLimits};
use crate::api::checks::HeadCheck;
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::{EXPECTATION, METHOD_NOT_IMPLEMENTED, REQUEST_MALFORMED, TRANSFER_CODING};

/// The target of a request: a host and a path.
#[derive(Debug)]
pub(super) struct Target<'a> {
    /// The host, if the request names one. Shared: a cached response does not need it, and a copy would cost it.
    pub(super) host: Option<Arc<Host<'static>>>,
    uri: &'a Uri,
}

impl Target<'_> {
    /// The path and the query.
    pub(super) fn origin(&self) -> Result<Origin<'static>, ApiError> {
        let target = self.uri.path_and_query().map_or("/", |path| path.as_str());
        // An empty path is the root's (RFC 3986, section 6.2.3).
        let target = if target.starts_with('?') { format!("/{target}") } else { target.to_owned() };
        let origin = Origin::parse_owned(target).ok().filter(|_| is_encoded(self.uri.path()));
        origin.ok_or_else(|| malformed("the target is no path"))
    }
}

/// The values of a field. Most requests have few fields: going through them costs less than a look-up by hash.
#[inline]
pub(super) fn values<'a>(
    headers: &'a HeaderMap,
    name: &'a HeaderName,
) -> impl Iterator<Item = &'a HeaderValue> {
    headers.iter().filter(move |(other, _)| *other == name).map(|(_, value)| value)
}

fn malformed(reason: &str) -> ApiError {
    ApiError::of(&REQUEST_MALFORMED).with_message(format!("Malformed request: {reason}."))
}

/// The last Host header of a connection, parsed. The next is usually the same.
#[derive(Default)]
pub(super) struct LastHost(Mutex<Option<(HeaderValue, Arc<Host<'static>>)>>);

impl LastHost {
    fn read(&self, field: &HeaderValue) -> Option<Arc<Host<'static>>> {
        let mut last = self.0.lock();
        match &*last {
            Some((known, host)) if known == field => Some(Arc::clone(host)),
            _ => {
                let host = parsed(field.to_str().ok()?)?;
                *last = Some((field.clone(), Arc::clone(&host)));
                Some(host)
            }
        }
    }
}

/// Checks the head and gives its target (RFC 9112, sections 3.2 and 6.1). `None` for `*`, the server as a whole.
#[inline]
pub(super) fn read<'a>(
    head: &'a Parts,
    last_host: &LastHost,
    limits: &HttpLimits,
) -> Result<Option<Target<'a>>, ApiError> {
    let mut named = None;
    let mut target = None;
    for check in HeadCheck::ORDER {
        match check {
            HeadCheck::FieldCount if head.headers.len() > limits.max_headers => {
                return Err(parse_error::head_too_large(limits));
            }
            // The target of CONNECT is an address to connect to, not a path (RFC 9110, section 9.3.6).
            HeadCheck::Tunnel if head.method == Method::CONNECT => {
                return Err(ApiError::of(&METHOD_NOT_IMPLEMENTED));
            }
            HeadCheck::FieldCount | HeadCheck::Tunnel => {}
            HeadCheck::TransferCoding => codings(&head.headers)?,
            HeadCheck::Expectation => expectations(&head.headers)?,
            HeadCheck::Host => named = host(head, last_host)?,
            HeadCheck::Target => target = parse_target(head, named.take())?,
        }
    }
    Ok(target)
}

/// The target, with the host that the Host header names.
fn parse_target<'a>(
    head: &'a Parts,
    named: Option<Arc<Host<'static>>>,
) -> Result<Option<Target<'a>>, ApiError> {
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
        return Ok(None);
    }
    Ok(Some(Target { host, uri }))
}

/// Whether each `%` begins the code of a byte (RFC 3986, section 2.1). Readers differ about any other: they keep it, or drop
/// it.
fn is_encoded(text: &str) -> bool {
    let is_code = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    text.split('%').skip(1).all(is_code)
}

/// The only transfer coding that the server decodes is `chunked`, once. (hyper checks that it is the last.)
fn codings(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut fields = values(headers, &TRANSFER_ENCODING).peekable();
    if fields.peek().is_none() {
        return Ok(());
    }
    let codings = fields.flat_map(|field| field.as_bytes().split(|&byte| byte == b','));
    let codings: Vec<&[u8]> = codings.map(<[u8]>::trim_ascii).collect();
    match codings.as_slice() {
        [] => Ok(()),
        [coding] if is_chunked(coding) => Ok(()),
        _ if codings.iter().all(|coding| coding.is_empty() || is_chunked(coding)) => {
            Err(malformed("the transfer coding is there twice"))
        }
        _ => Err(ApiError::of(&TRANSFER_CODING)),
    }
}

fn is_chunked(coding: &[u8]) -> bool {
    coding.eq_ignore_ascii_case(b"chunked")
}

/// RFC 9110, section 10.1.1.
fn expectations(headers: &HeaderMap) -> Result<(), ApiError> {
    let known = |expected: &HeaderValue| expected.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if values(headers, &EXPECT).all(known) {
        Ok(())
    } else {
        Err(ApiError::of(&EXPECTATION))
    }
}

/// RFC 9112, section 3.2: HTTP/1.1 has exactly one Host header, which may be empty.
fn host(head: &Parts, last: &LastHost) -> Result<Option<Arc<Host<'static>>>, ApiError> {
    let mut hosts = values(&head.headers, &HOST);
    match (hosts.next(), hosts.next()) {
        (None, _) if head.version == Version::HTTP_11 => Err(malformed("there is no Host header")),
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(malformed("there is more than one Host header")),
        (Some(host), None) if host.is_empty() => Ok(None),
        (Some(host), None) => {
            let host = last.read(host);
            Ok(Some(host.ok_or_else(|| malformed("the Host header is no host"))?))
        }
    }
}

/// A host and perhaps a port; never user information (RFC 9110, section 4.2.4).
fn parsed(host: &str) -> Option<Arc<Host<'static>>> {
    if host.contains('@') || !is_encoded(host) {
        return None;
    }
    let host = Host::parse_owned(host.to_owned()).ok()?;
    (!host.domain().is_empty()).then(|| Arc::new(host))
}
