//! `shipyard verify`.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use shipyard::auth::secret::Secret;
use shipyard::contract::client::wire::Target;
use shipyard::contract::compare::allowed_difference::{self, AllowedDifference, Side};
use shipyard::contract::compare::difference::CompareMode;
use shipyard::contract::compare::junit;
use shipyard::contract::compare::report::{Broken, Checked, Outcome};
use shipyard::contract::recording::fixtures::{Fixtures, FOLDER};
use shipyard::contract::recording::transcript::Exchange;
use shipyard::contract::verify::{Against, Progress, Verifier};
use shipyard::escape::escape_invisible;
use thiserror::Error;

use super::error::{failed, wrong_usage, CliError};
use super::{print, print_lines, select_scenarios};

/// The environment variable for `--secret`: other users of the machine can see command lines.
const SECRET_VARIABLE: &str = "SHIPYARD_VERIFY_SECRET";

const LONG: &str = "\
Without --url, verify replays every scenario in process and compares byte for byte. With --url it replays against a live \
server and compares status, Content-Type, Location, and the body as JSON; it replaces recorded tokens and ids by live ones.

Exit codes: 0 everything matches, 1 something differs, 2 wrong usage or no server.";

#[derive(Debug, Args)]
#[command(after_long_help = LONG)]
pub(super) struct Verify {
    /// Address of a live server to check, freshly started with the example data
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Shell command that starts the server at --url. Each scenario starts the server, and stops it at its end
    #[arg(long, value_name = "COMMAND", requires = "url")]
    start: Option<String>,
    /// Scenario to replay; can be repeated [default: all; with --url but no --start, readme]
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Folder of the recorded exchanges
    #[arg(long, value_name = "FOLDER", default_value = FOLDER)]
    fixtures: PathBuf,
    /// Compare the bytes of live bodies, not the JSON in them
    #[arg(long, requires = "url")]
    exact: bool,
    /// Server whose responses to accept where docs/differences.md lists a difference
    /// [default: shipyard, or original if --allow-difference is given]
    #[arg(long = "as", value_name = "SERVER")]
    reference: Option<Reference>,
    /// Name of a difference in docs/differences.md for which to accept Shipyard's responses; can be repeated
    #[arg(long, value_name = "NAME")]
    allow_difference: Vec<String>,
    /// Key that the live server signs tokens with, to make expired and damaged tokens: text, or hex:...
    /// [default: $SHIPYARD_VERIFY_SECRET]
    #[arg(long, value_name = "KEY", requires = "url")]
    secret: Option<String>,
    /// Seconds to wait for each response
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// Seconds to wait for a started server to respond
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    start_timeout: Duration,
    /// Seconds to wait for a server to stop before it is killed
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    stop_timeout: Duration,
    /// Format of the report on standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Reference {
    Original,
    Shipyard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Junit,
}

/// Why a text is not a time limit.
#[derive(Debug, Error)]
pub(super) enum InvalidSeconds {
    #[error("expected a number of seconds")]
    NotANumber,
    #[error("expected 0.1 to 3600 seconds")]
    OutOfRange,
}

/// Reads a time limit.
pub(super) fn seconds(text: &str) -> Result<Duration, InvalidSeconds> {
    let seconds: f32 = text.parse().map_err(|_| InvalidSeconds::NotANumber)?;
    if !(0.1..=3600.0).contains(&seconds) {
        return Err(InvalidSeconds::OutOfRange);
    }
    Ok(Duration::from_secs_f32(seconds))
}

/// Reads a key: text as it stands, or bytes in hexadecimal.
fn key(text: &str) -> Result<Secret, CliError> {
    let Some(digits) = text.strip_prefix("hex:") else {
        // Most likely the line break at the end of a file.
        return match text.contains(|character: char| character.is_control()) {
            true => Err(wrong_usage(
                "--secret: there is a control character in it, such as a line break; hex:... can have any",
            )),
            false => Ok(Secret::for_replay(text)),
        };
    };
    let wrong = || wrong_usage("--secret: expected an even number of hexadecimal digits after hex:");
    let digits: Option<Vec<u8>> = digits.chars().map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
    let digits = digits.ok_or_else(wrong)?;
    let pairs = digits.chunks_exact(2);
    if digits.is_empty() || !pairs.remainder().is_empty() {
        return Err(wrong());
    }
    let bytes: Vec<u8> = pairs.map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    Ok(Secret::for_replay(bytes))
}

