//! Every setting: its name, default, unit and range.
//!
//! One namespace, Rocket's own: `Rocket.toml` (in the working directory, or where `ROCKET_CONFIG` says), then
//! `ROCKET_*` environment variables, then the command line; the later wins.

mod file;
mod framework;
mod values;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rocket::figment::providers::{Env, Serialized};
use rocket::figment::value::magic::RelativePathBuf;
use rocket::figment::value::{Dict, Value};
use rocket::figment::{self, Figment, Profile};
use rocket::log::LogLevel;
use rocket::Config;

use self::file::SettingsFile;
use self::values::{invalid, number, optional, seconds, source};
use crate::api::base_url::BaseUrl;
use crate::api::cors::Cors;
use crate::api::guards::body::DEFAULT_BODY_LIMIT;
use crate::auth::password::{Cost, Hash, Hasher, Passwords};
use crate::auth::rate_limit::{Rate, Rates};
use crate::auth::secret::Secret;
use crate::auth::token::Lifetimes;
use crate::http::listen::{Address, InvalidAddress};
use crate::http::{HttpLimits, TrustedProxies};
use crate::json::Style;
use crate::log;
use crate::store::StoreLimits;

pub use self::framework::defaults;

/// The port, unless configured: that of the recorded exchanges.
pub const DEFAULT_PORT: u16 = 5000;

/// What the header `Server` says, unless configured (`ident`).
pub const SERVER: &str = "Shipyard";

/// The folder of static files, unless configured.
pub const DEFAULT_STATIC_DIR: &str = "static";

/// The longest lifetime of a token: ten years, in seconds.
pub const MAX_LIFETIME: u64 = 10 * 365 * 24 * 60 * 60;

/// The settings of this crate, besides Rocket's.
pub const KNOWN_SETTINGS: [&str; 30] = [
    "access_token_ttl",
    "body_timeout",
    "cors_origins",
    "data",
    "header_timeout",
    "json",
    "jwt_secret",
    "jwt_secret_file",
    "log_format",
    "max_connections",
    "max_connections_per_address",
    "max_header_size",
    "max_headers",
    "max_revocations",
    "max_ships",
    "max_users",
    "password_iterations",
    "password_memory",
    "password_parallelism",
    "password_queue",
    "public_url",
    "rate_by_address",
    "rate_by_user",
    "rate_limits",
    "rate_overall",
    "refresh_token_ttl",
    "request_timeout",
    "response_cache_size",
    "static_dir",
    "trusted_proxies",
];

/// Old names of settings, accepted with a warning for one version, and the names that replace them.
const RENAMED: [(&str, &str); 1] = [("kept_answers", "response_cache_size")];

/// Every setting, checked.
#[derive(Debug)]
pub struct Settings {
    /// What the user should change: one line each.
    pub warnings: Vec<String>,
    /// Rocket's. Its own log is off, whatever `log_level` says: it would write tokens, and wait for its readers.
    pub rocket: Config,
    /// `log_level` and `log_format`: what is logged, and how.
    pub log: log::Settings,
    /// `address`: where to listen. Default `localhost`: 127.0.0.1 and ::1.
    pub address: Address,
    /// What a client may take: time, connections, bytes.
    pub limits: HttpLimits,
    /// `data`: the data file, if one is asked for.
    pub data: Option<PathBuf>,
    /// `static_dir`: the folder that `/static/` serves. Default `static`.
    pub static_dir: PathBuf,
    /// `jwt_secret`: the key that signs tokens, at least 32 bytes. Without it each start makes its own.
    pub jwt_secret: Option<Secret>,
    /// `jwt_secret_file`: a file of keys (see [`crate::auth::keys::file`]), instead of `jwt_secret`.
    pub jwt_secret_file: Option<PathBuf>,
    /// `access_token_ttl` and `refresh_token_ttl`: seconds, from 1 to ten years. Default 900 and 2592000.
    pub lifetimes: Lifetimes,
    /// `json`: `pretty` or `compact`. Default `compact` in the release profile, else `pretty`.
    pub json: Style,
    /// `public_url`: what `Location` begins with. Default: `http://` and the request's Host header.
    pub public_url: Option<BaseUrl>,
    /// `cors_origins`: origins whose pages may read responses. Default: none.
    pub cors: Cors,
    /// `password_memory` (KiB), `password_iterations`, `password_parallelism`. Default 19456, 2, 1.
    pub hasher: Hasher,
    /// `password_queue`: how many may wait for a password to be hashed. Default 16.
    pub password_queue: usize,
    /// `rate_limits`, and `rate_by_address`, `rate_by_user`, `rate_overall`; none if they are off. Default
    /// 120, 30 and 1200 a minute.
    pub rates: Option<Rates>,
    /// `max_users`, `max_ships`, `max_revocations`. Default 100000, 100000, 1000000.
    pub store_limits: StoreLimits,
}

