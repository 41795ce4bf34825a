//! Description of a setting: name, default, range, text and flag.

use std::fmt;
use std::io::{self, IsTerminal};
use std::thread::available_parallelism;

use rocket::data::ByteUnit;
use rocket::figment::value::{Dict, Value};

use super::error::{Mismatch, Reason};
use super::values::{text_or_number, whole_number};
use crate::auth::rate_limit::Rate;

/// A setting. Documentation, flags and checks are made from this description.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name in Rocket.toml.
    pub name: &'static str,
    /// The value if nothing sets it.
    pub default: Preset,
    /// The values that it can have.
    pub kind: Kind,
    /// What it is, in Markdown, for documentation and `--help`. `{range}` stands for the range of [`Setting::kind`].
    pub text: &'static str,
    /// Further sentences in Markdown, for the documentation only.
    pub details: &'static str,
    /// The flag of `shipyard serve`, if it has one.
    pub flag: Option<Flag>,
}

/// A flag of `shipyard serve`.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// The long name, without the hyphens.
    pub long: &'static str,
    /// The name of one character, if it has one.
    pub short: Option<char>,
    /// The placeholder for the value in `--help`.
    pub value_name: &'static str,
}

/// The values that a setting can have.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number within these bounds.
    Integer(u64, u64),
    /// Seconds, whole or not, from 0.1 to 3600.
    Seconds,
    /// A number of bytes within these bounds, or a text such as `64KiB`.
    Size(ByteUnit, ByteUnit),
    /// A [`Rate`].
    Rate,
    /// `true` or `false`.
    Bool,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A text that this function accepts.
    Text(fn(&str) -> Result<(), Reason>),
    /// The same, or a whole number, which counts as its text.
    TextOrNumber(fn(&str) -> Result<(), Reason>),
    /// The path of a file or folder. If it is relative, it is relative to the file that sets it.
    Path,
    /// A key, which no message shows.
    Secret,
    /// A list of texts, or a single text.
    List,
    /// Members, each with a name and a kind.
    Members(&'static [(&'static str, Kind)]),
    /// Whatever Rocket accepts.
    Rocket,
}

/// A default.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    /// A number.
    Integer(u64),
    /// `true` or `false`.
    Bool(bool),
    /// A text.
    Text(&'static str),
    /// A number of bytes.
    Size(ByteUnit),
    /// A rate: so many requests a minute.
    PerMinute(u32),
    /// A list without elements.
    EmptyList,
    /// Members with a default each.
    Members(&'static [(&'static str, Preset)]),
    /// One text if standard error is a terminal, and another if not.
    ByTerminal {
        /// At a terminal.
        terminal: &'static str,
        /// In a file, a pipe or a journal.
        other: &'static str,
    },
    /// One for each core, up to this number.
    Cores(u64),
    /// No value, but the server looks for this file.
    OptionalFile(&'static str),
    /// No value.
    Unset {
        /// What the server does without one, in Markdown.
        instead: &'static str,
        /// An example for Rocket.toml.
        example: &'static str,
    },
}

impl Setting {
    /// A setting without details and without a flag.
    pub(super) const fn new(name: &'static str, default: Preset, kind: Kind, text: &'static str) -> Self {
        Self { name, default, kind, text, details: "", flag: None }
    }

    /// The setting with further sentences for the documentation.
    pub(super) const fn details(self, details: &'static str) -> Self {
        Self { details, ..self }
    }

    /// The setting with a flag.
    pub(super) const fn flag(
        self,
        long: &'static str,
        short: Option<char>,
        value_name: &'static str,
    ) -> Self {
        Self { flag: Some(Flag { long, short, value_name }), ..self }
    }

    /// Reads the text that follows its flag.
    ///
    /// # Errors
    /// [`Mismatch`]: the text is not of its kind.
    pub fn parse(&self, text: &str) -> Result<Value, Mismatch> {
        let value = match self.kind {
            Kind::Path
            | Kind::Text(_)
            | Kind::TextOrNumber(_)
            | Kind::Choice(_)
            | Kind::Rate
            | Kind::Secret => Value::from(text),
            _ => text.parse().unwrap_or_else(|never| match never {}),
        };
        self.kind.check(&value).map(|()| value)
    }
}

impl Kind {
    const LEAST_SECONDS: f64 = 0.1;
    const MOST_SECONDS: f64 = 3600.0;

