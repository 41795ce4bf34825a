//! `shipyard config`.

use shipyard::config::{self, Effective};

use super::error::CliError;
use super::setting_flags::SettingFlags;
use super::{print, warn};

pub(super) fn run(SettingFlags(flags): SettingFlags) -> Result<(), CliError> {
    let effective = config::figment().and_then(|figment| Effective::read(figment, flags))?;
    effective.warnings.iter().for_each(|warning| warn(warning));
    print(&effective.to_string())
}
