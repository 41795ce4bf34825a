//! `shipyard store set-keys`, and the keys that all nodes share.

use shipyard::auth::keys::file::KeyFile;
use shipyard::auth::keys::KeySet;
use shipyard::config::Settings;
use shipyard::store::sql::key_checks;

use super::{block_on, database_settings, print, session, warn, wrong_usage, CliError, SettingFlags};
use crate::cli::error::failed;

/// Fails if the settings name no key. One that this process makes would be another on each node.
pub(in crate::cli) fn require_shared_key(settings: &Settings) -> Result<(), CliError> {
    if settings.jwt_secret.is_some() || settings.jwt_secret_file.is_some() {
        return Ok(());
    }
    Err(wrong_usage(
        "with a database, all nodes need the same key: set jwt_secret or jwt_secret_file (openssl rand -hex 32)",
    ))
}

/// The keys that the settings name.
pub(super) fn shared_keys(settings: &Settings) -> Result<KeySet, CliError> {
    require_shared_key(settings)?;
    if let Some(secret) = &settings.jwt_secret {
        return Ok(secret.into());
    }
    let path = settings.jwt_secret_file.clone().unwrap_or_default();
    let found = KeyFile::at(path).read().map_err(failed)?;
    if let Some(exposed) = found.exposed {
        warn(&exposed);
    }
    Ok(found.keys)
}

pub(super) fn run(flags: SettingFlags) -> Result<(), CliError> {
    let (settings, database) = database_settings(flags)?;
    let keys = shared_keys(&settings)?;
    block_on(async {
        let mut session = session(&database).await?;
        let transaction = session.client().transaction().await.map_err(failed)?;
        key_checks::replace(&transaction, keys.checks()).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    })?;
    print(&format!(
        "Nodes sign with these keys only: {keys}. Nodes with another key are not ready within a minute.\n"
    ))
}
