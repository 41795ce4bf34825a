//! `shipyard record`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use shipyard::contract::client::wire::Target;
use shipyard::contract::record::changes::{moved, turned_into_failures};
use shipyard::contract::record::update::record_again;
use shipyard::contract::record::{record, Recording, Subject};
use shipyard::contract::recording::fixtures::{is_name, Fixtures, Scenario, FOLDER};
use shipyard::contract::recording::script;
use shipyard::contract::recording::source::Source;
use shipyard::regular_file;

use super::error::{failed, failed_at, wrong_usage, CliError};
use super::verify::seconds;
use super::{print_lines, warn};

const LONG: &str = "\
The file has one curl line for each exchange (docs/verify.md lists the options), and a comment above it as its name:

  # login
  curl http://localhost:5000/auth/login -H 'Content-Type: application/json' -d '{\"username\":\"user\", \"password\":\"password\"}'
  # delete ship
  curl http://localhost:5000/api/ships/1 -X DELETE -H \"Authorization: Bearer $access_token\"

$access_token is the member of that name in the latest response that has one; ${login.access_token} is that of the
exchange `login`.

Recordings are checked in and must hold no secrets. Write $SHIPYARD_SECRET_<NAME> for a secret in a request, and set that
variable; record and `verify --url` fill it in when they send the request. Any other value that looks like a secret stops
the recording, unless --not-secret names its field. Record leaves out values of cookies.

Exit codes: 0 recorded, 1 failed, 2 wrong usage.";

/// The largest file of curl lines, in bytes.
const MAX_SIZE: u64 = 4 * 1024 * 1024;

#[derive(Debug, Args)]
#[command(after_long_help = LONG)]
pub(super) struct Record {
    /// Name of the scenario: the folder that gets the transcripts
    #[arg(long, value_name = "NAME")]
    scenario: String,
    /// Curl lines to run; `-` for standard input. With --update, they replace those of the scenario
    #[arg(value_name = "FILE", required_unless_present = "update")]
    file: Option<PathBuf>,
    /// Record an existing scenario again, and change only the responses that differ
    #[arg(long)]
    update: bool,
    /// Address of a live server to record from, freshly started with the example data [default: this server, in process]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// With --update: replace responses recorded from another server by this server's
    #[arg(long, requires = "update", conflicts_with = "url")]
    in_process: bool,
    /// With --update: let a recorded success (2xx, 3xx) become an error, or a 4xx a 5xx
    #[arg(long, requires = "update")]
    accept_errors: bool,
    /// Name of a member, parameter or header whose values are not secret; can be repeated
    #[arg(long, value_name = "NAME")]
    not_secret: Vec<String>,
    /// Folder of the recorded exchanges
    #[arg(long, value_name = "FOLDER", default_value = FOLDER)]
    fixtures: PathBuf,
    /// Seconds to wait for each response of a live server
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
}

pub(super) fn run(flags: &Record) -> Result<(), CliError> {
    let name = flags.scenario.as_str();
    if !is_name(name) {
        return Err(wrong_usage(format!("--scenario {name:?}: expected letters, digits, - and _")));
    }
    let subject = match flags.url.as_deref().map(Target::parse).transpose().map_err(wrong_usage)? {
        None => Subject::InProcess,
        Some(target) => Subject::Live(target, flags.timeout),
    };
    let fixtures = Fixtures::at(&flags.fixtures);
    let folder = fixtures.folder_of(name);
    match (folder.exists(), flags.update) {
        (true, false) => {
            return Err(failed(format!(
                "{} is there already: --update records it again; or choose another --scenario",
                folder.display()
            )));
        }
        (false, true) => {
            return Err(failed(format!(
                "{} is not there: leave out --update to record it",
                folder.display()
            )));
        }
        _ => {}
    }
    let recorded = if flags.update { Some(fixtures.scenario(name).map_err(failed)?) } else { None };
    let source = source(flags, &fixtures, recorded.as_ref(), &subject)?;
    let Recording { scenario, notes } = match (&flags.file, &recorded) {
        (Some(file), _) => {
            let place = file.display();
            let text = read(file).map_err(CliError::file(file))?;
            let lines = script::lines(&text).map_err(|error| failed_at(&place, error))?;
            record(name, &lines, &subject, &flags.not_secret).map_err(|error| failed_at(&place, error))?
        }
        (None, Some(recorded)) => record_again(recorded, &subject, &flags.not_secret).map_err(failed)?,
        (None, None) => return Err(wrong_usage("a file of curl lines is needed")),
    };
    if let (Some(recorded), false) = (&recorded, flags.accept_errors) {
        let mut turned = turned_into_failures(recorded, &scenario);
        if !turned.is_empty() {
            turned.push("nothing is written: is this the server that was recorded? If the errors are meant, add --accept-errors".to_owned());
            return Err(failed(turned.join("\n")));
        }
    }
    let moved = recorded.as_ref().map(|recorded| moved(recorded, &scenario)).unwrap_or_default();
    notes.iter().chain(&moved).for_each(|note| warn(note));
    let changes = fixtures.write(&scenario, source).map_err(failed)?;
    if changes.is_empty() {
        return print_lines(&format!("{}: nothing has changed", folder.display()));
    }
    print_lines(&changes.join("\n"))
}

/// The source of the recording. An update in process keeps the recorded source.
fn source(
    flags: &Record,
    fixtures: &Fixtures,
    recorded: Option<&Scenario>,
    subject: &Subject,
) -> Result<Source, CliError> {
    let now = match subject {
        Subject::InProcess => Source::InProcess,
        Subject::Live(target, _) => Source::Server(target.base()),
    };
    let Some(recorded) = recorded else { return Ok(now) };
    let before = fixtures.source(recorded).map_err(failed)?;
    if let (Source::Server(server), Subject::InProcess, false) = (&before, subject, flags.in_process) {
        return Err(failed(format!(
            "{} was recorded from {server}: give its address with --url; with --in-process, this server's responses \
             replace the recorded ones",
            fixtures.folder_of(&recorded.name).display()
        )));
    }
    if let (Source::Original, Subject::InProcess, Some(_), false) =
        (&before, subject, &flags.file, flags.in_process)
    {
        return Err(failed(format!(
            "{} was recorded from the original, and cannot be recorded again: choose another name; with --in-process, \
             exchanges with this server replace it",
            fixtures.folder_of(&recorded.name).display()
        )));
    }
    let stays = matches!(subject, Subject::InProcess) && flags.file.is_none() && !flags.in_process;
    Ok(if stays { before } else { now })
}

fn read(file: &Path) -> std::io::Result<String> {
    let text = if file == Path::new("-") {
        standard_input()?
    } else {
        regular_file::read_to_string(file, MAX_SIZE)?
    };
    if text.starts_with('\u{feff}') {
        return Err(std::io::Error::other("begins with a byte order mark; it must be UTF-8 without one"));
    }
    Ok(text)
}

fn standard_input() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().take(MAX_SIZE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_SIZE {
        return Err(std::io::Error::other(format!("more than {MAX_SIZE} bytes")));
    }
    Ok(text)
}
