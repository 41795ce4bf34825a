//! Recorded exchanges for other tools: [`har`] for those that read limits, [`hurl`] and [`http`] for those
//! that send it.
//!
//! What is to be read is given as it was recorded. What is to be sent is for a freshly started server: recorded
//! tokens have expired there, so it takes live ones from the answers, as [`crate::contract::session::live`] does.

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
    /// How many are left out. The text says which, and why.
    pub left_out: usize,
    /// Of these, the ones that the tool cannot send as they were recorded: which, and why.
    pub refused: Vec<String>,
}

impl ScenarioFile {
    /// Counts an exchange that is left out, and gives what stands in its place.
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

/// A token in an earlier answer: the name of the call, and of the member.
#[derive(Clone, Debug)]
struct TokenIn {
    call: String,
    member: String,
    /// A name of its own for the token: letters, digits and `_`.
    variable: String,
}

/// What is sent.
struct Call<'a> {
    /// A name that no other call of the file has: letters, digits and `_`.
    name: String,
    /// As recorded.
    request: Cow<'a, Request>,
    /// Where its bearer token is to come from; `None` for headers that go out as they are.
    token: Option<TokenIn>,
    /// The tokens in its answer that later calls send.
    captured: Vec<TokenIn>,
}

/// The value of a header to be sent.
enum Given<'a> {
    Recorded(&'a str),
    Bearer(&'a TokenIn),
}

/// One thing to do, or to explain, in its place.
enum Step<'a> {
    /// A login that the recording does not show, and why it is there.
    Login(Call<'a>, String),
    Exchange(Call<'a>, &'a Exchange),
    LeftOut(LeftOut<'a>),
}

/// An exchange that cannot be made, and why.
struct LeftOut<'a> {
    exchange: &'a Exchange,
    reason: String,
    /// Whether it is the tool that cannot make it.
    refused: bool,
}

/// What is to be done to run a scenario against a live server, in order. `refusal` is why the tool cannot send a
/// request as it was recorded, if it cannot.
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
            Some(TokenSource::Answer | TokenSource::Login(_)) => match outline.known.get(token).cloned() {
                Some(found) => Step::Exchange(outline.call(exchange, Some(found)), exchange),
                None => left_out("its token is in the answer to an exchange that is left out, too"),
            },
            Some(TokenSource::Key(reason)) => {
                left_out(&format!("only who has the server's key can sign its token: {reason}"))
            }
        });
    }
    steps
}

/// Why no tool can send that request as it was recorded, if none can.
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
        // It says how long the body is; what it says would not be true.
        if name.is_empty() || !name.bytes().all(token) || name.eq_ignore_ascii_case("Transfer-Encoding") {
            return Some(format!("a header named {name:?}"));
        }
        let control = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
        value.bytes().any(control).then(|| format!("control characters in the header {name}"))
    })
}

/// What is known of the calls so far.
#[derive(Default)]
struct Outline<'a> {
    names: HashSet<String>,
    /// The recorded tokens that any exchange sends.
    sent: HashSet<&'a str>,
    /// Where the live ones for them are found.
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
    /// The headers to send: all but Host, which is that of the live address, and what belongs to the connection and
    /// the length of the body, as in [`crate::contract::client::wire`].
    fn headers(&self) -> impl Iterator<Item = (&str, Given<'_>)> {
        let own = |name: &str| {
            ["Host", "Connection", "Content-Length"].iter().any(|own| name.eq_ignore_ascii_case(own))
        };
        let others = self.request.headers.iter().filter(move |(name, _)| !own(name));
        others.map(|(name, value)| match &self.token {
            Some(token) if name.eq_ignore_ascii_case("Authorization") => {
                (name.as_str(), Given::Bearer(token))
            }
            _ => (name.as_str(), Given::Recorded(value)),
        })
    }

    /// The body to send, where there is one. A transcript is read as UTF-8.
    fn body(&self) -> Option<Cow<'_, str>> {
        self.request.body.as_deref().map(String::from_utf8_lossy)
    }
}

/// What is expected of a response besides its status.
struct Expected<'a> {
    content_type: Option<&'a str>,
    location: Option<Location<'a>>,
    /// The tokens in the body, of which no value can be expected.
    tokens: Vec<String>,
    body: Body<'a>,
}

enum Location<'a> {
    /// A path on the live server.
    Here(&'a str),
    Elsewhere(&'a str),
}

enum Body<'a> {
    /// But for its tokens.
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
        // A label on nothing is the original's alone (docs/differences.md, no_content_type_on_204).
        let content_type = response.header("Content-Type").filter(|_| response.status != 204);
        Self { content_type, location, tokens, body }
    }
}

/// What stands at the top of a file, line by line.
fn introduction(scenario: &Scenario, run: &str) -> [String; 2] {
    let Scenario { name, .. } = scenario;
    let date = http_date(scenario.start());
    [
        format!("Scenario {name}, recorded from {date} on. It needs a freshly started server with the example data."),
        format!("Made from the recording by `shipyard export`. To run it: {run}"),
    ]
}
