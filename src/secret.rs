//! The key that signs tokens.

use std::fmt;

use crate::internal::Internal;

/// A signing key. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The least length in bytes: an HS256 key shorter than its hash weakens it (RFC 7518, section 3.2).
    pub const MIN_LENGTH: usize = 32;

    /// Takes a key of at least [`Secret::MIN_LENGTH`] bytes.
    ///
    /// # Errors
    /// The length, where it is less.
    pub fn new(key: impl Into<Vec<u8>>) -> Result<Self, usize> {
        let key = key.into();
        if key.len() < Self::MIN_LENGTH {
            return Err(key.len());
        }
        Ok(Self(key))
    }

    /// Takes a key of any length. Only for replaying exchanges that were recorded with a short one.
    #[must_use]
    pub fn for_replay(key: impl Into<Vec<u8>>) -> Self {
        Self(key.into())
    }

    /// A key that nobody knows, from the system's random source.
    ///
    /// # Errors
    /// [`Internal`] where the system gives no random bytes.
    pub fn random() -> Result<Self, Internal> {
        let mut key = vec![0; Self::MIN_LENGTH];
        getrandom::fill(&mut key).map_err(|error| Internal::new("making a signing key", error))?;
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
