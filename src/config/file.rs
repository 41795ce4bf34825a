//! The file of settings (`Rocket.toml`).

use std::io;
use std::path::PathBuf;

use rocket::figment::providers::{Format, Toml};
use rocket::figment::value::{Dict, Map};
use rocket::figment::{self, Metadata, Profile, Provider};

use crate::regular_file;

/// The largest file, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// A file of settings with a section for each profile. Relative paths in it are relative to it.
pub(super) struct SettingsFile {
    path: PathBuf,
    text: String,
}

impl SettingsFile {
    /// Reads the file.
    ///
    /// # Errors
    /// It is no regular file, too large, or no text in UTF-8.
    pub(super) fn read(path: PathBuf) -> Result<Self, String> {
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => format!("{}: no such file", path.display()),
            _ => format!("{}: {error}", path.display()),
        };
        let text = regular_file::read_to_string(&path, MAX_SIZE).map_err(unreadable)?;
        Ok(Self { path, text })
    }
}

impl Provider for SettingsFile {
    fn metadata(&self) -> Metadata {
        Metadata::from("TOML file", self.path.as_path())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Toml::string(&self.text).nested().data()
    }
}
