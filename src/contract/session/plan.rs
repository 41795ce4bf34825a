//! Plan of a session: the source of the live token for each recorded one, derived from the recording alone.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use crate::auth::token::Lifetimes;
use crate::contract::recording::fixtures::{tokens, Scenario};
use crate::contract::recording::history::{History, LOGIN};
use crate::contract::replay::demo_key;
use crate::contract::session::jwt::Jwt;

/// The source of the live token for a recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// The live response to the exchange whose recorded response has it.
    Response,
    /// The text is not a token, and is sent as recorded.
    AsRecorded,
    /// It is damaged on purpose, and is sent as recorded except for its times: its damage must be its only flaw.
    Damaged,
    /// A login that the recording does not show, by its index in the plan.
    Login(usize),
    /// The server's key, for this reason.
    Key(String),
}

/// A login that the recording does not show, but that must have issued tokens in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The index of the exchange that it precedes: the user has this name and password then.
    pub before: usize,
    /// The user's name.
    pub name: String,
    /// The user's password. It comes from a recorded request or the example data, so it is not secret.
    pub password: String,
    /// The user's recorded id.
    pub user: u64,
    /// The recorded tokens of each kind that stand for the live ones.
    pub tokens: BTreeMap<&'static str, String>,
    issued: u64,
}

impl Login {
    /// Its request, for messages.
    #[must_use]
    pub fn request_line(&self) -> String {
        format!("POST {LOGIN} as {:?}, which the recording does not show", self.name)
    }
}

/// Logins to send, and the sources of tokens.
#[derive(Debug)]
pub struct Plan {
    /// The logins, in the order in which recorded tokens need them.
    pub logins: Vec<Login>,
    origins: Vec<Option<TokenSource>>,
}

impl Plan {
    /// The plan for a scenario.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let histories = History::of(scenario);
        let mut plan = Self { logins: Vec::new(), origins: Vec::new() };
        let mut minted: HashSet<String> = HashSet::new();
        for (index, exchange) in scenario.exchanges.iter().enumerate() {
            let origin = exchange.request.token().map(|token| {
                let jwt = Jwt::parse(token);
                match jwt {
                    None => TokenSource::AsRecorded,
                    Some(jwt) if minted.contains(token) => match flaw_in_time(&jwt, exchange.date) {
                        None => TokenSource::Response,
                        Some(flaw) => TokenSource::Key(flaw),
                    },
                    Some(jwt) if !jwt.is_signed_with(&demo_key()) => TokenSource::Damaged,
                    Some(jwt) => plan.of_unseen(scenario, &histories, index, token, &jwt),
                }
            });
            plan.origins.push(origin);
            if let Some(body) = exchange.response.json() {
                minted.extend(tokens(&body).into_iter().map(|(_, token)| token.to_owned()));
            }
        }
        plan
    }

    /// The source of the token of an exchange; `None` if it has none.
    #[must_use]
    pub fn origin(&self, exchange: usize) -> Option<&TokenSource> {
        self.origins.get(exchange)?.as_ref()
    }

    /// The source of a valid token that no recorded response has.
    fn of_unseen(
        &mut self,
        scenario: &Scenario,
        histories: &[History],
        index: usize,
        token: &str,
        jwt: &Jwt,
    ) -> TokenSource {
        let date = scenario.exchanges.get(index).map_or(0, |exchange| exchange.date);
        let flaw = flaw_of_shape(jwt).or_else(|| flaw_in_time(jwt, date));
        let (kind, user, iat) = match (flaw, kind(jwt), jwt.number("identity"), jwt.number("iat")) {
            (None, Some(kind), Some(user), Some(iat)) => (kind, user, iat),
            (flaw, ..) => return TokenSource::Key(flaw.unwrap_or_else(|| "it is made by hand".to_owned())),
        };
        if iat < scenario.start() {
            return TokenSource::Key("it is older than the server that it was recorded with".to_owned());
        }
        let slot = self.logins.iter_mut().position(|login| {
            (login.user, login.issued) == (user, iat)
                && login.tokens.get(kind).is_none_or(|known| known == token)
        });
        if let Some((slot, login)) = slot.and_then(|slot| Some((slot, self.logins.get_mut(slot)?))) {
            login.tokens.insert(kind, token.to_owned());
            return TokenSource::Login(slot);
        }
        let later = scenario.exchanges.iter().position(|exchange| exchange.date > iat).unwrap_or(index);
        let before = later.min(index);
        let Some((name, password)) = histories.get(before).and_then(|known| known.people.get(&user)) else {
            return TokenSource::Key(format!("nothing in the scenario reveals the password of user {user}"));
        };
        self.logins.push(Login {
            before,
            name: name.clone(),
            password: password.clone(),
            tokens: BTreeMap::from([(kind, token.to_owned())]),
            user,
            issued: iat,
        });
        TokenSource::Login(self.logins.len() - 1)
    }
}

fn kind(jwt: &Jwt) -> Option<&'static str> {
    ["access", "refresh"].into_iter().find(|kind| jwt.text("type") == Some(kind))
}

/// The reason why no server issues such a token, if there is one.
fn flaw_of_shape(jwt: &Jwt) -> Option<String> {
    let (names, lifetime) = match kind(jwt) {
        Some("access") => ("iat nbf jti exp identity fresh type", Lifetimes::default().access),
        Some(_) => ("iat nbf jti exp identity type", Lifetimes::default().refresh),
        None => return Some("its type is neither access nor refresh".to_owned()),
    };
    let found = jwt.claims.names();
    if found != names {
        return Some(format!("its claims are {found} (made by hand)"));
    }
    let number = |claim| jwt.number(claim);
    let uuid = jwt.text("jti").is_some_and(|jti| Uuid::try_parse(jti).is_ok());
    let times = number("nbf") == number("iat")
        && number("exp").zip(number("iat")).is_some_and(|(exp, iat)| exp.checked_sub(iat) == Some(lifetime));
    let plain = jwt.header.names() == "typ alg" && number("identity").is_some();
    (!(uuid && times && plain))
        .then(|| "its claims are not those of an issued token (made by hand)".to_owned())
}

/// The reason why a token was not valid at a time, if there is one.
pub fn flaw_in_time(jwt: &Jwt, date: u64) -> Option<String> {
    if jwt.number("exp").is_some_and(|exp| exp <= date) {
        return Some("it had expired when it was recorded".to_owned());
    }
    if jwt.number("nbf").is_some_and(|nbf| nbf > date) {
        return Some("it was not valid yet when it was recorded".to_owned());
    }
    None
}
