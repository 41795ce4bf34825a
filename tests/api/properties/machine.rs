//! Random sequences of all operations by several users, compared with a model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rocket::http::Method;
use serde_json::{json, Value};
use shipyard::auth::token::Lifetimes;

use super::check;
use test_support::server::{Answer, Ask, Server, NOW};

const NAMES: [&str; 4] = ["user", "guest", "ann", "bob"];
const PASSWORDS: [&str; 3] = ["password", "guest", "secret"];

/// A step of a client. `token` picks one of the tokens issued so far, of either kind; none before the first.
#[derive(Clone, Debug)]
enum Step {
    LogIn { name: usize, password: usize },
    Refresh { token: usize },
    LogOut { token: usize },
    LogOut2 { token: usize },
    CreateUser { name: usize, password: usize, id: Option<u64> },
    UpdateUser { token: usize, id: u64, name: usize, password: usize, named_id: Option<u64> },
    DeleteUser { token: usize, id: u64 },
    CreateShip { token: usize, crew: i32, id: Option<u64> },
    UpdateShip { token: usize, id: u64, crew: i32, named_id: Option<u64> },
    DeleteShip { token: usize, id: u64 },
    GetUser { id: u64 },
    GetShip { id: u64 },
    Wait { seconds: u64 },
}

fn step() -> BoxedStrategy<Step> {
    let (name, password, token) = (0..NAMES.len(), 0..PASSWORDS.len(), 0..64_usize);
    let (id, crew) = (0..6_u64, 1..1000_i32);
    let named_id = prop::option::weighted(0.3, 1..6_u64);
    prop_oneof![
        5 => (name.clone(), password.clone()).prop_map(|(name, password)| Step::LogIn { name, password }),
        2 => token.clone().prop_map(|token| Step::Refresh { token }),
        1 => token.clone().prop_map(|token| Step::LogOut { token }),
        1 => token.clone().prop_map(|token| Step::LogOut2 { token }),
        2 => (name.clone(), password.clone(), prop::option::weighted(0.1, 1..6_u64))
            .prop_map(|(name, password, id)| Step::CreateUser { name, password, id }),
        3 => (token.clone(), id.clone(), name, password, named_id.clone()).prop_map(
            |(token, id, name, password, named_id)| Step::UpdateUser { token, id, name, password, named_id }),
        1 => (token.clone(), id.clone()).prop_map(|(token, id)| Step::DeleteUser { token, id }),
        2 => (token.clone(), crew.clone(), prop::option::weighted(0.1, 1..6_u64))
            .prop_map(|(token, crew, id)| Step::CreateShip { token, crew, id }),
        2 => (token.clone(), id.clone(), crew, named_id)
            .prop_map(|(token, id, crew, named_id)| Step::UpdateShip { token, id, crew, named_id }),
        1 => (token, id.clone()).prop_map(|(token, id)| Step::DeleteShip { token, id }),
        1 => id.clone().prop_map(|id| Step::GetUser { id }),
        1 => id.prop_map(|id| Step::GetShip { id }),
        1 => prop_oneof![Just(0_u64), Just(1), Just(899), Just(900), Just(Lifetimes::default().refresh)]
            .prop_map(|seconds| Step::Wait { seconds }),
    ]
    .boxed()
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Access,
    Refresh,
}

struct Token {
    text: String,
    kind: Kind,
    user: u64,
    expires: u64,
    ended: bool,
}

/// The simplest model of the contract.
struct Model {
    users: BTreeMap<u64, (String, String)>,
    ships: BTreeMap<u64, i32>,
    last_user: u64,
    last_ship: u64,
    tokens: Vec<Token>,
    now: u64,
}

fn ship(crew: i32, id: Option<u64>) -> Value {
    let mut ship = json!({
        "affiliation": "", "category": "", "crew": crew, "length": 1, "manufacturer": "", "model": "",
        "roles": [], "ship_class": "",
    });
    if let Some(id) = id {
        ship["id"] = json!(id);
    }
    ship
}

fn user(name: usize, password: usize, id: Option<u64>) -> Value {
    let mut user = json!({"name": NAMES[name], "password": PASSWORDS[password]});
    if let Some(id) = id {
        user["id"] = json!(id);
    }
    user
}

