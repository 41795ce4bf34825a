//! Queue for hashing: who may wait for a core.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::auth::network::Network;
use crate::auth::rate_limit::Admission;

/// Places for those whose password is being hashed, and for those who wait for that.
///
/// Of the places to wait, one network takes half at most, and the last quarter is kept for networks with a recent
/// success. So no network fills the queue by itself, and strangers together do not either.
pub(super) struct Queue {
    places: usize,
    /// The most that one network takes.
    share: usize,
    /// The last places, for known networks.
    kept: usize,
    /// The most that one network may have when it takes one of the last.
    share_of_kept: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_network: HashMap<Network, usize>,
}

/// A place, until it is dropped.
pub(super) struct Place {
    queue: Arc<Queue>,
    network: Network,
}

impl Queue {
    /// For as many at a time as there are `cores`, and `waiting` more that wait.
    pub(super) fn new(cores: usize, waiting: usize) -> Self {
        let kept = waiting / 4;
        Self {
            places: cores.saturating_add(waiting),
            share: cores.saturating_add(waiting.div_ceil(2)),
            kept,
            share_of_kept: kept.div_ceil(2),
            taken: Mutex::default(),
        }
    }

    /// Takes a place. `None` if there is none for that client.
    pub(super) fn enter(self: &Arc<Self>, admission: &Admission) -> Option<Place> {
        let network = admission.network;
        let mut taken = self.taken.lock();
        let free = self.places.saturating_sub(taken.all);
        let own = taken.by_network.get(&network).copied().unwrap_or_default();
        let most = match free {
            0 => 0,
            free if free > self.kept => self.share,
            _ if admission.is_known => self.share_of_kept,
            _ => 0,
        };
        if own >= most {
            return None;
        }
        taken.all += 1;
        *taken.by_network.entry(network).or_default() += 1;
        Some(Place { queue: Arc::clone(self), network })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.queue.taken.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.by_network.get_mut(&self.network) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.by_network.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u8, is_known: bool) -> Admission {
        Admission { network: Some([192, 0, 2, number].into()).into(), is_known }
    }

    #[test]
    fn one_network_takes_half_of_the_places_to_wait_and_the_last_are_for_known_ones() {
        let queue = Arc::new(Queue::new(1, 16));
        let enter = |number, is_known| queue.enter(&client(number, is_known));
        // A place of one that is working, and 8 of 16 to wait.
        let mut first: Vec<_> = (0..20).filter_map(|_| enter(1, true)).collect();
        assert_eq!(first.len(), 9);
        let strangers: Vec<_> = (2..20).filter_map(|number| enter(number, false)).collect();
        assert_eq!(strangers.len(), 4);
        assert!(enter(1, true).is_none(), "who has many gets none of the last");
        let known: Vec<_> = (0..9).flat_map(|_| [enter(20, true), enter(21, true)]).flatten().collect();
        assert_eq!(known.len(), 4);
        assert!(enter(22, true).is_none(), "nothing is left");
        // A client that leaves makes room.
        first.truncate(4);
        assert!(enter(22, false).is_some() && enter(1, true).is_some());
        drop((first, strangers, known));
        assert!(queue.taken.lock().by_network.is_empty());
        assert_eq!(queue.taken.lock().all, 0);
    }

    #[test]
    fn where_nobody_may_wait_there_is_a_place_for_each_core() {
        let queue = Arc::new(Queue::new(2, 0));
        let places = [(); 3].map(|()| queue.enter(&client(1, false)));
        assert_eq!(places.map(|place| place.is_some()), [true, true, false]);
    }
}
