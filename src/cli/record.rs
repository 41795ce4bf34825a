//! `shipyard record`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use shipyard::contract::fixtures::{is_name, Fixtures, FOLDER};
use shipyard::contract::record::{record, record_again, Subject};
use shipyard::contract::script;
use shipyard::contract::wire::Target;
use shipyard::regular_file;

use super::verify::seconds;
use super::{failed, print_lines, wrong_usage, Failure};

const LONG: &str = "\
The file has one curl line for each exchange (options -X, -H, -d, -I), and a comment above it as its name:

  # login
  curl http://localhost:5000/auth/login -H 'Content-Type: application/json' -d '{\"username\":\"user\", \"password\":\"password\"}'
  # delete ship
  curl http://localhost:5000/api/ships/1 -X DELETE -H \"Authorization: Bearer $access_token\"

$access_token is the member of that name in the latest answer that has one; ${login.access_token} is that of the
exchange `login`.

Exit codes: 0 recorded, 1 failed, 2 wrong usage.";

/// The most bytes of a file of curl lines.
const MOST: u64 = 4 * 1024 * 1024;

#[derive(Debug, Args)]
#[command(after_long_help = LONG)]
pub(super) struct Record {
    /// Name of the scenario: the folder that gets the transcripts
    #[arg(long, value_name = "NAME")]
    scenario: String,
    /// Curl lines to run; `-` for standard input. With --update, they replace those of the scenario
    #[arg(value_name = "FILE", required_unless_present = "update")]
    file: Option<PathBuf>,
    /// Record a scenario again that is there already: only what is answered otherwise is changed
    #[arg(long)]
    update: bool,
    /// A live server, freshly started with the example data, to record from [default: this server, in process]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Folder of the recorded exchanges
    #[arg(long, value_name = "FOLDER", default_value = FOLDER)]
    fixtures: PathBuf,
    /// Seconds to wait for one answer of a live server
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
}

pub(super) fn run(flags: &Record) -> Result<(), Failure> {
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
                "{} is there already: --update records it again, another --scenario leaves it alone",
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
    let scenario = match &flags.file {
        Some(file) => {
            let place = file.display();
            let text = read(file).map_err(|error| failed(format!("{place}: {error}")))?;
            let lines = script::lines(&text).map_err(|reason| failed(format!("{place}: {reason}")))?;
            record(name, &lines, &subject).map_err(|error| failed(format!("{place}: {error}")))?
        }
        None => record_again(&fixtures.scenario(name).map_err(failed)?, &subject).map_err(failed)?,
    };
    let changes = fixtures.write(&scenario).map_err(failed)?;
    if changes.is_empty() {
        return print_lines(&format!("{}: nothing has changed", folder.display()));
    }
    print_lines(&changes.join("\n"))
}

fn read(file: &Path) -> std::io::Result<String> {
    let text =
        if file == Path::new("-") { standard_input()? } else { regular_file::read_to_string(file, MOST)? };
    if text.starts_with('\u{feff}') {
        return Err(std::io::Error::other("begins with a byte order mark; it must be UTF-8 without one"));
    }
    Ok(text)
}

fn standard_input() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(std::io::Error::other(format!("more than {MOST} bytes")));
    }
    Ok(text)
}
