//! Connecting: the hosts in turn, each for its share of the deadline, until one takes writes.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Row, RowStream, SimpleQueryMessage, Statement};

use super::failure::{describe, Reason};
use super::tls::{Tls, TlsError};
use super::url::{DatabaseUrl, Endpoint, Host};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statements {
    /// Each is parsed once for a connection, and stays there.
    Named,
    /// Each is parsed again: a pooler in transaction mode gives each statement another connection.
    Unnamed,
}

/// The text of a statement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'a> {
    /// One of those that this program has, which can be kept prepared.
    Constant(&'static str),
    /// One of too many to be kept.
    Composed(&'a str),
}

/// How long a statement of a connection may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// As long as this program waits for it.
    Deadline,
    /// As long as a client takes to read its rows.
    None,
}

/// Makes connections.
pub(super) struct Connector {
    hosts: Vec<Target>,
    /// The index of the host to try first: the last that worked, or the one after the last that failed.
    first: AtomicUsize,
    writable: bool,
    statements: Statements,
    /// The longest time for all hosts together.
    deadline: Duration,
    tls: Tls,
}

struct Target {
    name: String,
    config: Config,
    limit: Option<Duration>,
}

/// A connection, which the runtime that opened it drives.
pub(super) struct Connection {
    client: Client,
    driver: JoinHandle<()>,
    prepared: HashMap<&'static str, Statement>,
    /// The host, for messages.
    pub(super) host: String,
    pub(super) opened: Instant,
    /// Whether the last statement was given up before its answer: its request was cancelled.
    is_unanswered: bool,
}

/// Why no host gives a connection.
#[derive(Debug)]
pub(super) struct ConnectError {
    /// The host that was tried last.
    pub(super) host: String,
    pub(super) reason: Reason,
}

impl Connector {
    pub(super) fn new(
        url: &DatabaseUrl,
        statements: Statements,
        deadline: Duration,
    ) -> Result<Self, TlsError> {
        let roots: Option<&Path> = url.root_certificates.as_deref();
        let tls = if url.uses_tls() { Tls::new(roots)? } else { Tls::unused()? };
        let target = |endpoint: &Endpoint| Target {
            name: endpoint.to_string(),
            config: config(url, endpoint, statements, deadline),
            limit: url.connect_timeout,
        };
        Ok(Self {
            hosts: url.hosts.iter().map(target).collect(),
            first: AtomicUsize::new(0),
            writable: url.writable,
            statements,
            deadline,
            tls,
        })
    }

    /// The host that is tried first, for messages.
    pub(super) fn first_host(&self) -> &str {
        let first = self.first.load(Ordering::Relaxed);
        self.hosts.get(first).map_or("", |target| &target.name)
    }

    pub(super) async fn connect(&self, statements: Limit) -> Result<Connection, ConnectError> {
        let count = self.hosts.len();
        // Less than a full share: a host that does not answer must not use up the time of the last.
        let share = self.deadline.mul_f64(0.9) / u32::try_from(count).unwrap_or(u32::MAX);
        let first = self.first.load(Ordering::Relaxed);
        let mut last = ConnectError { host: String::new(), reason: Reason::new("no host") };
        for index in (0..count).map(|turn| (first + turn) % count) {
            let Some(target) = self.hosts.get(index) else { continue };
            let limit = target.limit.map_or(share, |limit| limit.min(share));
            match timeout(limit, self.connect_to(target, statements)).await {
                Ok(Ok(connection)) => {
                    self.first.store(index, Ordering::Relaxed);
                    return Ok(connection);
                }
                Ok(Err(reason)) => last = ConnectError { host: target.name.clone(), reason },
                Err(_) => {
                    let reason = Reason::new(format!("no connection within {limit:?}"));
                    last = ConnectError { host: target.name.clone(), reason };
                }
            }
            self.first.store((index + 1) % count, Ordering::Relaxed);
        }
        Err(last)
    }

    async fn connect_to(&self, target: &Target, statements: Limit) -> Result<Connection, Reason> {
        let connected = match statements {
            Limit::None if self.statements == Statements::Named => {
                target.config.clone().options("-c statement_timeout=0").connect(self.tls.clone()).await
            }
            _ => target.config.connect(self.tls.clone()).await,
        };
        let (client, connection) = connected.map_err(|error| self.explain(describe(&error)))?;
        let driver = tokio::spawn(async move {
            // Its error is that of the statement that waits for an answer.
            let _ = connection.await;
        });
        let connection = Connection {
            client,
            driver,
            prepared: HashMap::new(),
            host: target.name.clone(),
            opened: Instant::now(),
            is_unanswered: false,
        };
        self.check(&connection, statements).await?;
        Ok(connection)
    }

