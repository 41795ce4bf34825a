//! `shipyard config`.

use shipyard::config::{self, Effective};

use super::setting_flags::SettingFlags;
use super::{print, warn, wrong_usage, Failure};

pub(super) fn run(SettingFlags(flags): SettingFlags) -> Result<(), Failure> {
    let effective =
        config::figment().and_then(|figment| Effective::read(figment, flags)).map_err(wrong_usage)?;
    effective.warnings.iter().for_each(|warning| warn(warning));
    print(&effective.to_string())
}
