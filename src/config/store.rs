//! Settings of the store.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::error::{invalid, ConfigError};
use super::setting::{Kind, Preset, Setting};
use super::values::Values;
use crate::regular_file;
use crate::store::seed::DEFAULT_FILE;
use crate::store::sql::database::url::{DatabaseUrl, UrlError};
use crate::store::sql::database::DatabaseSettings;
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

const DATABASE_URL: Setting = Setting::new(
    "database_url",
    Preset::Unset { instead: "", example: "postgres://shipyard@db.example/shipyard" },
    Kind::Secret,
    "PostgreSQL database that keeps the users and ships, for several nodes. Without it, they are in memory. Set it in the \
     environment or in a file rather than on the command line, which other users of the machine can read",
)
.details("See [the database](#the-database)")
.flag("database-url", None, "URL");

const DATABASE_URL_FILE: Setting = Setting::new(
    "database_url_file",
    Preset::Unset { instead: "", example: "/run/secrets/database-url" },
    Kind::Path,
    "File that holds the URL, instead of `database_url`",
)
.flag("database-url-file", None, "FILE");

const DATABASE_CA_FILE: Setting = Setting::new(
    "database_ca_file",
    Preset::Unset { instead: "those that the machine trusts", example: "/etc/shipyard/database-ca.pem" },
    Kind::Path,
    "File of certificates in PEM that sign the certificate of the database, as `sslrootcert` in the URL",
);

const DATABASE_POOL: Setting = Setting::new(
    "database_pool",
    Preset::Integer(4),
    Kind::Integer(1, 100),
    "Connections of each worker to the database, {range}; opened when they are needed",
)
.details("All nodes together need nodes x `workers` x `database_pool`, which `max_connections` of PostgreSQL must allow");

const DATABASE_POOLER: Setting = Setting::new(
    "database_pooler",
    Preset::Bool(false),
    Kind::Bool,
    "Whether the URL leads to a pooler that gives each transaction another connection, as PgBouncer does in transaction mode",
)
.details("Then each statement is parsed again, and no start-up parameter is sent");

pub(super) const SETTINGS: &[Setting] = &[
    DATA,
    WATCH,
    MAX_USERS,
    MAX_SHIPS,
    MAX_REVOCATIONS,
    DATABASE_URL,
    DATABASE_URL_FILE,
    DATABASE_CA_FILE,
    DATABASE_POOL,
    DATABASE_POOLER,
];

/// The largest file with a URL, in bytes.
const MAX_URL_SIZE: u64 = 64 * 1024;

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

/// The database, if one is set. Reads the file with its URL.
pub(super) fn database(values: &Values) -> Result<Option<DatabaseSettings>, ConfigError> {
    let url: Option<Zeroizing<String>> = values.optional::<String>(&DATABASE_URL)?.map(Zeroizing::new);
    let (name, url) = match (url, values.path(&DATABASE_URL_FILE)?) {
        (None, None) => return Ok(None),
        (Some(url), None) => (DATABASE_URL.name.to_owned(), url),
        (None, Some(file)) => {
            let name = format!("{}: {}", DATABASE_URL_FILE.name, file.display());
            let text = regular_file::read_to_string(&file, MAX_URL_SIZE);
            let text = text.map(Zeroizing::new).map_err(|error| invalid(&name, error))?;
            (name, Zeroizing::new(text.trim().to_owned()))
        }
        (Some(_), Some(_)) => {
            let reason = format!("{} is given as well; one of the two", DATABASE_URL_FILE.name);
            return Err(invalid(DATABASE_URL.name, reason));
        }
    };
    let url: DatabaseUrl = url.parse().map_err(|error: UrlError| invalid(&name, error))?;
    Ok(Some(DatabaseSettings {
        url: url.with_root_certificates(values.path(&DATABASE_CA_FILE)?),
        pool_size: values.get(&DATABASE_POOL)?,
        pooler: values.get(&DATABASE_POOLER)?,
    }))
}
