//! Origin of a value: default, file, environment variable or flag.

use std::fmt;
use std::path::PathBuf;

use rocket::figment::providers::Env;
use rocket::figment::value::{Dict, Map, Value};
use rocket::figment::{self, Figment, Metadata, Profile, Provider, Source};

use super::error::{invalid, ConfigError};
use super::table;

/// The names by which figment knows where a value is from. A file has its path instead.
const DEFAULT: &str = "default";
const ENVIRONMENT: &str = "environment variable";
const FLAG: &str = "flag";

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nothing sets it.
    Default,
    /// A file.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(String),
    /// The flag of this name.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str(DEFAULT),
            Self::File(path) => path.display().fmt(f),
            Self::Environment(name) => write!(f, "{ENVIRONMENT} {name}"),
            Self::Flag(name) => write!(f, "{FLAG} {name}"),
        }
    }
}

impl Origin {
    /// The origin of a setting, or of a member of one, such as `limits.json`.
    pub(super) fn of(figment: &Figment, name: &str) -> Self {
        let Some(metadata) = figment.find_metadata(name) else { return Self::Default };
        let setting = name.split('.').next().unwrap_or(name);
        match (&metadata.source, metadata.name.as_ref()) {
            (Some(Source::File(path)), _) => Self::File(path.clone()),
            (_, ENVIRONMENT) => Self::Environment(format!("ROCKET_{}", setting.to_uppercase())),
            (_, FLAG) => Self::Flag(format!("--{}", table::flag(setting).map_or(setting, |flag| flag.long))),
            _ => Self::Default,
        }
    }

    /// The origin in a message, to follow a name or a value; empty for a default.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Default => String::new(),
            Self::File(path) => format!(" in {}", path.display()),
            named => format!(" in the {named}"),
        }
    }
}

/// Values of one origin.
pub(super) struct Given {
    pub(super) metadata: Metadata,
    pub(super) profile: Profile,
    pub(super) values: Dict,
}

impl Given {
    /// Defaults, which give way to everything else.
    pub(super) fn defaults(values: Dict) -> Self {
        Self { metadata: Metadata::named(DEFAULT), profile: Profile::Default, values }
    }

    /// Values of flags.
    pub(super) fn flags(values: Dict) -> Self {
        Self { metadata: Metadata::named(FLAG), profile: Profile::Global, values }
    }

    /// The value of a setting that is given under an old name.
    pub(super) fn renamed(metadata: Metadata, new: &str, value: Value) -> Self {
        Self { metadata, profile: Profile::Global, values: Dict::from([(new.to_owned(), value)]) }
    }

    /// Values of environment variables.
    pub(super) fn environment() -> Result<Self, ConfigError> {
        let others = Env::prefixed("ROCKET_").ignore(&["PROFILE", "CONFIG", "JWT_SECRET"]).global();
        let mut values = others.data()?.remove(&Profile::Global).unwrap_or_default();
        // Taken as it stands: figment would take 32 digits for a number. In any case, as figment takes the others.
        let mut variables = std::env::vars_os();
        let secret = variables.find(|(name, _)| name.eq_ignore_ascii_case("ROCKET_JWT_SECRET"));
        match secret.map(|(_, secret)| secret.into_string()) {
            None => {}
            Some(Ok(secret)) => drop(values.insert("jwt_secret".to_owned(), Value::from(secret))),
            Some(Err(_)) => return Err(invalid("ROCKET_JWT_SECRET", "not UTF-8")),
        }
        Ok(Self { metadata: Metadata::named(ENVIRONMENT), profile: Profile::Global, values })
    }
}

impl Provider for Given {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Map::from([(self.profile.clone(), self.values.clone())]))
    }
}
