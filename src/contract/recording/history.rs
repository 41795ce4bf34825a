//! History of a scenario: its users, their passwords and used ids before each exchange.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::contract::recording::fixtures::{tokens, Scenario};
use crate::contract::recording::transcript::Exchange;
use crate::contract::session::jwt::Jwt;
use crate::json;
use crate::store::seed::EXAMPLE;

/// The path of logins.
pub const LOGIN: &str = "/auth/login";

/// The collection of users; their ids are the `identity` of tokens.
pub const USERS: &str = "/api/users";

/// The collection of ships.
pub const SHIPS: &str = "/api/ships";

/// A name and a password.
pub type Credentials = (String, String);

/// The users at one point of a scenario.
#[derive(Clone, Debug)]
pub struct History {
    /// Names and passwords by id: those of the example data, then those in recorded requests.
    pub people: BTreeMap<u64, Credentials>,
    /// The ids of deleted users.
    pub deleted: BTreeSet<u64>,
    /// Of these, the ids that a server that reuses ids would have given to a later user.
    pub reused: BTreeSet<u64>,
    /// When a user's password was last changed, in seconds since 1970.
    pub changed: BTreeMap<u64, u64>,
    /// The ids in use, now or before, by collection.
    pub used: BTreeMap<String, BTreeSet<u64>>,
}

impl History {
    /// The history before each exchange, and after the last.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Vec<Self> {
        let example: Value = json::parse(EXAMPLE.as_bytes()).unwrap_or_default();
        let users = example.get("users").and_then(Value::as_array).into_iter().flatten();
        let people = users.filter_map(|user| id(user).zip(credentials(user, "name"))).collect();
        let ids = |name: &str| {
            example.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(id).collect()
        };
        let used = [(USERS, ids("users")), (SHIPS, ids("ships"))];
        let mut now = Self {
            people,
            deleted: BTreeSet::new(),
            reused: BTreeSet::new(),
            changed: BTreeMap::new(),
            used: used.map(|(collection, ids)| (collection.to_owned(), ids)).into(),
        };
        let mut histories = vec![now.clone()];
        for exchange in &scenario.exchanges {
            now.read(exchange);
            histories.push(now.clone());
        }
        histories
    }

    /// Whether an id of a collection is in use, or was.
    #[must_use]
    pub fn has_used(&self, collection: &str, id: u64) -> bool {
        self.used.get(collection).is_some_and(|ids| ids.contains(&id))
    }

    /// Adds one exchange.
    fn read(&mut self, exchange: &Exchange) {
        let Exchange { request, response, date, .. } = exchange;
        let sent = request.body.as_deref().and_then(|body| json::parse(body).ok()).unwrap_or_default();
        let body = response.json().unwrap_or_default();
        let path = request.target();
        if let ("POST", 201, Some(new)) = (request.method.as_str(), response.status, id(&body)) {
            self.used.entry(path.to_owned()).or_default().insert(new);
        }
        match (request.method.as_str(), response.status) {
            ("POST", 201) if path == USERS => {
                if let Some(user) = id(&body) {
                    let again = self.people.keys().max().map_or(1, |newest| newest + 1);
                    self.reused.extend(self.deleted.get(&again));
                    self.people.extend(credentials(&sent, "name").map(|known| (user, known)));
                    self.deleted.remove(&user);
                }
            }
            ("PUT", 200) => {
                if let Some(user) = user_at(path) {
                    self.people.extend(credentials(&sent, "name").map(|known| (user, known)));
                    self.changed.insert(user, *date);
                }
            }
            ("DELETE", 204) => {
                if let Some(user) = user_at(path) {
                    self.people.remove(&user);
                    self.deleted.insert(user);
                }
            }
            ("POST", 200) if path == LOGIN => {
                let issued = tokens(&body).into_iter().find_map(|(_, token)| Jwt::parse(token));
                let user = issued.and_then(|jwt| jwt.number("identity"));
                self.people.extend(user.zip(credentials(&sent, "username")));
            }
            _ => {}
        }
    }
}

/// The id in the path of a user.
#[must_use]
pub fn user_at(path: &str) -> Option<u64> {
    path.strip_prefix(USERS)?.strip_prefix('/')?.parse().ok()
}

fn id(thing: &Value) -> Option<u64> {
    thing.get("id")?.as_u64()
}

fn credentials(thing: &Value, name: &str) -> Option<Credentials> {
    let text = |member| thing.get(member)?.as_str().map(str::to_owned);
    text(name).zip(text("password"))
}