    /// Refuses a server that takes no writes, and a pooler that nothing says is one: two clients of it have statements of the
    /// same name, and one would run the other's.
    async fn check(&self, connection: &Connection, statements: Limit) -> Result<(), Reason> {
        const STATE: &str =
            "SELECT current_setting('transaction_read_only'), current_setting('statement_timeout')";
        let answer =
            connection.client.simple_query(STATE).await.map_err(|error| self.explain(describe(&error)))?;
        let row = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((row.get(0), row.get(1))),
            _ => None,
        });
        let (read_only, limit) = row.unwrap_or_default();
        if self.writable && read_only != Some("off") {
            return Err(Reason::new("it takes no writes: a standby, or default_transaction_read_only"));
        }
        let expected = match statements {
            Limit::Deadline => self.deadline.as_millis(),
            Limit::None => 0,
        };
        if self.statements == Statements::Named && limit.and_then(milliseconds) != Some(expected) {
            return Err(Reason::new(format!("statement_timeout did not reach it; {POOLER}")));
        }
        Ok(())
    }

    /// Adds the advice for a pooler that refuses start-up parameters.
    fn explain(&self, reason: Reason) -> Reason {
        if self.statements == Statements::Named && reason.code.as_deref() == Some("08P01") {
            return Reason { text: format!("{}; {POOLER}", reason.text), ..reason };
        }
        reason
    }
}

/// What to do about a pooler.
pub(super) const POOLER: &str = "if this is a pooler such as PgBouncer, set database_pooler = true";

fn config(url: &DatabaseUrl, endpoint: &Endpoint, statements: Statements, deadline: Duration) -> Config {
    let mut config = Config::new();
    match &endpoint.host {
        Host::Tcp(name) => config.host(name),
        Host::Unix(folder) => config.host_path(folder),
    };
    config.port(endpoint.port);
    config.ssl_mode(if endpoint.tls { SslMode::Require } else { SslMode::Disable });
    config.application_name(url.application_name.as_deref().unwrap_or("shipyard"));
    if let Some(user) = &url.user {
        config.user(user);
    }
    if let Some(password) = &url.password {
        config.password(password.as_bytes());
    }
    if let Some(database) = &url.database {
        config.dbname(database);
    }
    if statements == Statements::Named {
        // A statement that this program no longer waits for ends, and holds no lock. Poolers refuse this parameter.
        config.options(format!("-c statement_timeout={}", deadline.as_millis()));
    }
    config
}

/// The milliseconds of a PostgreSQL setting such as `2s`, `1500ms` or `1min`.
fn milliseconds(setting: &str) -> Option<u128> {
    let digits = setting.find(|c: char| !c.is_ascii_digit()).unwrap_or(setting.len());
    let (number, unit) = setting.split_at_checked(digits)?;
    let factor = match unit {
        "ms" | "" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(number.parse::<u128>().ok()? * factor)
}

/// Where a statement failed.
pub(super) enum StatementError {
    /// Before it was sent.
    Preparing(tokio_postgres::Error),
    /// Afterwards, or it is not known when.
    Running(tokio_postgres::Error),
}

impl Connection {
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The connection itself and its host.
    pub(super) fn into_client(self) -> (Client, String) {
        (self.client, self.host)
    }

    /// Closes the connection without waiting for an answer.
    pub(super) fn abort(&self) {
        self.driver.abort();
    }

    /// Whether the server still answers. Asks it only if the last statement was given up: if it has no time for such a
    /// small one either, no other statement should wait for it.
    pub(super) async fn answers(&mut self, patience: Duration) -> bool {
        if self.is_unanswered {
            self.is_unanswered = !matches!(timeout(patience, self.client.simple_query("")).await, Ok(Ok(_)));
        }
        !self.is_unanswered
    }

    pub(super) async fn run(
        &mut self,
        statements: Statements,
        statement: Text<'_>,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, StatementError> {
        self.is_unanswered = true;
        let result = self.send(statements, statement, parameters).await;
        self.is_unanswered = false;
        result
    }

    async fn send(
        &mut self,
        statements: Statements,
        statement: Text<'_>,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, StatementError> {
        let statement = match (statements, statement) {
            (Statements::Named, Text::Constant(statement)) => statement,
            (_, Text::Constant(statement) | Text::Composed(statement)) => {
                return self.client.query_typed(statement, parameters).await.map_err(StatementError::Running);
            }
        };
        let prepared = match self.prepared.get(statement) {
            Some(prepared) => prepared.clone(),
            None => {
                let types: Vec<Type> = parameters.iter().map(|(_, of_type)| of_type.clone()).collect();
                let prepared = self.client.prepare_typed(statement, &types).await;
                let prepared = prepared.map_err(StatementError::Preparing)?;
                self.prepared.insert(statement, prepared.clone());
                prepared
            }
        };
        let values: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|(value, _)| *value).collect();
        self.client.query(&prepared, &values).await.map_err(StatementError::Running)
    }

    /// Runs a statement whose rows are read one after the other.
    pub(super) async fn stream(
        &self,
        statement: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<RowStream, StatementError> {
        let parameters = parameters.iter().map(|(value, of_type)| (*value, of_type.clone()));
        self.client.query_typed_raw(statement, parameters).await.map_err(StatementError::Running)
    }
}
