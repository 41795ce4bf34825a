//! Errors of settings.

use std::io;
use std::path::PathBuf;

use rocket::figment;
use thiserror::Error;

use super::table;

/// Why a value breaks a rule of its setting.
pub type Reason = Box<dyn std::error::Error + Send + Sync>;

/// Why a value is not of the kind of its setting.
#[derive(Debug, Error)]
pub enum Mismatch {
    /// It is not what is expected.
    #[error("expected {0}")]
    Expected(String),
    /// It breaks a rule.
    #[error(transparent)]
    Rule(Reason),
}

/// What is wrong with the configuration: a line for each setting.
#[derive(Debug, Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub(super) Vec<SettingError>);

/// What is wrong with a setting.
#[derive(Debug, Error)]
pub(super) enum SettingError {
    #[error("{name}: {reason}")]
    Invalid { name: String, reason: Reason },
    /// `place` is empty, or begins with a space.
    #[error("{name}: {value}{place}; expected {expected}")]
    Unexpected { name: String, value: String, place: String, expected: String },
    #[error("unknown setting `{name}`{place}; {hint}")]
    Unknown { name: String, place: String, hint: String },
    #[error("{prefix}{}: {source}", path.display())]
    UnreadableFile { prefix: &'static str, path: PathBuf, source: io::Error },
    #[error("{0}")]
    Figment(String),
}

impl From<SettingError> for ConfigError {
    fn from(error: SettingError) -> Self {
        Self(vec![error])
    }
}

impl From<figment::Error> for ConfigError {
    fn from(errors: figment::Error) -> Self {
        Self(errors.into_iter().map(|error| SettingError::Figment(one_line(&error))).collect())
    }
}

/// The error of a value that breaks a rule of its setting.
pub(super) fn invalid(name: &str, reason: impl Into<Reason>) -> ConfigError {
    SettingError::Invalid { name: name.to_owned(), reason: reason.into() }.into()
}

/// The message of an error in one line. An error of the TOML parser quotes the file between `|` and `^`, which may show a
/// secret; the message stands before and behind. Of the quoted line only the name of the setting is shown.
fn one_line(error: &figment::Error) -> String {
    let text = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.replace("___FIGMENT_RELATIVE_PATH.", "");
    let (Some((place, quoted)), Some((_, reason))) = (text.split_once(" | "), text.rsplit_once("^ ")) else {
        return text;
    };
    let name =
        quoted.split_once("| ").and_then(|(_, line)| line.split_once('=')).map(|(name, _)| name.trim());
    match name.filter(|name| table::is_known(name)) {
        Some(name) => format!("{place}: {name}: {reason}"),
        None => format!("{place}: {reason}"),
    }
}
