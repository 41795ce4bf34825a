//! Password in clear text.

use std::fmt;

use serde::Deserialize;

/// A password in clear text. It cannot be printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// The greatest length, in bytes of UTF-8. The OWASP Authentication Cheat Sheet asks for room for 64
    /// characters at least, and for a limit, so that hashing costs the same whatever is sent.
    pub const MAX_BYTES: u32 = 128;

    /// Takes a text for a password.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Its UTF-8 bytes, to be hashed.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}
