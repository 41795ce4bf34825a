//! The commands: what they take, do and print.

mod export;
mod hash_password;
mod record;
mod verify;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rocket::figment::value::{Dict, Value};
use shipyard::clock::{Clock, TokenIds};
use shipyard::config::{self, Settings};
use shipyard::contract::fixtures::Fixtures;
use shipyard::data::{Data, Source};
use shipyard::keys::file::KeyFile;
use shipyard::keys::KeySet;
use shipyard::log;
use shipyard::openapi;
use shipyard::printable::printable;
use shipyard::regular_file;
use shipyard::secret::Secret;
use shipyard::server::listen::Address;
use shipyard::server::{descriptors, hangup, shutdown, Shutdown};
use shipyard::token::Tokens;
use shipyard::{server, Parts};

const EXAMPLES: &str = "\
Examples:
  shipyard                                  serve on http://localhost:5000
  shipyard --port 5055 --data my-data.json  another port, other data
  shipyard routes                           what is served
  shipyard spec --check                     does spec/openapi.json say what the code does?
  shipyard verify                           does this server answer as recorded?
  shipyard verify --url http://localhost:5000 --start 'flask run'
                                            does any other?

Every setting can also be given in Rocket.toml or as ROCKET_<SETTING> in the environment.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.";

/// A REST API with users, starships and JWT login. Data is read at start; nothing is persisted.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    serve: Serve,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API (this is what happens without a command)
    Serve(Serve),
    /// Print the table of routes
    Routes,
    /// Print the OpenAPI specification
    Spec(Spec),
    /// Hold the recorded exchanges against this server, or against any other
    Verify(verify::Verify),
    /// Record exchanges for `verify`: run curl lines, or a scenario once more
    Record(record::Record),
    /// Give the recorded exchanges to other tools: as HAR, Hurl or .http files
    Export(export::Export),
    /// Hash a password for the data file: asks for it, or reads it from standard input
    HashPassword,
}

#[derive(Debug, Args)]
struct Serve {
    /// Address to listen on [default: localhost, which is 127.0.0.1 and ::1]
    #[arg(long, value_name = "IP")]
    address: Option<Address>,
    /// Port to listen on; 0 for any that is free [default: 5000]
    #[arg(long, short)]
    port: Option<u16>,
    /// Data file to start with [default: data.json; without one, the built-in example]
    #[arg(long, short, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Folder that /static/ serves [default: static]
    #[arg(long, value_name = "FOLDER")]
    static_dir: Option<PathBuf>,
    /// File of the keys that sign and verify tokens; read anew at SIGHUP [default: a key for this run]
    #[arg(long, value_name = "FILE")]
    jwt_secret_file: Option<PathBuf>,
    /// Layout of JSON answers [default: pretty; compact in the release profile]
    #[arg(long)]
    json: Option<Layout>,
    /// What Location headers begin with [default: http:// and the Host of the request]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Layout {
    Pretty,
    Compact,
}

#[derive(Debug, Args)]
struct Spec {
    /// Compare with the file; exit 1 if it differs
    #[arg(long, group = "mode")]
    check: bool,
    /// Write the file
    #[arg(long, group = "mode")]
    write: bool,
    /// The file to compare or to write [default: spec/openapi.json]
    #[arg(value_name = "FILE", requires = "mode")]
    file: Option<PathBuf>,
}

/// What ends a command early: a message for standard error, and an exit code.
struct Failure {
    code: u8,
    message: String,
}

fn failed(message: impl ToString) -> Failure {
    Failure { code: 1, message: message.to_string() }
}

fn wrong_usage(message: impl ToString) -> Failure {
    Failure { code: 2, message: message.to_string() }
}

/// Runs the command that the command line names.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => serve(cli.serve),
        Some(Command::Serve(flags)) => serve(flags),
        Some(Command::Routes) => print(&openapi::routes_table()),
        Some(Command::Spec(flags)) => spec(&flags),
        Some(Command::Verify(flags)) => verify::run(flags),
        Some(Command::Record(flags)) => record::run(&flags),
        Some(Command::Export(flags)) => export::run(&flags),
        Some(Command::HashPassword) => hash_password::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            // An empty message: everything has been said.
            for line in message.lines() {
                say(line);
            }
            ExitCode::from(code)
        }
    }
}

