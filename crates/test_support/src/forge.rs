//! Tokens made by hand.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{json, Value};
use sha2::Sha256;

use crate::server::{NOW, SECRET};

/// The code of `message`, as a segment.
pub fn mac<M: Mac + KeyInit>(message: &str, key: &[u8]) -> String {
    let mut mac = <M as KeyInit>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

pub fn hs256(message: &str, key: &[u8]) -> String {
    mac::<Hmac<Sha256>>(message, key)
}

/// `message`, signed with HS256 and the key of the test server.
pub fn signed(message: &str) -> String {
    format!("{message}.{}", hs256(message, SECRET))
}

/// A token of those parts, signed.
pub fn sign(header: &Value, claims: &Value) -> String {
    sign_text(header.to_string(), claims.to_string())
}

/// The same with another key.
pub fn sign_with(key: &[u8], header: &Value, claims: &Value) -> String {
    let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", encoded(header), encoded(claims));
    format!("{message}.{}", hs256(&message, key))
}

/// A token of parts that need not be JSON, signed.
pub fn sign_text(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    signed(&format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload)))
}

pub fn header() -> Value {
    json!({"typ": "JWT", "alg": "HS256"})
}

/// What a good token of user 1 says one second after the start of the test server, on which the clock of the
/// tests that forge tokens stands.
pub fn claims(kind: &str) -> Value {
    let iat = NOW + 1;
    json!({
        "iat": iat,
        "nbf": iat,
        "jti": "0d6fe1b4-6f0e-4c0a-9f4e-3b0f5b9f0a00",
        "exp": iat + 900,
        "identity": 1,
        "fresh": false,
        "type": kind,
    })
}

/// A good token but for one claim.
pub fn with_claim(kind: &str, name: &str, value: Value) -> String {
    let mut claims = claims(kind);
    claims[name] = value;
    sign(&header(), &claims)
}

/// A good token but for one claim that is missing.
pub fn without_claim(kind: &str, name: &str) -> String {
    let mut claims = claims(kind);
    claims.as_object_mut().unwrap().remove(name).unwrap();
    sign(&header(), &claims)
}
