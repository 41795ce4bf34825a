//! Connection registry: limits the connections of each client and of all, and closes one to make room for another.
//!
//! When a client or the server has as many connections as allowed, the one that has waited longest for its client is closed:
//! of that client, or of the client with the most connections. A connection for which the server works is never closed.
//!
//! Requests cost nothing here. The phases of connections are read when room is needed, and the longest waiting are kept for a
//! moment, so that a flood costs little for each connection.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::eviction::{Candidate, Candidates};
use super::progress::Progress;
use super::HttpLimits;
use crate::auth::network::Network;

/// How many connections may be closing at a time, of one client and of all. Closing takes a moment, and is cancelled if a
/// request arrives first.
const MAX_CLOSING: usize = 256;

/// Above this number, the server pauses accepting until some have closed.
const MANY_CLOSING: usize = 64;

/// A client: the connections that share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Client {
    /// False for trusted proxies, which are exempt from the limit of one client, and lose connections last.
    is_direct: bool,
    network: Network,
}

/// The open connections.
pub(super) struct Registry {
    max: usize,
    max_per_client: usize,
    open: Mutex<Open>,
    /// How many connections are closing.
    closing: Arc<AtomicUsize>,
    /// Notified when the last connection has ended.
    emptied: Notify,
}

#[derive(Default)]
struct Open {
    total: usize,
    next_id: u64,
    refused: Refused,
    clients: HashMap<Client, Connections>,
    /// The clients by number of connections. The last loses connections first.
    by_count: BTreeSet<(bool, usize, Client)>,
    candidates: Candidates,
}

/// The limit for which there was no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// `max_connections_per_address`.
    Address,
    /// `max_connections`.
    Server,
}

/// How many connections were refused, by limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) by_address: u64,
    pub(super) by_server: u64,
}

/// Figures of the registry.
pub(super) struct Figures {
    pub(super) open: usize,
    /// Since the start, like [`Figures::refused`].
    pub(super) accepted: u64,
    pub(super) refused: Refused,
}

/// The connections of one client.
#[derive(Default)]
struct Connections {
    by_id: HashMap<u64, Arc<Progress>>,
    /// How many of them are closing.
    closing: Arc<AtomicUsize>,
    candidates: Candidates,
}

/// A connection's entry in the registry, removed with the value.
pub(super) struct Registration {
    registry: &'static Registry,
    client: Client,
    id: u64,
}

impl Registry {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        Self {
            max: limits.max_connections,
            max_per_client: limits.max_connections_per_address,
            open: Mutex::default(),
            closing: Arc::default(),
            emptied: Notify::new(),
        }
    }

    /// Registers a connection, and makes room for it if necessary.
    ///
    /// # Errors
    /// The [`Limit`] that leaves no room.
    pub(super) fn register(
        &'static self,
        address: IpAddr,
        is_proxy: bool,
        progress: &Arc<Progress>,
    ) -> Result<Registration, Limit> {
        let client = Client { is_direct: !is_proxy, network: Network::from(Some(address)) };
        let mut open = self.open.lock();
        if let Err(limit) = self.make_room(&mut open, client) {
            *match limit {
                Limit::Address => &mut open.refused.by_address,
                Limit::Server => &mut open.refused.by_server,
            } += 1;
            return Err(limit);
        }
        let id = open.next_id;
        open.next_id += 1;
        open.total += 1;
        let connections = open.clients.entry(client).or_default();
        let before = connections.by_id.len();
        connections.by_id.insert(id, Arc::clone(progress));
        open.recount(client, before, before + 1);
        Ok(Registration { registry: self, client, id })
    }

    fn make_room(&self, open: &mut Open, client: Client) -> Result<(), Limit> {
        if client.is_direct {
            if let Some(connections) = open.clients.get_mut(&client) {
                let closing = Arc::clone(&connections.closing);
                let count = connections.by_id.len();
                if !make_room(count, self.max_per_client, &closing, || connections.evict_one(&self.closing)) {
                    return Err(Limit::Address);
                }
            }
        }
        let has_room = make_room(open.total, self.max, &self.closing, || open.evict_one(&self.closing));
        has_room.then_some(()).ok_or(Limit::Server)
    }

    pub(super) fn figures(&self) -> Figures {
        let Open { total, next_id, refused, .. } = &*self.open.lock();
        Figures { open: *total, accepted: *next_id, refused: *refused }
    }

    /// Whether connections arrive faster than others close for them.
    pub(super) fn is_behind(&self) -> bool {
        self.closing.load(Ordering::Relaxed) > MANY_CLOSING
    }

    /// Waits until no connection is open.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.open.lock().total == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = self.registry.open.lock();
        let Some(connections) = open.clients.get_mut(&self.client) else { return };
        let before = connections.by_id.len();
        if let Some(progress) = connections.by_id.remove(&self.id) {
            progress.has_left();
        }
        if before == 1 {
            open.clients.remove(&self.client);
        }
        open.recount(self.client, before, before - 1);
        open.total -= 1;
        if open.total == 0 {
            self.registry.emptied.notify_waiters();
        }
    }
}

impl Open {
    fn recount(&mut self, client: Client, before: usize, now: usize) {
        self.by_count.remove(&(client.is_direct, before, client));
        if now > 0 {
            self.by_count.insert((client.is_direct, now, client));
        }
    }

    /// Evicts the longest waiting connection of the client with the most connections, if one waits.
    fn evict_one(&mut self, closing: &Arc<AtomicUsize>) -> bool {
        let Self { clients, by_count, candidates, .. } = self;
        candidates.evict_one(closing, |now| {
            let mut found = Vec::new();
            let mut last = None;
            for (is_direct, count, client) in by_count.iter().rev() {
                let rank = (is_direct, count);
                // Clients with equally many connections are searched together.
                if !found.is_empty() && last != Some(rank) {
                    break;
                }
                last = Some(rank);
                found.extend(
                    clients.get(client).into_iter().flat_map(|connections| connections.candidates(now)),
                );
            }
            found
        })
    }
}

impl Connections {
    fn candidates(&self, now: Instant) -> impl Iterator<Item = Candidate> + '_ {
        self.by_id.values().filter_map(move |progress| {
            let wait = progress.wait(now)?;
            Some(Candidate::new(wait, progress, &self.closing))
        })
    }

    /// Evicts the longest waiting connection, if one waits.
    fn evict_one(&mut self, closing: &Arc<AtomicUsize>) -> bool {
        let mut candidates = std::mem::take(&mut self.candidates);
        let is_evicted = candidates.evict_one(closing, |now| self.candidates(now).collect());
        self.candidates = candidates;
        is_evicted
    }
}

/// Makes room for one more connection. Closing connections do not count, up to [`MAX_CLOSING`] of them.
fn make_room(count: usize, max: usize, closing: &AtomicUsize, mut evict_one: impl FnMut() -> bool) -> bool {
    if count >= max + MAX_CLOSING.min(max) {
        return false;
    }
    while count.saturating_sub(closing.load(Ordering::Relaxed)) >= max {
        if !evict_one() {
            return false;
        }
    }
    true
}
