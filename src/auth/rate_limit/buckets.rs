//! Token buckets by key, and a set of recent keys, both bounded.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{self, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::state::StateStore;
use governor::RateLimiter;
use parking_lot::Mutex;

use super::{Rate, RateLimited};

/// The maximum number of keys in one map: at most 2 MB.
pub(super) const MAX_KEYS: usize = 32_768;

/// The interval at which full buckets are removed.
const PRUNE_INTERVAL: Duration = Duration::from_secs(10);

/// A bucket for each key.
pub(super) struct KeyedLimiter<K: Hash + Eq + Clone, C: Clock> {
    buckets: RateLimiter<K, BoundedStore<K>, C, NoOpMiddleware<C::Instant>>,
    /// When full buckets were last removed.
    pruned: Mutex<C::Instant>,
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> KeyedLimiter<K, C> {
    pub(super) fn new(Rate(quota): Rate, clock: &C) -> Self {
        let buckets = RateLimiter::new(quota, BoundedStore::default(), clock.clone());
        Self { buckets, pruned: Mutex::new(clock.now()) }
    }
}

impl<K: Hash + Eq + Clone, C: Clock> KeyedLimiter<K, C> {
    pub(super) fn take(&self, key: &K) -> Result<(), RateLimited> {
        self.prune();
        self.buckets.check_key(key).map(drop).map_err(|until| {
            let retry_after = until.wait_time_from(self.buckets.clock().now());
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
            RateLimited { retry_after: u32::try_from(seconds).unwrap_or(u32::MAX).max(1) }
        })
    }

    /// Removes full buckets: they are equal to new ones.
    fn prune(&self) {
        let now = self.buckets.clock().now();
        // If the lock is taken, another thread is pruning.
        let Some(mut pruned) = self.pruned.try_lock() else { return };
        if now.duration_since(*pruned) >= Nanos::from(PRUNE_INTERVAL) {
            *pruned = now;
            self.buckets.retain_recent();
            self.buckets.shrink_to_fit();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }
}

/// The states of at most [`MAX_KEYS`] buckets: the time at which each is full again. If there are more, the fuller half
/// is removed. So an attacker with many addresses can neither make other clients share a bucket nor refill a bucket that
/// it has emptied.
struct BoundedStore<K>(Mutex<HashMap<K, Nanos>>);

impl<K> Default for BoundedStore<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone> StateStore for BoundedStore<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut states = self.0.lock();
        let (measured, full_at) = measure(states.get(key).copied())?;
        if states.len() >= MAX_KEYS && !states.contains_key(key) {
            let mut times: Vec<Nanos> = states.values().copied().collect();
            let (_, median, _) = times.select_nth_unstable(MAX_KEYS / 2);
            states.retain(|_, full_at| *full_at > *median);
        }
        states.insert(key.clone(), full_at);
        Ok(measured)
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for BoundedStore<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.0.lock().retain(|_, full_at| *full_at > drop_below);
    }

    fn shrink_to_fit(&self) {
        self.0.lock().shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.0.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

/// Recently inserted keys, in two generations: when the newer one is full or old, it replaces the older one.
pub(super) struct Recent<K, C: Clock> {
    clock: C,
    lifetime: Duration,
    /// Not a lock of the models: it orders nothing but itself, and each call of the store would have twice as many orders.
    generations: sync::Mutex<Generations<K, C::Instant>>,
}

struct Generations<K, I> {
    newer: HashSet<K>,
    older: HashSet<K>,
    started: I,
}

impl<K: Hash + Eq, C: Clock> Recent<K, C> {
    /// Keeps a key for at least `lifetime` and at most twice as long, unless [`MAX_KEYS`] / 2 other keys are inserted.
    pub(super) fn new(lifetime: Duration, clock: C) -> Self {
        let generations = Generations { newer: HashSet::new(), older: HashSet::new(), started: clock.now() };
        Self { clock, lifetime, generations: sync::Mutex::new(generations) }
    }

    fn lock(&self) -> sync::MutexGuard<'_, Generations<K, C::Instant>> {
        // A panic leaves sets of keys behind, of which each is as good as before.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        let mut generations = self.lock();
        self.expire(&mut generations);
        generations.newer.contains(key) || generations.older.contains(key)
    }

    pub(super) fn insert(&self, key: K) {
        let mut generations = self.lock();
        self.expire(&mut generations);
        generations.newer.insert(key);
        if generations.newer.len() >= MAX_KEYS / 2 {
            generations.rotate(self.clock.now());
        }
    }

    fn expire(&self, generations: &mut Generations<K, C::Instant>) {
        let now = self.clock.now();
        let age = now.duration_since(generations.started);
        if age >= Nanos::from(self.lifetime) {
            generations.rotate(now);
            // After a long pause the other generation is too old as well.
            if age >= Nanos::from(self.lifetime * 2) {
                generations.older = HashSet::new();
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let generations = self.lock();
        generations.newer.len() + generations.older.len()
    }
}

impl<K, I> Generations<K, I> {
    fn rotate(&mut self, now: I) {
        self.older = std::mem::take(&mut self.newer);
        self.started = now;
    }
}
