//! Stores for tests.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::OnceLock;

use serde_json::{json, Value};
use shipyard::auth::network::Network;
use shipyard::auth::password::{Cost, Hash};
use shipyard::auth::rate_limit::{Admission, Operation, Rate, Rates};
use shipyard::auth::token::{Claims, Family};
use shipyard::internal_error::OperationError;
use shipyard::json::Style;
use shipyard::model::id::Id;
use shipyard::model::password::Password;
use shipyard::model::ship::ShipInput;
use shipyard::model::{self, Input};
use shipyard::store::initial_rows::InitialRows;
use shipyard::store::memory::{Memory, MemoryConfig};
use shipyard::store::sql::database::{Database, DatabaseSettings};
use shipyard::store::sql::{initial, Sql, SqlConfig};
use shipyard::store::{HashedUser, Precondition, Revisions, Store, StoreLimits, StoredUser, UserChange};
use test_support::postgres::{execute, Cluster, Version};
use uuid::Uuid;

pub(crate) const ANN: Id = Id::new(1);
const SCHEMA: &str = include_str!("../../src/store/sql/schema/001-initial.sql");

/// When the stores were made: tokens with this time were issued before, unless they were noted.
pub(crate) const START: u64 = 5;

/// How much the clocks of nodes may differ: a mark is ahead by as much.
const LEEWAY: u64 = 1;

/// Where the rows are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backend {
    Memory,
    Sql { version: Version, isolation: &'static str },
}

impl Backend {
    pub(crate) const READ_COMMITTED_15: Self =
        Self::Sql { version: Version::V15, isolation: "read committed" };
    pub(crate) const REPEATABLE_READ_15: Self =
        Self::Sql { version: Version::V15, isolation: "repeatable read" };
    pub(crate) const SERIALIZABLE_15: Self = Self::Sql { version: Version::V15, isolation: "serializable" };
    pub(crate) const READ_COMMITTED_18: Self =
        Self::Sql { version: Version::V18, isolation: "read committed" };
    pub(crate) const REPEATABLE_READ_18: Self =
        Self::Sql { version: Version::V18, isolation: "repeatable read" };
    pub(crate) const SERIALIZABLE_18: Self = Self::Sql { version: Version::V18, isolation: "serializable" };

    /// Runs a rule.
    pub(crate) fn run<F: Future<Output = ()>>(self, name: &str, rule: impl Fn(Maker) -> F) {
        eprintln!("{name} over {self:?}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(rule(Maker(self)));
    }
}

/// Makes the store that a rule needs.
#[derive(Clone, Copy)]
pub(crate) struct Maker(pub(crate) Backend);

/// What a rule needs.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) limits: StoreLimits,
    pub(crate) style: Style,
    pub(crate) rates: Option<Rates>,
    pub(crate) rows: InitialRows,
}

impl Default for Config {
    fn default() -> Self {
        let ann = StoredUser { name: "ann".to_owned(), hash: hash() };
        let rows = InitialRows { users: BTreeMap::from([(ANN, ann)]), ships: BTreeMap::new() };
        Self { limits: StoreLimits::default(), style: Style::Compact, rates: None, rows }
    }
}

impl Maker {
    /// A store with the user ann and no ships.
    pub(crate) async fn store(self) -> Store {
        self.with(Config::default()).await
    }

    pub(crate) async fn with(self, config: Config) -> Store {
        let Config { limits, style, rates, rows } = config.clone();
        match self.0 {
            Backend::Memory => {
                Store::Memory(Memory::new(rows, &MemoryConfig { limits, style, rates, now: START }))
            }
            Backend::Sql { .. } => Node::open(&self.database(&rows).await, &config).await,
        }
    }

    /// The URL of a new database with these rows.
    pub(crate) async fn database(self, rows: &InitialRows) -> String {
        let Backend::Sql { version, isolation } = self.0 else { panic!("memory has no database") };
        let cluster = Cluster::shared(version);
        let name = cluster.database();
        let isolated = format!("ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'");
        cluster.execute("postgres", &isolated);
        let url = cluster.url(&name);
        execute(&url, SCHEMA);
        execute(&url, &format!("INSERT INTO service VALUES (1, 1, {START}, 0, '\\x0123')"));
        let (client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a server");
        let driver = tokio::spawn(connection);
        initial::insert(&client, rows).await.expect("the schema is empty");
        drop(client);
        driver.await.expect("no panic").expect("no failure");
        url
    }
}

/// A node on a database.
pub(crate) struct Node;

impl Node {
    pub(crate) async fn open(url: &str, config: &Config) -> Store {
        Self::with_pool(url, config, 2).await
    }

