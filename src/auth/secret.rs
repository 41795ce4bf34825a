//! Signing key.

use std::fmt;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::internal_error::InternalError;

/// A key for HS256. `{:?}` does not print it, and its memory is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// A key is shorter than [`Secret::MIN_LENGTH`]; its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} bytes are too few for HS256; at least {least} (openssl rand -hex 32)", least = Secret::MIN_LENGTH)]
pub struct TooShort(pub usize);

impl Secret {
    /// The minimum length in bytes: HS256 needs a key at least as long as its hash (RFC 7518, section 3.2).
    pub const MIN_LENGTH: usize = 32;

    /// Accepts a key of at least [`Secret::MIN_LENGTH`] bytes.
    ///
    /// # Errors
    /// [`TooShort`] if the key has fewer bytes.
    pub fn new(key: impl Into<Vec<u8>>) -> Result<Self, TooShort> {
        let key = Zeroizing::new(key.into());
        if key.len() < Self::MIN_LENGTH {
            return Err(TooShort(key.len()));
        }
        Ok(Self(key))
    }

    /// Accepts a key of any length. Only for replaying exchanges that were recorded with a short key.
    #[must_use]
    pub fn for_replay(key: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(key.into()))
    }

    /// Makes a random key from the system's random source.
    ///
    /// # Errors
    /// [`InternalError`] if the system returns no random bytes.
    pub fn random() -> Result<Self, InternalError> {
        let mut key = Zeroizing::new(vec![0; Self::MIN_LENGTH]);
        getrandom::fill(&mut key).map_err(|error| InternalError::new("making a signing key", error))?;
        Ok(Self(key))
    }

    /// The key in base64url, which is a key itself.
    pub(crate) fn to_base64url(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(&*self.0))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
