//! Recorded exchanges on disk: a folder for each scenario, a transcript for each exchange.

mod write;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::Uuid;

use crate::contract::recording::source::{Source, SourceError, Sources};
use crate::contract::recording::transcript::{Exchange, TranscriptProblem, BYTE_ORDER_MARK};
use crate::contract::session::jwt::Jwt;
use crate::regular_file;

/// The folder of the fixtures in the repository.
pub const FOLDER: &str = "fixtures";

/// The file in it with the SHA-256 of every transcript, as `sha256sum` writes them.
const SUMS: &str = "SHA256SUMS";

/// The file in it with the source of each scenario.
const SOURCES: &str = "SOURCES";

/// The maximum size of a transcript, and of a file next to the scenarios.
const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// Exchanges in order, for one fresh server.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The name of its folder.
    pub name: String,
    /// At least one.
    pub exchanges: Vec<Exchange>,
}

/// What is wrong with the fixtures, and where.
#[derive(Debug, Error)]
#[error("{place}")]
pub struct FixtureError {
    place: String,
    #[source]
    problem: FixtureProblem,
}

/// What is wrong with a file or folder.
#[derive(Debug, Error)]
enum FixtureProblem {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0} (run this where the fixtures are, or name their folder with --fixtures)")]
    NoFolder(io::Error),
    #[error("no scenario in this folder")]
    NoScenario,
    #[error("not the name of a scenario")]
    Name,
    #[error("no such scenario; there are {0}")]
    UnknownScenario(String),
    #[error("no transcript in this folder")]
    NoTranscript,
    #[error("not a transcript (.txt)")]
    NotATranscript,
    #[error(transparent)]
    Transcript(#[from] TranscriptProblem),
    #[error("{BYTE_ORDER_MARK}")]
    ByteOrderMark,
    #[error("UTF-16; save the file as UTF-8 without a byte order mark")]
    Utf16,
    #[error("a byte that is not UTF-8")]
    NotUtf8,
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("expected `SUM  FILE`")]
    Sum,
}

/// A problem with a file or folder.
fn at(path: &Path, problem: impl Into<FixtureProblem>) -> FixtureError {
    FixtureError { place: path.display().to_string(), problem: problem.into() }
}

/// A problem with a line of a file.
fn at_line(path: &Path, line: usize, problem: impl Into<FixtureProblem>) -> FixtureError {
    FixtureError { place: format!("{}:{line}", path.display()), problem: problem.into() }
}

/// A folder of scenarios.
#[derive(Clone, Debug)]
pub struct Fixtures {
    folder: PathBuf,
}

impl Fixtures {
    /// The fixtures in that folder; it need not exist yet.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The folder of that scenario.
    #[must_use]
    pub fn folder_of(&self, scenario: &str) -> PathBuf {
        self.folder.join(scenario)
    }

    /// The file of that exchange.
    #[must_use]
    pub fn file_of(&self, scenario: &str, exchange: &str) -> PathBuf {
        self.folder_of(scenario).join(format!("{exchange}.txt"))
    }

