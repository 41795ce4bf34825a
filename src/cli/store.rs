//! `shipyard store`: the tables of the database.

mod check;
mod export;
mod init;
mod keys;
mod prune;
mod report;

use std::future::Future;

use clap::Subcommand;
use shipyard::config::Settings;
use shipyard::store::sql::database::session::Session;
use shipyard::store::sql::database::{Database, DatabaseSettings};
use shipyard::store::sql::schema::SCHEMA;
use tokio::runtime::Builder;

pub(super) use self::keys::require_shared_key;
pub(super) use self::report::{connections, Report};
use super::error::{failed, failed_at, wrong_usage, CliError};
use super::setting_flags::SettingFlags;
use super::{print, settings, warn};

pub(super) const HELP: &str = "\
Each command takes the settings of `shipyard serve` from Rocket.toml, the environment and flags: database_url or
database_url_file for all of them, jwt_secret or jwt_secret_file for init, check and set-keys.

Exit codes: 0 done, 1 failed, or check has found something wrong, 2 wrong usage or configuration.";

#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Make the tables in an empty database, with the users and ships of a data file (--data)
    Init(SettingFlags),
    /// Bring the tables to the schema of this version; nodes of the version before go on working
    Migrate(SettingFlags),
    /// Look for what keeps a node from starting, and for settings of the server that can lose data
    Check(SettingFlags),
    /// Write the users, with the hashes of their passwords, and the ships as a data file
    Export(export::Export),
    /// Delete logouts and logins that have expired; each node does so once an hour
    Prune(SettingFlags),
    /// Make the keys of this configuration the only ones that nodes sign with
    SetKeys(SettingFlags),
}

pub(super) fn run(command: Store) -> Result<(), CliError> {
    match command {
        Store::Init(flags) => init::run(flags),
        Store::Migrate(flags) => migrate(flags),
        Store::Check(flags) => check::run(flags),
        Store::Export(flags) => export::run(flags),
        Store::Prune(flags) => prune::run(flags),
        Store::SetKeys(flags) => keys::run(flags),
    }
}

/// The settings, with those of the database.
fn database_settings(SettingFlags(flags): SettingFlags) -> Result<(Settings, DatabaseSettings), CliError> {
    let settings = settings(flags)?;
    let Some(database) = settings.database.clone() else {
        return Err(wrong_usage("there is no database: set database_url or database_url_file"));
    };
    warn_of_clear_text(&database);
    Ok((settings, database))
}

/// Says that the connection is open to others on the network.
pub(super) fn warn_of_clear_text(database: &DatabaseSettings) {
    if database.url.is_clear_text() {
        warn("sslmode=disable: the connection to the database is in clear text, with the hashes of the passwords");
    }
}

/// Runs asynchronous work.
fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(work)
}

async fn session(database: &DatabaseSettings) -> Result<Session, CliError> {
    Session::open(database).await.map_err(failed)
}

fn open(database: &DatabaseSettings) -> Result<Database, CliError> {
    Database::new(database).map_err(failed)
}

/// Fails if the tables are not those of this version.
async fn check_schema(database: &Database) -> Result<(), CliError> {
    match SCHEMA.state(database).await.map_err(failed)?.problem(SCHEMA) {
        None => Ok(()),
        Some(problem) => Err(failed(problem)),
    }
}

fn migrate(flags: SettingFlags) -> Result<(), CliError> {
    let (_, settings) = database_settings(flags)?;
    let done = block_on(async {
        let mut session = session(&settings).await?;
        let done = SCHEMA.migrate(session.client()).await;
        done.map_err(|error| failed_at(format!("the database at {}", session.host()), error))
    })?;
    let number = SCHEMA.number();
    match done.as_slice() {
        [] => print(&format!("The database has schema {number} already.\n")),
        _ => print(&format!("The database has schema {number} now.\n")),
    }
}
