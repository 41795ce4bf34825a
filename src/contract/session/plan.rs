//! Where the live counterpart of each recorded token is to come from. Worked out from the recording alone,
//! before anything is sent.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use crate::auth::token::Lifetimes;
use crate::contract::recording::fixtures::{tokens, Scenario};
use crate::contract::recording::history::{History, LOGIN};
use crate::contract::replay::demo_key;
use crate::contract::session::jwt::Jwt;

/// Where the live counterpart of a recorded token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// From the live answer to the exchange whose recorded answer holds it.
    Answer,
    /// It is no token at all, and goes out as it was recorded.
    AsRecorded,
    /// It is broken on purpose, and goes out as it was recorded but for its times: what is wrong with it must be all
    /// that is.
    Damaged,
    /// From a login that the recording does not show: the index of one of the plan's.
    Login(usize),
    /// Only who has the key can make one like it, for this reason.
    Key(String),
}

/// A login that the recording does not show, but from which tokens in it must have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Before which exchange, by index: when its user still had this name and password.
    pub before: usize,
    /// The user's name.
    pub name: String,
    /// The user's password: from a recorded request or the example data, so it is no secret.
    pub password: String,
    /// The user's recorded id.
    pub user: u64,
    /// The recorded tokens of each kind that stand for the live ones.
    pub tokens: BTreeMap<&'static str, String>,
    issued: u64,
}

impl Login {
    /// What is asked, for messages.
    #[must_use]
    pub fn question(&self) -> String {
        format!("POST {LOGIN} as {:?}, which the recording does not show", self.name)
    }
}

/// What to do besides sending the recorded requests.
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
                        None => TokenSource::Answer,
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

    /// Where the token of that exchange comes from; `None` if it carries none.
    #[must_use]
    pub fn origin(&self, exchange: usize) -> Option<&TokenSource> {
        self.origins.get(exchange)?.as_ref()
    }

    /// The origin of a good token that no recorded answer holds.
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

/// Why no server issues such a token, if none does.
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

/// Why the token was not valid at that time, if it was not.
pub fn flaw_in_time(jwt: &Jwt, date: u64) -> Option<String> {
    if jwt.number("exp").is_some_and(|exp| exp <= date) {
        return Some("it had expired when it was recorded".to_owned());
    }
    if jwt.number("nbf").is_some_and(|nbf| nbf > date) {
        return Some("it was not valid yet when it was recorded".to_owned());
    }
    None
}
