//! Plain-text password.

use std::fmt;

/// A plain-text password. `{:?}` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The maximum length in bytes of UTF-8. The OWASP Authentication Cheat Sheet asks for at least 64 characters, and
    /// for a limit, which bounds the cost of hashing.
    pub const MAX_BYTES: u32 = 128;

    /// A password from its text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The UTF-8 bytes, for hashing.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}
