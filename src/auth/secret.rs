//! A key that signs tokens.

use std::fmt;

use zeroize::Zeroizing;

use crate::internal_error::InternalError;

/// A key for HS256. It cannot be printed, and its memory is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// The length of a key that is too short, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooShort(pub usize);

impl Secret {
    /// The least length in bytes: an HS256 key shorter than its hash weakens it (RFC 7518, section 3.2).
    pub const MIN_LENGTH: usize = 32;

    /// Takes a key of at least [`Secret::MIN_LENGTH`] bytes.
    ///
    /// # Errors
    /// [`TooShort`], where it has less.
    pub fn new(key: impl Into<Vec<u8>>) -> Result<Self, TooShort> {
        let key = Zeroizing::new(key.into());
        if key.len() < Self::MIN_LENGTH {
            return Err(TooShort(key.len()));
        }
        Ok(Self(key))
    }

    /// Takes a key of any length. Only for replaying exchanges that were recorded with a short one.
    #[must_use]
    pub fn for_replay(key: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(key.into()))
    }

    /// A random key, from the system's random source.
    ///
    /// # Errors
    /// [`InternalError`] where the system gives no random bytes.
    pub fn random() -> Result<Self, InternalError> {
        let mut key = Zeroizing::new(vec![0; Self::MIN_LENGTH]);
        getrandom::fill(&mut key).map_err(|error| InternalError::new("making a signing key", error))?;
        Ok(Self(key))
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

impl fmt::Display for TooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(length) = self;
        let least = Secret::MIN_LENGTH;
        write!(f, "{length} bytes are too few for HS256; at least {least} (openssl rand -hex 32)")
    }
}