impl Model {
    fn new() -> Self {
        Self {
            users: BTreeMap::from([
                (1, ("user".into(), "password".into())),
                (2, ("guest".into(), "guest".into())),
            ]),
            ships: BTreeMap::from([(1, 1), (2, 2)]),
            last_user: 2,
            last_ship: 2,
            tokens: Vec::new(),
            now: NOW,
        }
    }

    fn data(&self) -> String {
        let users: Vec<Value> = self
            .users
            .iter()
            .map(|(id, (name, password))| json!({"id": id, "name": name, "password": password}))
            .collect();
        let ships: Vec<Value> = self.ships.iter().map(|(id, crew)| ship(*crew, Some(*id))).collect();
        json!({"users": users, "ships": ships}).to_string()
    }

    fn pick(&self, token: usize) -> Option<usize> {
        token.checked_rem(self.tokens.len())
    }

    /// The error status for a token, or the user that it is accepted for.
    fn token(&self, token: Option<usize>, kind: Kind) -> Result<u64, u16> {
        let token = &self.tokens[token.ok_or(401_u16)?];
        if token.expires <= self.now {
            Err(401)
        } else if token.kind != kind {
            Err(422)
        } else if token.ended {
            Err(401)
        } else {
            Ok(token.user)
        }
    }

    fn existing(&self, token: Option<usize>, kind: Kind) -> Result<u64, u16> {
        self.token(token, kind).and_then(|user| self.users.contains_key(&user).then_some(user).ok_or(401))
    }

    fn owner(&self, token: Option<usize>, id: u64) -> Result<(), u16> {
        let user = self.token(token, Kind::Access)?;
        if user == id {
            Ok(())
        } else {
            Err(if self.users.contains_key(&user) { 403 } else { 401 })
        }
    }

    fn taken(&self, name: &str, by_other_than: u64) -> bool {
        self.users.iter().any(|(id, (known, _))| known == name && *id != by_other_than)
    }

    fn issue(&mut self, kind: Kind, user: u64, text: &str) {
        let lifetime =
            if kind == Kind::Access { Lifetimes::default().access } else { Lifetimes::default().refresh };
        self.tokens.push(Token { text: text.into(), kind, user, expires: self.now + lifetime, ended: false });
    }

    /// The expected status of a step. Updates the model.
    fn expect(&mut self, step: &Step, response: &Answer) -> Result<u16, u16> {
        match *step {
            Step::LogIn { name, password } => {
                let found = self.users.iter().find(|(_, (known, _))| known == NAMES[name]);
                let (&id, _) = found.filter(|(_, (_, known))| known == PASSWORDS[password]).ok_or(401_u16)?;
                let (access, refresh) = response.tokens();
                self.issue(Kind::Access, id, &access);
                self.issue(Kind::Refresh, id, &refresh);
                Ok(200)
            }
            Step::Refresh { token } => {
                let user = self.existing(self.pick(token), Kind::Refresh)?;
                let text = response.json()["access_token"].as_str().unwrap_or_default().to_owned();
                self.issue(Kind::Access, user, &text);
                Ok(200)
            }
            Step::LogOut { token } | Step::LogOut2 { token } => {
                let kind = if matches!(step, Step::LogOut { .. }) { Kind::Access } else { Kind::Refresh };
                let token = self.pick(token);
                self.existing(token, kind)?;
                self.tokens[token.unwrap()].ended = true;
                Ok(200)
            }
            Step::CreateUser { name, password, id } => {
                if id.is_some() || self.taken(NAMES[name], 0) {
                    return Err(400);
                }
                self.last_user += 1;
                self.users.insert(self.last_user, (NAMES[name].into(), PASSWORDS[password].into()));
                Ok(201)
            }
            Step::UpdateUser { token, id, name, password, named_id } => {
                self.owner(self.pick(token), id)?;
                if !self.users.contains_key(&id) {
                    return Err(404);
                }
                if named_id.is_some_and(|named| named != id) || self.taken(NAMES[name], id) {
                    return Err(400);
                }
                self.users.insert(id, (NAMES[name].into(), PASSWORDS[password].into()));
                for token in
                    self.tokens.iter_mut().filter(|token| token.user == id && token.kind == Kind::Refresh)
                {
                    token.ended = true;
                }
                Ok(200)
            }
            Step::DeleteUser { token, id } => {
                self.owner(self.pick(token), id)?;
                self.users.remove(&id).ok_or(404_u16)?;
                Ok(204)
            }
            Step::CreateShip { token, crew, id } => {
                self.existing(self.pick(token), Kind::Access)?;
                if id.is_some() {
                    return Err(400);
                }
                self.last_ship += 1;
                self.ships.insert(self.last_ship, crew);
                Ok(201)
            }
            Step::UpdateShip { token, id, crew, named_id } => {
                self.existing(self.pick(token), Kind::Access)?;
                let known = self.ships.get_mut(&id).ok_or(404_u16)?;
                if named_id.is_some_and(|named| named != id) {
                    return Err(400);
                }
                *known = crew;
                Ok(200)
            }
            Step::DeleteShip { token, id } => {
                self.existing(self.pick(token), Kind::Access)?;
                self.ships.remove(&id).ok_or(404_u16)?;
                Ok(204)
            }
            Step::GetUser { id } => self.users.get(&id).map(|_| 200).ok_or(404),
            Step::GetShip { id } => self.ships.get(&id).map(|_| 200).ok_or(404),
            Step::Wait { .. } => unreachable!("nothing is sent"),
        }
    }

