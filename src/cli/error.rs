//! Errors of commands: message and exit code.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use shipyard::config::ConfigError;
use shipyard::internal_error::InternalError;
use thiserror::Error;

type Reason = Box<dyn Error + Send + Sync>;

/// Why a command failed. The causes are sources, so that [`chain`](shipyard::internal_error::chain) prints each once.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// A file cannot be read or written.
    #[error("{}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// The system, or a defect of this program.
    #[error(transparent)]
    Internal(#[from] InternalError),
    /// The command could not do its work.
    #[error(transparent)]
    Failed(Reason),
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The command line is invalid, or what it names is missing.
    #[error(transparent)]
    Usage(Reason),
    /// A report on standard output has said what failed. It ends with this exit code.
    #[error("see the report")]
    Reported(u8),
}

impl CliError {
    /// The exit code of the program.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::File { .. } | Self::Internal(_) | Self::Failed(_) => 1,
            Self::Config(_) | Self::Usage(_) => 2,
            Self::Reported(code) => *code,
        }
    }

    /// An error of a file, from the system's.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::File { path, source }
    }
}

/// An error with the place or the task that it belongs to.
#[derive(Debug, Error)]
#[error("{context}")]
struct WithContext {
    context: String,
    source: Reason,
}

/// The command could not do its work.
pub(super) fn failed(reason: impl Into<Reason>) -> CliError {
    CliError::Failed(reason.into())
}

/// The command could not do its work: where or at what, and why.
pub(super) fn failed_at(context: impl ToString, source: impl Into<Reason>) -> CliError {
    failed(WithContext { context: context.to_string(), source: source.into() })
}

/// The command line is invalid.
pub(super) fn wrong_usage(reason: impl Into<Reason>) -> CliError {
    CliError::Usage(reason.into())
}

#[cfg(test)]
mod tests {
    use shipyard::internal_error::chain;

    use super::*;

    #[test]
    fn every_cause_is_printed_once() {
        let denied = || io::Error::other("denied");
        let internal = InternalError::new("starting", denied());
        for (error, expected) in [
            (CliError::file(Path::new("a.txt"))(denied()), "a.txt: denied"),
            (failed(denied()), "denied"),
            (failed_at("a.txt", denied()), "a.txt: denied"),
            (failed_at("a.txt", internal), "a.txt: starting: denied"),
            (wrong_usage(InternalError::new("reading", denied())), "reading: denied"),
            (InternalError::new("starting", denied()).into(), "starting: denied"),
        ] {
            assert_eq!(chain(&error), expected);
        }
    }
}
