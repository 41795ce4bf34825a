//! Export of recorded exchanges: [`har`] for tools that read traffic, [`hurl`] and [`http`] for tools that send it.
//!
//! Archives hold exchanges as they were recorded. Files to send are for a freshly started server: recorded tokens have
//! expired there, so the files take live ones from its responses, as [`crate::contract::session::live`] does.

pub mod har;
pub mod http;
pub mod hurl;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use rocket::http::Method;
use serde_json::{json, Value};

use crate::contract::recording::fixtures::{tokens, Scenario};
use crate::contract::recording::history::LOGIN;
use crate::contract::recording::message::{header, Request};
use crate::contract::recording::placeholders::needed;
use crate::contract::recording::transcript::{http_date, Exchange};
use crate::contract::session::plan::{Login, Plan, TokenSource};
use crate::escape::escape_invisible;

/// A file that runs one scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScenarioFile {
    /// The whole text.
    pub text: String,
    /// How many exchanges are in it.
    pub exchanges: usize,
    /// How many are left out. The text names them with the reason.
    pub left_out: usize,
    /// Of these, the ones that the tool cannot send as recorded, with the reason.
    pub refused: Vec<String>,
}

impl ScenarioFile {
    /// Counts an exchange that is left out. Returns the line for it.
    fn leave_out(&mut self, omitted: LeftOut<'_>) -> String {
        let LeftOut { exchange, reason, refused } = omitted;
        let named = escape_invisible(&format!("{}, {}: {reason}.", exchange.name, exchange.request.line()));
        self.left_out += 1;
        let line = format!("Left out: {named}");
        if refused {
            self.refused.push(named);
        }
        line
    }
}

/// A token in an earlier response: the name of the call, and of the member.
#[derive(Clone, Debug)]
struct TokenIn {
    call: String,
    member: String,
    /// A unique name for the token: letters, digits and `_`.
    variable: String,
}

/// A request to send.
struct Call<'a> {
    /// A unique name in the file: letters, digits and `_`.
    name: String,
    /// As recorded.
    request: Cow<'a, Request>,
    /// The source of its bearer token; `None` if the headers are sent as recorded.
    token: Option<TokenIn>,
    /// The tokens in its response that later calls send.
    captured: Vec<TokenIn>,
}

/// The value of a header to send.
enum HeaderValue<'a> {
    Recorded(&'a str),
    Bearer(&'a TokenIn),
}

/// A step of a file.
enum Step<'a> {
    /// A login that the recording does not show, with the reason for it.
    Login(Call<'a>, String),
    Exchange(Call<'a>, &'a Exchange),
    LeftOut(LeftOut<'a>),
}

/// An exchange that cannot be sent, with the reason.
struct LeftOut<'a> {
    exchange: &'a Exchange,
    reason: String,
    /// Whether the tool is the reason.
    refused: bool,
}

/// The steps that run a scenario against a live server. `refusal` gives the reason why a tool cannot send a request as
/// recorded, if there is one.
fn steps(scenario: &Scenario, refusal: fn(&Request) -> Option<String>) -> Vec<Step<'_>> {
    let plan = Plan::of(scenario);
    let mut outline = Outline::default();
    let mut steps = Vec::new();
    for exchange in &scenario.exchanges {
        outline.sent.extend(exchange.request.token());
    }
    for (index, exchange) in scenario.exchanges.iter().enumerate() {
        for login in plan.logins.iter().filter(|login| login.before == index) {
            let reason =
                format!("Not recorded: a login as {:?}, for tokens that must come from one.", login.name);
            steps.push(Step::Login(outline.login(login), reason));
        }
        let token = exchange.request.token().unwrap_or_default();
        let left_out =
            |reason: &str| Step::LeftOut(LeftOut { exchange, reason: reason.to_owned(), refused: false });
        if let Some(reason) = refusal(&exchange.request) {
            steps.push(Step::LeftOut(LeftOut { exchange, reason, refused: true }));
            continue;
        }
        steps.push(match plan.origin(index) {
            None | Some(TokenSource::AsRecorded | TokenSource::Damaged) => {
                Step::Exchange(outline.call(exchange, None), exchange)
            }
            Some(TokenSource::Response | TokenSource::Login(_)) => match outline.known.get(token).cloned() {
                Some(found) => Step::Exchange(outline.call(exchange, Some(found)), exchange),
                None => left_out("its token is in the response of an exchange that is left out, too"),
            },
            Some(TokenSource::Key(reason)) => {
                left_out(&format!("only the server's key can sign its token: {reason}"))
            }
        });
    }
    steps
}

/// The reason why no tool can send a request as recorded, if there is one.
fn unsendable(request: &Request) -> Option<String> {
    if request.method == Method::Connect {
        return Some("CONNECT".to_owned());
    }
    if request.method == Method::Head && request.body.as_ref().is_some_and(|body| !body.is_empty()) {
        return Some("a body with HEAD".to_owned());
    }
    if request.path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Some("a target with spaces or control characters".to_owned());
    }
    if let Some(name) = needed(request).first() {
        return Some(format!("the secret {name}, which is not recorded"));
    }
    request.headers.iter().find_map(|(name, value)| {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        // Transfer-Encoding would contradict the length of the body.
        if name.is_empty() || !name.bytes().all(token) || name.eq_ignore_ascii_case("Transfer-Encoding") {
            return Some(format!("a header named {name:?}"));
        }
        let control = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
        value.bytes().any(control).then(|| format!("control characters in the header {name}"))
    })
}

