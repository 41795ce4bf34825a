//! `shipyard store check`.

use super::keys::shared_keys;
use super::report::{connections, Report};
use super::{block_on, database_settings, open, print, CliError, SettingFlags};
use crate::cli::error::failed;

pub(super) fn run(flags: SettingFlags) -> Result<(), CliError> {
    let (settings, database) = database_settings(flags)?;
    let keys = shared_keys(&settings)?;
    let connections = connections(&database, settings.limits.workers);
    let report = block_on(async {
        let database = open(&database)?;
        Report::of(&database, keys.checks(), connections).await.map_err(failed)
    })?;
    print(&report.to_string())?;
    if report.wrong.is_empty() {
        Ok(())
    } else {
        Err(CliError::Reported(1))
    }
}
