//! Verifier: checks a server against the recorded exchanges, in process or over the wire, where it may start the server
//! again for each scenario.

use std::error::Error;
use std::time::{Duration, Instant};

use crate::auth::secret::Secret;
use crate::contract::client::wire::{Target, WireError};
use crate::contract::compare::allowed_difference::{AllowedDifference, Case, Side};
use crate::contract::compare::difference::{difference, CompareMode};
use crate::contract::compare::report::{Broken, Checked, Outcome, Report};
use crate::contract::process::server_process::ServerProcess;
use crate::contract::recording::fixtures::{FixtureError, Fixtures, Scenario, Sums};
use crate::contract::recording::history::History;
use crate::contract::recording::message::Response;
use crate::contract::recording::transcript::Exchange;
use crate::contract::replay::Replay;
use crate::contract::session::live::{NotSent, Session};
use crate::internal_error::chain;

/// The server to check.
#[derive(Debug)]
pub enum Against {
    /// This program, in process: the recorded clock, token ids and key.
    InProcess,
    /// A server that runs already.
    Running(Target),
    /// A server that this command starts, once for each scenario.
    Started(Target, String),
}

/// How to check a server.
#[derive(Debug)]
pub struct Verifier {
    /// The recordings.
    pub fixtures: Fixtures,
    /// The server.
    pub against: Against,
    /// How bodies are compared.
    pub mode: CompareMode,
    /// The allowed differences, and whose responses they allow.
    pub tolerated: Vec<(&'static AllowedDifference, Side)>,
    /// The key of the live server, if it is known.
    pub key: Option<Secret>,
    /// The time for one response.
    pub response_limit: Duration,
    /// The time for a server to start.
    pub start_limit: Duration,
    /// The time for a server to end.
    pub stop_limit: Duration,
}

/// Observer of a run.
pub trait Progress {
    /// An exchange is about to be sent.
    fn reached(&mut self, scenario: &str, exchange: &Exchange);
    /// An exchange has a result.
    fn done(&mut self, checked: &Checked);
    /// A scenario could not be run.
    fn broken(&mut self, broken: &Broken);
}

impl Verifier {
    /// Checks the server against scenarios, one after the other.
    ///
    /// # Errors
    /// [`FixtureError`]: the sums of the recordings cannot be read.
    pub fn run(&self, scenarios: &[String], progress: &mut dyn Progress) -> Result<Report, FixtureError> {
        let sums = self.fixtures.sums()?;
        let mut report = Report::default();
        let mut start_failure = None;
        for name in scenarios {
            let missing = self.fixtures.missing(&sums, name);
            let done = match self.fixtures.scenario(name) {
                Ok(_) if !missing.is_empty() => Err(ScenarioError::damaged(format!(
                    "in SHA256SUMS, but not there: {}",
                    missing.join(", ")
                ))),
                Ok(scenario) => {
                    let histories = History::of(&scenario);
                    let report = &mut report;
                    let run =
                        Run { verifier: self, scenario: &scenario, sums: &sums, progress, report, histories };
                    run.against(&self.against, start_failure)
                }
                Err(error) => Err(ScenarioError::damaged(chain(&error))),
            };
            if let Err(ScenarioError { reason, unreachable, ran }) = done {
                if unreachable {
                    start_failure = Some(if ran {
                        "an earlier server did not end"
                    } else {
                        "the server could not be started"
                    });
                }
                let broken = Broken { scenario: name.clone(), reason, unreachable, ran };
                progress.broken(&broken);
                report.broken.push(broken);
            }
        }
        Ok(report)
    }
}

/// Why a scenario is broken, for the report.
struct ScenarioError {
    reason: String,
    unreachable: bool,
    ran: bool,
}

impl ScenarioError {
    fn damaged(reason: String) -> Self {
        Self { reason, unreachable: false, ran: false }
    }