    fn ask(&self, step: &Step) -> Ask {
        let with_token = |ask: Ask, token: usize| match self.pick(token) {
            Some(token) => ask.bearer(&self.tokens[token].text),
            None => ask,
        };
        match *step {
            Step::LogIn { name, password } => Ask::new(Method::Post, "/auth/login")
                .json(&json!({"username": NAMES[name], "password": PASSWORDS[password]})),
            Step::Refresh { token } => with_token(Ask::new(Method::Post, "/auth/refresh"), token),
            Step::LogOut { token } => with_token(Ask::new(Method::Delete, "/auth/logout"), token),
            Step::LogOut2 { token } => with_token(Ask::new(Method::Delete, "/auth/logout2"), token),
            Step::CreateUser { name, password, id } => {
                Ask::new(Method::Post, "/api/users").json(&user(name, password, id))
            }
            Step::UpdateUser { token, id, name, password, named_id } => {
                let ask = Ask::new(Method::Put, &format!("/api/users/{id}"));
                with_token(ask.json(&user(name, password, named_id)), token)
            }
            Step::DeleteUser { token, id } => {
                with_token(Ask::new(Method::Delete, &format!("/api/users/{id}")), token)
            }
            Step::CreateShip { token, crew, id } => {
                with_token(Ask::new(Method::Post, "/api/ships").json(&ship(crew, id)), token)
            }
            Step::UpdateShip { token, id, crew, named_id } => {
                let ask = Ask::new(Method::Put, &format!("/api/ships/{id}"));
                with_token(ask.json(&ship(crew, named_id)), token)
            }
            Step::DeleteShip { token, id } => {
                with_token(Ask::new(Method::Delete, &format!("/api/ships/{id}")), token)
            }
            Step::GetUser { id } => Ask::new(Method::Get, &format!("/api/users/{id}")),
            Step::GetShip { id } => Ask::new(Method::Get, &format!("/api/ships/{id}")),
            Step::Wait { .. } => unreachable!("nothing is sent"),
        }
    }

    fn users_as_listed(&self) -> Value {
        self.users.iter().map(|(id, (name, _))| json!({"id": id, "name": name})).collect()
    }

    fn ships_as_listed(&self) -> Value {
        self.ships.iter().map(|(id, crew)| ship(*crew, Some(*id))).collect()
    }
}

#[test]
fn any_sequence_of_operations_matches_the_model() {
    check(prop::collection::vec(step(), 1..50), |steps| {
        let mut model = Model::new();
        let server = Server::started_with(&model.data());
        for step in steps {
            if let Step::Wait { seconds } = step {
                model.now += seconds;
                server.clock.set(model.now);
                continue;
            }
            let response = server.send(model.ask(&step));
            let (Ok(expected) | Err(expected)) = model.expect(&step, &response);
            prop_assert_eq!(response.status, expected, "{:?}: {:?}", step, response);
        }
        prop_assert_eq!(server.get("/api/users").json(), model.users_as_listed());
        prop_assert_eq!(server.get("/api/ships").json(), model.ships_as_listed());
        Ok(())
    });
}
