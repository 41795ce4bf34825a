//! `shipyard store init`.

use shipyard::store::initial_rows::InitialRows;
use shipyard::store::seed::Data;
use shipyard::store::sql::database::session::Session;
use shipyard::store::sql::schema::SCHEMA;
use shipyard::store::sql::{initial, key_checks};

use super::keys::shared_keys;
use super::{block_on, database_settings, print, session, warn, wrong_usage, CliError, SettingFlags};
use crate::cli::error::{failed, failed_at};

pub(super) fn run(flags: SettingFlags) -> Result<(), CliError> {
    let (settings, database) = database_settings(flags)?;
    let Some(file) = settings.data.clone() else {
        return Err(wrong_usage(
            "--data FILE is missing: the users and ships to begin with, such as {\"users\": [], \"ships\": []} for none",
        ));
    };
    let keys = shared_keys(&settings)?;
    let (data, source) = Data::find(Some(&file)).map_err(failed)?;
    data.check_limits(&source, settings.store_limits).map_err(failed)?;
    let public = data.public_logins();
    if !public.is_empty() {
        let names = public.join(" and ");
        warn(&format!("the passwords of {names} are those of the example, which are public"));
    }
    let (users, ships) = data.counts();
    let rows = data.hashed(&settings.hasher)?;
    block_on(async {
        let mut session = session(&database).await?;
        let done = init(&mut session, &rows, keys.checks()).await;
        done.map_err(|error| failed_at(format!("the database at {}", session.host()), error))
    })?;
    let number = SCHEMA.number();
    print(&format!("The database has schema {number} now, with {users} users and {ships} ships.\n"))
}

/// All of it or nothing.
async fn init(
    session: &mut Session,
    rows: &InitialRows,
    keys: &[shipyard::auth::keys::KeyCheck],
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let transaction = session.client().transaction().await?;
    SCHEMA.create(&transaction).await?;
    key_checks::replace(&transaction, keys).await?;
    initial::insert(&transaction, rows).await?;
    transaction.commit().await?;
    Ok(())
}