/// The calls so far.
#[derive(Default)]
struct Outline<'a> {
    names: HashSet<String>,
    /// The recorded tokens that any exchange sends.
    sent: HashSet<&'a str>,
    /// The responses that have the live ones.
    known: HashMap<String, TokenIn>,
}

impl<'a> Outline<'a> {
    fn name(&mut self, text: &str) -> String {
        let plain = text.replace(|character: char| !character.is_ascii_alphanumeric(), "_");
        let others = (2..).map(|number| format!("{plain}_{number}"));
        let free = std::iter::once(plain.clone()).chain(others).find(|name| !self.names.contains(name));
        let name = free.unwrap_or(plain);
        self.names.insert(name.clone());
        name
    }

    fn login(&mut self, login: &Login) -> Call<'a> {
        let body = json!({"username": login.name, "password": login.password});
        let request = Cow::Owned(Request::new(Method::Post, LOGIN).json(&body));
        let mut call = Call {
            name: self.name(&format!("login as {}", login.name)),
            request,
            token: None,
            captured: vec![],
        };
        for (kind, recorded) in &login.tokens {
            self.capture(&mut call, &format!("{kind}_token"), recorded);
        }
        call
    }

    fn call(&mut self, exchange: &'a Exchange, token: Option<TokenIn>) -> Call<'a> {
        let request = Cow::Borrowed(&exchange.request);
        let mut call = Call { name: self.name(&exchange.name), request, token, captured: vec![] };
        for (member, recorded) in tokens(&exchange.response.json().unwrap_or_default()) {
            self.capture(&mut call, member, recorded);
        }
        call
    }

    fn capture(&mut self, call: &mut Call<'_>, member: &str, recorded: &str) {
        if self.sent.contains(recorded) {
            let variable = self.name(&format!("{member}_{}", call.name));
            let found = TokenIn { call: call.name.clone(), member: member.to_owned(), variable };
            call.captured.push(found.clone());
            self.known.insert(recorded.to_owned(), found);
        }
    }
}

impl Call<'_> {
    /// The headers to send: all but Host, Connection and Content-Length, as in [`crate::contract::client::wire`].
    fn headers(&self) -> impl Iterator<Item = (&str, HeaderValue<'_>)> {
        let own = |name: &str| {
            ["Host", "Connection", "Content-Length"].iter().any(|own| name.eq_ignore_ascii_case(own))
        };
        let others = self.request.headers.iter().filter(move |(name, _)| !own(name));
        others.map(|(name, value)| match &self.token {
            Some(token) if name.eq_ignore_ascii_case("Authorization") => {
                (name.as_str(), HeaderValue::Bearer(token))
            }
            _ => (name.as_str(), HeaderValue::Recorded(value)),
        })
    }

    /// The body to send, if there is one. Transcripts are UTF-8.
    fn body(&self) -> Option<Cow<'_, str>> {
        self.request.body.as_deref().map(String::from_utf8_lossy)
    }
}

/// Expectations on a response apart from its status.
struct Expected<'a> {
    content_type: Option<&'a str>,
    location: Option<Location<'a>>,
    /// The tokens in the body, whose values are not known.
    tokens: Vec<String>,
    body: Body<'a>,
}

enum Location<'a> {
    /// A path on the live server.
    Here(&'a str),
    Elsewhere(&'a str),
}

enum Body<'a> {
    /// Without its tokens.
    Json(Value),
    Text(Cow<'a, str>),
}

impl<'a> Expected<'a> {
    fn of(exchange: &'a Exchange) -> Self {
        let Exchange { request, response, .. } = exchange;
        let address = format!("http://{}", header(&request.headers, "Host").unwrap_or_default());
        let location = response.header("Location").map(|location| match location.strip_prefix(&address) {
            Some(path) if path.starts_with('/') => Location::Here(path),
            _ => Location::Elsewhere(location),
        });
        let mut json = response.json();
        let tokens: Vec<String> = json.iter().flat_map(tokens).map(|(member, _)| member.to_owned()).collect();
        if let Some(members) = json.as_mut().and_then(Value::as_object_mut) {
            members.retain(|member, _| !tokens.contains(member));
        }
        let body = json.map_or_else(|| Body::Text(String::from_utf8_lossy(&response.body)), Body::Json);
        // Only the original sends Content-Type on a 204 (docs/differences.md, no_content_type_on_204).
        let content_type = response.header("Content-Type").filter(|_| response.status != 204);
        Self { content_type, location, tokens, body }
    }
}

/// The lines at the top of a file.
fn introduction(scenario: &Scenario, run: &str) -> [String; 2] {
    let Scenario { name, .. } = scenario;
    let date = http_date(scenario.start());
    [
        format!("Scenario {name}, recorded from {date} on. It needs a freshly started server with the example data."),
        format!("Made from the recording by `shipyard export`. To run it: {run}"),
    ]
}