/// What is wrong with the configuration: a line for each setting.
#[derive(Debug)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

impl From<figment::Error> for ConfigError {
    fn from(errors: figment::Error) -> Self {
        Self(errors.into_iter().map(|error| one_line(&error)).collect())
    }
}

/// An error of the TOML parser quotes the file between `|` and `^`, which may show a secret; what it says stands before
/// and behind. Of the quoted line only the name of the setting is shown.
fn one_line(error: &figment::Error) -> String {
    let text = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.replace("___FIGMENT_RELATIVE_PATH.", "");
    let (Some((place, quoted)), Some((_, reason))) = (text.split_once(" | "), text.rsplit_once("^ ")) else {
        return text;
    };
    let name =
        quoted.split_once("| ").and_then(|(_, line)| line.split_once('=')).map(|(name, _)| name.trim());
    match name.filter(|name| is_known(name)) {
        Some(name) => format!("{place}: {name}: {reason}"),
        None => format!("{place}: {reason}"),
    }
}

/// Whether there is a setting of that name.
fn is_known(key: &str) -> bool {
    // Figment's own marker, which Rocket leaves out of its list.
    const FURTHER: &str = "profile";
    KNOWN_SETTINGS.contains(&key)
        || RENAMED.iter().any(|(old, _)| *old == key)
        || Config::PARAMETERS.contains(&key)
        || key == FURTHER
}

/// The configuration before anything is read from it: defaults, Rocket.toml, environment, in this order.
///
/// # Errors
/// [`ConfigError`]: `ROCKET_CONFIG` names no file that can be read, or Rocket.toml is there and cannot be read.
pub fn figment() -> Result<Figment, ConfigError> {
    let asked = std::env::var_os("ROCKET_CONFIG").map(PathBuf::from);
    // This file and no other: figment would look for it in all the folders above as well.
    let default = Path::new("Rocket.toml");
    let figment = match asked {
        Some(path) => {
            let file = SettingsFile::read(path).map_err(|reason| invalid("ROCKET_CONFIG", reason))?;
            defaults().merge(file)
        }
        // A link to nowhere is a mistake, and no reason to start with other settings.
        None if default.symlink_metadata().is_ok() => {
            let file = SettingsFile::read(default.to_owned()).map_err(|reason| ConfigError(vec![reason]))?;
            defaults().merge(file)
        }
        None => defaults(),
    };
    let figment = figment
        .merge(Env::prefixed("ROCKET_").ignore(&["PROFILE", "CONFIG", "JWT_SECRET"]).global())
        .select(Profile::from_env_or("ROCKET_PROFILE", Config::DEFAULT_PROFILE));
    // Taken as it stands: figment would take 32 digits for a number. In any case, as figment takes the others.
    let mut variables = std::env::vars_os();
    let secret = variables.find(|(name, _)| name.eq_ignore_ascii_case("ROCKET_JWT_SECRET"));
    match secret.map(|(_, secret)| secret.into_string()) {
        None => Ok(figment),
        Some(Ok(secret)) => Ok(figment.merge(Serialized::global("jwt_secret", secret))),
        Some(Err(_)) => Err(invalid("ROCKET_JWT_SECRET", "not UTF-8")),
    }
}

impl Settings {
    /// Every setting as it is where none is given, whatever file or environment there is.
    ///
    /// # Errors
    /// None, unless a default breaks the rules of its setting, which would be a defect.
    pub fn defaults() -> Result<Self, ConfigError> {
        Self::read(defaults(), Dict::new())
    }

