//! Reads single settings, each with what makes it wrong.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use rocket::figment::Figment;
use serde::de::DeserializeOwned;

use super::ConfigError;

/// The value of a setting, if it is given.
pub(super) fn optional<T: DeserializeOwned>(figment: &Figment, key: &str) -> Result<Option<T>, ConfigError> {
    match figment.extract_inner(key) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.missing() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The error of a setting that is of no use.
pub(super) fn refused(key: &str, reason: impl fmt::Display) -> ConfigError {
    ConfigError(vec![format!("{key}: {reason}")])
}

/// A whole number within bounds.
pub(super) fn number<T>(
    figment: &Figment,
    key: &str,
    default: T,
    bounds: RangeInclusive<T>,
) -> Result<T, ConfigError>
where
    T: DeserializeOwned + PartialOrd + fmt::Display,
{
    let number = optional(figment, key)?.unwrap_or(default);
    if bounds.contains(&number) {
        return Ok(number);
    }
    Err(refused(key, format!("{number}; from {} to {}", bounds.start(), bounds.end())))
}

/// A time in seconds, whole or not, up to an hour.
pub(super) fn seconds(figment: &Figment, key: &str, default: Duration) -> Result<Duration, ConfigError> {
    const LEAST: f64 = 0.1;
    const MOST: f64 = 3600.0;
    match optional::<f64>(figment, key)? {
        None => Ok(default),
        Some(seconds) if (LEAST..=MOST).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Some(seconds) => Err(refused(key, format!("{seconds} seconds; from {LEAST} to {MOST}"))),
    }
}