    /// The names of all scenarios, sorted.
    ///
    /// # Errors
    /// The folder does not exist, or has no scenario.
    pub fn names(&self) -> Result<Vec<String>, FixtureError> {
        let entries = entries(&self.folder).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => at(&self.folder, FixtureProblem::NoFolder(error)),
            _ => at(&self.folder, error),
        })?;
        let folders = entries.into_iter().filter(|path| path.is_dir());
        let names: Vec<String> = folders.filter_map(|path| name(&path, "")).collect();
        if names.is_empty() {
            return Err(at(&self.folder, FixtureProblem::NoScenario));
        }
        Ok(names)
    }

    /// One scenario.
    ///
    /// # Errors
    /// It does not exist, or a file in it is not a transcript.
    pub fn scenario(&self, scenario: &str) -> Result<Scenario, FixtureError> {
        if !is_name(scenario) {
            return Err(FixtureError { place: format!("{scenario:?}"), problem: FixtureProblem::Name });
        }
        let folder = self.folder_of(scenario);
        if !folder.is_dir() {
            let known = self.names()?.join(", ");
            return Err(at(&folder, FixtureProblem::UnknownScenario(known)));
        }
        let mut exchanges: Vec<Exchange> = Vec::new();
        for path in entries(&folder).map_err(|error| at(&folder, error))? {
            let mut exchange = read(&path)?;
            // A server that caches its Date header may send an older one.
            exchange.date = exchanges.last().map_or(0, |before| before.date).max(exchange.date);
            exchanges.push(exchange);
        }
        if exchanges.is_empty() {
            return Err(at(&folder, FixtureProblem::NoTranscript));
        }
        Ok(Scenario { name: scenario.to_owned(), exchanges })
    }

    /// Every scenario.
    ///
    /// # Errors
    /// As [`Fixtures::names`] and [`Fixtures::scenario`].
    pub fn scenarios(&self) -> Result<Vec<Scenario>, FixtureError> {
        self.names()?.iter().map(|name| self.scenario(name)).collect()
    }

    /// Whether the transcript of an exchange is unchanged since it was recorded, by [`Sums`].
    ///
    /// # Errors
    /// The transcript cannot be read.
    pub fn is_unchanged(&self, sums: &Sums, scenario: &str, exchange: &str) -> Result<bool, FixtureError> {
        let Some(recorded) = sums.0.get(&key(scenario, exchange)) else { return Ok(true) };
        let path = self.file_of(scenario, exchange);
        let text = regular_file::read(&path, MAX_SIZE).map_err(|error| at(&path, error))?;
        Ok(*recorded == sum(&text))
    }

    /// The path and text of a file next to the scenarios. The text is empty if there is no such file.
    fn next_to_scenarios(&self, name: &str) -> Result<(PathBuf, String), FixtureError> {
        let path = self.folder.join(name);
        let text = match regular_file::read(&path, MAX_SIZE) {
            Ok(bytes) => text_of(&path, bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(at(&path, error)),
        };
        if text.starts_with('\u{feff}') {
            return Err(at_line(&path, 1, FixtureProblem::ByteOrderMark));
        }
        Ok((path, text))
    }

    fn sources(&self) -> Result<Sources, FixtureError> {
        let (path, text) = self.next_to_scenarios(SOURCES)?;
        Sources::parse(&text).map_err(|error| at_line(&path, error.line, error))
    }

    /// The source of a scenario.
    ///
    /// # Errors
    /// The file of sources cannot be read.
    pub fn source(&self, scenario: &Scenario) -> Result<Source, FixtureError> {
        let known = self.sources()?.0.remove(&scenario.name);
        Ok(known.unwrap_or_else(|| Source::of(scenario)))
    }

    /// The sums; none if there is no such file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn sums(&self) -> Result<Sums, FixtureError> {
        let (path, text) = self.next_to_scenarios(SUMS)?;
        let mut sums = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let (sum, file) =
                line.split_once("  ").ok_or_else(|| at_line(&path, number, FixtureProblem::Sum))?;
            sums.insert(file.to_owned(), sum.to_owned());
        }
        Ok(Sums(sums))
    }

    /// The transcripts of a scenario that have a sum but no file.
    #[must_use]
    pub fn missing(&self, sums: &Sums, scenario: &str) -> Vec<String> {
        let folder = format!("{scenario}/");
        let files = sums.files().filter(|file| file.starts_with(&folder));
        files.filter(|file| !self.folder.join(file).is_file()).map(str::to_owned).collect()
    }

    /// All scenarios, with those of which only sums are left.
    ///
    /// # Errors
    /// As [`Fixtures::names`] and [`Fixtures::sums`].
    pub fn expected(&self) -> Result<Vec<String>, FixtureError> {
        let mut names = self.names()?;
        let sums = self.sums()?;
        names.extend(sums.files().filter_map(|file| Some(file.split_once('/')?.0.to_owned())));
        names.sort();
        names.dedup();
        Ok(names)
    }
}

/// The sums of the transcripts, by file.
#[derive(Debug, Default)]
pub struct Sums(BTreeMap<String, String>);

impl Sums {
    /// The files that have a sum, as `scenario/exchange.txt`.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Scenario {
    /// The ids of the tokens that the recorded server issued, in order.
    #[must_use]
    pub fn issued_ids(&self) -> Vec<Uuid> {
        let bodies = self.exchanges.iter().filter_map(|exchange| exchange.response.json());
        let ids = |body: Value| {
            let mut issued: Vec<Jwt> =
                tokens(&body).into_iter().filter_map(|(_, token)| Jwt::parse(token)).collect();
            // A response has them sorted by name; the server issues the access token first.
            issued.sort_by(|a, b| a.text("type").cmp(&b.text("type")));
            issued.iter().filter_map(|jwt| jwt.text("jti")?.parse().ok()).collect::<Vec<_>>()
        };
        bodies.flat_map(ids).collect()
    }

    /// When its server started: at the latest at the first exchange.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.exchanges.first().map_or(0, |exchange| exchange.date)
    }
}

/// The tokens in the response to a login or a refresh, with the names of their members.
#[must_use]
pub fn tokens(body: &Value) -> Vec<(&str, &str)> {
    let members = body.as_object().into_iter().flatten();
    let texts = members.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    texts.filter(|(_, text)| Jwt::parse(text).is_some()).collect()
}

/// Whether a scenario can have this name: letters, digits, `-` and `_`. Commands would take a name that starts with `-`
/// for an option.
#[must_use]
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn key(scenario: &str, exchange: &str) -> String {
    format!("{scenario}/{exchange}.txt")
}

fn sum(text: &[u8]) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The entries of a folder without hidden files, sorted by the number that names begin with, then by name.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')) {
            paths.push(path);
        }
    }
    let number = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        name.split(|character: char| !character.is_ascii_digit()).next()?.parse::<u64>().ok()
    };
    paths.sort_by_key(|path| (number(path), path.clone()));
    Ok(paths)
}

/// The name of a file or folder without that ending.
fn name(path: &Path, ending: &str) -> Option<String> {
    Some(path.file_name()?.to_str()?.strip_suffix(ending)?.to_owned())
}

fn read(path: &Path) -> Result<Exchange, FixtureError> {
    let name = name(path, ".txt").ok_or_else(|| at(path, FixtureProblem::NotATranscript))?;
    let bytes = regular_file::read(path, MAX_SIZE).map_err(|error| at(path, error))?;
    let text = text_of(path, bytes)?;
    Exchange::parse(&name, &text).map_err(|error| at_line(path, error.line, error.problem))
}

fn text_of(path: &Path, bytes: Vec<u8>) -> Result<String, FixtureError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(at_line(path, 1, FixtureProblem::Utf16));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = valid.filter(|&&byte| byte == b'\n').count() + 1;
        at_line(path, line, FixtureProblem::NotUtf8)
    })
}
