//! Entity tags and conditional requests (RFC 9110, sections 8.8.3 and 13).

use rocket::http::{ContentType, Header, Status};
use rocket::response;
use rocket::{Request, Response};
use tokio::io::{AsyncRead, AsyncSeek};

use crate::hex;
use crate::json::Version;
use crate::store::{Precondition, Revisions};

/// A response with a validator.
pub struct WithEtag<B> {
    /// The validator, in quotation marks; `W/` before a weak one.
    pub etag: String,
    /// The Content-Type.
    pub label: ContentType,
    /// The length of the body in bytes.
    pub length: usize,
    /// The body.
    pub body: B,
}

/// The entity tag of a stored value.
#[must_use]
pub fn of(version: &Version) -> String {
    let digits = hex::digits(version.revision(), 1);
    let mut etag = String::with_capacity(18);
    etag.push('"');
    etag.extend(digits.map(char::from));
    etag.push('"');
    etag
}

/// The version that has that entity tag.
fn revision(etag: &str) -> Option<u64> {
    let number = etag.strip_prefix('"')?.strip_suffix('"')?;
    let revision = u64::from_str_radix(number, 16).ok()?;
    // Two tags that differ are not the same version (RFC 9110, section 8.8.3.2).
    hex::digits(revision, 1).eq(number.bytes()).then_some(revision)
}

/// The entity tags that the header lists.
fn listed<'r>(request: &'r Request<'_>, header: &'r str) -> impl Iterator<Item = &'r str> {
    // No validator of this server has a comma, so a tag that is split at one matches none.
    request.headers().get(header).flat_map(|list| list.split(',')).map(str::trim)
}

fn opaque(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

/// The versions that the header lists; none if the request does not have it. A tag that is not one of this server's stands
/// for no version.
fn revisions(request: &Request<'_>, header: &str, comparable: fn(&str) -> &str) -> Option<Revisions> {
    // Few requests have it: going through all headers costs less than Rocket's look-up by hash.
    request.headers().iter().find(|other| other.name == *header)?;
    Some(if listed(request, header).eq(["*"]) {
        Revisions::Any
    } else {
        Revisions::These(listed(request, header).map(comparable).filter_map(revision).collect())
    })
}

/// The precondition of a request. `If-Match` is a strong comparison, `If-None-Match` a weak one (RFC 9110, section 8.8.3.2).
#[must_use]
pub fn precondition(request: &Request<'_>) -> Precondition {
    Precondition {
        if_match: revisions(request, "If-Match", |etag| etag),
        if_none_match: revisions(request, "If-None-Match", opaque),
        is_required: false,
    }
}

/// A 304, with the validator. Its body is of unknown size, because a Content-Length would have to be that of the full response.
pub fn not_modified(etag: String) -> response::Result<'static> {
    let mut response = Response::build();
    response.header(Header::new("ETag", etag));
    response.status(Status::NotModified).streamed_body(tokio::io::empty()).ok()
}

impl<'r, B: AsyncRead + AsyncSeek + Send + 'r> response::Responder<'r, 'r> for WithEtag<B> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'r> {
        let known = || listed(request, "If-None-Match");
        if known().eq(["*"]) || known().any(|etag| opaque(etag) == opaque(&self.etag)) {
            return not_modified(self.etag);
        }
        let mut response = Response::build();
        response.header(Header::new("ETag", self.etag));
        response.header(self.label).sized_body(self.length, self.body).ok()
    }
}