    /// Reads every setting from `figment`, over which `overrides` win: names and values as in Rocket.toml.
    ///
    /// # Errors
    /// [`ConfigError`]: a setting is unknown, of the wrong type, or out of range.
    pub fn read(figment: Figment, overrides: Dict) -> Result<Self, ConfigError> {
        let figment = overrides
            .into_iter()
            .fold(figment, |figment, (key, value)| figment.merge(Serialized::global(&key, value)));
        refuse_unknown(&figment)?;
        let (figment, warnings) = renamed(figment)?;
        let address = match optional::<String>(&figment, "address")? {
            None => Address::Localhost,
            Some(text) => text.parse().map_err(|reason: InvalidAddress| invalid("address", reason))?,
        };
        let log = logging(&figment)?;
        let rocket = framework::read(&figment, address)?;
        let default = Lifetimes::default();
        let path =
            |key| Ok::<_, ConfigError>(optional::<RelativePathBuf>(&figment, key)?.map(|p| p.relative()));
        let default_style = if *figment.profile() == "release" { Style::Compact } else { Style::Pretty };
        Ok(Self {
            warnings,
            limits: limits(&figment, &rocket)?,
            address,
            rocket,
            log,
            cors: Cors::parse(optional(&figment, "cors_origins")?.unwrap_or_default())
                .map_err(|reason| invalid("cors_origins", reason))?,
            data: path("data")?,
            static_dir: match path("static_dir")? {
                Some(folder) if !folder.is_dir() => {
                    return Err(invalid("static_dir", format!("{}: no such folder", folder.display())));
                }
                Some(folder) => folder,
                None => DEFAULT_STATIC_DIR.into(),
            },
            jwt_secret: jwt_secret(&figment)?,
            jwt_secret_file: path("jwt_secret_file")?,
            lifetimes: Lifetimes {
                access: number(&figment, "access_token_ttl", 1..=MAX_LIFETIME)?.unwrap_or(default.access),
                refresh: number(&figment, "refresh_token_ttl", 1..=MAX_LIFETIME)?.unwrap_or(default.refresh),
            },
            json: optional(&figment, "json")?.unwrap_or(default_style),
            public_url: optional::<String>(&figment, "public_url")?
                .map(|url| url.parse::<BaseUrl>().map_err(|reason| invalid("public_url", reason)))
                .transpose()?,
            hasher: hasher(&figment)?,
            password_queue: number(&figment, "password_queue", 0..=10_000)?
                .unwrap_or(Passwords::DEFAULT_QUEUE),
            rates: rates(&figment)?,
            store_limits: caps(&figment)?,
        })
    }
}

/// An unknown setting is a mistake that would go unnoticed: `jwt_secert` would mean a random key.
fn refuse_unknown(figment: &Figment) -> Result<(), ConfigError> {
    let given: Dict = figment.extract()?;
    let unknown: Vec<String> = given
        .keys()
        .filter(|key| !is_known(key))
        .map(|key| {
            let source = source(figment, key);
            format!("unknown setting `{key}`{source}; see the README for all settings")
        })
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(ConfigError(unknown))
    }
}

/// Gives the value of each old name to the new one.
fn renamed(mut figment: Figment) -> Result<(Figment, Vec<String>), ConfigError> {
    let mut warnings = Vec::new();
    for (old, new) in RENAMED {
        let Ok(value) = figment.find_value(old) else { continue };
        if figment.contains(new) {
            return Err(invalid(
                old,
                format!("this is the old name of `{new}`, which is set as well; remove it"),
            ));
        }
        let source = source(&figment, old);
        warnings.push(format!(
            "the setting `{old}`{source} is now called `{new}`; the next version refuses the old name"
        ));
        figment = figment.merge(Serialized::global(new, value));
    }
    Ok((figment, warnings))
}

fn logging(figment: &Figment) -> Result<log::Settings, ConfigError> {
    let default = if *figment.profile() == "release" { LogLevel::Critical } else { LogLevel::Normal };
    let level = match optional::<String>(figment, "log_level")? {
        None => default,
        Some(name) => name.parse().map_err(|_| {
            invalid("log_level", format!("{name:?} is neither off, nor critical, nor normal"))
        })?,
    };
    if level == LogLevel::Debug {
        return Err(invalid("log_level", "debug is Rocket's, and shows tokens; normal is the most there is"));
    }
    Ok(log::Settings { level, format: optional(figment, "log_format")?.unwrap_or_default() })
}

