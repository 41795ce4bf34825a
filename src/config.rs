//! Settings: where they come from, and their checked values.
//!
//! One namespace, Rocket's own: `Rocket.toml` (in the working directory, or where `ROCKET_CONFIG` says), then
//! `ROCKET_*` environment variables, then the command line; the later wins. Each setting is described once, in the table of
//! its subsystem, from which checks, flags and documentation are made.

mod api;
mod auth;
pub mod docs;
mod effective;
mod error;
mod faults;
mod file;
mod framework;
mod http;
mod log;
mod origin;
mod setting;
mod store;
mod table;
mod values;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rocket::figment::value::Dict;
use rocket::figment::{Figment, Profile};
use rocket::Config;

pub use self::effective::Effective;
pub use self::error::{ConfigError, Mismatch, Reason};
use self::file::SettingsFile;
use self::origin::Given;
pub use self::setting::{Flag, Kind, Preset, Setting};
pub use self::table::settings;
use self::values::Values;
use crate::api::base_url::BaseUrl;
use crate::api::cors::Cors;
use crate::api::routes::static_files::StaticDir;
use crate::auth::password::Hasher;
use crate::auth::rate_limit::Rates;
use crate::auth::secret::Secret;
use crate::auth::token::Lifetimes;
use crate::http::admin::AdminAddress;
use crate::http::fault_injection::FaultSettings;
use crate::http::listen::Address;
use crate::http::HttpLimits;
use crate::json::Style;
use crate::store::sql::database::DatabaseSettings;
use crate::store::StoreLimits;

/// The value of every setting, checked.
#[derive(Debug)]
pub struct Settings {
    /// Advice for the user, one line each.
    pub warnings: Vec<String>,
    /// Rocket's. Its own log is off, whatever `log_level` says: it would write tokens, and block on slow readers.
    pub rocket: Config,
    /// `log_level` and `log_format`.
    pub log: crate::log::Settings,
    /// `address`.
    pub address: Address,
    /// Limits of connections and requests.
    pub limits: HttpLimits,
    /// `delay`, `fail` and `seed`.
    pub faults: FaultSettings,
    /// `admin_address`.
    pub admin_address: Option<AdminAddress>,
    /// `shutdown_delay`.
    pub shutdown_delay: Duration,
    /// `watch`.
    pub watch: bool,
    /// `data`.
    pub data: Option<PathBuf>,
    /// `static_dir`.
    pub static_dir: StaticDir,
    /// `jwt_secret`.
    pub jwt_secret: Option<Secret>,
    /// `jwt_secret_file`: a file of keys (see [`crate::auth::keys::file`]).
    pub jwt_secret_file: Option<PathBuf>,
    /// `access_token_ttl` and `refresh_token_ttl`.
    pub lifetimes: Lifetimes,
    /// `refresh_grace` in seconds, if `refresh_rotation` is on.
    pub rotation_grace: Option<u64>,
    /// `json`.
    pub json: Style,
    /// `public_url`.
    pub public_url: Option<BaseUrl>,
    /// `cors_origins`.
    pub cors: Cors,
    /// `strict_query`.
    pub strict_query: bool,
    /// `require_if_match`.
    pub require_if_match: bool,
    /// `password_memory`, `password_iterations` and `password_parallelism`.
    pub hasher: Hasher,
    /// `password_queue`.
    pub password_queue: usize,
    /// `rate_by_address`, `rate_by_user` and `rate_overall`; none if `rate_limits` is off.
    pub rates: Option<Rates>,
    /// `max_users`, `max_ships` and `max_revocations`.
    pub store_limits: StoreLimits,
    /// `database_url` or `database_url_file`, and the other settings of the database.
    pub database: Option<DatabaseSettings>,
}

/// The configuration in which nothing is set, so that every default is in effect.
#[must_use]
pub fn defaults() -> Figment {
    Figment::new().select(Config::DEFAULT_PROFILE)
}

/// The configuration that Rocket.toml and the environment set.
///
/// # Errors
/// [`ConfigError`]: `ROCKET_CONFIG` names no file that can be read, or Rocket.toml is there and cannot be read.
pub fn figment() -> Result<Figment, ConfigError> {
    let asked = std::env::var_os("ROCKET_CONFIG").map(PathBuf::from);
    // This file and no other: figment would look for it in all the folders above as well.
    let default = Path::new("Rocket.toml");
    let figment = match asked {
        Some(path) => Figment::new().merge(SettingsFile::read(path, "ROCKET_CONFIG: ")?),
        // A link to nowhere is a mistake, and no reason to start with other settings.
        None if default.symlink_metadata().is_ok() => {
            Figment::new().merge(SettingsFile::read(default.to_owned(), "")?)
        }
        None => Figment::new(),
    };
    let profile = Profile::from_env_or("ROCKET_PROFILE", Config::DEFAULT_PROFILE);
    Ok(figment.merge(Given::environment()?).select(profile))
}

impl Settings {
    /// Every setting as it is where none is given, whatever file or environment there is.
    ///
    /// # Errors
    /// None, unless a default breaks the rules of its setting, which would be a defect.
    pub fn defaults() -> Result<Self, ConfigError> {
        Self::read(defaults(), Dict::new())
    }

    /// Reads every setting from `figment`, over which `flags` win: names and values as in Rocket.toml.
    ///
    /// # Errors
    /// [`ConfigError`]: a setting is unknown, of the wrong type, or out of range.
    pub fn read(figment: Figment, flags: Dict) -> Result<Self, ConfigError> {
        Self::checked(&Values::new(figment, flags)?)
    }

    fn checked(values: &Values) -> Result<Self, ConfigError> {
        framework::refuse_ineffective(&values.figment)?;
        values.check()?;
        let address = http::address(values)?;
        let rocket = framework::read(&values.figment, address)?;
        let database = store::database(values)?;
        let mut limits = http::limits(values, &rocket)?;
        if database.is_some() {
            // Another node may have changed what it holds.
            limits.response_cache_size = 0;
        }
        Ok(Self {
            warnings: values.warnings.clone(),
            limits,
            faults: faults::read(values)?,
            rocket,
            address,
            log: log::read(values)?,
            admin_address: http::admin_address(values)?,
            shutdown_delay: http::shutdown_delay(values)?,
            watch: store::watch(values)?,
            data: store::data(values)?,
            static_dir: api::static_dir(values)?,
            jwt_secret: auth::jwt_secret(values)?,
            jwt_secret_file: auth::jwt_secret_file(values)?,
            lifetimes: auth::lifetimes(values)?,
            rotation_grace: auth::rotation_grace(values)?,
            json: api::json(values)?,
            public_url: api::public_url(values)?,
            cors: api::cors(values, address)?,
            strict_query: api::strict_query(values)?,
            require_if_match: api::require_if_match(values)?,
            hasher: auth::hasher(values)?,
            password_queue: auth::password_queue(values)?,
            rates: auth::rates(values)?,
            store_limits: store::limits(values)?,
            database,
        })
    }
}
