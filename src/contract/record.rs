//! Makes recordings: runs curl lines, or the requests of a scenario once more, and keeps what is answered.
//!
//! What is recorded from a live server is written as if it had been recorded at the address in the curl lines,
//! its tokens are signed again with the public demo key, and its JSON is laid out as the contract has it. Secrets are
//! looked for in each exchange (`recording/secrets.rs`): so nothing that is checked in opens anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use rocket::http::Method;

use crate::auth::clock::Clock;
use crate::contract::client::wire::Target;
use crate::contract::compare::allowed_difference::{self, Case, Side};
use crate::contract::compare::difference::{difference, CompareMode, COMPARED};
use crate::contract::compare::lossless::Json;
use crate::contract::recording::curl;
use crate::contract::recording::fixtures::{tokens, Scenario};
use crate::contract::recording::history::History;
use crate::contract::recording::message::{header, Headers, Request, Response};
use crate::contract::recording::placeholders;
use crate::contract::recording::script::{Line, Variables};
use crate::contract::recording::secrets;
use crate::contract::recording::transcript::{http_date, Exchange};
use crate::contract::replay::{demo_key, Replay};
use crate::contract::session::jwt::Jwt;
use crate::contract::session::live::{NotSent, Session};
use crate::json::{self, Style};

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

/// A server that is being recorded.
enum Source<'a> {
    InProcess(Box<Replay>),
    Live { target: &'a Target, limit: Duration, live_tokens: BTreeMap<String, String> },
}

impl Source<'_> {
    /// What a request is answered, as it is to be recorded.
    fn answer(&mut self, request: &Request) -> Result<Response, String> {
        match self {
            Self::InProcess(server) => Ok(server.answer_at(Clock::System.now(), request)),
            // Recorded bodies are laid out again, and there is none here to measure.
            Self::Live { .. } if request.method == Method::Head => Err(
                "how long the answer to a HEAD would be in the layout of the recordings cannot be known; \
                     record it without --url"
                    .to_owned(),
            ),
            Self::Live { target, limit, live_tokens } => {
                // Before the live token is put in: the server chose that.
                let mut sent = placeholders::filled(request).map_err(|unfilled| unfilled.to_string())?;
                if let Some(live) = request.token().and_then(|token| live_tokens.get(token)) {
                    sent = sent.with_header("Authorization", &format!("Bearer {live}"));
                }
                let live = target.send(&sent, *limit).map_err(|error| error.to_string())?;
                public(request, live, target, live_tokens)
            }
        }
    }
}

