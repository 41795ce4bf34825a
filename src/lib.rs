//! Shipyard: a REST API server with users, starships and JWT login, and the contract that it is held to.
//!
//! [`build`] puts everything together. A request goes from the guards ([`guard`]) to its handler ([`routes`]),
//! from there to the [`store`] and comes back as a [`reply`] or an [`error`].

#![cfg_attr(test, allow(clippy::expect_used))]

pub mod account;
pub mod base_url;
pub mod clock;
pub mod conditional;
pub mod config;
pub mod contract;
pub mod cors;
pub mod cutoff;
pub mod data;
pub mod docs;
pub mod error;
pub mod guard;
pub mod handed;
mod hs256;
pub mod internal;
pub mod json;
pub mod keys;
mod links;
pub mod log;
pub mod model;
pub mod network;
pub mod openapi;
pub mod password;
pub mod printable;
pub mod regular_file;
pub mod reply;
mod revocation;
pub mod routes;
pub mod routing;
pub mod secret;
pub mod security_headers;
pub mod server;
pub mod store;
pub mod throttle;
pub mod token;

use rocket::log::LogLevel;
use rocket::shield::Shield;
use rocket::{Build, Rocket};

use crate::account::Accounts;
use crate::clock::{Clock, TokenIds};
use crate::config::Settings;
use crate::cors::CorsHeaders;
use crate::data::Data;
use crate::internal::Internal;
use crate::keys::KeySet;
use crate::log::facts::NoteRoute;
use crate::password::Passwords;
use crate::routes::static_files::StaticDir;
use crate::routing::TrueMethod;
use crate::security_headers::SecurityHeaders;
use crate::throttle::Throttle;
use crate::token::Tokens;

/// Everything that a server is made of.
#[derive(Debug)]
pub struct Parts {
    /// Every setting.
    pub settings: Settings,
    /// The users and ships to start with.
    pub data: Data,
    /// The keys that sign and verify tokens.
    pub keys: KeySet,
    /// The time.
    pub clock: Clock,
    /// The ids of tokens.
    pub token_ids: TokenIds,
}

/// Puts a server together.
///
/// # Errors
/// [`Internal`] where the system gives no random bytes.
pub fn build(parts: Parts) -> Result<Rocket<Build>, Internal> {
    let Parts { settings, data, keys, clock, token_ids } = parts;
    let store = data.into_store(&settings.hasher, settings.caps, settings.json)?;
    let passwords = Passwords::new(settings.hasher, settings.password_queue)?;
    let tokens = Tokens::new(keys, settings.lifetimes, clock, token_ids);
    let throttle = Throttle::new(settings.rates);
    let accounts =
        Accounts::new(store.clone(), tokens.clone(), passwords, throttle, settings.caps.revocations);
    let cors = settings.cors.is_on().then(|| CorsHeaders(settings.cors.clone()));
    let mut rocket = rocket::custom(settings.rocket)
        // Its headers are for pages; these are for JSON.
        .attach(Shield::new())
        .attach(TrueMethod)
        .attach(SecurityHeaders)
        .manage(settings.cors)
        .manage(settings.json)
        .manage(StaticDir(settings.static_dir))
        .manage(accounts)
        .manage(store)
        .manage(tokens)
        .register("/", rocket::catchers![error::catcher::default_catcher]);
    // What has nothing to do costs each request something all the same.
    if let Some(cors) = cors {
        rocket = rocket.attach(cors);
    }
    if settings.log.level == LogLevel::Normal {
        rocket = rocket.attach(NoteRoute);
    }
    if let Some(url) = settings.public_url {
        rocket = rocket.manage(url);
    }
    for (base, routes) in openapi::mounts() {
        rocket = rocket.mount(base, routes);
    }
    Ok(rocket)
}