    pub(crate) async fn with_pool(url: &str, config: &Config, pool_size: usize) -> Store {
        let settings = DatabaseSettings { url: url.parse().expect("a URL"), pool_size, pooler: false };
        let database = Database::new(&settings).expect("no certificates are needed");
        let Config { limits, style, rates, .. } = *config;
        Store::Sql(
            Sql::open(database, SqlConfig { limits, style, rates, leeway: LEEWAY })
                .await
                .expect("the schema"),
        )
    }
}

/// The same hash each time.
pub(crate) fn hash() -> Hash {
    static HASH: OnceLock<Hash> = OnceLock::new();
    HASH.get_or_init(other_hash).clone()
}

/// Another hash each time.
pub(crate) fn other_hash() -> Hash {
    let hasher = Cost { memory: 8, iterations: 1, parallelism: 1 }.hasher().expect("a cheap cost");
    hasher.hash(&Password::new("password".to_owned())).expect("a hash")
}

pub(crate) fn network(last: u8) -> Network {
    Some(IpAddr::from([192, 0, 2, last])).into()
}

/// A token of ann that was issued at that time.
pub(crate) fn token(iat: u64) -> Claims {
    Claims { identity: ANN, jti: uuid(), iat, exp: iat + 100_000, family: None }
}

pub(crate) fn uuid() -> Uuid {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("random bytes");
    Uuid::from_bytes(bytes)
}

/// The first refresh token of a family.
pub(crate) fn first_of_family(iat: u64) -> Claims {
    let first = token(iat);
    Claims { family: Some(Family { id: first.jti, generation: 0 }), ..first }
}

/// The refresh token after that one.
pub(crate) fn next_of_family(spent: &Claims, iat: u64) -> Claims {
    let family = spent.family.map(|family| Family { generation: family.generation + 1, ..family });
    Claims { jti: uuid(), iat, family, ..*spent }
}

/// An admission of a client without limits.
pub(crate) async fn admitted(store: &Store, last: u8) -> Admission {
    store.admit(Operation::Refresh, network(last)).await.expect("no limit is near")
}

/// Logs ann in with these tokens.
pub(crate) async fn log_in(store: &Store, verified: &Hash, access: &Claims, refresh: &Claims) -> bool {
    let admission = admitted(store, 1).await;
    store.complete_login(verified, access, refresh, &admission).await.expect("a database")
}

/// Sets a new password of ann, and returns its hash.
pub(crate) async fn change_password(store: &Store, now: u64) -> Hash {
    let hash = other_hash();
    let change = UserChange { id: None, name: None, hash: Some(hash.clone()), token: None };
    let admission = admitted(store, 1).await;
    let changed = store.update_user(ANN, change, &Precondition::NONE, &admission, now).await;
    changed.expect("ann is there");
    hash
}

pub(crate) fn user(name: &str) -> HashedUser {
    HashedUser { id: None, name: name.to_owned(), hash: hash() }
}

pub(crate) fn renamed(id: Option<u64>, name: &str) -> UserChange {
    UserChange { id: id.map(Id::new), name: Some(name.to_owned()), hash: None, token: None }
}

/// A ship with these fields in place of the example's.
pub(crate) fn ship(fields: Value) -> ShipInput {
    let mut ship = ShipInput::example();
    for (name, value) in fields.as_object().expect("an object") {
        ship[name] = value.clone();
    }
    model::read(ship).expect("it fits")
}

pub(crate) fn any_ship() -> ShipInput {
    ship(json!({}))
}

/// The error of the operation itself.
pub(crate) fn rejected<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, OperationError<E>>) -> E {
    match result {
        Err(OperationError::Rejected(error)) => error,
        other => panic!("expected a rejection, not {other:?}"),
    }
}

/// The result for a client.
pub(crate) fn outcome<T, E: std::fmt::Debug>(result: Result<T, OperationError<E>>) -> Result<T, E> {
    result.map_err(|error| match error {
        OperationError::Rejected(error) => error,
        other => panic!("{other:?}"),
    })
}

/// Requires one of these versions.
pub(crate) fn if_match(revisions: &[u64]) -> Precondition {
    Precondition { if_match: Some(Revisions::These(revisions.to_vec())), ..Precondition::NONE }
}

pub(crate) fn rates(by_address: &str, by_user: &str, overall: &str) -> Config {
    let rate = |text: &str| -> Rate { text.parse().expect("a rate") };
    let rates = Rates { by_address: rate(by_address), by_user: rate(by_user), overall: rate(overall) };
    Config { rates: Some(rates), ..Config::default() }
}
