//! Rocket's own configuration, and those of its settings that would mislead here.
//!
//! Rocket has defaults of its own. They fill in what nothing else has set, and so never hide a default of this server.

use rocket::config::Config;
use rocket::figment::providers::Serialized;
use rocket::figment::{Figment, Profile};
use rocket::log::LogLevel;

use super::error::{invalid, ConfigError};
use crate::http::listen::Address;

/// Rocket's configuration. Rocket's own log is off: it would write tokens, and block on slow readers.
pub(super) fn read(figment: &Figment, address: Address) -> Result<Config, ConfigError> {
    // No header says who the client is, unless `trusted_proxies` names the proxies that write it.
    let unset = Config { ip_header: None, ..Config::default() };
    let figment = figment.clone().join(Serialized::defaults(unset));
    // Rocket knows addresses only as numbers.
    let figment = figment.merge(Serialized::global("address", address.first()));
    let config = Config::try_from(figment.merge(Serialized::global("log_level", LogLevel::Off)))?;
    if config.ip_header.is_some() {
        return Err(invalid(
            "ip_header",
            "not supported; `trusted_proxies` says whose X-Forwarded-For is trusted",
        ));
    }
    Ok(config)
}

/// Refuses settings that Rocket accepts and that would have no effect here.
pub(super) fn refuse_ineffective(figment: &Figment) -> Result<(), ConfigError> {
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
    Ok(())
}
