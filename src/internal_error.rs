//! Failures that are no client's fault.

use std::fmt;

/// Something that cannot happen unless this program or the machine is broken. The text is for the log only.
#[derive(Debug)]
pub struct InternalError(String);

impl InternalError {
    /// A failure to do `what`, because of `why`. Neither may hold a secret.
    pub fn new(what: &str, why: impl fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

impl fmt::Display for InternalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
