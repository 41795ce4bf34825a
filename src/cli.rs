//! Command line: parsing, dispatch to the commands, and output.

mod config;
mod error;
mod export;
mod hash_password;
mod health;
mod record;
mod serve;
mod setting_flags;
mod spec;
mod store;
mod verify;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rocket::figment::value::Dict;
use shipyard::api::openapi;
use shipyard::config::{figment, Settings};
use shipyard::contract::recording::fixtures::Fixtures;
use shipyard::escape::escape_invisible;
use shipyard::internal_error::chain;

use self::error::{failed, wrong_usage, CliError};
use self::setting_flags::SettingFlags;

const EXAMPLES: &str = "\
Examples:
  shipyard                                  serve on http://localhost:5000
  shipyard --port 5055 --data my-data.json  another port, other data
  shipyard store init --data my-data.json   put the data into the PostgreSQL database of ROCKET_DATABASE_URL
  shipyard config                           every setting, and where its value comes from
  shipyard routes                           every operation
  shipyard spec --check                     check spec/openapi.json against the code
  shipyard verify                           check this server against the recorded exchanges
  shipyard verify --url http://localhost:5000 --start 'flask run'
                                            check any other server

Every setting can also be given in Rocket.toml or as ROCKET_<SETTING> in the environment.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.";

const CONFIG_HELP: &str = "\
The output is a Rocket.toml that sets what is in effect, in the current folder and environment and with the given flags. A
comment after each value names its origin: default, the path of a file, an environment variable or a flag.

Exit codes: 0 done, 2 invalid configuration.";

const HEALTH_HELP: &str = "\
It asks GET /health/ready of the admin listener (admin_address), with --live GET /health/live. It takes the settings of
`serve`, so that it finds the address where the server has it.

Exit codes: 0 yes, 1 no, or no answer within 2 seconds, 2 wrong usage or configuration.";

/// A REST API with users, starships and JWT login: in memory, from a data file, or on PostgreSQL.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    serve: SettingFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API (the default command)
    Serve(SettingFlags),
    /// Print every setting with its value and where the value comes from; secrets are masked
    #[command(after_help = CONFIG_HELP)]
    Config(SettingFlags),
    /// Print the table of routes
    Routes,
    /// Print the OpenAPI specification
    Spec(spec::Spec),
    /// Check this server, or any other, against the recorded exchanges
    Verify(verify::Verify),
    /// Record exchanges for `verify`, from curl lines or from a recorded scenario
    Record(record::Record),
    /// Export the recorded exchanges as HAR, Hurl or .http files
    Export(export::Export),
    /// Ask the server on this machine whether it is ready; exit with 1 if it is not
    #[command(after_help = HEALTH_HELP)]
    Health(health::Health),
    /// Hash a password for the data file: prompts for it, or reads standard input
    HashPassword,
    /// Make, change, check and export the tables of the database (database_url)
    #[command(subcommand, after_help = store::HELP)]
    Store(store::Store),
}

/// Runs the command that the command line names.
pub(crate) fn run() -> ExitCode {
    // First of all: a signal that comes earlier would kill the process, or be lost.
    let starting = serve::starts_server(std::env::args_os().nth(1)).then(serve::Starting::begin);
    let cli = Cli::parse();
    let done = match cli.command {
        None => serve::run(cli.serve, starting),
        Some(Command::Serve(flags)) => serve::run(flags, starting),
        Some(Command::Config(flags)) => config::run(flags),
        Some(Command::Routes) => print(&openapi::routes_table()),
        Some(Command::Spec(flags)) => spec::run(&flags),
        Some(Command::Verify(flags)) => verify::run(flags),
        Some(Command::Record(flags)) => record::run(&flags),
        Some(Command::Export(flags)) => export::run(&flags),
        Some(Command::Health(flags)) => health::run(flags),
        Some(Command::HashPassword) => hash_password::run(),
        Some(Command::Store(command)) => store::run(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, CliError::Reported(_)) {
                chain(&error).lines().for_each(say);
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// Prints a line to standard error. It may hold text from a recording or a server.
fn say(line: &str) {
    // Standard error may be closed; no one is left to tell.
    let _ = writeln!(io::stderr(), "shipyard: {}", escape_invisible(line));
}

/// Prints a warning to standard error.
fn warn(warning: &str) {
    say(&format!("warning: {warning}"));
}

/// Prints to standard output. A reader that closes it early (`| head`) is not an error.
fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Prints lines to standard output. They may hold text from a recording or a server.
fn print_lines(text: &str) -> Result<(), CliError> {
    print(&text.lines().map(|line| escape_invisible(line) + "\n").collect::<String>())
}

/// One word of a shell command, for hints.
fn shell_word(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-./".contains(character);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The named scenarios, or all if none is named.
fn select_scenarios(fixtures: &Fixtures, named: &[String]) -> Result<Vec<String>, CliError> {
    // A missing folder is wrong usage; a damaged recording is a failed check.
    fixtures.names().map_err(wrong_usage)?;
    let known = fixtures.expected().map_err(failed)?;
    match named.iter().find(|name| !known.contains(name)) {
        Some(name) => {
            let known = known.join(", ");
            Err(wrong_usage(format!("--scenario {name}: no such scenario; there are {known}")))
        }
        None if named.is_empty() => Ok(known),
        None => Ok(named.to_vec()),
    }
}

fn settings(flags: Dict) -> Result<Settings, CliError> {
    let settings = figment().and_then(|figment| Settings::read(figment, flags))?;
    settings.warnings.iter().for_each(|warning| warn(warning));
    Ok(settings)
}
