//! Schema of the database: its number, and the steps from one to the next.
//!
//! A step either expands the schema, so that programs of the number before go on working, or contracts it when no such
//! program runs any more. `oldest` says which.

use thiserror::Error;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Transaction};

use super::database::session::SqlError;
use super::database::{Database, DatabaseError};
use crate::internal_error::InternalError;

/// A step.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The number of the schema that it leads to.
    pub number: i32,
    /// The number of the oldest schema whose programs work with this one.
    pub oldest: i32,
    /// Statements.
    pub sql: &'static str,
}

/// The steps that lead to a schema, from 1 and without a gap.
#[derive(Clone, Copy, Debug)]
pub struct Schema(pub &'static [Step]);

/// The schema of this program.
pub const SCHEMA: Schema =
    Schema(&[Step { number: 1, oldest: 1, sql: include_str!("schema/001-initial.sql") }]);

/// The table of the steps themselves.
const STEPS: &str = include_str!("schema/000-steps.sql");

/// Whether the database has tables of this program.
const IS_THERE: &str =
    "SELECT to_regclass('service') IS NOT NULL AND to_regclass('schema_steps') IS NOT NULL";

/// What a database has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// No tables of this program.
    Missing,
    /// The schema of this program, or a later one that it works with; its number.
    Usable(i32),
    /// An earlier one; its number.
    Older(i32),
    /// A later one that this program does not work with; its number.
    Newer(i32),
}

impl SchemaState {
    /// What is wrong for a program with that schema and what to do about it, if anything is.
    #[must_use]
    pub fn problem(self, schema: Schema) -> Option<String> {
        let own = schema.number();
        match self {
            Self::Usable(_) => None,
            Self::Missing => Some(SchemaError::Missing.to_string()),
            Self::Older(found) => Some(format!(
                "the database has schema {found}, and this version needs {own}: `shipyard store migrate` brings it there"
            )),
            Self::Newer(found) => Some(SchemaError::Newer(found, own).to_string()),
        }
    }
}

/// Why the schema of a database was not changed.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// A statement failed.
    #[error("the database refuses a statement")]
    Sql(#[from] SqlError),
    /// There are tables already.
    #[error("the database is not empty: it has {0}; name an empty one")]
    NotEmpty(String),
    /// There are none.
    #[error("the database has no tables of Shipyard: `shipyard store init --data FILE` makes them")]
    Missing,
    /// They are of a later version.
    #[error(
        "the database has schema {0}, which this version does not know (it knows {1}); use the later version"
    )]
    Newer(i32, i32),
    /// The locks of a step would have stopped the nodes for too long.
    #[error("schema {0}: a table was in use for too long; nothing has changed, try again")]
    Busy(i32),
    /// No random bytes.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl From<tokio_postgres::Error> for SchemaError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error.into())
    }
}

