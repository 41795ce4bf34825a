//! Requests that are answered only if the client does not have the answer already (RFC 9110, section 13).

use rocket::http::{ContentType, Header, Status};
use rocket::response;
use rocket::{Request, Response};
use tokio::io::{AsyncRead, AsyncSeek};

/// An answer with a validator.
pub struct WithEtag<B> {
    /// The validator, in quotation marks, with `W/` in front of a weak one.
    pub etag: String,
    /// The label of the body.
    pub label: ContentType,
    /// How many bytes the body has.
    pub length: usize,
    /// The body.
    pub body: B,
}

/// Whether `If-None-Match` lists the validator. The comparison is weak (RFC 9110, section 13.1.2).
fn is_known(request: &Request<'_>, etag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let fields = || request.headers().get("If-None-Match").map(str::trim);
    // No validator of this server has a comma in it, so a tag that is cut in two there is none of them.
    let mut listed = fields().flat_map(|list| list.split(',')).map(str::trim);
    fields().eq(["*"]) || listed.any(|tag| opaque(tag) == opaque(etag))
}

impl<'r, B: AsyncRead + AsyncSeek + Send + 'r> response::Responder<'r, 'r> for WithEtag<B> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'r> {
        let mut response = Response::build();
        response.header(Header::new("ETag", self.etag.clone()));
        if is_known(request, &self.etag) {
            // A body of unknown size: Content-Length, if there were one, would have to be that of the whole.
            return response.status(Status::NotModified).streamed_body(tokio::io::empty()).ok();
        }
        response.header(self.label).sized_body(self.length, self.body).ok()
    }
}
