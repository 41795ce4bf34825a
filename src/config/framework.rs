//! Rocket's settings: the documented defaults, the range of each, and those that have no effect here.
//!
//! Rocket has defaults of its own. They fill in what nothing else has set, and so never hide a default of this server.

use rocket::config::Config;
use rocket::data::{ByteUnit, ToByteUnit};
use rocket::figment::providers::Serialized;
use rocket::figment::value::{Dict, Value};
use rocket::figment::{Figment, Profile};
use rocket::log::LogLevel;

use super::values::{bytes, invalid, number};
use super::{ConfigError, DEFAULT_PORT, SERVER};
use crate::api::guards::body::DEFAULT_BODY_LIMIT;
use crate::http::listen::Address;

/// The most threads that serve connections (`workers`).
const MAX_WORKERS: usize = 1024;

/// The most threads for work that blocks (`max_blocking`).
const MAX_BLOCKING: usize = 65_536;

/// The largest request body that can be allowed (`limits.json`): each is read into memory as a whole.
const MAX_BODY_LIMIT: ByteUnit = ByteUnit::Gibibyte(1);

/// The documented defaults of settings that are Rocket's too. The defaults of `log_level` and `json` depend on the
/// profile; those of all other settings are where they are read.
#[must_use]
pub fn defaults() -> Figment {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
    Figment::new()
        .merge(Serialized::default("address", Address::Localhost.to_string()))
        .merge(Serialized::default("port", DEFAULT_PORT))
        .merge(Serialized::default("workers", workers))
        .merge(Serialized::default("max_blocking", 512))
        // No version: an attacker need not learn which holes to try.
        .merge(Serialized::default("ident", SERVER))
        .merge(Serialized::default("keep_alive", 5))
        .merge(Serialized::default("limits.json", DEFAULT_BODY_LIMIT))
        .merge(Serialized::default("shutdown.grace", 2))
        .merge(Serialized::default("shutdown.mercy", 1))
        .select(Config::DEFAULT_PROFILE)
}

/// Rocket's settings, checked. Rocket's own log is off: it would write tokens, and wait for its readers.
pub(super) fn read(figment: &Figment, address: Address) -> Result<Config, ConfigError> {
    refuse_ineffective(figment)?;
    number(figment, "port", 0..=u16::MAX)?;
    number(figment, "workers", 1..=MAX_WORKERS)?;
    number(figment, "max_blocking", 1..=MAX_BLOCKING)?;
    number(figment, "keep_alive", 0..=u32::MAX)?;
    number(figment, "shutdown.grace", 0..=u32::MAX)?;
    number(figment, "shutdown.mercy", 0..=u32::MAX)?;
    bytes(figment, "limits.json", 1.bytes()..=MAX_BODY_LIMIT)?;
    // No header is believed to say who the client is, unless `trusted_proxies` names who writes it.
    let unset = Config { ip_header: None, ..Config::default() };
    let figment = figment.clone().join(Serialized::defaults(unset));
    // Rocket knows addresses only as numbers.
    let figment = figment.merge(Serialized::global("address", address.first()));
    let config = Config::try_from(figment.merge(Serialized::global("log_level", LogLevel::Off)))?;
    if config.ip_header.is_some() {
        return Err(invalid(
            "ip_header",
            "not supported; `trusted_proxies` says whose X-Forwarded-For is believed",
        ));
    }
    Ok(config)
}

/// What Rocket would take and then do nothing with.
fn refuse_ineffective(figment: &Figment) -> Result<(), ConfigError> {
    let profile = figment.profile();
    let usual = ["default", "debug", "release"].map(Profile::new);
    if !usual.contains(profile) && !figment.profiles().any(|known| known == profile) {
        return Err(invalid("ROCKET_PROFILE", format!("{profile}: there is no such section in Rocket.toml")));
    }
    if figment.contains("tls") {
        return Err(invalid("tls", "not supported; let a proxy in front of this server speak TLS"));
    }
    if figment.contains("secret_key") {
        return Err(invalid("secret_key", "no effect here; `jwt_secret` is the key that signs tokens"));
    }
    only(figment, "limits", &["json"])?;
    only(figment, "shutdown", &["ctrlc", "signals", "grace", "mercy", "force"])
}

/// Refuses members of a setting that are not among those.
fn only(figment: &Figment, key: &str, known: &[&str]) -> Result<(), ConfigError> {
    let Ok(Value::Dict(_, members)) = figment.find_value(key) else { return Ok(()) };
    let unknown = |members: Dict| members.into_keys().find(|name| !known.contains(&name.as_str()));
    match unknown(members) {
        None => Ok(()),
        Some(name) => {
            Err(invalid(&format!("{key}.{name}"), format!("no effect here; expected {}", known.join(", "))))
        }
    }
}
