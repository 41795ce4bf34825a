//! Connection registry: limits the connections of each client and of all, and closes one to make room for another.
//!
//! When a client or the server has as many connections as allowed, the one that has waited longest for its client is closed:
//! of that client, or of the client with the most connections. A connection for which the server works is never closed.
//!
//! Requests cost nothing here. The phases of connections are read when room is needed, and the longest waiting are kept for a
//! moment, so that a flood costs little for each connection.

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
    clients: HashMap<Client, Connections>,
    /// The clients by number of connections. The last loses connections first.
    by_count: BTreeSet<(bool, usize, Client)>,
    candidates: Candidates,
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

    /// Registers a connection, and makes room for it if necessary. `None` if there is no room.
    pub(super) fn register(
        &'static self,
        address: IpAddr,
        is_proxy: bool,
        progress: &Arc<Progress>,
    ) -> Option<Registration> {
        let client = Client { is_direct: !is_proxy, network: Network::from(Some(address)) };
        let mut open = self.open.lock();
        if !self.has_room(&mut open, client) {
            return None;
        }
        let id = open.next_id;
        open.next_id += 1;
        open.total += 1;
        let connections = open.clients.entry(client).or_default();
        let before = connections.by_id.len();
        connections.by_id.insert(id, Arc::clone(progress));
        open.recount(client, before, before + 1);
        Some(Registration { registry: self, client, id })
    }

    fn has_room(&self, open: &mut Open, client: Client) -> bool {
        if client.is_direct {
            if let Some(connections) = open.clients.get_mut(&client) {
                let closing = Arc::clone(&connections.closing);
                let count = connections.by_id.len();
                if !make_room(count, self.max_per_client, &closing, || connections.evict_one(&self.closing)) {
                    return false;
                }
            }
        }
        make_room(open.total, self.max, &self.closing, || open.evict_one(&self.closing))
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::Duration;

    use super::*;

    fn registry(max: usize, max_per_client: usize) -> (&'static Registry, &'static HttpLimits) {
        let limits = HttpLimits {
            max_connections: max,
            max_connections_per_address: max_per_client,
            ..HttpLimits::default()
        };
        let limits: &'static HttpLimits = Box::leak(Box::new(limits));
        (Box::leak(Box::new(Registry::new(limits))), limits)
    }

    /// A connection that was served, and is idle.
    fn idle(registry: &'static Registry, limits: &'static HttpLimits, address: &str) -> Option<Idle> {
        let progress = Arc::new(Progress::new(limits));
        let address = address.parse().expect("an address");
        let registration = registry.register(address, false, &progress)?;
        Some(Idle { progress, _registration: registration })
    }

    struct Idle {
        progress: Arc<Progress>,
        _registration: Registration,
    }

    #[test]
    fn a_client_is_an_address_or_a_64_of_ipv6() {
        let (registry, limits) = registry(100, 2);
        let connect = |address| idle(registry, limits, address).expect("room");
        let first = connect("2001:db8::1");
        let mapped = [connect("::ffff:192.0.2.1"), connect("192.0.2.1")];
        let other = connect("2001:db8:0:1::1");
        let second = connect("2001:db8::2");
        assert!(!first.progress.is_evicted());
        let third = connect("2001:db8::ffff:0:0:1");
        assert_eq!(
            [&first, &second, &third, &other].map(|idle| idle.progress.is_evicted()),
            [true, false, false, false]
        );
        let _again = connect("192.0.2.1");
        assert_eq!(mapped.map(|idle| idle.progress.is_evicted()), [true, false]);
    }

    /// Those that go on since a request came first are made up for.
    #[test]
    fn no_more_connections_stay_than_may_be() {
        let (registry, limits) = registry(1000, 100);
        let mut open: Vec<Idle> = Vec::new();
        for _ in 0..5000 {
            if let Some(new) = idle(registry, limits, "192.0.2.1") {
                open.push(new);
            }
            assert!(open.len() <= 100 + MAX_CLOSING, "{}", open.len());
            // One of three that are to close is asked something at that moment.
            let mut count = 0;
            open.retain(|idle| {
                let is_evicted = idle.progress.is_evicted();
                count += usize::from(is_evicted);
                if is_evicted && count % 3 == 0 {
                    idle.progress.received(1);
                }
                !idle.progress.is_evicted()
            });
        }
        assert!(open.len() >= 100, "{}", open.len());
        let closing = registry.closing.load(Ordering::Relaxed);
        assert_eq!(closing, 0, "all have left or go on");
    }

    /// A large body takes its time, and its client is not what the server waits for.
    #[test]
    fn an_upload_that_goes_on_stays_and_one_that_has_stopped_goes() {
        let (registry, limits) = registry(2, 2);
        let uploading = || {
            let idle = idle(registry, limits, "192.0.2.1").expect("room");
            idle.progress.received(100);
            idle.progress.head_is_complete(false, true);
            idle
        };
        let (older, younger) = (uploading(), uploading());
        older.progress.received(16 * 1024);
        // Too little to count.
        younger.progress.received(1);
        let _new = idle(registry, limits, "192.0.2.1").expect("room");
        assert_eq!([&older, &younger].map(|idle| idle.progress.is_evicted()), [false, true]);
    }

    #[test]
    fn a_flood_is_looked_through_now_and_then_only() {
        let (registry, limits) = registry(100_000, 50_000);
        let mut open: VecDeque<Idle> = VecDeque::new();
        let began = Instant::now();
        for _ in 0..100_000 {
            open.push_back(idle(registry, limits, "192.0.2.1").expect("room"));
            open.retain_state();
        }
        // To look through all of them each time would take minutes.
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }

    /// What the connections' own tasks do: those that are evicted leave.
    trait RetainState {
        fn retain_state(&mut self);
    }

    impl RetainState for VecDeque<Idle> {
        fn retain_state(&mut self) {
            while self.front().is_some_and(|idle| idle.progress.is_evicted()) {
                self.pop_front();
            }
        }
    }
}
