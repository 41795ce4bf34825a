//! Development key: a random key in a file, so that a restart of the server does not change it.
//!
//! With a new key at each start, a token from before a restart has an invalid signature, which is a 422. With the same key it
//! is a token from before the start, which is a 401, and clients log in again. Anyone who can read the file can sign tokens, so
//! it has mode 600, and only a server that listens on loopback uses it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use thiserror::Error;

use super::file::KeyFile;
use crate::auth::secret::Secret;
use crate::internal_error::InternalError;

/// The folder of the file, in the working directory.
const FOLDER: &str = ".shipyard";
const FILE: &str = "development.key";

/// Why there is no development key.
#[derive(Debug, Error)]
pub enum DevelopmentKeyError {
    /// The file cannot be written, for example because the folder is read-only.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There are no random bytes.
    #[error(transparent)]
    Random(#[from] InternalError),
}

/// The key file in `folder`. If there is none, this makes one with a random key.
///
/// # Errors
/// [`DevelopmentKeyError`] if there is none and it cannot be made.
pub fn find_or_make(folder: &Path) -> Result<KeyFile, DevelopmentKeyError> {
    let folder = folder.join(FOLDER);
    let path = folder.join(FILE);
    if path.symlink_metadata().is_err() {
        make(&folder, &path)?;
    }
    Ok(KeyFile::development(path))
}

fn make(folder: &Path, path: &Path) -> Result<(), DevelopmentKeyError> {
    let key = Secret::random()?.to_base64url();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    // Git ignores the folder: the key must not end up in a repository.
    unless_it_exists(
        File::create_new(folder.join(".gitignore")).and_then(|mut file| file.write_all(b"*\n")),
    )?;
    // Complete before it has its name: another server may start in the same folder.
    let draft = folder.join(format!("{FILE}.{}", std::process::id()));
    let written = write(&draft, key.as_bytes()).and_then(|()| std::fs::hard_link(&draft, path));
    let _ = std::fs::remove_file(&draft);
    Ok(unless_it_exists(written)?)
}

/// Another server may have made the file in the meantime.
fn unless_it_exists(made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Writes a file that only its owner can read.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(
        b"# Key of a server for development, made by shipyard. Delete the file to get another.\n",
    )?;
    file.write_all(text)?;
    file.write_all(b"\n")?;
    file.sync_all()
}