    fn unreachable(error: impl Error) -> Self {
        Self { reason: chain(&error), unreachable: true, ran: false }
    }
}

/// Why there is no response to compare.
enum NoResponse {
    NotSent(NotSent),
    Wire(WireError),
}

/// A scenario in progress.
struct Run<'a> {
    verifier: &'a Verifier,
    scenario: &'a Scenario,
    sums: &'a Sums,
    progress: &'a mut dyn Progress,
    report: &'a mut Report,
    histories: Vec<History>,
}

impl Run<'_> {
    /// Runs it, unless an earlier scenario has shown that the server does not start.
    fn against(
        mut self,
        against: &Against,
        start_failure: Option<&'static str>,
    ) -> Result<(), ScenarioError> {
        let Verifier { response_limit, start_limit, stop_limit, .. } = self.verifier;
        if let (Against::Started(..), Some(reason)) = (against, start_failure) {
            for exchange in &self.scenario.exchanges {
                self.done(exchange, Instant::now(), Outcome::NotRun { reason });
            }
            return Ok(());
        }
        match against {
            Against::InProcess => {
                let server = Replay::of(self.scenario).map_err(ScenarioError::unreachable)?;
                self.each(|_, exchange| Ok((server.respond(exchange), Vec::new())), || None);
                Ok(())
            }
            Against::Running(target) => {
                let first = target.first_response(*response_limit).map_err(ScenarioError::unreachable)?;
                self.live(target, first.as_ref(), || None);
                Ok(())
            }
            Against::Started(target, command) => {
                let (mut process, first) = ServerProcess::start(command, target, *start_limit, *stop_limit)
                    .map_err(ScenarioError::unreachable)?;
                self.live(target, first.as_ref(), || process.exit_report(target));
                process
                    .end(target)
                    .map_err(|error| ScenarioError { ran: true, ..ScenarioError::unreachable(error) })
            }
        }
    }

    fn live(
        &mut self,
        target: &Target,
        first: Option<&Response>,
        exit_report: impl FnMut() -> Option<String>,
    ) {
        let Verifier { key, response_limit, mode, .. } = self.verifier;
        let mut session = Session::new(target, self.scenario, key.as_ref(), *response_limit, first);
        let exact = *mode == CompareMode::Exact;
        let respond = |index: usize, exchange: &Exchange| {
            let request = session.request(index, exchange).map_err(NoResponse::NotSent)?;
            let live = session.send(&request).map_err(NoResponse::Wire)?;
            let mapped = session.map_response(exchange, &live, exact);
            Ok((mapped.response, mapped.faults))
        };
        self.each(respond, exit_report);
    }

    /// Every exchange in order, until the server is gone.
    fn each(
        &mut self,
        mut respond: impl FnMut(usize, &Exchange) -> Result<(Response, Vec<String>), NoResponse>,
        mut exit_report: impl FnMut() -> Option<String>,
    ) {
        let scenario = self.scenario;
        let mut server_gone = None;
        for (index, exchange) in scenario.exchanges.iter().enumerate() {
            self.progress.reached(&scenario.name, exchange);
            let start = Instant::now();
            let outcome = if let Some(reason) = server_gone {
                Outcome::NotRun { reason }
            } else {
                match respond(index, exchange) {
                    Ok((response, faults)) => self.outcome(index, exchange, &response, &faults),
                    Err(NoResponse::NotSent(NotSent::Skipped(reason))) => {
                        Outcome::Skipped { reason: reason.to_string() }
                    }
                    Err(NoResponse::NotSent(NotSent::Impossible(reason))) => {
                        Outcome::Failed { reason: chain(&reason) }
                    }
                    Err(NoResponse::NotSent(NotSent::NoResponse { login, source })) => {
                        let reason = format!("{login}: {}", chain(&source));
                        no_response(reason, &source, &mut exit_report, &mut server_gone)
                    }
                    Err(NoResponse::Wire(error)) => {
                        no_response(chain(&error), &error, &mut exit_report, &mut server_gone)
                    }
                }
            };
            self.done(exchange, start, outcome);
        }
    }

    fn done(&mut self, exchange: &Exchange, start: Instant, outcome: Outcome) {
        let checked = Checked {
            scenario: self.scenario.name.clone(),
            exchange: exchange.name.clone(),
            request: exchange.request.line(),
            outcome,
            seconds: start.elapsed().as_secs_f64(),
        };
        self.progress.done(&checked);
        self.report.exchanges.push(checked);
    }

    fn outcome(&self, index: usize, exchange: &Exchange, response: &Response, faults: &[String]) -> Outcome {
        let Verifier { fixtures, mode, tolerated, .. } = self.verifier;
        let shown = fixtures.file_of(&self.scenario.name, &exchange.name).display().to_string();
        let diff = difference(exchange, response, *mode, &shown);
        let explained = |(allowed, side): &&(&'static AllowedDifference, Side)| {
            self.histories.get(index).is_some_and(|history| {
                let case = Case { exchange, start: self.scenario.start(), history, mode: *mode };
                allowed.explains(&case, response, *side)
            })
        };
        let explanation = diff.as_ref().and_then(|_| tolerated.iter().find(explained));
        match (diff, explanation) {
            _ if !faults.is_empty() => {
                let faults: String = faults.iter().map(|fault| format!("  {fault}\n")).collect();
                Outcome::Mismatch { diff: format!("{shown}:{}\n{faults}", exchange.body_line()) }
            }
            (Some(diff), None) => {
                let hint = self.hint(index, exchange, response);
                let tampered = self.tampered(exchange).unwrap_or_default();
                Outcome::Mismatch { diff: format!("{diff}{tampered}{hint}") }
            }
            (_, explanation) => match self.tampered(exchange) {
                Some(reason) => Outcome::Mismatch {
                    diff: format!(
                        "{shown}:1\n  The response is the recorded one, in everything that is compared.\n{reason}"
                    ),
                },
                None => Outcome::Match {
                    tolerated: explanation.map(|(allowed, _)| allowed.name).into_iter().collect(),
                },
            },
        }
    }

    /// The likely cause if a running server responds to the first request with another status.
    fn hint(&self, index: usize, exchange: &Exchange, response: &Response) -> &'static str {
        let running = matches!(self.verifier.against, Against::Running(_));
        if running && index == 0 && exchange.response.status != response.status {
            "  Is it freshly started, with the example data? With --start it is, for every scenario.\n"
        } else {
            ""
        }
    }

    /// The message about a transcript that was changed since it was recorded.
    fn tampered(&self, exchange: &Exchange) -> Option<String> {
        let unchanged = self.verifier.fixtures.is_unchanged(self.sums, &self.scenario.name, &exchange.name);
        match unchanged {
            Ok(true) => None,
            Ok(false) => {
                let mut text =
                    "  The transcript is not as it was recorded, by its sum in SHA256SUMS. These of its \
                    lines are not compared\n  with any response:\n"
                        .to_owned();
                for (number, line) in (1..).zip(exchange.uncompared_lines()) {
                    if let Some(line) = line {
                        text += &format!("    {number:>4} | {line}\n");
                    }
                }
                text += "  Restore the file, or take it as it is now with `shipyard record --update`.\n";
                Some(text)
            }
            Err(error) => Some(format!("  {}\n", chain(&error))),
        }
    }
}

/// The outcome of an exchange without a response. Sets `server_gone` if the server no longer responds.
fn no_response(
    reason: String,
    error: &WireError,
    exit_report: &mut impl FnMut() -> Option<String>,
    server_gone: &mut Option<&'static str>,
) -> Outcome {
    let exit_report = if matches!(error, WireError::Garbage { .. }) { None } else { exit_report() };
    if error.is_fatal() || exit_report.is_some() {
        *server_gone = Some("the server no longer responds");
    }
    let exit_report = exit_report.map_or_else(String::new, |exit_report| format!("; {exit_report}"));
    Outcome::Failed { reason: format!("{reason}{exit_report}") }
}
