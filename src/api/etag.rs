//! Conditional requests (RFC 9110, section 13): a 304 for a client that has the current response.

use rocket::http::{ContentType, Header, Status};
use rocket::response;
use rocket::{Request, Response};
use tokio::io::{AsyncRead, AsyncSeek};

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

/// Whether `If-None-Match` lists the validator. The comparison is weak (RFC 9110, section 13.1.2).
fn is_known(request: &Request<'_>, etag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let fields = || request.headers().get("If-None-Match").map(str::trim);
    // No validator of this server has a comma, so a tag that is split at one matches none.
    let mut listed = fields().flat_map(|list| list.split(',')).map(str::trim);
    fields().eq(["*"]) || listed.any(|tag| opaque(tag) == opaque(etag))
}

impl<'r, B: AsyncRead + AsyncSeek + Send + 'r> response::Responder<'r, 'r> for WithEtag<B> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'r> {
        let mut response = Response::build();
        response.header(Header::new("ETag", self.etag.clone()));
        if is_known(request, &self.etag) {
            // A body of unknown size, because a Content-Length would have to be that of the full response.
            return response.status(Status::NotModified).streamed_body(tokio::io::empty()).ok();
        }
        response.header(self.label).sized_body(self.length, self.body).ok()
    }
}
