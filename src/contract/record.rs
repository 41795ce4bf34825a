//! Recorder: runs curl lines, or the requests of a scenario again, and writes down the responses.
//!
//! A recording of a live server is written as if made at the URL in the curl lines: its tokens are signed again with the
//! public demo key, and its JSON has the layout of the contract. Every exchange is searched for secrets
//! (`recording/secrets.rs`), so a file that is checked in never holds one.

pub mod changes;
mod error;
mod server;
pub mod update;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::auth::clock::Clock;
use crate::contract::client::wire::Target;
use crate::contract::compare::lossless::Json;
pub use crate::contract::record::error::{ExchangeError, RecordError};
use crate::contract::record::server::RecordedServer;
use crate::contract::recording::fixtures::Scenario;
use crate::contract::recording::message::Request;
use crate::contract::recording::script::{Line, Variables};
use crate::contract::recording::transcript::Exchange;
use crate::contract::recording::{curl, placeholders, secrets};
use crate::contract::replay::Replay;

/// The server to record.
#[derive(Debug)]
pub enum Subject {
    /// This program, in process.
    InProcess,
    /// A live server, with the time limit for one response.
    Live(Target, Duration),
}

/// A recorded scenario, with notes.
#[derive(Debug)]
pub struct Recording {
    /// The scenario.
    pub scenario: Scenario,
    /// Notes for a reviewer, a line each.
    pub notes: Vec<String>,
}

/// Records a scenario from curl lines. `not_secret` are the names of fields that hold no secrets, whatever they look
/// like.
///
/// # Errors
/// [`RecordError`].
pub fn record(
    name: &str,
    lines: &[Line],
    subject: &Subject,
    not_secret: &[String],
) -> Result<Recording, RecordError> {
    let server = match subject {
        Subject::InProcess => {
            let replay = Replay::started(Clock::System.now(), Vec::new());
            RecordedServer::in_process(replay.map_err(RecordError::at(name))?)
        }
        Subject::Live(target, limit) => RecordedServer::live(target, *limit),
    };
    let mut recorder = Recorder {
        server,
        not_secret,
        variables: Variables::default(),
        earlier: String::new(),
        sent: BTreeSet::new(),
    };
    let (mut exchanges, mut notes) = (Vec::new(), Vec::new());
    let width = lines.len().to_string().len().max(2);
    for (number, line) in (1..).zip(lines) {
        let place = format!("line {}", line.number);
        let name = format!("{number:0width$}-{}", line.name);
        let (exchange, found) = recorder.run(name, line).map_err(RecordError::at(&place))?;
        notes.extend(found.into_iter().map(|note| format!("{place}: {note}")));
        exchanges.push(exchange);
    }
    Ok(Recording { scenario: Scenario { name: name.to_owned(), exchanges }, notes })
}

/// A recording in progress.
struct Recorder<'a> {
    server: RecordedServer<'a>,
    not_secret: &'a [String],
    variables: Variables,
    /// The bodies of earlier responses.
    earlier: String,
    /// The variables of secrets that the server has received.
    sent: BTreeSet<String>,
}

impl Recorder<'_> {
    /// Runs one curl line. Returns the exchange, and notes.
    fn run(&mut self, name: String, line: &Line) -> Result<(Exchange, Vec<String>), ExchangeError> {
        let command = self.variables.expand(&line.command)?;
        let request = curl::parse(&command)?;
        names_no_other_secret(&line.command, &request)?;
        // Before anything is sent.
        let mut notes = secrets::in_request(&request, &self.earlier).notes(self.not_secret)?;
        let mut response = self.server.response(&request)?;
        let redacted = secrets::redact(&mut response).into_iter();
        notes.extend(redacted.map(|name| format!("the value of {name} is not recorded")));
        self.sent.extend(placeholders::needed(&request));
        notes.extend(secrets::in_response(&self.sent, &response).notes(self.not_secret)?);
        self.earlier += &String::from_utf8_lossy(&response.body);
        if let Ok(body) = Json::parse(&response.body) {
            self.variables.capture(&line.name, &body);
        }
        // Parse the written text, so that a later run reads the same.
        let recorded = Exchange { name: name.clone(), command, request, response, date: 0 }.text();
        let text = String::from_utf8(recorded).map_err(|_| ExchangeError::NotUtf8)?;
        Ok((Exchange::parse(&name, &text)?, notes))
    }
}

/// Checks that a request names no secrets but those of its line. Values of responses, which the server chose, must not
/// name others, nor change a name.
fn names_no_other_secret(line: &str, request: &Request) -> Result<(), ExchangeError> {
    let written: Vec<&str> = placeholders::placeholders(line).into_iter().map(|(_, name)| name).collect();
    let mut needed = placeholders::needed(request).into_iter();
    match needed.find(|name| !written.contains(&name.as_str())) {
        Some(name) => Err(ExchangeError::OtherSecret(name)),
        None => Ok(()),
    }
}
