//! The specification as a file: `spec/openapi.json`.

use std::io::Cursor;

use hyper::body::Bytes;
use rocket::http::ContentType;
use rocket::{get, State};
use sha2::{Digest, Sha256};

use crate::api::base_url::BaseUrl;
use crate::api::etag::WithEtag;

/// The text of `spec/openapi.json`. A test checks it against the code.
pub const TEXT: &str = include_str!("../../../spec/openapi.json");

/// The server in `TEXT`: the one that the specification came from.
const THIS_SERVER: &str = r#""url": "/""#;

/// The specification as this server sends it.
#[derive(Clone, Debug)]
pub struct Specification {
    text: Bytes,
    etag: String,
}

impl Specification {
    /// The specification, with the URL under which clients reach the server if it is configured: it can have a path.
    #[must_use]
    pub fn new(public_url: Option<&BaseUrl>) -> Self {
        let text = match public_url {
            // A URL needs no escape in JSON.
            Some(url) => TEXT.replacen(THIS_SERVER, &format!(r#""url": "{}""#, url.join("")), 1).into(),
            None => Bytes::from_static(TEXT.as_bytes()),
        };
        Self { etag: strong_validator(&text), text }
    }
}

/// A strong validator (RFC 9110, section 8.8.3): the first 16 bytes of the SHA-256 of the content.
pub(super) fn strong_validator(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// The specification, or a 304 for a client that has it.
#[get("/openapi.json")]
pub fn openapi_json(specification: &State<Specification>) -> WithEtag<Cursor<Bytes>> {
    let Specification { text, etag } = specification.inner().clone();
    WithEtag { etag, label: ContentType::JSON, length: text.len(), body: Cursor::new(text) }
}
