//! Preconditions of writes (RFC 9110, section 13.1): what a client requires of the version that its write would end. The
//! store checks them under its lock, so that of two clients that have read the same version only one can replace it.

use thiserror::Error;

use crate::json::Version;

/// What a write requires of the current version.
#[derive(Clone, Debug)]
pub struct Precondition {
    /// The current version must be one of these.
    pub if_match: Option<Revisions>,
    /// The current version must be none of these.
    pub if_none_match: Option<Revisions>,
    /// Whether a write without `if_match` is refused.
    pub is_required: bool,
}

/// A set of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revisions {
    /// Every version.
    Any,
    /// The versions with these numbers.
    These(Vec<u64>),
}

impl Revisions {
    /// Whether the set has that version.
    #[must_use]
    pub fn contains(&self, version: Option<&Version>) -> bool {
        match self {
            Self::Any => true,
            Self::These(revisions) => version.is_some_and(|version| revisions.contains(&version.revision())),
        }
    }
}

/// Why a write is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PreconditionError {
    /// The current version is not the required one.
    #[error("the value is not the version that the client requires")]
    Failed,
    /// The client does not say which version it requires, but has to.
    #[error("the client does not say which version it requires")]
    Required,
}

impl Precondition {
    /// Nothing is required.
    pub const NONE: Self = Self { if_match: None, if_none_match: None, is_required: false };

    /// Checks the current version.
    ///
    /// # Errors
    /// [`PreconditionError`].
    pub fn check(&self, current: Option<&Version>) -> Result<(), PreconditionError> {
        match (&self.if_match, &self.if_none_match) {
            (Some(required), _) if !required.contains(current) => Err(PreconditionError::Failed),
            (_, Some(refused)) if refused.contains(current) => Err(PreconditionError::Failed),
            (None, _) if self.is_required => Err(PreconditionError::Required),
            _ => Ok(()),
        }
    }
}
