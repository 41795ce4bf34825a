//! Effective settings: the value of each and its origin.

use std::fmt;

use rocket::figment::value::Dict;
use rocket::figment::{Figment, Profile};

use super::docs::toml;
use super::error::ConfigError;
use super::origin::Origin;
use super::setting::{Kind, Preset, Setting};
use super::values::Values;
use super::{table, Settings};
use crate::escape::escape_invisible;

/// Every effective setting.
#[derive(Debug)]
pub struct Effective {
    /// Advice for the user, one line each.
    pub warnings: Vec<String>,
    profile: Profile,
    lines: Vec<Line>,
}

/// The value of a setting, or of a member of one.
#[derive(Debug)]
struct Line {
    name: String,
    value: Value,
    origin: Origin,
}

#[derive(Debug)]
enum Value {
    /// TOML.
    Toml(String),
    /// A value that is not shown.
    Masked,
    /// No value, and what the server does without one.
    Unset(String),
}

impl Effective {
    /// Reads and checks every setting from `figment`, over which `flags` win.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn read(figment: Figment, flags: Dict) -> Result<Self, ConfigError> {
        let values = Values::new(figment, flags)?;
        let Settings { warnings, .. } = Settings::checked(&values)?;
        let mut lines = Vec::new();
        for setting in table::settings() {
            match setting.kind {
                Kind::Members(members) => lines.extend(members.iter().filter_map(|(member, _)| {
                    let name = format!("{}.{member}", setting.name);
                    let value = Value::Toml(toml(&values.figment.find_value(&name).ok()?));
                    Some(Line { origin: Origin::of(&values.figment, &name), name, value })
                })),
                _ => lines.push(Line {
                    name: setting.name.to_owned(),
                    value: value(&values, setting)?,
                    origin: Origin::of(&values.figment, setting.name),
                }),
            }
        }
        Ok(Self { warnings, profile: values.figment.profile().clone(), lines })
    }
}

fn value(values: &Values, setting: &Setting) -> Result<Value, ConfigError> {
    let Ok(found) = values.figment.find_value(setting.name) else {
        return Ok(Value::Unset(match setting.default {
            Preset::OptionalFile(name) => format!("{name} if it exists"),
            Preset::Unset { instead, .. } => instead.replace('`', ""),
            _ => String::new(),
        }));
    };
    Ok(match setting.kind {
        Kind::Secret => Value::Masked,
        Kind::Path => match values.path(setting)? {
            Some(path) => Value::Toml(toml(&path.display().to_string().into())),
            None => Value::Toml(toml(&found)),
        },
        _ => Value::Toml(toml(&found)),
    })
}

/// A file of settings, with the origin of each value in a comment.
impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Profile: {}", self.profile)?;
        writeln!(f, "[default]")?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{}", escape_invisible(&line.to_string())))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The column of the comment, unless the value is longer.
        const COLUMN: usize = 40;
        let Self { name, value, origin } = self;
        let line = match value {
            Value::Toml(value) => format!("{name} = {value}"),
            Value::Masked => format!("{name} = \"********\""),
            Value::Unset(instead) if instead.is_empty() => return write!(f, "# {name} is not set"),
            Value::Unset(instead) => return write!(f, "# {name} is not set: {instead}"),
        };
        write!(f, "{line:<COLUMN$}  # {origin}")
    }
}
