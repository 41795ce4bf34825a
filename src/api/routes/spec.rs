//! The specification, served as it is checked in.

use std::io::Cursor;
use std::sync::LazyLock;

use rocket::get;
use rocket::http::ContentType;
use sha2::{Digest, Sha256};

use crate::api::etag::WithEtag;

/// `spec/openapi.json`. A test holds it to the code.
pub const TEXT: &str = include_str!("../../../spec/openapi.json");

/// A strong validator (RFC 9110, section 8.8.3): the first 16 bytes of the text's SHA-256.
static ETAG: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(TEXT.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
});

/// The OpenAPI text, or 304 for a client that has it.
#[get("/openapi.json")]
pub fn openapi_json() -> WithEtag<Cursor<&'static str>> {
    WithEtag { etag: ETAG.clone(), label: ContentType::JSON, length: TEXT.len(), body: Cursor::new(TEXT) }
}
