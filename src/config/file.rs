//! The file of settings (`Rocket.toml`).

use std::io;
use std::path::PathBuf;

use rocket::figment::providers::{Format, Toml};
use rocket::figment::value::{Dict, Map};
use rocket::figment::{self, Metadata, Profile, Provider};

use super::error::SettingError;
use crate::regular_file;

/// The largest file, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// A file of settings with a section for each profile. Relative paths in it are relative to it.
pub(super) struct SettingsFile {
    path: PathBuf,
    text: String,
}

impl SettingsFile {
    /// Reads the file. An error begins with `prefix`.
    ///
    /// # Errors
    /// The file is not a regular file, too large, or not UTF-8.
    pub(super) fn read(path: PathBuf, prefix: &'static str) -> Result<Self, SettingError> {
        let read = regular_file::read_to_string(&path, MAX_SIZE).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::new(io::ErrorKind::NotFound, "no such file"),
            _ => error,
        });
        match read {
            Ok(text) => Ok(Self { path, text }),
            Err(source) => Err(SettingError::UnreadableFile { prefix, path, source }),
        }
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
