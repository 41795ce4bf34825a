//! Key set: the key that signs tokens, and the keys that verify them.
//!
//! A key can have an id, which goes into the header of the tokens that it signs (`kid`: RFC 7515, section
//! 4.1.4). Such a key verifies only tokens that name it. `docs/key-rotation.md` describes how to change keys while the
//! server runs.

mod check;
pub mod development;
pub mod file;

use std::fmt;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use serde::de::DeserializeOwned;
use serde::Serialize;
use sha2::Sha256;
use thiserror::Error;

pub use self::check::KeyCheck;
use crate::auth::secret::Secret;
use crate::internal_error::InternalError;

/// The id of a key. It is public: the tokens that the key signs contain it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyId(String);

impl KeyId {
    /// The maximum length in bytes.
    pub const MAX_LENGTH: usize = 64;

    /// Accepts 1 to 64 ASCII letters, digits, `-`, `.` and `_`: none of them needs an escape in JSON. Returns `None`
    /// for any other text.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let fits = (1..=Self::MAX_LENGTH).contains(&text.len()) && text.bytes().all(plain);
        fits.then(|| Self(text.to_owned()))
    }
}

/// A key with or without an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The id.
    pub id: Option<KeyId>,
    /// The key itself.
    pub secret: Secret,
}

/// Why keys cannot form a [`KeySet`]. Keys are numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeySetError {
    /// There are no keys.
    #[error("no key")]
    None,
    /// There are more than [`KeySet::MAX_KEYS`] keys.
    #[error("more than {most} keys", most = KeySet::MAX_KEYS)]
    TooMany,
    /// The first key has the id of the second: an id must identify one key.
    #[error("key {0} has the id of key {1}")]
    SameId(usize, usize),
    /// The first key, without an id, is equal to the second.
    #[error("key {0} is equal to key {1}")]
    SameKey(usize, usize),
}

/// One key that signs and verifies, and others that only verify. `{:?}` does not print the keys.
pub struct KeySet {
    signing: EncodingKey,
    /// The id of the signing key.
    id: Option<KeyId>,
    /// The first segment of the tokens that the signing key signs.
    header: String,
    verifying: Vec<Verifying>,
    /// The codes of all keys, that of the signing key first.
    checks: Vec<KeyCheck>,
    /// The checks of jsonwebtoken, apart from the signature.
    validation: Validation,
}

struct Verifying {
    id: Option<KeyId>,
    key: DecodingKey,
}

/// Why a token cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// No key verifies the signature.
    Signature,
    /// A segment is malformed. If it is the payload, a key has verified the signature.
    Unreadable,
}

impl KeySet {
    /// The maximum number of keys. It bounds the cost of verifying a token without an id.
    pub const MAX_KEYS: usize = 8;

    /// A set of these keys, of which the first signs.
    ///
    /// # Errors
    /// [`KeySetError`]: the first problem.
    pub fn new(keys: &[Key]) -> Result<Self, KeySetError> {
        let signing = keys.first().ok_or(KeySetError::None)?;
        if keys.len() > Self::MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        for (number, key) in keys.iter().enumerate() {
            let earlier = keys.iter().take(number);
            if let Some(same) = earlier.clone().position(|other| key.id.is_some() && other.id == key.id) {
                return Err(KeySetError::SameId(number, same));
            }
            if let Some(same) = earlier.clone().position(|other| other == key) {
                return Err(KeySetError::SameKey(number, same));
            }
        }
        Ok(Self::with_signing_key(signing, keys))
    }

    fn with_signing_key(signing: &Key, keys: &[Key]) -> Self {
        install_provider();
        let id = signing.id.clone();
        let header = header(id.as_ref());
        // An empty key verifies no token, and signing with it fails: see `Hs256::new`.
        let verifying = keys
            .iter()
            .map(|key| Verifying { id: key.id.clone(), key: DecodingKey::from_secret(key.secret.bytes()) });
        let signing = EncodingKey::from_secret(signing.secret.bytes());
        let checks = keys.iter().filter_map(KeyCheck::of).collect();
        Self { signing, id, header, verifying: verifying.collect(), checks, validation: validation() }
    }

    /// The codes of all keys, that of the signing key first.
    #[must_use]
    pub fn checks(&self) -> &[KeyCheck] {
        &self.checks
    }

