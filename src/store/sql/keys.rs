//! Keyed hashes, which stand for client networks and login names in the tables: short, and meaningless without the key. All nodes
//! have the same key, from the table `service`.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::auth::network::Network;
use crate::auth::rate_limit::Operation;
use crate::internal_error::InternalError;

/// The number of slots of a table.
const SLOTS: i64 = 1 << 20;

pub(super) struct Keys(Hmac<Sha256>);

/// What is hashed. Two kinds never have the same hash by design.
#[derive(Clone, Copy)]
enum Kind {
    Network,
    Name,
    Bucket(Operation),
}

/// A network as the tables have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct NetworkKey {
    pub(super) hash: i64,
    pub(super) slot: i32,
}

impl Keys {
    pub(super) fn new(key: &[u8]) -> Result<Self, InternalError> {
        Hmac::new_from_slice(key).map(Self).map_err(|error| InternalError::new("reading the hash key", error))
    }

    fn hash(&self, kind: Kind, value: &[u8]) -> i64 {
        let mut mac = self.0.clone();
        mac.update(&[match kind {
            Kind::Network => 0,
            Kind::Name => 1,
            Kind::Bucket(operation) => 16 + operation_number(operation),
        }]);
        mac.update(value);
        let digest = mac.finalize().into_bytes();
        digest.iter().take(8).fold(0, |hash, byte| hash << 8 | i64::from(*byte))
    }

    pub(super) fn network(&self, network: Network) -> NetworkKey {
        let hash = self.hash(Kind::Network, &octets(network));
        NetworkKey { hash, slot: slot(hash) }
    }

    /// The bucket of an operation and a network.
    pub(super) fn bucket(&self, operation: Operation, network: Network) -> i32 {
        slot(self.hash(Kind::Bucket(operation), &octets(network)))
    }

    /// The bucket of a login name.
    pub(super) fn name(&self, name: &str) -> i32 {
        slot(self.hash(Kind::Name, name.as_bytes()))
    }
}

/// The number of an operation in the tables.
pub(super) fn operation_number(operation: Operation) -> u8 {
    match operation {
        Operation::LogIn => 0,
        Operation::Refresh => 1,
        Operation::CreateUser => 2,
        Operation::UpdateUser => 3,
    }
}

fn octets(network: Network) -> Vec<u8> {
    match network.address() {
        None => Vec::new(),
        Some(IpAddr::V4(address)) => address.octets().to_vec(),
        Some(IpAddr::V6(address)) => address.octets().to_vec(),
    }
}

fn slot(hash: i64) -> i32 {
    // In range by the remainder.
    i32::try_from(hash.rem_euclid(SLOTS)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes of two versions share the tables.
    #[test]
    fn hashes_are_the_same_in_every_version() {
        let keys = Keys::new(b"key").expect("a key");
        let network = |last: u8| Network::from(Some(IpAddr::from([192, 0, 2, last])));
        let key = keys.network(network(1));
        assert_eq!((key.hash, key.slot), (NETWORK_HASH, NETWORK_SLOT));
        assert_ne!(keys.network(network(2)).hash, key.hash);
        assert_ne!(keys.network(None.into()).hash, key.hash);
        let buckets = [Operation::LogIn, Operation::Refresh, Operation::CreateUser, Operation::UpdateUser]
            .map(|operation| keys.bucket(operation, network(1)));
        assert_eq!((buckets, keys.name("ann")), (BUCKETS, NAME_SLOT));
    }

    const NETWORK_HASH: i64 = -7_638_240_806_665_290_835;
    const NETWORK_SLOT: i32 = 162_733;
    const BUCKETS: [i32; 4] = [953_489, 781_832, 833_487, 182_127];
    const NAME_SLOT: i32 = 623_584;
}
