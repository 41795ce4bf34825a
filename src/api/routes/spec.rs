//! The specification as a file: `spec/openapi.json`.

use std::io::Cursor;
use std::sync::LazyLock;

use rocket::get;
use rocket::http::ContentType;
use sha2::{Digest, Sha256};

use crate::api::etag::WithEtag;

/// The text of `spec/openapi.json`. A test checks it against the code.
pub const TEXT: &str = include_str!("../../../spec/openapi.json");

/// A strong validator (RFC 9110, section 8.8.3): the first 16 bytes of the SHA-256 of the text.
static ETAG: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(TEXT.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
});

/// The specification, or a 304 for a client that has it.
#[get("/openapi.json")]
pub fn openapi_json() -> WithEtag<Cursor<&'static str>> {
    WithEtag { etag: ETAG.clone(), label: ContentType::JSON, length: TEXT.len(), body: Cursor::new(TEXT) }
}