/// A live answer without anything that belongs to the live server alone.
fn public(
    request: &Request,
    live: Response,
    target: &Target,
    live_tokens: &mut BTreeMap<String, String>,
) -> Result<Response, String> {
    let mut body = String::from_utf8(live.body.clone()).map_err(|_| "the body is not UTF-8".to_owned())?;
    let mut issued = None;
    for (name, token) in live.json().as_ref().map(tokens).unwrap_or_default() {
        let jwt = Jwt::parse(token).filter(|jwt| jwt.header.get("alg").is_some_and(|alg| alg == "HS256"));
        let jwt =
            jwt.ok_or_else(|| format!("{name}: only tokens that are signed by HS256 can be recorded"))?;
        let public = jwt.signed_again(&jwt.claims, &demo_key()).map_err(|error| error.to_string())?;
        body = body.replace(token, &public);
        issued = issued.max(jwt.number("iat"));
        live_tokens.insert(public, token.to_owned());
    }
    if let Ok(value) = Json::parse(body.as_bytes()) {
        // Its tokens would not be found: one reader must not see less than another.
        json::parse(body.as_bytes()).map_err(|reason| format!("the body cannot be recorded: {reason}"))?;
        let laid_out = Style::Pretty.render(&value).map_err(|error| error.to_string())?;
        body = String::from_utf8(laid_out).map_err(|error| error.to_string())?;
    }
    let host = header(&request.headers, "Host").unwrap_or_default();
    // They belong to the connection, not to the answer (RFC 9110, section 7.6.1).
    let of_connection = ["Connection", "Keep-Alive", "Transfer-Encoding"];
    let mut headers: Headers = Vec::new();
    for (name, value) in live.headers {
        if of_connection.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            continue;
        }
        let value = match target.path_of(&value) {
            Some(path) if name.eq_ignore_ascii_case("Location") => format!("http://{host}{path}"),
            _ if name.eq_ignore_ascii_case("Content-Length") => body.len().to_string(),
            _ => value,
        };
        headers.push((name, value));
    }
    // A replay issues tokens at the time of the Date header, which servers do not renew for every answer.
    let date = issued.map(http_date);
    match headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("Date")) {
        Some((_, sent)) => *sent = date.unwrap_or_else(|| sent.clone()),
        None => headers.push(("Date".to_owned(), date.unwrap_or_else(|| http_date(Clock::System.now())))),
    }
    Ok(Response { headers, body: body.into_bytes(), ..live })
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
    let mut source = match subject {
        Subject::InProcess => {
            let server = Replay::started(Clock::System.now(), Vec::new());
            Source::InProcess(Box::new(server.map_err(|error| failed(name, error))?))
        }
        Subject::Live(target, limit) => Source::Live { target, limit: *limit, live_tokens: BTreeMap::new() },
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
        let mut response = source.answer(&request).map_err(|reason| failed(place(), reason))?;
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

/// The exchanges that a new recording of a scenario turns into failures: a success into an error, or an error of the
/// request into one of the server. A line for each.
#[must_use]
pub fn turned_into_failures(before: &Scenario, after: &Scenario) -> Vec<String> {
    let failure = |status: u16| status.max(399) / 100;
    let turned = before.exchanges.iter().zip(successors(before, after)).filter_map(|(was, now)| {
        let (was_status, status) = (was.response.status, now?.response.status);
        (failure(status) > failure(was_status))
            .then(|| format!("{}/{}: recorded {was_status}, now {status}", before.name, was.name))
    });
    turned.collect()
}

/// For each exchange of `before` the one of `after` that takes its place, if any: that with its request or, where there
/// is none, with its name. The numbers in names change when lines come and go, so requests go first.
fn successors<'a>(before: &Scenario, after: &'a Scenario) -> Vec<Option<&'a Exchange>> {
    let asks = |request: &Request| (request.method, request.path.clone(), request.body.clone());
    let same = |was: &Exchange, is: &Exchange| was.name == is.name;
    let alike = |was: &Exchange, is: &Exchange| asks(&was.request) == asks(&is.request);
    let mut free: Vec<&Exchange> = after.exchanges.iter().collect();
    let mut successors = vec![None; before.exchanges.len()];
    for (by_request, by_name) in [(true, true), (true, false), (false, true)] {
        let fits =
            |was: &Exchange, is: &Exchange| (!by_request || alike(was, is)) && (!by_name || same(was, is));
        for (was, successor) in before.exchanges.iter().zip(&mut successors) {
            if let (None, Some(at)) = (*successor, free.iter().position(|is| fits(was, is))) {
                *successor = Some(free.remove(at));
            }
        }
    }
    successors
}

/// The exchanges that a new recording of a scenario removes, gives another name or request, or adds. A line for each.
#[must_use]
pub fn moved(before: &Scenario, after: &Scenario) -> Vec<String> {
    let successors = successors(before, after);
    let place = |exchange: &Exchange| format!("{}/{}", before.name, exchange.name);
    let line = |exchange: &Exchange| format!("{}: {}", place(exchange), exchange.request.line());
    let changed = before.exchanges.iter().zip(&successors).filter_map(|(was, now)| match now {
        None => Some(format!("{} is removed", line(was))),
        Some(now) if now.name != was.name => Some(format!("{} is {} now", line(was), place(now))),
        Some(now) if line(now) != line(was) => Some(format!("{} is {} now", line(was), now.request.line())),
        Some(_) => None,
    });
    let is_new = |is: &&Exchange| !successors.iter().flatten().any(|known| std::ptr::eq(*known, *is));
    let added = after.exchanges.iter().filter(is_new).map(|is| format!("{} is added", line(is)));
    changed.chain(added).collect()
}

