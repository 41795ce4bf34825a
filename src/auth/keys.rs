//! The keys of a server: the one that signs tokens, and those that verify them.
//!
//! A key can have an id, which goes into the header of the tokens that it signs (`kid`: RFC 7515, section
//! 4.1.4), and then verifies the tokens that name it and no others. How keys are changed while the server serves:
//! `docs/key-rotation.md`.

pub mod file;

use std::fmt;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::auth::hs256;
use crate::auth::secret::Secret;
use crate::internal_error::InternalError;

/// The name of a key, which anyone can read in the tokens that it signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyId(String);

impl KeyId {
    /// The longest, in bytes.
    pub const MAX_LENGTH: usize = 64;

    /// Takes 1 to 64 letters, digits, `-`, `.` and `_`, all of them ASCII: nothing that any reader of a token
    /// would have to unescape. `None` for all else.
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
    /// Its id.
    pub id: Option<KeyId>,
    /// The key itself.
    pub secret: Secret,
}

/// Why keys do not go together. Keys are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// There is none.
    None,
    /// There are more than [`KeySet::MAX_KEYS`].
    TooMany,
    /// This one has the id of that one: an id must say which key is meant.
    SameId(usize, usize),
    /// This one, without an id, is that one once more.
    SameKey(usize, usize),
}

/// One key that signs, and verifies, and others that only verify. It cannot be printed.
pub struct KeySet {
    signing: EncodingKey,
    /// Of the key that signs.
    id: Option<KeyId>,
    /// The first segment of every token that is signed.
    header: String,
    verifying: Vec<Verifying>,
    /// What jsonwebtoken checks of a token besides its signature.
    validation: Validation,
}

struct Verifying {
    id: Option<KeyId>,
    key: DecodingKey,
}

/// Why a token is not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// No key has signed it.
    Signature,
    /// A part of it cannot be read. If it is the payload, a key has signed the token.
    Unreadable,
}

impl KeySet {
    /// The most keys there can be: what a token without an id can cost is bounded by it.
    pub const MAX_KEYS: usize = 8;

    /// Those keys, of which the first signs.
    ///
    /// # Errors
    /// [`KeySetError`]: the first thing that is wrong with them.
    pub fn new(keys: &[Key]) -> Result<Self, KeySetError> {
        let signing = keys.first().ok_or(KeySetError::None)?;
        if keys.len() > Self::MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        for (this, key) in keys.iter().enumerate() {
            let before = keys.iter().take(this);
            if let Some(that) = before.clone().position(|other| key.id.is_some() && other.id == key.id) {
                return Err(KeySetError::SameId(this, that));
            }
            if let Some(that) = before.clone().position(|other| other == key) {
                return Err(KeySetError::SameKey(this, that));
            }
        }
        Ok(Self::of(signing, keys))
    }

    fn of(signing: &Key, keys: &[Key]) -> Self {
        hs256::install();
        let id = signing.id.clone();
        let header = header(id.as_ref());
        // An empty key verifies nothing, and signing with it fails: see `Hs256::new`.
        let verifying = keys
            .iter()
            .map(|key| Verifying { id: key.id.clone(), key: DecodingKey::from_secret(key.secret.bytes()) });
        let signing = EncodingKey::from_secret(signing.secret.bytes());
        Self { signing, id, header, verifying: verifying.collect(), validation: validation() }
    }

    /// A token of those claims.
    ///
    /// # Errors
    /// [`InternalError`] where signing fails.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String, InternalError> {
        let claims =
            serde_json::to_vec(claims).map_err(|error| InternalError::new("signing a token", error))?;
        // As long as those of this server become.
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

    /// The id of the key that signs, if it has one.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_ref().map(|KeyId(id)| id.as_str())
    }

    /// Whether that is the first segment of the tokens that are signed.
    pub(crate) fn is_own_header(&self, header: &str) -> bool {
        self.header == header
    }

    /// The claims of a token that was signed with the key of that id; without an id, with any key without one.
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

/// HS256 only. The dates are for [`crate::auth::token`] to check: jsonwebtoken asks the machine's clock, rather than the one
/// that is injected, and takes fractions of a second. `aud` means nothing here.
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

/// `{"typ":"JWT","alg":"HS256"}` as a segment of a token; behind these two stands `kid`, if the key has an id.
fn header(id: Option<&KeyId>) -> String {
    let mut header = r#"{"typ":"JWT","alg":"HS256""#.to_owned();
    if let Some(KeyId(id)) = id {
        // Nothing in it would have to be escaped.
        header += &format!(r#","kid":"{id}""#);
    }
    URL_SAFE_NO_PAD.encode(header + "}")
}

impl From<&Secret> for KeySet {
    fn from(secret: &Secret) -> Self {
        let key = Key { id: None, secret: secret.clone() };
        Self::of(&key, std::slice::from_ref(&key))
    }
}

impl From<Secret> for KeySet {
    fn from(secret: Secret) -> Self {
        Self::from(&secret)
    }
}

/// Says which keys there are: ids are no secret.
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
