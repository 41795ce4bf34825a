//! Settings of the store.

use std::path::PathBuf;

use super::error::ConfigError;
use super::setting::{Kind, Preset, Setting};
use super::values::Values;
use crate::store::seed::DEFAULT_FILE;
use crate::store::StoreLimits;

const MOST: u64 = 100_000_000;
const DEFAULT: StoreLimits = StoreLimits::DEFAULT;

const DATA: Setting = Setting::new(
    "data",
    Preset::OptionalFile(DEFAULT_FILE),
    Kind::Path,
    "Data file with users and ships; without the default file, the built-in example",
)
.flag("data", Some('d'), "FILE");

const WATCH: Setting = Setting::new(
    "watch",
    Preset::Bool(false),
    Kind::Bool,
    "Read the data file again when it changes: it replaces all users and ships, and ends all tokens",
)
.details("An invalid file changes nothing; the log says what is wrong with it")
.flag("watch", None, "BOOL");

const MAX_USERS: Setting = Setting::new(
    "max_users",
    Preset::Integer(DEFAULT.users as u64),
    Kind::Integer(1, MOST),
    "Users, {range}; creating one more gets 507",
)
.details("1 KB each");

const MAX_SHIPS: Setting = Setting::new(
    "max_ships",
    Preset::Integer(DEFAULT.ships as u64),
    Kind::Integer(1, MOST),
    "Ships, {range}; creating one more gets 507",
)
.details("The longest ship takes 4 KB in ASCII, 12 KB with the longest characters");

const MAX_REVOCATIONS: Setting = Setting::new(
    "max_revocations",
    Preset::Integer(DEFAULT.revocations as u64),
    Kind::Integer(0, MOST),
    "Logged-out tokens on the deny list until they expire, {range}",
)
.details("Beyond that a logout ends all tokens of its user instead. 30 bytes each");

pub(super) const SETTINGS: &[Setting] = &[DATA, WATCH, MAX_USERS, MAX_SHIPS, MAX_REVOCATIONS];

/// The data file, if one is set.
pub(super) fn data(values: &Values) -> Result<Option<PathBuf>, ConfigError> {
    values.path(&DATA)
}

pub(super) fn watch(values: &Values) -> Result<bool, ConfigError> {
    values.get(&WATCH)
}

pub(super) fn limits(values: &Values) -> Result<StoreLimits, ConfigError> {
    Ok(StoreLimits {
        users: values.get(&MAX_USERS)?,
        ships: values.get(&MAX_SHIPS)?,
        revocations: values.get(&MAX_REVOCATIONS)?,
    })
}
