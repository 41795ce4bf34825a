//! Flags of settings, made from the table of settings.

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};
use rocket::figment::value::{Dict, Value};
use shipyard::config::{self, Flag, Kind, Setting};

/// The settings that the command line sets: names and values as in Rocket.toml.
#[derive(Debug)]
pub(crate) struct SettingFlags(pub(super) Dict);

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let flags = config::settings().filter_map(|setting| Some(arg(setting, setting.flag?)));
        flags.fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let value = |setting: &Setting| {
            let value = matches.get_one::<Value>(setting.name)?;
            Some((setting.name.to_owned(), value.clone()))
        };
        Ok(Self(config::settings().filter(|setting| setting.flag.is_some()).filter_map(value).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        let Self(flags) = Self::from_arg_matches(matches)?;
        self.0.extend(flags);
        Ok(())
    }
}

fn arg(setting: &'static Setting, flag: Flag) -> Arg {
    let parser = match setting.kind {
        Kind::Choice(choices) => PossibleValuesParser::new(choices).map(Value::from).into(),
        _ => ValueParser::from(|text: &str| setting.parse(text)),
    };
    let arg = Arg::new(setting.name)
        .long(flag.long)
        .value_name(flag.value_name)
        .help(config::docs::help(setting))
        .value_parser(parser);
    // `--watch` alone turns it on.
    let arg = match setting.kind {
        Kind::Bool => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        _ => arg,
    };
    match flag.short {
        Some(short) => arg.short(short),
        None => arg,
    }
}
