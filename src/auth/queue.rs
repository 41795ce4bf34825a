//! Queue of expensive work, with fair shares for client networks.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::auth::network::Network;
use crate::auth::rate_limit::Admission;

/// Permits for the work that is being done and for the work that waits.
///
/// One network gets at most half of the permits to wait, and the last quarter is reserved for networks with a recent
/// success. So neither one network nor all unknown networks together can fill the queue.
pub(crate) struct Queue {
    capacity: usize,
    /// The maximum for one network.
    network_limit: usize,
    /// The number of permits that are reserved for known networks.
    reserved: usize,
    /// The maximum for a network that takes a reserved permit.
    reserved_limit: usize,
    in_use: Mutex<InUse>,
}

#[derive(Default)]
struct InUse {
    total: usize,
    /// How many requests got no permit.
    refused: u64,
    by_network: HashMap<Network, usize>,
}

/// Figures of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueFigures {
    /// The work that is being done or waits.
    pub(crate) length: usize,
    /// How many requests were refused since the start.
    pub(crate) refusals: u64,
}

/// A permit; dropping it returns it to the queue.
pub(crate) struct Permit {
    queue: Arc<Queue>,
    network: Network,
}

impl Queue {
    /// A queue for one piece of work on each of `cores`, and `waiting` more that wait.
    pub(crate) fn new(cores: usize, waiting: usize) -> Self {
        let reserved = waiting / 4;
        Self {
            capacity: cores.saturating_add(waiting),
            network_limit: cores.saturating_add(waiting.div_ceil(2)),
            reserved,
            reserved_limit: reserved.div_ceil(2),
            in_use: Mutex::default(),
        }
    }

    pub(crate) fn figures(&self) -> QueueFigures {
        let in_use = self.in_use.lock();
        QueueFigures { length: in_use.total, refusals: in_use.refused }
    }

    /// Takes a permit; `None` if there is none for this client.
    pub(crate) fn enter(self: &Arc<Self>, admission: &Admission) -> Option<Permit> {
        let network = admission.network;
        let mut in_use = self.in_use.lock();
        let free = self.capacity.saturating_sub(in_use.total);
        let own = in_use.by_network.get(&network).copied().unwrap_or_default();
        let limit = match free {
            0 => 0,
            free if free > self.reserved => self.network_limit,
            _ if admission.is_known => self.reserved_limit,
            _ => 0,
        };
        if own >= limit {
            in_use.refused += 1;
            return None;
        }
        in_use.total += 1;
        *in_use.by_network.entry(network).or_default() += 1;
        Some(Permit { queue: Arc::clone(self), network })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut in_use = self.queue.in_use.lock();
        in_use.total = in_use.total.saturating_sub(1);
        if let Some(own) = in_use.by_network.get_mut(&self.network) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                in_use.by_network.remove(&self.network);
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
    fn limits_one_network_to_half_and_reserves_a_quarter_for_known_networks() {
        let queue = Arc::new(Queue::new(1, 16));
        let enter = |number, is_known| queue.enter(&client(number, is_known));
        // One permit for the core, and 8 of 16 to wait.
        let mut first: Vec<_> = (0..20).filter_map(|_| enter(1, true)).collect();
        assert_eq!(first.len(), 9);
        let strangers: Vec<_> = (2..20).filter_map(|number| enter(number, false)).collect();
        assert_eq!(strangers.len(), 4);
        assert!(enter(1, true).is_none(), "a network with many permits gets none of the reserved ones");
        let known: Vec<_> = (0..9).flat_map(|_| [enter(20, true), enter(21, true)]).flatten().collect();
        assert_eq!(known.len(), 4);
        assert!(enter(22, true).is_none(), "no permit is left");
        // 11 of the first client, 14 strangers, 14 that are known, and the two above.
        assert_eq!(queue.figures(), QueueFigures { length: 17, refusals: 11 + 14 + 1 + 14 + 1 });
        // A dropped permit can be taken again.
        first.truncate(4);
        assert!(enter(22, false).is_some() && enter(1, true).is_some());
        drop((first, strangers, known));
        assert!(queue.in_use.lock().by_network.is_empty());
        assert_eq!(queue.in_use.lock().total, 0);
    }

    #[test]
    fn an_empty_queue_has_one_permit_for_each_core() {
        let queue = Arc::new(Queue::new(2, 0));
        let permits = [(); 3].map(|()| queue.enter(&client(1, false)));
        assert_eq!(permits.map(|permit| permit.is_some()), [true, true, false]);
    }
}
