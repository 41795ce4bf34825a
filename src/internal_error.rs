//! Internal errors: failures that no client causes.

use std::error::Error;

use thiserror::Error;

/// A defect of this program or of the machine. Its text is for the log only, and holds no secret.
#[derive(Debug, Error)]
#[error("{what}")]
pub struct InternalError {
    what: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl InternalError {
    /// A failure to do `what`, with its cause.
    pub fn new(what: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { what, source: source.into() }
    }
}

/// The store cannot be reached at the moment. Its text is for the log only, and holds no secret.
#[derive(Debug, Error)]
#[error("the store is unavailable: {what}")]
pub struct Unavailable {
    what: String,
    source: Box<dyn Error + Send + Sync>,
}

impl Unavailable {
    /// An outage, with its cause: which host, what, and for how long.
    pub fn new(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { what: what.into(), source: source.into() }
    }
}

/// Why an operation failed: for a reason of its own, or for one that no client causes.
#[derive(Debug, Error)]
pub enum OperationError<E> {
    /// The operation's own error.
    #[error(transparent)]
    Rejected(E),
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
    /// The store is out of reach.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl<E> OperationError<E> {
    /// The error of an operation that is made of this one.
    pub fn map<F>(self, f: impl FnOnce(E) -> F) -> OperationError<F> {
        match self {
            Self::Rejected(error) => OperationError::Rejected(f(error)),
            Self::Internal(error) => OperationError::Internal(error),
            Self::Unavailable(error) => OperationError::Unavailable(error),
        }
    }
}

/// An error with its causes, each behind a colon.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_every_cause_once() {
        let inner = InternalError::new("reading a file", std::io::Error::other("disk failure"));
        let outer = InternalError::new("starting", inner);
        assert_eq!(chain(&outer), "starting: reading a file: disk failure");
        let operation: OperationError<std::fmt::Error> = outer.into();
        assert_eq!(chain(&operation), "starting: reading a file: disk failure");
    }
}
