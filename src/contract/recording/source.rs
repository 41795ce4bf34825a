//! Server that a scenario was recorded from: a line for each scenario in the file `SOURCES` of the fixtures.
//!
//! An update in process replaces responses by this program's own, so it must know which ones another server gave.

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use crate::contract::recording::fixtures::Scenario;

/// The server that a scenario was recorded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// This program, in process.
    InProcess,
    /// The program that this one is modelled on, or an unknown one.
    Original,
    /// Another server, by its URL or its Server header.
    Server(String),
}

impl Source {
    /// The source of a scenario without a line in the file, by the Server headers of its responses.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let mut servers = scenario.exchanges.iter().filter_map(|exchange| exchange.response.header("Server"));
        let known = |name: &str| name == "Shipyard" || name.starts_with("Werkzeug/");
        servers.find(|name| !known(name)).map_or(Self::Original, |name| Self::Server(name.to_owned()))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InProcess => "in-process",
            Self::Original => "original",
            Self::Server(name) => name,
        })
    }
}

/// A line of the file without a scenario and its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected `SCENARIO  SOURCE`")]
pub struct SourceError {
    /// The number of the line, from 1.
    pub line: usize,
}

/// The sources of the scenarios that have a line.
#[derive(Clone, Debug, Default)]
pub struct Sources(pub BTreeMap<String, Source>);

impl Sources {
    /// Reads the file: `SCENARIO  SOURCE` in each line.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let mut sources = BTreeMap::new();
        for (number, line) in (1_usize..).zip(text.lines()) {
            let (scenario, source) = line.split_once("  ").ok_or(SourceError { line: number })?;
            let source = match source {
                "in-process" => Source::InProcess,
                "original" => Source::Original,
                other => Source::Server(other.to_owned()),
            };
            sources.insert(scenario.to_owned(), source);
        }
        Ok(Self(sources))
    }

    /// The file.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().map(|(scenario, source)| format!("{scenario}  {source}\n")).collect()
    }
}
