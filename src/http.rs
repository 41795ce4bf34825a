//! HTTP/1 server on hyper: accepts connections, limits them, and passes complete requests to Rocket.
//!
//! hyper reads and writes HTTP/1; Rocket routes requests, runs guards and calls handlers, in process. This module adds what
//! neither has: a limit for every wait and for everything that grows. Why, and what was measured:
//! `docs/decisions/0001-http-server.md`.
//!
//! The way of a request: `accept` (limits the number of connections), `connection` (sets a deadline for each part),
//! `dispatch` (checks the request and passes it to Rocket).

mod accept;
pub mod admin;
mod client_address;
mod close;
mod connection;
mod cors_headers;
mod dispatch;
mod eviction;
pub mod fault_injection;
pub mod limits;
pub mod listen;
mod origin;
mod parse_error;
mod progress;
mod registry;
pub mod reload;
mod request_head;
mod response_body;
mod response_cache;
pub mod rlimit;
mod rocket_response;
mod server_response;
pub mod shutdown;
mod signals;
mod socket;
mod workers;

use std::sync::Arc;

use rocket::local::asynchronous::Client;
use rocket::{Build, Rocket};
use tokio::net::TcpListener;
use tokio::sync::{watch, Semaphore};
use tokio::task::JoinHandle;

pub use self::client_address::TrustedProxies;
pub use self::limits::HttpLimits;
pub use self::shutdown::{Shutdown, Stage};
pub use self::signals::Signals;

use self::fault_injection::{FaultInjection, FaultSettings};
use self::registry::{Figures, Registry};
use self::workers::Workers;
use crate::api::cors::{Cors, RefusedOrigins};
use crate::internal_error::InternalError;
use crate::json::Style;
use crate::log::RejectionReporter;
use crate::metrics::table::{
    CONNECTIONS_ACCEPTED, CONNECTIONS_EVICTED, CONNECTIONS_OPEN, CONNECTIONS_REFUSED,
};
use crate::metrics::{Metrics, Scrape};

/// How many connections beyond the limit get a 503 at a time. Others are closed without a response.
const MAX_CONCURRENT_REJECTIONS: usize = 64;

/// The state of a server, shared by all connections.
struct ServerState {
    rocket: Client,
    style: Style,
    cors: Cors,
    refused_origins: RefusedOrigins,
    limits: HttpLimits,
    faults: Option<FaultInjection>,
    registry: Registry,
    /// Permits for connections that get an error because there is no room for them.
    rejection_permits: Arc<Semaphore>,
    rejections: RejectionReporter,
    evictions: RejectionReporter,
    stage: watch::Receiver<Stage>,
    workers: Workers,
    /// `None` if nothing is counted.
    metrics: Option<&'static Metrics>,
}

/// Serves on these listeners until `shutdown` is complete.
///
/// The server's state is never freed, so that a response can borrow from it while it is sent.
///
/// # Errors
/// [`InternalError`] if Rocket does not start, or the system gives no threads.
pub async fn serve(
    rocket: Rocket<Build>,
    listeners: Vec<TcpListener>,
    limits: HttpLimits,
    shutdown: Shutdown,
) -> Result<(), InternalError> {
    let rocket =
        Client::untracked(rocket).await.map_err(|error| InternalError::new("starting Rocket", error))?;
    let workers = Workers::start(limits.workers, limits.max_blocking)
        .map_err(|error| InternalError::new("starting the threads of `workers`", error))?;
    let style = rocket.rocket().state::<Style>().copied().unwrap_or(Style::Compact);
    let cors = rocket.rocket().state::<Cors>().cloned().unwrap_or_default();
    let faults = rocket.rocket().state::<FaultSettings>().copied().map(FaultInjection::new);
    let metrics = rocket.rocket().state::<Arc<Metrics>>().cloned();
    let metrics = metrics.map(|metrics| &**Box::leak(Box::new(metrics)));
    let server: &'static ServerState = Box::leak(Box::new(ServerState {
        rocket,
        style,
        cors,
        faults,
        refused_origins: RefusedOrigins::default(),
        registry: Registry::new(&limits),
        rejection_permits: Arc::new(Semaphore::new(MAX_CONCURRENT_REJECTIONS)),
        rejections: RejectionReporter::default(),
        evictions: RejectionReporter::default(),
        limits,
        stage: shutdown.stage(),
        workers,
        metrics,
    }));
    if let Some(metrics) = metrics {
        metrics.add_source(|scrape| set_figures(server, scrape));
    }
    let accepting = listeners.into_iter().map(|listener| tokio::spawn(accept::accept(listener, server)));
    let accepting: Vec<JoinHandle<()>> = accepting.collect();
    let all_have_ended = async {
        for accepting in accepting {
            // A task that panicked accepts no more connections either.
            let _ = accepting.await;
        }
        server.registry.emptied().await;
    };
    shutdown.complete(all_have_ended).await;
    Ok(())
}

/// Sets the figures of the connections.
fn set_figures(server: &ServerState, scrape: &mut Scrape) {
    let Figures { open, accepted, refused } = server.registry.figures();
    scrape.set(&CONNECTIONS_OPEN, &[], open as u64);
    scrape.set(&CONNECTIONS_ACCEPTED, &[], accepted);
    scrape.set(&CONNECTIONS_REFUSED, &["address"], refused.by_address);
    scrape.set(&CONNECTIONS_REFUSED, &["server"], refused.by_server);
    scrape.set(&CONNECTIONS_EVICTED, &[], server.evictions.total());
}
