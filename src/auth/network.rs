//! Client network.

use std::net::{IpAddr, Ipv6Addr};

/// The network that rate limits count as one client: an IPv4 address or an IPv6 /64, the smallest network that a site
/// is assigned (RFC 6177, section 2). All clients without an address, within this process, count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(Option<IpAddr>);

impl Network {
    /// The first address of the network; none for clients without one.
    pub(crate) fn address(self) -> Option<IpAddr> {
        self.0
    }
}

impl From<Option<IpAddr>> for Network {
    fn from(client: Option<IpAddr>) -> Self {
        Self(client.map(|address| match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        }))
    }
}