impl Schema {
    /// Its number.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.0.last().map_or(0, |step| step.number)
    }

    /// What the database has, for a program with this schema.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn state(&self, database: &Database) -> Result<SchemaState, DatabaseError> {
        const STATE: &str = "SELECT schema, (SELECT max(oldest) FROM schema_steps) FROM service";
        let wrong = |error| DatabaseError::Internal(InternalError::new("reading the schema", error));
        let rows = database.query(IS_THERE, &[]).await?;
        let is_there = rows.first().map(|row| row.try_get::<_, bool>(0)).transpose().map_err(wrong)?;
        if is_there != Some(true) {
            return Ok(SchemaState::Missing);
        }
        let rows = database.query(STATE, &[]).await?;
        let Some(row) = rows.first() else { return Ok(SchemaState::Missing) };
        let (found, oldest): (i32, i32) = (row.try_get(0).map_err(wrong)?, row.try_get(1).map_err(wrong)?);
        Ok(self.compare(found, oldest))
    }

    fn compare(&self, found: i32, oldest: i32) -> SchemaState {
        match self.number() {
            own if found < own => SchemaState::Older(found),
            own if found == own || oldest <= own => SchemaState::Usable(found),
            _ => SchemaState::Newer(found),
        }
    }

    /// Makes the tables in an empty database, and the row of the service. The caller commits.
    ///
    /// # Errors
    /// [`SchemaError`]: the database is not empty, or a statement fails.
    pub async fn create(&self, transaction: &Transaction<'_>) -> Result<(), SchemaError> {
        const TABLES: &str = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                              WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1 LIMIT 5";
        const SERVICE: &str = "INSERT INTO service (one, schema, started, pruned_to, hash_key) \
                               VALUES (1, $1, floor(extract(epoch FROM clock_timestamp()))::int8, 0, $2)";
        let tables = transaction.query_typed(TABLES, &[]).await?;
        if !tables.is_empty() {
            let names = tables.iter().map(|row| row.try_get(0)).collect::<Result<Vec<&str>, _>>()?;
            return Err(SchemaError::NotEmpty(names.join(", ")));
        }
        transaction.batch_execute(STEPS).await?;
        for step in self.0 {
            transaction.batch_execute(step.sql).await?;
            note(transaction, step).await?;
        }
        let mut key = [0_u8; 32];
        getrandom::fill(&mut key).map_err(|error| InternalError::new("making a key for hashes", error))?;
        let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
            [(&self.number(), Type::INT4), (&&key[..], Type::BYTEA)];
        transaction.query_typed(SERVICE, &parameters).await?;
        Ok(())
    }

    /// Runs the steps that the database does not have yet, each in a transaction. Returns their numbers.
    ///
    /// # Errors
    /// [`SchemaError`]. The steps before the one that failed stay.
    pub async fn migrate(&self, client: &mut Client) -> Result<Vec<i32>, SchemaError> {
        let rows = client.query_typed(IS_THERE, &[]).await?;
        if !rows.first().is_some_and(|row| row.try_get(0).unwrap_or(false)) {
            return Err(SchemaError::Missing);
        }
        let mut done = Vec::new();
        loop {
            let transaction = client.transaction().await?;
            let Some(number) = self.step(&transaction).await? else { return Ok(done) };
            transaction.commit().await?;
            done.push(number);
        }
    }

    /// Runs the next step, if there is one. Returns its number.
    async fn step(&self, transaction: &Transaction<'_>) -> Result<Option<i32>, SchemaError> {
        // Another migration waits here until this one has committed.
        const LOCK: &str = "SELECT schema FROM service FOR UPDATE";
        // While the step waits for a table, all statements that come after it wait too.
        const IMPATIENT: &str = "SELECT set_config('lock_timeout', '1s', true)";
        const NUMBER: &str = "UPDATE service SET schema = $1";
        let rows = transaction.query_typed(LOCK, &[]).await?;
        let found: i32 = rows.first().ok_or(SchemaError::Missing)?.try_get(0)?;
        if found > self.number() {
            return Err(SchemaError::Newer(found, self.number()));
        }
        let Some(step) = self.0.iter().find(|step| step.number == found + 1) else { return Ok(None) };
        transaction.query_typed(IMPATIENT, &[]).await?;
        transaction.batch_execute(step.sql).await.map_err(|error| {
            let error = SqlError::from(error);
            if error.code() == Some("55P03") {
                SchemaError::Busy(step.number)
            } else {
                error.into()
            }
        })?;
        note(transaction, step).await?;
        transaction.query_typed(NUMBER, &[(&step.number, Type::INT4)]).await?;
        Ok(Some(step.number))
    }
}

async fn note(transaction: &Transaction<'_>, step: &Step) -> Result<(), SchemaError> {
    const NOTE: &str = "INSERT INTO schema_steps (number, oldest) VALUES ($1, $2)";
    transaction.query_typed(NOTE, &[(&step.number, Type::INT4), (&step.oldest, Type::INT4)]).await?;
    Ok(())
}