/// Records a scenario once more. Exchanges that are answered as they were stay as they are; of the others, what
/// is compared becomes what is answered now. So the difference between the two is the change of the contract.
///
/// # Errors
/// [`RecordError`]: a request that cannot be sent, has no answer, or one that would record a secret.
pub fn record_again(
    scenario: &Scenario,
    subject: &Subject,
    not_secret: &[String],
) -> Result<Recording, RecordError> {
    match subject {
        Subject::InProcess => {
            let server = Replay::of(scenario).map_err(|error| failed(&scenario.name, error))?;
            again(scenario, CompareMode::Exact, not_secret, |_, exchange| Ok(server.answer(exchange)))
        }
        Subject::Live(target, limit) => {
            let first = target.first_answer(*limit).map_err(|error| failed(&scenario.name, error))?;
            let mut session = Session::new(target, scenario, None, *limit, first.as_ref());
            again(scenario, CompareMode::Json, not_secret, |index, exchange| {
                let request = match session.request(index, exchange) {
                    Ok(request) => request,
                    // What cannot be made for another server stays as it is.
                    Err(NotSent::Skipped(_)) => return Ok(exchange.response.clone()),
                    Err(NotSent::Impossible(reason)) => return Err(reason),
                    Err(NotSent::Unanswered(what, error)) => return Err(format!("{what}: {error}")),
                };
                let live = session.send(&request).map_err(|error| error.to_string())?;
                Ok(session.map_response(exchange, &live, true).response)
            })
        }
    }
}

fn again(
    scenario: &Scenario,
    measure: CompareMode,
    not_secret: &[String],
    mut answer: impl FnMut(usize, &Exchange) -> Result<Response, String>,
) -> Result<Recording, RecordError> {
    let mut notes = Vec::new();
    let histories = History::of(scenario);
    let mut renewed = scenario.clone();
    // Tokens that are not as they were, and what stands for them now.
    let mut tokens_now: Vec<(String, String)> = Vec::new();
    let mut sent = BTreeSet::new();
    for (index, exchange) in renewed.exchanges.iter_mut().enumerate() {
        sent.extend(placeholders::needed(&exchange.request));
        let place = format!("{}/{}", scenario.name, exchange.name);
        let command =
            tokens_now.iter().fold(exchange.command.clone(), |command, (was, is)| command.replace(was, is));
        if command != exchange.command {
            exchange.request = curl::parse(&command).map_err(|reason| failed(&place, reason))?;
            only_written(&exchange.command, &exchange.request).map_err(|reason| failed(&place, reason))?;
            exchange.command = command;
        }
        let response = answer(index, exchange).map_err(|reason| failed(&place, reason))?;
        let tolerated = histories.get(index).is_some_and(|history| {
            let case = Case { exchange, start: scenario.start(), history, measure };
            let sides = [Side::Original, Side::Shipyard];
            allowed_difference::ALL
                .iter()
                .any(|known| sides.iter().any(|side| known.explains(&case, &response, *side)))
        });
        if tolerated || difference(exchange, &response, measure, "").is_none() {
            continue;
        }
        let renewed_response = adopted(&exchange.response, &response);
        let answered = secrets::in_answer(&sent, &renewed_response);
        let said = answered.but_for(not_secret).map_err(|reason| failed(&place, reason))?;
        notes.extend(said.into_iter().map(|note| format!("{place}: {note}")));
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

/// A recorded answer with what is compared taken over. What is not (Server, Date) says when and where it was first recorded.
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
