//! Segments of a token in compact form (RFC 7515, section 3.1), and its header.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;

use super::TokenError;
use crate::json::{Member, Members};

/// The segments of a token: header, payload and signature.
pub(super) struct Segments<'a> {
    pub(super) token: &'a str,
    pub(super) header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Segments<'a> {
    pub(super) fn split(token: &'a str) -> Result<Self, TokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::NotEnoughSegments)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::NotEnoughSegments)?;
        Ok(Self { token, header, payload, signature })
    }

    /// The error of a token that jsonwebtoken cannot decode; `None` if only the payload is malformed, which it decodes
    /// last.
    pub(super) fn decode_error(&self) -> Option<TokenError> {
        // A dot in the payload means a fourth segment: this server never signed such a token.
        if self.payload.contains('.') {
            return Some(TokenError::BadSignature);
        }
        if jsonwebtoken::decode_header(self.token).is_err() {
            return Some(TokenError::MalformedHeader);
        }
        base64url(self.signature).is_none().then_some(TokenError::BadSignature)
    }

    /// The header.
    pub(super) fn header(&self) -> Result<Members, TokenError> {
        let header = base64url(self.header).ok_or(TokenError::MalformedHeader)?;
        Members::read(&header).ok_or(TokenError::MalformedHeader)
    }

    /// The payload. Its signature is not checked.
    pub(super) fn claims(&self) -> Result<Members, TokenError> {
        let payload = base64url(self.payload).ok_or(TokenError::MalformedPayload)?;
        Members::read(&payload).ok_or(TokenError::MalformedPayload)
    }
}

/// The key id (`kid`) in a header, if there is one.
///
/// # Errors
/// [`TokenError`] if `kid` is not a string, the algorithm is not HS256, or there are critical parameters.
pub(super) fn key_id(header: &Members) -> Result<Option<&str>, TokenError> {
    // RFC 7515, section 4.1.4: an optional string. null is not a string.
    let id = match header.get("kid") {
        None => None,
        Some(Member::Text(id)) => Some(id.as_str()),
        Some(_) => return Err(TokenError::MalformedHeader),
    };
    if !matches!(header.get("alg"), Some(Member::Text(alg)) if alg == "HS256") {
        return Err(TokenError::AlgorithmNotAllowed);
    }
    // RFC 7515, section 4.1.11: a server that does not understand a listed parameter must reject the token. This
    // server understands none.
    if header.get("crit").is_some() {
        return Err(TokenError::CriticalHeader);
    }
    Ok(id)
}

fn base64url(segment: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(segment).ok()
}
