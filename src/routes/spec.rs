//! The specification, served as it is checked in.

use rocket::http::{ContentType, Header, Status};
use rocket::response::{self, Responder};
use rocket::{get, Request, Response};
use sha2::{Digest, Sha256};
use std::io::Cursor;
use std::sync::LazyLock;

/// `spec/openapi.json`. A test holds it to the code.
pub const TEXT: &str = include_str!("../../spec/openapi.json");

/// A strong validator (RFC 9110, section 8.8.3): the first 16 bytes of the text's SHA-256.
static ETAG: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(TEXT.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
});

/// The text, or 304 for a client that has it.
pub struct Specification;

/// The OpenAPI text.
#[get("/openapi.json")]
pub fn openapi_json() -> Specification {
    Specification
}

impl<'r> Responder<'r, 'static> for Specification {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let known = request.headers().get("If-None-Match").flat_map(|list| list.split(',')).any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == *ETAG
        });
        let mut response = Response::build();
        response.header(Header::new("ETag", ETAG.as_str()));
        if known {
            // A body of unknown size: Content-Length, if there were one, would have to be that of the text.
            response.status(Status::NotModified).streamed_body(tokio::io::empty()).ok()
        } else {
            response.header(ContentType::JSON).sized_body(TEXT.len(), Cursor::new(TEXT)).ok()
        }
    }
}
