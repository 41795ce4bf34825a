//! The front: takes connections, bounds and times what comes over them, and hands whole requests to Rocket.
//!
//! hyper reads and writes HTTP/1; Rocket routes, guards and answers, in process. In between lies what neither
//! does: a limit for every wait and for everything that grows. Why it is done this way, and what was measured:
//! `docs/decisions/0001-front.md`.
//!
//! The way of a request: [`accept`] (is there room for a connection?), [`connection`] (how long may each part
//! take?), [`exchange`] (the request whole, in order, to Rocket and back).

mod accept;
mod client_address;
mod close;
mod connection;
mod dispatch;
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
mod rocket_request;
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
pub use self::limits::Traffic;
pub use self::shutdown::{Shutdown, Stage};
pub use self::signals::Signals;

use self::registry::Registry;
use self::workers::Workers;
use crate::api::cors::Cors;
use crate::internal_error::Internal;
use crate::json::Style;
use crate::log::Crowd;
use crate::store::Store;

/// How many connections beyond the limit are told so at a time; more are closed without a word.
const REFUSED_AT_A_TIME: usize = 64;

/// What every connection needs to know.
struct Front {
    rocket: Client,
    store: Option<Store>,
    style: Style,
    cors: Cors,
    traffic: Traffic,
    registry: Registry,
    /// Room for connections that are told that there is none, or no longer.
    refusals: Arc<Semaphore>,
    crowd: Crowd,
    evictions: Crowd,
    stage: watch::Receiver<Stage>,
    workers: Workers,
}

/// Serves on those listeners until `shutdown` says that it is over.
///
/// The server lives as long as the process: it is never freed, so that answers can be sent piece by piece
/// while they are read from it.
///
/// # Errors
/// [`Internal`]: Rocket does not start, or the system gives no threads.
pub async fn serve(
    rocket: Rocket<Build>,
    listeners: Vec<TcpListener>,
    traffic: Traffic,
    shutdown: Shutdown,
) -> Result<(), Internal> {
    let rocket = Client::untracked(rocket).await.map_err(|error| Internal::new("starting Rocket", error))?;
    let workers = Workers::start(traffic.workers, traffic.max_blocking)
        .map_err(|error| Internal::new("starting the threads of `workers`", error))?;
    let style = rocket.rocket().state::<Style>().copied().unwrap_or(Style::Compact);
    let store = rocket.rocket().state::<Store>().cloned();
    let cors = rocket.rocket().state::<Cors>().cloned().unwrap_or_default();
    let front: &'static Front = Box::leak(Box::new(Front {
        rocket,
        store,
        style,
        cors,
        registry: Registry::new(&traffic),
        refusals: Arc::new(Semaphore::new(REFUSED_AT_A_TIME)),
        crowd: Crowd::default(),
        evictions: Crowd::default(),
        traffic,
        stage: shutdown.stage(),
        workers,
    }));
    let accepting = listeners.into_iter().map(|listener| tokio::spawn(accept::accept(listener, front)));
    let accepting: Vec<JoinHandle<()>> = accepting.collect();
    let all_have_ended = async {
        for accepting in accepting {
            // Whether it has ended well or not, it accepts no more.
            let _ = accepting.await;
        }
        front.registry.emptied().await;
    };
    shutdown.complete(all_have_ended).await;
    Ok(())
}