fn limits(figment: &Figment, rocket: &Config) -> Result<HttpLimits, ConfigError> {
    let default = HttpLimits::default();
    let proxies: Vec<String> = optional(figment, "trusted_proxies")?.unwrap_or_default();
    let body = rocket.limits.get("json").unwrap_or(DEFAULT_BODY_LIMIT).as_u64();
    Ok(HttpLimits {
        keep_alive: Duration::from_secs(rocket.keep_alive.into()),
        header_timeout: seconds(figment, "header_timeout")?.unwrap_or(default.header_timeout),
        body_timeout: seconds(figment, "body_timeout")?.unwrap_or(default.body_timeout),
        request_timeout: seconds(figment, "request_timeout")?.unwrap_or(default.request_timeout),
        max_connections: number(figment, "max_connections", 1..=1_000_000)?
            .unwrap_or(default.max_connections),
        max_connections_per_address: number(figment, "max_connections_per_address", 1..=1_000_000)?
            .unwrap_or(default.max_connections_per_address),
        max_header_size: number(figment, "max_header_size", HttpLimits::MIN_HEADER_SIZE..=1024 * 1024)?
            .unwrap_or(default.max_header_size),
        max_headers: number(figment, "max_headers", 8..=1024)?.unwrap_or(default.max_headers),
        // It is within its range, and so fits.
        max_body: usize::try_from(body).unwrap_or(default.max_body),
        response_cache_size: number(figment, "response_cache_size", 0..=1_000_000)?
            .unwrap_or(default.response_cache_size),
        workers: rocket.workers,
        max_blocking: rocket.max_blocking,
        trusted_proxies: TrustedProxies::parse(&proxies)
            .map_err(|reason| invalid("trusted_proxies", reason))?,
    })
}

/// Wrong ones are refused even where they are switched off.
fn rates(figment: &Figment) -> Result<Option<Rates>, ConfigError> {
    let default = Rates::default();
    let rate = |key, default| match optional::<String>(figment, key)? {
        None => Ok(default),
        Some(text) => text.parse::<Rate>().map_err(|reason| invalid(key, reason)),
    };
    let rates = Rates {
        by_address: rate("rate_by_address", default.by_address)?,
        by_user: rate("rate_by_user", default.by_user)?,
        overall: rate("rate_overall", default.overall)?,
    };
    Ok(optional(figment, "rate_limits")?.unwrap_or(true).then_some(rates))
}

fn caps(figment: &Figment) -> Result<StoreLimits, ConfigError> {
    const MOST: usize = 100_000_000;
    let default = StoreLimits::default();
    Ok(StoreLimits {
        users: number(figment, "max_users", 1..=MOST)?.unwrap_or(default.users),
        ships: number(figment, "max_ships", 1..=MOST)?.unwrap_or(default.ships),
        revocations: number(figment, "max_revocations", 0..=MOST)?.unwrap_or(default.revocations),
    })
}

/// Read by hand: an error of figment's would show the value.
fn jwt_secret(figment: &Figment) -> Result<Option<Secret>, ConfigError> {
    const KEY: &str = "jwt_secret";
    match figment.find_value(KEY) {
        Err(_) => Ok(None),
        // Which of the two was meant is a guess that may let in who holds the other.
        Ok(_) if figment.contains("jwt_secret_file") => {
            Err(invalid(KEY, "jwt_secret_file is given as well; one of the two"))
        }
        Ok(Value::String(_, key)) if is_padded(&key) => Err(invalid(
            KEY,
            "a control character, or white space or a byte order mark at an end; the key goes without",
        )),
        Ok(Value::String(_, key)) => Secret::new(key).map(Some).map_err(|short| invalid(KEY, short)),
        Ok(_) => Err(invalid(KEY, "expected a text in quotation marks")),
    }
}

/// Whether a key has something that came along with it, such as the line break at the end of a file. Other programs with
/// the same key might leave it out, and then refuse the tokens.
fn is_padded(key: &str) -> bool {
    let blank = |character: char| character.is_whitespace() || character == '\u{feff}';
    key.starts_with(blank) || key.ends_with(blank) || key.contains(|character: char| character.is_control())
}

fn hasher(figment: &Figment) -> Result<Hasher, ConfigError> {
    let default = Cost::default();
    let cost = Cost {
        memory: number(figment, "password_memory", Cost::LEAST_MEMORY..=Hash::MAX_MEMORY)?
            .unwrap_or(default.memory),
        iterations: number(figment, "password_iterations", 1..=Hash::MAX_ITERATIONS)?
            .unwrap_or(default.iterations),
        parallelism: number(figment, "password_parallelism", 1..=Hash::MAX_PARALLELISM)?
            .unwrap_or(default.parallelism),
    };
    // What is left is wrong with two of them together.
    cost.hasher()
        .map_err(|reason| invalid("password_memory, password_iterations, password_parallelism", reason))
}
