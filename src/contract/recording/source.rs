//! What a scenario was recorded from: a line for each scenario in the file `SOURCES` of the fixtures.
//!
//! The answers of another server must not be taken for this program's: a replay in process would put its own in
//! their place.

use std::collections::BTreeMap;
use std::fmt;

use crate::contract::recording::fixtures::Scenario;

/// What answered when a scenario was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// This program, in process.
    InProcess,
    /// The program that this one is modelled on, or no one knows.
    Original,
    /// A server, by its address or by what it calls itself.
    Server(String),
}

impl Source {
    /// Where a scenario without a line in the file comes from, by what its answers say of their server.
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

/// The sources of the scenarios that have a line.
#[derive(Clone, Debug, Default)]
pub struct Sources(pub BTreeMap<String, Source>);

impl Sources {
    /// Reads the file: `SCENARIO  SOURCE` in each line.
    ///
    /// # Errors
    /// The number of the line that is none.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let mut sources = BTreeMap::new();
        for (number, line) in (1_usize..).zip(text.lines()) {
            let (scenario, source) = line.split_once("  ").ok_or(number)?;
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