    /// Whether it accepts a value. Members are checked one by one, by the caller.
    pub(super) fn check(&self, value: &Value) -> Result<(), Mismatch> {
        let is_valid = match self {
            Self::Integer(least, most) => {
                let range = u128::from(*least)..=u128::from(*most);
                whole_number(value).is_some_and(|number| range.contains(&number))
            }
            Self::Seconds => {
                let seconds =
                    value.to_f64().or_else(|| u32::try_from(whole_number(value)?).ok().map(f64::from));
                seconds.is_some_and(|seconds| (Self::LEAST_SECONDS..=Self::MOST_SECONDS).contains(&seconds))
            }
            Self::Size(least, most) => {
                let size = match value {
                    // One that does not fit becomes the greatest, which is out of bounds.
                    Value::String(_, text) => text.parse().ok(),
                    other => whole_number(other).map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX).into()),
                };
                size.is_some_and(|size: ByteUnit| (*least..=*most).contains(&size))
            }
            Self::Rate => match value.as_str() {
                Some(text) => {
                    return text.parse::<Rate>().map(drop).map_err(|error| Mismatch::Rule(error.into()))
                }
                None => false,
            },
            Self::Text(check) => match value.as_str() {
                Some(text) => return check(text).map_err(Mismatch::Rule),
                None => false,
            },
            Self::TextOrNumber(check) => match text_or_number(value) {
                Some(text) => return check(&text).map_err(Mismatch::Rule),
                None => false,
            },
            Self::Bool => matches!(value, Value::Bool(..)),
            Self::Choice(choices) => value.as_str().is_some_and(|text| choices.contains(&text)),
            Self::Path | Self::Secret => matches!(value, Value::String(..)),
            Self::List => match value.as_array() {
                Some(list) => list.iter().all(|one| one.as_str().is_some()),
                None => value.as_str().is_some(),
            },
            Self::Members(_) => matches!(value, Value::Dict(..)),
            Self::Rocket => true,
        };
        if is_valid {
            Ok(())
        } else {
            Err(Mismatch::Expected(self.to_string()))
        }
    }

    /// The range in words, if there is one.
    #[must_use]
    pub fn range(&self) -> Option<String> {
        match self {
            Self::Integer(least, most) => Some(format!("from {least} to {most}")),
            Self::Seconds => Some(format!("from {} to {}", Self::LEAST_SECONDS, Self::MOST_SECONDS)),
            Self::Size(least, most) => Some(format!("from {least} to {most}")),
            Self::Rate => Some(format!("from 1 to {}", Rate::MAX)),
            Self::Members(members) => members.iter().find_map(|(_, kind)| kind.range()),
            _ => None,
        }
    }
}

/// What is expected, for messages.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = self.range().unwrap_or_default();
        match self {
            Self::Integer(..) => write!(f, "a whole number {range}"),
            Self::Seconds => write!(f, "seconds {range}"),
            Self::Size(..) => write!(f, "a size {range}, such as \"64KiB\""),
            Self::Rate => write!(f, "a number {range} and a unit, such as \"60/minute\""),
            Self::Bool => f.write_str("true or false"),
            Self::Choice(choices) => f.write_str(&choices.join(" or ")),
            Self::Text(_) | Self::Secret | Self::Rocket => f.write_str("a text in quotation marks"),
            Self::TextOrNumber(_) => f.write_str("a whole number, or a text in quotation marks"),
            Self::Path => f.write_str("a path in quotation marks"),
            Self::List => f.write_str("a text or a list of texts, such as [\"a\", \"b\"]"),
            Self::Members(members) => {
                let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
                write!(f, "a table with {}", names.join(", "))
            }
        }
    }
}

impl Preset {
    /// The value, if there is one.
    pub(super) fn value(&self) -> Option<Value> {
        Some(match *self {
            Self::Integer(number) => number.into(),
            Self::Bool(value) => value.into(),
            Self::Text(text) => text.into(),
            Self::Size(size) => size.to_string().into(),
            Self::PerMinute(count) => format!("{count}/minute").into(),
            Self::EmptyList => Vec::<Value>::new().into(),
            Self::Members(members) => {
                let member = |(name, preset): &(&str, Self)| Some(((*name).to_owned(), preset.value()?));
                members.iter().filter_map(member).collect::<Dict>().into()
            }
            Self::ByTerminal { terminal, other } => {
                if io::stderr().is_terminal() { terminal } else { other }.into()
            }
            Self::Cores(most) => available_parallelism()
                .map_or(1, |cores| u64::try_from(cores.get()).unwrap_or(most).min(most))
                .into(),
            Self::OptionalFile(_) | Self::Unset { .. } => return None,
        })
    }
}