    /// Signs a token with these claims.
    ///
    /// # Errors
    /// [`InternalError`] if signing fails.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String, InternalError> {
        let claims =
            serde_json::to_vec(claims).map_err(|error| InternalError::new("signing a token", error))?;
        // Enough for the tokens of this server.
        let mut token = String::with_capacity(512);
        token.push_str(&self.header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = jsonwebtoken::crypto::sign(token.as_bytes(), &self.signing, Algorithm::HS256)
            .map_err(|error| InternalError::new("signing a token", error))?;
        token.push('.');
        token.push_str(&signature);
        Ok(token)
    }

    /// The id of the signing key, if it has one.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_ref().map(|KeyId(id)| id.as_str())
    }

    /// Whether this is the first segment of the tokens that the signing key signs.
    pub(crate) fn is_own_header(&self, header: &str) -> bool {
        self.header == header
    }

    /// Verifies the signature of a token and decodes its claims. A token with a key id is verified with that key, a token
    /// without one with each key that has no id.
    pub(crate) fn decode<T: DeserializeOwned>(
        &self,
        token: &str,
        id: Option<&str>,
    ) -> Result<T, DecodeError> {
        let keys = self.verifying.iter().filter(|key| key.id.as_ref().map(|KeyId(id)| id.as_str()) == id);
        for Verifying { key, .. } in keys {
            match jsonwebtoken::decode(token, key, &self.validation) {
                Ok(decoded) => return Ok(decoded.claims),
                Err(error) if is_unreadable(error.kind()) => return Err(DecodeError::Unreadable),
                Err(_) => {}
            }
        }
        Err(DecodeError::Signature)
    }
}

/// HS256 only. [`crate::auth::token`] checks the dates: jsonwebtoken reads the machine's clock, not the one that is passed
/// in, and accepts fractions of a second. `aud` is not used.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

fn is_unreadable(error: &ErrorKind) -> bool {
    matches!(error, ErrorKind::Base64(_) | ErrorKind::Json(_) | ErrorKind::Utf8(_))
}

/// The header segment: `{"typ":"JWT","alg":"HS256"}`, with `kid` at the end if the key has an id.
fn header(id: Option<&KeyId>) -> String {
    let mut header = r#"{"typ":"JWT","alg":"HS256""#.to_owned();
    if let Some(KeyId(id)) = id {
        // A key id needs no escape.
        header += &format!(r#","kid":"{id}""#);
    }
    URL_SAFE_NO_PAD.encode(header + "}")
}

impl From<&Secret> for KeySet {
    fn from(secret: &Secret) -> Self {
        let key = Key { id: None, secret: secret.clone() };
        Self::with_signing_key(&key, std::slice::from_ref(&key))
    }
}

impl From<Secret> for KeySet {
    fn from(secret: Secret) -> Self {
        Self::from(&secret)
    }
}

/// Prints the id of the signing key, which is not secret, and the number of keys.
impl fmt::Display for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(KeyId(id)) => write!(f, "the key {id} signs")?,
            None => f.write_str("a key without an id signs")?,
        }
        write!(f, ", {} verify", self.verifying.len())
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({self})")
    }
}

/// Installs HMAC-SHA-256 from RustCrypto in jsonwebtoken, which leaves the cryptography to a provider. Calls after the first
/// do nothing. Why neither of its own two providers: `docs/architecture.md`.
pub(crate) fn install_provider() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(Hs256::provide(*algorithm, key.as_bytes())?)),
        verifier_factory: |algorithm, key| Ok(Box::new(Hs256::provide(*algorithm, key.try_get_as_bytes()?)?)),
        key_utils: KeyUtils::new_unimplemented(),
    };
    // An error means that a provider is already installed. It is this one: no other code installs one.
    let _ = PROVIDER.install_default();
}

/// HMAC state with the key already hashed.
struct Hs256(Hmac<Sha256>);

impl Hs256 {
    /// The state for a key; `None` for the empty key, which anyone can use.
    fn new(key: &[u8]) -> Option<Self> {
        if key.is_empty() {
            return None;
        }
        Hmac::new_from_slice(key).ok().map(Self)
    }

    fn provide(algorithm: Algorithm, key: &[u8]) -> jsonwebtoken::errors::Result<Self> {
        let key = if algorithm == Algorithm::HS256 { Self::new(key) } else { None };
        key.ok_or_else(|| ErrorKind::InvalidAlgorithm.into())
    }

    fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(message);
        mac
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(self.mac(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        // Compares in constant time, and rejects any other length.
        self.mac(message).verify_slice(signature).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
