//! Shipyard: a REST API server with users, starships and JWT login, and its recorded contract.
//!
//! [`build`] puts everything together. A request goes from the guards ([`guards`](api::guards)) to its handler ([`routes`](api::routes)),
//! from there to the [`store`] and comes back as a [`response`](api::response) or an [`error`](api::error).

#![cfg_attr(test, allow(clippy::expect_used))]

// Models run on locks whose order a checker decides: docs/models.md.
#[cfg(shuttle)]
extern crate shipyard_model_locks as parking_lot;

pub mod api;
pub mod auth;
pub mod config;
pub mod contract;
pub mod dispatch_context;
pub mod escape;
mod hex;
pub mod http;
pub mod internal_error;
pub mod json;
pub mod log;
pub mod metrics;
pub mod model;
pub mod regular_file;
pub mod store;

use std::sync::Arc;

use rocket::shield::Shield;
use rocket::{Build, Rocket};

use crate::api::guards::list_query::StrictQuery;
use crate::api::guards::precondition::IfMatchRequired;
use crate::api::routes::index::HasExampleUsers;
use crate::api::routes::spec::Specification;
use crate::api::security_headers::SecurityHeaders;
use crate::auth::clock::{Clock, TokenIds};
use crate::auth::keys::KeySet;
use crate::auth::password::Passwords;
use crate::auth::token::Tokens;
use crate::config::Settings;
use crate::http::admin::AdminAddress;
use crate::internal_error::InternalError;
use crate::metrics::table::{PASSWORD_QUEUE, PASSWORD_QUEUE_REFUSALS};
use crate::metrics::Metrics;
use crate::store::accounts::Accounts;
use crate::store::memory::initial_data::InitialData;
use crate::store::memory::{Memory, MemoryConfig};
use crate::store::seed::Data;
use crate::store::sql::monitor::Monitor;
use crate::store::sql::{inspection, Sql};
use crate::store::Store;

/// The parts of a server.
#[derive(Debug)]
pub struct AppConfig {
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

/// Puts a server together that keeps its users and ships in memory.
///
/// # Errors
/// [`InternalError`] where the system gives no random bytes.
pub fn build(parts: AppConfig) -> Result<Rocket<Build>, InternalError> {
    let AppConfig { settings, data, keys, clock, token_ids } = parts;
    let has_example_users = HasExampleUsers::new(data.has_example_users());
    let rows = data.hashed(&settings.hasher)?;
    let has_reset = settings.admin_address.is_some_and(AdminAddress::is_loopback);
    let initial_rows = (has_reset || settings.watch).then(|| rows.clone());
    let config = MemoryConfig {
        limits: settings.store_limits,
        style: settings.json,
        rates: settings.rates,
        now: clock.now(),
    };
    let memory = Memory::new(rows, &config);
    let hasher = settings.hasher.clone();
    let tokens = Tokens::new(keys, settings.lifetimes, clock, token_ids);
    let initial_data =
        initial_rows.map(|rows| InitialData::new(rows, memory.clone(), tokens.clone(), hasher));
    let rocket = assemble(settings, Store::Memory(memory), tokens, has_example_users)?;
    Ok(match initial_data {
        Some(initial_data) => rocket.manage(initial_data),
        None => rocket,
    })
}

/// Puts together a node whose users and ships are in PostgreSQL, with tokens that other nodes accept.
///
/// # Errors
/// [`InternalError`] where the system gives no random bytes.
pub fn build_node(
    settings: Settings,
    sql: Arc<Sql>,
    monitor: Monitor,
    keys: KeySet,
) -> Result<Rocket<Build>, InternalError> {
    let leeway = inspection::LEEWAY.into();
    let tokens = Tokens::with_leeway(keys, settings.lifetimes, Clock::System, TokenIds::Random, leeway);
    Ok(assemble(settings, Store::Sql(sql), tokens, HasExampleUsers::new(false))?.manage(monitor))
}

fn assemble(
    settings: Settings,
    store: Store,
    tokens: Tokens,
    has_example_users: HasExampleUsers,
) -> Result<Rocket<Build>, InternalError> {
    let passwords = Passwords::new(settings.hasher, settings.password_queue)?;
    let now = tokens.now();
    let metrics = settings.admin_address.map(|_| metrics(now, &passwords, &store)).transpose()?;
    let accounts =
        Accounts::new(store.clone(), tokens.clone(), passwords).with_rotation(settings.rotation_grace);
    let mut rocket = rocket::custom(settings.rocket)
        // Rocket's default shield sets headers for pages. `SecurityHeaders` sets those for JSON.
        .attach(Shield::new())
        .attach(SecurityHeaders)
        .manage(settings.cors)
        .manage(IfMatchRequired(settings.require_if_match))
        .manage(StrictQuery(settings.strict_query))
        .manage(settings.json)
        .manage(has_example_users)
        .manage(Specification::new(settings.public_url.as_ref()))
        .manage(settings.static_dir)
        .manage(accounts)
        .manage(store)
        .manage(tokens)
        .register("/", rocket::catchers![api::catcher::default_catcher]);
    if let Some(metrics) = metrics {
        rocket = rocket.manage(Arc::new(metrics));
    }
    if settings.faults.is_on() {
        rocket = rocket.manage(settings.faults);
    }
    if let Some(url) = settings.public_url {
        rocket = rocket.manage(url);
    }
    for (base, routes) in api::openapi::mounts() {
        rocket = rocket.mount(base, routes);
    }
    Ok(rocket)
}

/// Metrics with the figures of the parts that every request shares. The HTTP server adds its own.
fn metrics(now: u64, passwords: &Passwords, store: &Store) -> Result<Metrics, InternalError> {
    let metrics = Metrics::new(now)?;
    let (passwords, store) = (passwords.clone(), store.clone());
    metrics.add_source(move |scrape| {
        let figures = passwords.queue_figures();
        scrape.set(&PASSWORD_QUEUE, &[], figures.length as u64);
        scrape.set(&PASSWORD_QUEUE_REFUSALS, &[], figures.refusals);
        store.set_figures(scrape);
    });
    Ok(metrics)
}
