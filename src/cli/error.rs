//! Errors of commands: message and exit code.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use shipyard::config::ConfigError;
use shipyard::internal_error::{chain, InternalError};
use thiserror::Error;

type Reason = Box<dyn Error + Send + Sync>;

/// Why a command failed.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// The system, or a defect of this program.
    #[error("{}", chain(.0))]
    Internal(#[from] InternalError),
    /// The command could not do its work.
    #[error("{}", chain(&**.0))]
    Failed(Reason),
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The command line is invalid, or what it names is missing.
    #[error("{}", chain(&**.0))]
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

/// The command could not do its work.
pub(super) fn failed(reason: impl Into<Reason>) -> CliError {
    CliError::Failed(reason.into())
}

/// The command line is invalid.
pub(super) fn wrong_usage(reason: impl Into<Reason>) -> CliError {
    CliError::Usage(reason.into())
}
