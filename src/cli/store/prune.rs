//! `shipyard store prune`.

use shipyard::store::sql::prune;

use super::{block_on, check_schema, database_settings, open, print, CliError, SettingFlags};
use crate::cli::error::failed;

pub(super) fn run(flags: SettingFlags) -> Result<(), CliError> {
    let (_, settings) = database_settings(flags)?;
    let (logouts, logins) = block_on(async {
        let database = open(&settings)?;
        check_schema(&database).await?;
        prune::prune(&database).await.map_err(failed)
    })?;
    print(&format!("Deleted {logouts} expired logouts and {logins} expired logins.\n"))
}