fn tolerated(
    reference: Option<Reference>,
    names: &[String],
) -> Result<Vec<(&'static AllowedDifference, Side)>, CliError> {
    let all = |side| allowed_difference::ALL.iter().map(move |allowed| (allowed, side));
    if reference == Some(Reference::Shipyard) || (reference.is_none() && names.is_empty()) {
        return Ok(all(Side::Shipyard).collect());
    }
    let find = |name: &String| {
        allowed_difference::named(name).map(|allowed| (allowed, Side::Shipyard)).ok_or_else(|| {
            let known = allowed_difference::ALL.map(|allowed| allowed.name).join(", ");
            wrong_usage(format!("--allow-difference {name}: no such difference; there are {known}"))
        })
    };
    let mut tolerated: Vec<_> = names.iter().map(find).collect::<Result<_, _>>()?;
    tolerated.extend(all(Side::Original));
    Ok(tolerated)
}

pub(super) fn run(flags: Verify) -> Result<(), CliError> {
    let tolerated = tolerated(flags.reference, &flags.allow_difference)?;
    // An empty variable counts as unset: scripts pass on variables that may be missing.
    let variable = || std::env::var(SECRET_VARIABLE).ok().filter(|text| !text.is_empty());
    let key = flags.secret.or_else(variable).map(|text| key(&text)).transpose()?;
    let target = flags.url.as_deref().map(Target::parse).transpose().map_err(wrong_usage)?;
    let fixtures = Fixtures::at(&flags.fixtures);
    let mut scenarios = flags.scenario;
    let against = match (target, flags.start) {
        (None, _) => Against::InProcess,
        (Some(target), Some(command)) => Against::Started(target, command),
        (Some(target), None) => {
            if scenarios.is_empty() {
                scenarios.push("readme".to_owned());
            }
            Against::Running(target)
        }
    };
    let scenarios = select_scenarios(&fixtures, &scenarios)?;
    if matches!(against, Against::Running(_)) && scenarios.len() > 1 {
        return Err(wrong_usage(
            "each scenario needs a freshly started server: give --start, or one --scenario for each start",
        ));
    }
    let mode = if flags.exact || matches!(against, Against::InProcess) {
        CompareMode::Exact
    } else {
        CompareMode::Json
    };
    let verifier = Verifier {
        fixtures,
        against,
        mode,
        tolerated,
        key,
        response_limit: flags.timeout,
        start_limit: flags.start_timeout,
        stop_limit: flags.stop_timeout,
    };
    let mut progress = Lines::new(flags.format);
    let report = verifier.run(&scenarios, &mut progress).map_err(failed)?;
    match flags.format {
        Format::Text => print(&format!("{}\n", report.conclusion()))?,
        Format::Json => print(&report.json().map_err(failed)?)?,
        Format::Junit => print(&junit::document(&report).map_err(failed)?)?,
    }
    match report.exit_code() {
        0 => Ok(()),
        code => Err(CliError::Reported(code)),
    }
}

/// Progress output: a line for each exchange, and on a terminal the exchange in progress.
struct Lines {
    format: Format,
    /// The terminal for progress, if there is one.
    terminal: Option<Box<dyn Write>>,
}

impl Lines {
    fn new(format: Format) -> Self {
        let terminal: Option<Box<dyn Write>> = match format {
            Format::Text if io::stdout().is_terminal() => Some(Box::new(io::stdout())),
            Format::Json | Format::Junit if io::stderr().is_terminal() => Some(Box::new(io::stderr())),
            _ => None,
        };
        Self { format, terminal }
    }

    /// Shows the exchange in progress in place of the previous one.
    fn show(&mut self, text: &str) {
        if let Some(terminal) = &mut self.terminal {
            // Progress is optional.
            let _ = write!(terminal, "\r\x1b[K{text}").and_then(|()| terminal.flush());
        }
    }

    fn line(&mut self, text: &str) {
        self.show("");
        if self.format == Format::Text {
            let _ = print_lines(text);
        }
    }
}

impl Progress for Lines {
    fn reached(&mut self, scenario: &str, exchange: &Exchange) {
        let text = format!("...       {scenario}/{}  {}", exchange.name, exchange.request.line());
        self.show(&escape_invisible(&text));
    }

    fn done(&mut self, checked: &Checked) {
        let Checked { scenario, exchange, request, outcome, .. } = checked;
        let detail = outcome.detail().replace('\n', "\n            ");
        let space = if detail.is_empty() { "" } else { "  " };
        let mut text = format!("{}  {scenario}/{exchange}  {request}{space}{detail}\n", outcome.word());
        if let Outcome::Mismatch { diff } = outcome {
            for line in diff.lines() {
                text += &format!("    {line}\n");
            }
        }
        self.line(&text);
    }

    fn broken(&mut self, broken: &Broken) {
        let reason = broken.reason.replace('\n', "\n    ");
        let text = format!("BROKEN    {}: {reason}\n", broken.scenario);
        self.line(&text);
        if self.format != Format::Text {
            // A reader of the job log need not open the report.
            let _ = text.lines().try_for_each(|line| writeln!(io::stderr(), "{}", escape_invisible(line)));
        }
    }
}
