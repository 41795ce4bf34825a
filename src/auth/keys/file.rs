//! Key file (`jwt_secret_file`).
//!
//! Each line holds a key: `SECRET` or `kid=NAME SECRET`. The first key signs, all keys verify. A secret is printable
//! ASCII without white space, at least [`Secret::MIN_LENGTH`] bytes. Lines that begin with `#`, empty lines and white
//! space around a line are ignored. So a file that holds only a secret, as Docker and Kubernetes mount it, is valid.

use std::fs::Metadata;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use super::{Key, KeyId, KeySet, KeySetError};
use crate::auth::secret::{Secret, TooShort};
use crate::regular_file;

/// The maximum size of the file in bytes.
pub const MAX_SIZE: usize = 64 * 1024;

/// A key file, which can be read again to change the keys.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
    /// What names the file, for messages.
    name: &'static str,
}

/// The content of a key file.
#[derive(Debug)]
pub struct Found {
    /// The keys.
    pub keys: KeySet,
    /// A warning if every user of the machine can read or change the file.
    pub exposed: Option<String>,
}

/// Why a key file cannot be used. The message names the place, but never shows what the file contains.
#[derive(Debug, Error)]
#[error("{name}: {}", path.display())]
pub struct KeyFileError {
    path: PathBuf,
    name: &'static str,
    source: Problem,
}

#[derive(Debug, Error)]
enum Problem {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("not a file")]
    NotAFile,
    #[error("more than {MAX_SIZE} bytes")]
    TooLarge,
    #[error("no key; only empty lines and comments, which begin with #")]
    Empty,
    #[error("line {line}")]
    Line { line: usize, source: LineError },
}

#[derive(Debug, Error)]
enum LineError {
    #[error("expected printable ASCII and nothing else")]
    NotPrintable,
    #[error("expected SECRET or kid=NAME SECRET; there is no white space in a secret")]
    Form,
    #[error("after kid= expected 1 to {most} ASCII letters, digits, `-`, `.` and `_`", most = KeyId::MAX_LENGTH)]
    Id,
    #[error(transparent)]
    Secret(#[from] TooShort),
    #[error("the id is that of line {0}")]
    SameId(usize),
    #[error("the key is that of line {0}")]
    SameKey(usize),
    #[error("more than {most} keys", most = KeySet::MAX_KEYS)]
    TooMany,
}

impl KeyFile {
    /// The key file at `path`.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path, name: "jwt_secret_file" }
    }

    /// The file of the [development key](super::development).
    pub(super) fn development(path: PathBuf) -> Self {
        Self { path, name: "development key" }
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file. This call blocks.
    ///
    /// # Errors
    /// [`KeyFileError`]: the first problem.
    pub fn read(&self) -> Result<Found, KeyFileError> {
        let failed = |source| KeyFileError { path: self.path.clone(), name: self.name, source };
        let (bytes, metadata) = self.bytes().map_err(failed)?;
        Ok(Found { keys: parse(&bytes).map_err(failed)?, exposed: self.exposed(&metadata) })
    }

    fn bytes(&self) -> Result<(Zeroizing<Vec<u8>>, Metadata), Problem> {
        let (file, metadata) = regular_file::open(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => Problem::NotAFile,
            _ => Problem::Io(error),
        })?;
        // Capacity for the whole file: a vector that grows leaves copies of the keys in memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SIZE + 1));
        file.take(MAX_SIZE as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > MAX_SIZE {
            return Err(Problem::TooLarge);
        }
        Ok((bytes, metadata))
    }

    /// The server may need access as the owner or the group; no other user does.
    #[cfg(unix)]
    fn exposed(&self, metadata: &Metadata) -> Option<String> {
        use std::os::unix::fs::PermissionsExt;

        let mode = metadata.permissions().mode() & 0o777;
        (mode & 0o006 != 0).then(|| {
            let (name, path) = (self.name, self.path.display());
            format!(
                "{name}: {path}: mode {mode:03o} opens it to every user of this machine (chmod o= {path})"
            )
        })
    }

    #[cfg(not(unix))]
    fn exposed(&self, _: &Metadata) -> Option<String> {
        None
    }
}

fn parse(bytes: &[u8]) -> Result<KeySet, Problem> {
    let mut keys = Vec::new();
    let mut lines = Vec::new();
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        keys.push(key(line).map_err(|source| Problem::Line { line: number, source })?);
        lines.push(number);
    }
    KeySet::new(&keys).map_err(|error| {
        let line = |key: usize| lines.get(key).copied().unwrap_or_default();
        let (key, source) = match error {
            KeySetError::None => return Problem::Empty,
            KeySetError::TooMany => (KeySet::MAX_KEYS, LineError::TooMany),
            KeySetError::SameId(key, same) => (key, LineError::SameId(line(same))),
            KeySetError::SameKey(key, same) => (key, LineError::SameKey(line(same))),
        };
        Problem::Line { line: line(key), source }
    })
}

/// Parses a line. An id needs the prefix `kid=`: without it, half of a secret with a space in it would be taken for an id
/// and published with every token.
fn key(line: &[u8]) -> Result<Key, LineError> {
    let text = std::str::from_utf8(line).map_err(|_| LineError::NotPrintable)?;
    if !text.chars().all(|character| character.is_ascii_graphic() || character.is_ascii_whitespace()) {
        return Err(LineError::NotPrintable);
    }
    let (id, secret) = match text.strip_prefix("kid=") {
        None => (None, text),
        Some(rest) => {
            let (id, secret) = rest.split_once(|c: char| c.is_ascii_whitespace()).ok_or(LineError::Form)?;
            (Some(KeyId::new(id).ok_or(LineError::Id)?), secret.trim_ascii_start())
        }
    };
    if secret.contains(|c: char| c.is_ascii_whitespace()) {
        return Err(LineError::Form);
    }
    Ok(Key { id, secret: Secret::new(secret)? })
}
