//! Reads single settings, each with what makes it wrong.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use rocket::data::ByteUnit;
use rocket::figment::error::Actual;
use rocket::figment::value::Value;
use rocket::figment::{Figment, Source};
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
pub(super) fn invalid(key: &str, reason: impl fmt::Display) -> ConfigError {
    ConfigError(vec![format!("{key}: {reason}")])
}

/// The value of a setting as it was given, if it is given.
fn given(figment: &Figment, key: &str) -> Result<Option<Value>, ConfigError> {
    match figment.find_value(key) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.missing() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Where a setting comes from, to follow its name or its value.
pub(super) fn source(figment: &Figment, key: &str) -> String {
    figment.find_metadata(key).map_or_else(String::new, |metadata| match &metadata.source {
        Some(Source::Code(_)) => String::new(),
        Some(source) => format!(" in {source}"),
        None => format!(" in {}", metadata.name),
    })
}

/// The error of a value that is not what was expected.
fn unexpected(figment: &Figment, key: &str, value: &Value, expected: impl fmt::Display) -> ConfigError {
    let shown = match value {
        Value::String(_, text) => format!("{text:?}"),
        other => match other.to_actual() {
            Actual::Unsigned(number) => number.to_string(),
            Actual::Signed(number) => number.to_string(),
            Actual::Float(number) => number.to_string(),
            actual => actual.to_string(),
        },
    };
    invalid(key, format!("{shown}{}; expected {expected}", source(figment, key)))
}

/// A whole number within bounds, if it is given.
pub(super) fn number<T>(
    figment: &Figment,
    key: &str,
    bounds: RangeInclusive<T>,
) -> Result<Option<T>, ConfigError>
where
    T: TryFrom<u128> + PartialOrd + fmt::Display,
{
    let Some(value) = given(figment, key)? else { return Ok(None) };
    match whole(&value).and_then(|number| T::try_from(number).ok()).filter(|number| bounds.contains(number)) {
        Some(number) => Ok(Some(number)),
        None => {
            let (least, most) = (bounds.start(), bounds.end());
            Err(unexpected(figment, key, &value, format_args!("a whole number from {least} to {most}")))
        }
    }
}

fn whole(value: &Value) -> Option<u128> {
    value.to_u128().or_else(|| u128::try_from(value.to_i128()?).ok())
}

/// A time in seconds, whole or not, up to an hour, if it is given.
pub(super) fn seconds(figment: &Figment, key: &str) -> Result<Option<Duration>, ConfigError> {
    const LEAST: f64 = 0.1;
    const MOST: f64 = 3600.0;
    let Some(value) = given(figment, key)? else { return Ok(None) };
    let seconds = value.to_f64().or_else(|| Some(u32::try_from(whole(&value)?).ok()?.into()));
    match seconds.filter(|seconds| (LEAST..=MOST).contains(seconds)) {
        Some(seconds) => Ok(Some(Duration::from_secs_f64(seconds))),
        None => Err(unexpected(figment, key, &value, format_args!("seconds from {LEAST} to {MOST}"))),
    }
}

/// A size such as `64KiB` or a number of bytes, within bounds, if it is given.
pub(super) fn bytes(
    figment: &Figment,
    key: &str,
    bounds: RangeInclusive<ByteUnit>,
) -> Result<Option<ByteUnit>, ConfigError> {
    let Some(value) = given(figment, key)? else { return Ok(None) };
    let size = match &value {
        // One that does not fit becomes the greatest, which is out of bounds.
        Value::String(_, text) => text.parse().ok(),
        other => whole(other).map(|bytes| ByteUnit::from(u64::try_from(bytes).unwrap_or(u64::MAX))),
    };
    match size.filter(|size| bounds.contains(size)) {
        Some(size) => Ok(Some(size)),
        None => {
            let (least, most) = (bounds.start(), bounds.end());
            Err(unexpected(
                figment,
                key,
                &value,
                format_args!("a size from {least} to {most}, such as \"64KiB\""),
            ))
        }
    }
}
