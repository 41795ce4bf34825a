//! Values of all settings: from the default to the flag, checked against the table.

use std::path::PathBuf;

use rocket::figment::error::Actual;
use rocket::figment::value::magic::RelativePathBuf;
use rocket::figment::value::{Dict, Value};
use rocket::figment::Figment;
use serde::de::DeserializeOwned;
use serde::Deserialize;

use super::error::{invalid, ConfigError, Mismatch, Reason, SettingError};
use super::origin::{Given, Origin};
use super::setting::{Kind, Setting};
use super::table;

/// The values of all settings.
pub(super) struct Values {
    pub(super) figment: Figment,
    /// Advice for the user, one line each.
    pub(super) warnings: Vec<String>,
}

impl Values {
    /// Adds flags and defaults to what files and the environment set.
    ///
    /// # Errors
    /// [`ConfigError`]: a setting is unknown, or has its old and its new name.
    pub(super) fn new(figment: Figment, flags: Dict) -> Result<Self, ConfigError> {
        let figment = figment.merge(Given::flags(flags));
        refuse_unknown(&figment)?;
        let (figment, warnings) = rename(figment)?;
        let defaults =
            table::settings().filter_map(|setting| Some((setting.name.to_owned(), setting.default.value()?)));
        let defaults = Given::defaults(defaults.collect());
        Ok(Self { figment: figment.join(defaults), warnings })
    }

    /// Checks every value against the kind of its setting.
    ///
    /// # Errors
    /// [`ConfigError`], with a line for each setting that has a wrong value.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |setting: &Setting| self.check_one(setting.name, &setting.kind).err();
        let errors: Vec<SettingError> = table::settings().filter_map(wrong).collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigError(errors))
        }
    }

    /// Checks the value of a setting, or of a member of one.
    fn check_one(&self, name: &str, kind: &Kind) -> Result<(), SettingError> {
        let Ok(value) = self.figment.find_value(name) else { return Ok(()) };
        kind.check(&value).map_err(|mismatch| self.error(name, kind, &value, mismatch))?;
        let Kind::Members(members) = kind else { return Ok(()) };
        let unknown = |name: &&String| members.iter().all(|(known, _)| known != name);
        if let Some(unknown) = value.as_dict().and_then(|given| given.keys().find(unknown)) {
            let known: Vec<&str> = members.iter().map(|(known, _)| *known).collect();
            let reason = format!("no effect here; expected {}", known.join(", "));
            return Err(SettingError::Invalid { name: format!("{name}.{unknown}"), reason: reason.into() });
        }
        members.iter().try_for_each(|(member, kind)| self.check_one(&format!("{name}.{member}"), kind))
    }

    fn error(&self, name: &str, kind: &Kind, value: &Value, mismatch: Mismatch) -> SettingError {
        let name = name.to_owned();
        match mismatch {
            Mismatch::Expected(expected) if !matches!(kind, Kind::Secret) => {
                let place = Origin::of(&self.figment, &name).place();
                SettingError::Unexpected { name, value: shown(value), place, expected }
            }
            // No message shows a secret.
            Mismatch::Expected(_) => SettingError::Invalid { name, reason: mismatch.into() },
            Mismatch::Rule(reason) => SettingError::Invalid { name, reason },
        }
    }

    /// The value of a setting that has a default.
    pub(super) fn get<T: DeserializeOwned>(&self, setting: &Setting) -> Result<T, ConfigError> {
        Ok(self.figment.extract_inner(setting.name)?)
    }

    /// The value of a setting, if it has one.
    pub(super) fn optional<T: DeserializeOwned>(&self, setting: &Setting) -> Result<Option<T>, ConfigError> {
        match self.figment.extract_inner(setting.name) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The texts of a setting, if it has a value: a list, or a single text.
    pub(super) fn list(&self, setting: &Setting) -> Result<Option<Vec<String>>, ConfigError> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Texts {
            One(String),
            Many(Vec<String>),
        }
        Ok(self.optional(setting)?.map(|texts| match texts {
            Texts::One(text) => vec![text],
            Texts::Many(texts) => texts,
        }))
    }

    /// The value of a setting, read from its text.
    pub(super) fn parse<T>(&self, setting: &Setting) -> Result<T, ConfigError>
    where
        T: std::str::FromStr,
        T::Err: Into<Reason>,
    {
        let value = self.figment.find_value(setting.name)?;
        text_or_number(&value)
            .unwrap_or_default()
            .parse()
            .map_err(|reason: T::Err| invalid(setting.name, reason))
    }

    /// The path that a setting names, if it has a value.
    pub(super) fn path(&self, setting: &Setting) -> Result<Option<PathBuf>, ConfigError> {
        Ok(self.optional::<RelativePathBuf>(setting)?.map(|path| path.relative()))
    }

    /// Whether a setting has its default because nothing sets it.
    pub(super) fn is_default(&self, setting: &Setting) -> bool {
        Origin::of(&self.figment, setting.name) == Origin::Default
    }
}

/// A misspelt name would have no effect: `jwt_secert` would mean a random key.
fn refuse_unknown(figment: &Figment) -> Result<(), ConfigError> {
    let given: Dict = figment.extract()?;
    let unknown: Vec<SettingError> = given
        .keys()
        .filter(|name| !table::is_known(name))
        .map(|name| SettingError::Unknown {
            name: name.clone(),
            place: Origin::of(figment, name).place(),
            hint: table::hint(name),
        })
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(ConfigError(unknown))
    }
}

/// Gives the value of each old name to the new one.
fn rename(mut figment: Figment) -> Result<(Figment, Vec<String>), ConfigError> {
    let mut warnings = Vec::new();
    for (old, new) in table::RENAMED {
        let Ok(value) = figment.find_value(old) else { continue };
        if figment.contains(new) {
            let reason = format!("this is the old name of `{new}`, which is set as well; remove it");
            return Err(invalid(old, reason));
        }
        let place = Origin::of(&figment, old).place();
        warnings.push(format!(
            "the setting `{old}`{place} is now called `{new}`; the next version refuses the old name"
        ));
        if let Some(metadata) = figment.find_metadata(old).cloned() {
            figment = figment.merge(Given::renamed(metadata, new, value));
        }
    }
    Ok((figment, warnings))
}

/// A value as a message shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(_, text) => format!("{text:?}"),
        other => match other.to_actual() {
            Actual::Unsigned(number) => number.to_string(),
            Actual::Signed(number) => number.to_string(),
            Actual::Float(number) => number.to_string(),
            actual => actual.to_string(),
        },
    }
}

/// The text of a text or a whole number.
pub(super) fn text_or_number(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| whole_number(value).map(|number| number.to_string()))
}

/// The whole number that a value is.
pub(super) fn whole_number(value: &Value) -> Option<u128> {
    value.to_u128().or_else(|| u128::try_from(value.to_i128()?).ok())
}
