//! Makes recordings: runs curl lines, or the requests of a scenario once more, and keeps what is answered.
//!
//! What is recorded from a live server is written as if it had been recorded at the address in the curl lines,
//! its tokens are signed again with the public demo key, and its JSON is laid out as the contract has it. Secrets are
//! looked for in each exchange (`recording/secrets.rs`): so nothing that is checked in opens anything.

pub mod changes;
mod server;
pub mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::auth::clock::Clock;
use crate::contract::client::wire::Target;
use crate::contract::compare::lossless::Json;
use crate::contract::record::server::RecordedServer;
use crate::contract::recording::fixtures::Scenario;
use crate::contract::recording::message::Request;
use crate::contract::recording::script::{Line, Variables};
use crate::contract::recording::transcript::Exchange;
use crate::contract::recording::{curl, placeholders, secrets};
use crate::contract::replay::Replay;

/// Why nothing was recorded.
#[derive(Debug)]
pub struct RecordError(String);

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn failed(place: impl fmt::Display, reason: impl fmt::Display) -> RecordError {
    RecordError(format!("{place}: {reason}"))
}

/// What answers.
#[derive(Debug)]
pub enum Subject {
    /// This program, in process.
    InProcess,
    /// A live server, with the time for one answer.
    Live(Target, Duration),
}

/// A scenario, and what is to be said of it.
#[derive(Debug)]
pub struct Recording {
    /// The scenario.
    pub scenario: Scenario,
    /// A line for each thing that a reviewer should look at.
    pub notes: Vec<String>,
}

/// Records a scenario from curl lines. `not_secret` are the names of fields that hold no secrets, whatever they look
/// like.
///
/// # Errors
/// [`RecordError`]: a line that cannot be sent, that has no answer that could be recorded, or that would record a secret.
pub fn record(
    name: &str,
    lines: &[Line],
    subject: &Subject,
    not_secret: &[String],
) -> Result<Recording, RecordError> {
    let mut server = match subject {
        Subject::InProcess => {
            let replay = Replay::started(Clock::System.now(), Vec::new());
            RecordedServer::InProcess(Box::new(replay.map_err(|error| failed(name, error))?))
        }
        Subject::Live(target, limit) => {
            RecordedServer::Live { target, limit: *limit, live_tokens: BTreeMap::new() }
        }
    };
    let mut variables = Variables::default();
    let (mut exchanges, mut notes) = (Vec::new(), Vec::new());
    let (mut earlier, mut sent) = (String::new(), BTreeSet::new());
    let width = lines.len().to_string().len().max(2);
    for (number, line) in (1..).zip(lines) {
        let place = || format!("line {}", line.number);
        let command = variables.expand(&line.command).map_err(|reason| failed(place(), reason))?;
        let request = curl::parse(&command).map_err(|reason| failed(place(), reason))?;
        only_written(&line.command, &request).map_err(|reason| failed(place(), reason))?;
        // Before anything is sent.
        let asked = secrets::in_request(&request, &earlier).but_for(not_secret);
        let mut said = asked.map_err(|reason| failed(place(), reason))?;
        let mut response = server.answer(&request).map_err(|reason| failed(place(), reason))?;
        let redacted = secrets::redact(&mut response).into_iter();
        said.extend(redacted.map(|name| format!("the value of {name} is not recorded")));
        sent.extend(placeholders::needed(&request));
        let answered = secrets::in_answer(&sent, &response).but_for(not_secret);
        said.extend(answered.map_err(|reason| failed(place(), reason))?);
        notes.extend(said.into_iter().map(|note| format!("{}: {note}", place())));
        earlier += &String::from_utf8_lossy(&response.body);
        if let Ok(body) = Json::parse(&response.body) {
            variables.capture(&line.name, &body);
        }
        let name = format!("{number:0width$}-{}", line.name);
        // By way of the text, so that what is written is what will be read.
        let recorded = Exchange { name: name.clone(), command, request, response, date: 0 }.text();
        let text = String::from_utf8(recorded).map_err(|_| failed(place(), "the body is not UTF-8"))?;
        let exchange = Exchange::parse(&name, &text).map_err(|error| {
            failed(
                place(),
                format!("the answer cannot be recorded: line {} of it: {}", error.line, error.reason),
            )
        })?;
        exchanges.push(exchange);
    }
    Ok(Recording { scenario: Scenario { name: name.to_owned(), exchanges }, notes })
}

/// Holds a request to the secrets that its line names: values of answers, which the server chose, must not name others,
/// nor make another name of one.
fn only_written(line: &str, request: &Request) -> Result<(), String> {
    let written: Vec<&str> = placeholders::placeholders(line).into_iter().map(|(_, name)| name).collect();
    match placeholders::needed(request).iter().find(|name| !written.contains(&name.as_str())) {
        Some(name) => {
            Err(format!("with the values of earlier answers it names {name}, which the line does not"))
        }
        None => Ok(()),
    }
}
