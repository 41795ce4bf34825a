//! The file of keys (`jwt_secret_file`).
//!
//! One key a line, `SECRET` or `kid=NAME SECRET`; the first signs, all verify. A secret is printable ASCII
//! without white space, at least [`Secret::MIN_LENGTH`] bytes. Lines that begin with `#`, empty lines and white
//! space around a line say nothing. So a file that holds one secret and nothing else, as Docker and Kubernetes
//! mount them, is such a file.

use std::fmt;
use std::fs::Metadata;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Key, KeyId, KeySet, KeySetError};
use crate::auth::secret::{Secret, TooShort};
use crate::regular_file;

/// The largest file, in bytes.
pub const MAX_SIZE: usize = 64 * 1024;

/// Where keys are read from, again and again.
#[derive(Clone, Debug)]
pub struct KeyFile(PathBuf);

/// What was read.
#[derive(Debug)]
pub struct Found {
    /// The keys.
    pub keys: KeySet,
    /// A warning, if more people than need be can get at the file.
    pub exposed: Option<String>,
}

/// Why a file gives no keys: what is wrong where, never what is written there.
#[derive(Debug)]
pub struct KeyFileError {
    path: PathBuf,
    fault: Problem,
}

#[derive(Debug)]
enum Problem {
    Io(io::Error),
    NoFile,
    TooLarge,
    Empty,
    Line(usize, LineFault),
}

#[derive(Debug)]
enum LineFault {
    NotPrintable,
    Form,
    Id,
    Secret(TooShort),
    SameId(usize),
    SameKey(usize),
    TooMany,
}

impl KeyFile {
    /// The file of that path.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads the file. Blocks.
    ///
    /// # Errors
    /// [`KeyFileError`]: the first thing that is wrong with it.
    pub fn read(&self) -> Result<Found, KeyFileError> {
        let failed = |fault| KeyFileError { path: self.0.clone(), fault };
        let (bytes, metadata) = self.bytes().map_err(failed)?;
        Ok(Found { keys: parse(&bytes).map_err(failed)?, exposed: self.exposed(&metadata) })
    }

    fn bytes(&self) -> Result<(Zeroizing<Vec<u8>>, Metadata), Problem> {
        let (file, metadata) = regular_file::open(&self.0).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => Problem::NoFile,
            _ => Problem::Io(error),
        })?;
        // Room for all of it: a vector that grows leaves a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SIZE + 1));
        file.take(MAX_SIZE as u64 + 1).read_to_end(&mut bytes).map_err(Problem::Io)?;
        if bytes.len() > MAX_SIZE {
            return Err(Problem::TooLarge);
        }
        Ok((bytes, metadata))
    }

    /// The owner and the group can be those that the server needs; no one else may read it.
    #[cfg(unix)]
    fn exposed(&self, metadata: &Metadata) -> Option<String> {
        use std::os::unix::fs::PermissionsExt;

        let mode = metadata.permissions().mode() & 0o777;
        (mode & 0o006 != 0).then(|| {
            let path = self.0.display();
            format!("jwt_secret_file: {path}: mode {mode:03o} opens it to every user of this machine (chmod o= {path})")
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
        keys.push(key(line).map_err(|fault| Problem::Line(number, fault))?);
        lines.push(number);
    }
    KeySet::new(&keys).map_err(|unfit| {
        let line = |key: usize| lines.get(key).copied().unwrap_or_default();
        match unfit {
            KeySetError::None => Problem::Empty,
            KeySetError::TooMany => Problem::Line(line(KeySet::MAX_KEYS), LineFault::TooMany),
            KeySetError::SameId(this, that) => Problem::Line(line(this), LineFault::SameId(line(that))),
            KeySetError::SameKey(this, that) => Problem::Line(line(this), LineFault::SameKey(line(that))),
        }
    })
}

/// Two words are not enough to tell an id: half of a secret with a space in it would go out with every token.
fn key(line: &[u8]) -> Result<Key, LineFault> {
    let text = std::str::from_utf8(line).map_err(|_| LineFault::NotPrintable)?;
    if !text.chars().all(|character| character.is_ascii_graphic() || character.is_ascii_whitespace()) {
        return Err(LineFault::NotPrintable);
    }
    let (id, secret) = match text.strip_prefix("kid=") {
        None => (None, text),
        Some(rest) => {
            let (id, secret) = rest.split_once(|c: char| c.is_ascii_whitespace()).ok_or(LineFault::Form)?;
            (Some(KeyId::new(id).ok_or(LineFault::Id)?), secret.trim_ascii_start())
        }
    };
    if secret.contains(|c: char| c.is_ascii_whitespace()) {
        return Err(LineFault::Form);
    }
    Ok(Key { id, secret: Secret::new(secret).map_err(LineFault::Secret)? })
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "jwt_secret_file: {}: ", self.path.display())?;
        match &self.fault {
            Problem::Io(error) => error.fmt(f),
            Problem::NoFile => f.write_str("not a file"),
            Problem::TooLarge => write!(f, "more than {MAX_SIZE} bytes"),
            Problem::Empty => f.write_str("no key; only empty lines and comments, which begin with #"),
            Problem::Line(line, fault) => write!(f, "line {line}: {fault}"),
        }
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPrintable => f.write_str("expected printable ASCII and nothing else"),
            Self::Form => {
                f.write_str("expected SECRET or kid=NAME SECRET; there is no white space in a secret")
            }
            Self::Id => {
                let most = KeyId::MAX_LENGTH;
                write!(f, "after kid= expected 1 to {most} ASCII letters, digits, `-`, `.` and `_`")
            }
            Self::Secret(short) => short.fmt(f),
            Self::SameId(line) => write!(f, "the id is that of line {line}"),
            Self::SameKey(line) => write!(f, "the key is that of line {line}"),
            Self::TooMany => write!(f, "more than {} keys", KeySet::MAX_KEYS),
        }
    }
}