/// Prints a line to standard error. It may hold text from a recording or a server.
fn say(line: &str) {
    // Standard error may be closed; no one is left to tell.
    let _ = writeln!(io::stderr(), "shipyard: {}", printable(line));
}

/// Prints a warning to standard error.
fn warn(warning: &str) {
    say(&format!("warning: {warning}"));
}

/// Prints to standard output. Who closed it early (`| head`) has seen enough.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Prints lines to standard output. They may hold text from a recording or a server.
fn print_lines(text: &str) -> Result<(), Failure> {
    print(&text.lines().map(|line| printable(line) + "\n").collect::<String>())
}

/// One word of a shell command, for hints.
fn shell_word(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-./".contains(character);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

impl Serve {
    fn overrides(self) -> Result<Dict, Failure> {
        let path = |path: PathBuf| {
            let text = path.into_os_string().into_string();
            text.map(Value::from).map_err(|path| wrong_usage(format!("{path:?}: the path is not UTF-8")))
        };
        let mut settings = Dict::new();
        let mut set = |name: &str, value: Option<Value>| {
            settings.extend(value.map(|value| (name.to_owned(), value)));
        };
        set("address", self.address.map(|address| Value::from(address.to_string())));
        set("port", self.port.map(Value::from));
        set("data", self.data.map(path).transpose()?);
        set("static_dir", self.static_dir.map(path).transpose()?);
        set("jwt_secret_file", self.jwt_secret_file.map(path).transpose()?);
        set("json", self.json.and_then(|layout| Some(layout.to_possible_value()?.get_name().into())));
        set("public_url", self.public_url.map(Value::from));
        Ok(settings)
    }
}

/// The scenarios that are asked for; with none asked for, all.
fn chosen(fixtures: &Fixtures, asked: &[String]) -> Result<Vec<String>, Failure> {
    // No recordings at all are none of this program's; damaged ones are what it is to find.
    fixtures.names().map_err(wrong_usage)?;
    let known = fixtures.expected().map_err(failed)?;
    match asked.iter().find(|name| !known.contains(name)) {
        Some(name) => {
            let known = known.join(", ");
            Err(wrong_usage(format!("--scenario {name}: no such scenario; there are {known}")))
        }
        None if asked.is_empty() => Ok(known),
        None => Ok(asked.to_vec()),
    }
}

fn settings(overrides: Dict) -> Result<Settings, Failure> {
    config::figment().and_then(|figment| Settings::read(figment, overrides)).map_err(wrong_usage)
}

fn serve(flags: Serve) -> Result<(), Failure> {
    let settings = settings(flags.overrides()?)?;
    let (data, source) = Data::find(settings.data.as_deref()).map_err(failed)?;
    data.fits(settings.caps).map_err(|reason| failed(format!("{}: {reason}", source.name())))?;
    let example_users = data.has_example_users();
    let (keys, key_source) = keys(&settings)?;
    let parts = Parts { settings, data, keys, clock: Clock::System, token_ids: TokenIds::Random };
    descriptors::raise_limit();
    // It accepts connections; those who serve them have threads of their own.
    let _log = log::start(parts.settings.log).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(listen_and_serve(parts, &source, key_source, example_users))
}

/// Where the keys are from.
enum KeySource {
    Setting,
    File(KeyFile),
    ThisRun,
}

fn keys(settings: &Settings) -> Result<(KeySet, KeySource), Failure> {
    if let Some(secret) = &settings.jwt_secret {
        return Ok((secret.into(), KeySource::Setting));
    }
    let Some(path) = &settings.jwt_secret_file else {
        return Ok((Secret::random().map_err(failed)?.into(), KeySource::ThisRun));
    };
    let file = KeyFile::at(path.clone());
    let found = file.read().map_err(failed)?;
    if let Some(exposed) = found.exposed {
        warn(&exposed.to_string());
    }
    Ok((found.keys, KeySource::File(file)))
}

async fn listen_and_serve(
    parts: Parts,
    source: &Source,
    keys: KeySource,
    example_users: bool,
) -> Result<(), Failure> {
    let config = &parts.settings.rocket;
    let (address, port, traffic) = (parts.settings.address, config.port, parts.settings.traffic.clone());
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let (ender, shutdown) = Shutdown::new(seconds(config.shutdown.grace), seconds(config.shutdown.mercy));
    let config = config.shutdown.clone();
    // Passwords are hashed, which takes a while and much memory: the end of the thread, when it has had nothing to do
    // for long enough, makes the allocator give that back.
    let build = tokio::task::spawn_blocking(move || shipyard::build(parts));
    let rocket = build.await.map_err(failed)?.map_err(failed)?;
    let listeners = address.listen(port).map_err(|error| failed(explain(&error, address, port)))?;
    if let Some(tokens) = rocket.state::<Tokens>() {
        let file = if let KeySource::File(file) = &keys { Some(file.clone()) } else { None };
        hangup::read_keys_on_hangup(tokens.clone(), file, &config).map_err(failed)?;
    }
    shutdown::on_signals(ender, &config).map_err(failed)?;
    let bound = listeners.first().and_then(|listener| listener.local_addr().ok());
    // A server that nobody listens to on standard output serves all the same.
    let _ = print(&announcement(bound, source, &keys, example_users));
    server::serve(rocket, listeners, traffic, shutdown).await.map_err(failed)
}

fn announcement(bound: Option<SocketAddr>, source: &Source, keys: &KeySource, example_users: bool) -> String {
    let host = match bound {
        Some(address) if address.ip().is_loopback() || address.ip().is_unspecified() => {
            format!("localhost:{}", address.port())
        }
        Some(address) => address.to_string(),
        None => "an unknown address".to_owned(),
    };
    let mut text = format!("Shipyard {} listens on http://{host}\n", env!("CARGO_PKG_VERSION"));
    text += &format!("  Docs    http://{host}/docs (the specification: http://{host}/openapi.json)\n");
    text += &match source {
        Source::File(path) => {
            format!("  Data    {} (read once; changes are lost at the end)\n", path.display())
        }
        Source::BuiltIn => "  Data    the built-in example, for want of a data.json here\n".to_owned(),
    };
    if example_users {
        text += "  Login   user / password, guest / guest\n";
    }
    text += &match keys {
        KeySource::Setting => String::new(),
        KeySource::File(file) => {
            format!("  Tokens  signed with the first key of {}\n", file.path().display())
        }
        KeySource::ThisRun => {
            "  Tokens  signed with a key made for this run: logins end with it\n".to_owned()
        }
    };
    text
}

fn explain(error: &io::Error, address: Address, port: u16) -> String {
    if error.kind() == io::ErrorKind::AddrInUse {
        return format!(
            "port {port} is in use: end the program that has it, or choose another with --port \
             (on macOS, AirPlay Receiver holds 5000)"
        );
    }
    format!("cannot listen on {address}, port {port}: {error} (see --address and --port)")
}

/// The largest file that is compared with the specification, in bytes.
const MAX_SPEC: u64 = 16 * 1024 * 1024;

fn spec(flags: &Spec) -> Result<(), Failure> {
    let text = openapi::text().map_err(failed)?;
    let file = flags.file.as_deref().unwrap_or(Path::new(openapi::SPEC_PATH));
    let name = file.display();
    if flags.write {
        std::fs::write(file, text).map_err(|error| failed(format!("{name}: {error}")))
    } else if flags.check {
        let found = regular_file::read_to_string(file, MAX_SPEC)
            .map_err(|error| failed(format!("{name}: {error}")))?;
        if found == text {
            return Ok(());
        }
        let same = found.split('\n').zip(text.split('\n')).take_while(|(found, code)| found == code).count();
        Err(failed(format!(
            "{name}: line {} is not what the code says; `shipyard spec --write {}` updates the file",
            same + 1,
            shell_word(&name.to_string())
        )))
    } else {
        print(&text)
    }
}
