//! Update of a recorded scenario.

use std::collections::BTreeSet;

use crate::contract::compare::allowed_difference::{self, Case, Side};
use crate::contract::compare::difference::{difference, CompareMode, COMPARED};
use crate::contract::record::{names_no_other_secret, ExchangeError, RecordError, Recording, Subject};
use crate::contract::recording::fixtures::{tokens, Scenario};
use crate::contract::recording::history::History;
use crate::contract::recording::message::Response;
use crate::contract::recording::transcript::Exchange;
use crate::contract::recording::{curl, placeholders, secrets};
use crate::contract::replay::Replay;
use crate::contract::session::live::{NotSent, Session};

/// Records a scenario again. Exchanges whose responses are still the same stay unchanged; in others, the compared parts
/// of the response are replaced. So the diff of the files is the change of the contract.
///
/// # Errors
/// [`RecordError`].
pub fn record_again(
    scenario: &Scenario,
    subject: &Subject,
    not_secret: &[String],
) -> Result<Recording, RecordError> {
    match subject {
        Subject::InProcess => {
            let server = Replay::of(scenario).map_err(RecordError::at(&scenario.name))?;
            again(scenario, CompareMode::Exact, not_secret, |_, exchange| Ok(server.respond(exchange)))
        }
        Subject::Live(target, limit) => {
            let first = target.first_response(*limit).map_err(RecordError::at(&scenario.name))?;
            let mut session = Session::new(target, scenario, None, *limit, first.as_ref());
            again(scenario, CompareMode::Json, not_secret, |index, exchange| {
                let request = match session.request(index, exchange) {
                    // A request that cannot be made for another server keeps its recorded response.
                    Err(NotSent::Skipped(_)) => return Ok(exchange.response.clone()),
                    request => request?,
                };
                let live = session.send(&request)?;
                Ok(session.map_response(exchange, &live, true).response)
            })
        }
    }
}

fn again(
    scenario: &Scenario,
    mode: CompareMode,
    not_secret: &[String],
    mut respond: impl FnMut(usize, &Exchange) -> Result<Response, ExchangeError>,
) -> Result<Recording, RecordError> {
    let mut notes = Vec::new();
    let histories = History::of(scenario);
    let mut renewed = scenario.clone();
    // Tokens that have changed: old and new.
    let mut tokens_now: Vec<(String, String)> = Vec::new();
    let mut sent = BTreeSet::new();
    for (index, exchange) in renewed.exchanges.iter_mut().enumerate() {
        sent.extend(placeholders::needed(&exchange.request));
        let place = format!("{}/{}", scenario.name, exchange.name);
        let command =
            tokens_now.iter().fold(exchange.command.clone(), |command, (was, is)| command.replace(was, is));
        if command != exchange.command {
            exchange.request = curl::parse(&command).map_err(RecordError::at(&place))?;
            names_no_other_secret(&exchange.command, &exchange.request).map_err(RecordError::at(&place))?;
            exchange.command = command;
        }
        let response = respond(index, exchange).map_err(RecordError::at(&place))?;
        let tolerated = histories.get(index).is_some_and(|history| {
            let case = Case { exchange, start: scenario.start(), history, mode };
            let sides = [Side::Original, Side::Shipyard];
            allowed_difference::ALL
                .iter()
                .any(|known| sides.iter().any(|side| known.explains(&case, &response, *side)))
        });
        if tolerated || difference(exchange, &response, mode, "").is_none() {
            continue;
        }
        let renewed_response = adopted(&exchange.response, &response);
        let found = secrets::in_response(&sent, &renewed_response);
        let found = found.notes(not_secret).map_err(RecordError::at(&place))?;
        notes.extend(found.into_iter().map(|note| format!("{place}: {note}")));
        let (before, now) = (exchange.response.json(), response.json());
        let new = now.as_ref().map(tokens).unwrap_or_default();
        for (name, was) in before.as_ref().map(tokens).unwrap_or_default() {
            let is = new.iter().find(|(known, is)| *known == name && *is != was);
            tokens_now.extend(is.map(|(_, is)| (was.to_owned(), (*is).to_owned())));
        }
        exchange.response = renewed_response;
    }
    Ok(Recording { scenario: renewed, notes })
}

/// A recorded response with the compared parts of a new one. The other headers (Server, Date) still say where and when it
/// was first recorded.
fn adopted(recorded: &Response, now: &Response) -> Response {
    let mut recorded = recorded.clone();
    if recorded.status != now.status {
        recorded.status = now.status;
        recorded.status_line.clone_from(&now.status_line);
    }
    let compared = |name: &str| COMPARED.iter().any(|known| name.eq_ignore_ascii_case(known));
    recorded.headers.retain(|(name, _)| !compared(name) || now.header(name).is_some());
    for (name, value) in now.headers.iter().filter(|(name, _)| compared(name)) {
        let known = recorded.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name));
        match known {
            Some((_, was)) => was.clone_from(value),
            None => {
                let end =
                    recorded.headers.iter().rposition(|(name, _)| compared(name)).map_or(0, |at| at + 1);
                recorded.headers.insert(end, (name.clone(), value.clone()));
            }
        }
    }
    recorded.body.clone_from(&now.body);
    recorded
}
