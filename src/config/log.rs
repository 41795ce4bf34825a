//! Settings of the log.

use rocket::log::LogLevel;
use thiserror::Error;

use super::error::{ConfigError, Reason};
use super::setting::{Kind, Preset, Setting};
use super::values::Values;
use crate::log;

const LOG_LEVEL: Setting = Setting::new(
    "log_level",
    Preset::Text("normal"),
    Kind::Text(|text| level(text).map(drop).map_err(Reason::from)),
    "`off`: nothing; `critical`: failures, and what an operator must know; `normal`: also a line for each request",
);

const LOG_FORMAT: Setting = Setting::new(
    "log_format",
    Preset::ByTerminal { terminal: "text", other: "json" },
    Kind::Choice(&["text", "json"]),
    "`text`, or `json` with one object a line",
);

pub(super) const SETTINGS: &[Setting] = &[LOG_LEVEL, LOG_FORMAT];

/// Why a text is not a level of the log.
#[derive(Debug, Error)]
enum InvalidLevel {
    #[error("debug is Rocket's, and shows tokens; normal is the most there is")]
    Debug,
    #[error("{0:?} is neither off, nor critical, nor normal")]
    Unknown(String),
}

fn level(text: &str) -> Result<LogLevel, InvalidLevel> {
    match text.parse() {
        Ok(LogLevel::Debug) => Err(InvalidLevel::Debug),
        Ok(level) => Ok(level),
        Err(_) => Err(InvalidLevel::Unknown(text.to_owned())),
    }
}

pub(super) fn read(values: &Values) -> Result<log::Settings, ConfigError> {
    let text: String = values.get(&LOG_LEVEL)?;
    let level = level(&text).map_err(|reason| super::error::invalid(LOG_LEVEL.name, reason))?;
    Ok(log::Settings { level, format: values.get(&LOG_FORMAT)? })
}
