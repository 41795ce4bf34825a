//! Errors for requests that hyper cannot parse.

use super::HttpLimits;
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::{HEAD_TOO_LARGE, HTTP_VERSION, REQUEST_MALFORMED};

/// hyper's message for an unsupported version of HTTP. Nothing else distinguishes that error.
const INVALID_VERSION: &str = "invalid HTTP version parsed";

/// The error for a client. `None` if the connection failed for another reason than a malformed request. `unread` is hyper's
/// buffer: the head, or what follows it if the head could be parsed.
pub(super) fn api_error(error: &hyper::Error, unread: &[u8], limits: &HttpLimits) -> Option<ApiError> {
    if !error.is_parse() {
        return None;
    }
    if error.is_parse_too_large() {
        return Some(head_too_large(limits));
    }
    let of_version = error.to_string() == INVALID_VERSION && names_another_version(unread);
    if error.is_parse_version_h2() || of_version {
        return Some(ApiError::of(&HTTP_VERSION));
    }
    Some(ApiError::of(&REQUEST_MALFORMED).with_message(format!("Malformed request: {error}.")))
}

/// The error for a head with too many bytes or fields.
pub(super) fn head_too_large(limits: &HttpLimits) -> ApiError {
    ApiError::of(&HEAD_TOO_LARGE).with_message(format!(
        "The head of a request may have {} bytes and {} fields at most.",
        limits.max_header_size, limits.max_headers
    ))
}

/// Whether the first line ends with a version of HTTP (RFC 9112, section 2.3) other than 1.0 and 1.1.
fn names_another_version(unread: &[u8]) -> bool {
    let line = unread.split(|&byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let word = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    match word.strip_prefix(b"HTTP/") {
        Some([major, b'.', minor]) => {
            major.is_ascii_digit() && minor.is_ascii_digit() && !matches!((major, minor), (b'1', b'0' | b'1'))
        }
        _ => false,
    }
}
