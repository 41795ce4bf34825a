//! Client address behind trusted proxies.

use std::net::{IpAddr, SocketAddr};

use hyper::header::HeaderMap;
use ipnet::IpNet;
use thiserror::Error;

/// The networks of the proxies in front of this server.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// The text is neither an address nor a network.
#[derive(Debug, Error)]
#[error("{0:?} is neither an address nor a network such as 10.0.0.0/8")]
pub struct InvalidNetwork(String);

impl TrustedProxies {
    /// No proxies: every peer is a client.
    pub const NONE: Self = Self(Vec::new());

    /// Reads networks (`10.0.0.0/8`) and single addresses.
    ///
    /// # Errors
    /// `InvalidNetwork`: the first text that is neither.
    pub fn parse(networks: &[String]) -> Result<Self, InvalidNetwork> {
        let network = |text: &String| {
            let address = || text.parse::<IpAddr>().map(IpNet::from);
            text.parse::<IpNet>().or_else(|_| address()).map_err(|_| InvalidNetwork(text.clone()))
        };
        networks.iter().map(network).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client of a request from `peer`: the peer itself, unless it is a trusted proxy. Such a proxy appends the address of
    /// its own client to `X-Forwarded-For`, so the list is read from the end. Entries of the client are further to the front.
    #[inline]
    pub(super) fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.ip().to_canonical();
        if self.0.is_empty() {
            return client;
        }
        let fields = headers.get_all("x-forwarded-for").iter().rev();
        // A client can send bytes that are not UTF-8; the entry that the proxy appends is.
        let hops = fields.flat_map(|field| field.as_bytes().rsplit(|&byte| byte == b','));
        for hop in hops {
            if !self.trusts(client) {
                break;
            }
            // A trusted proxy does not write anything but an address.
            let Some(address) = std::str::from_utf8(hop).ok().and_then(|hop| parsed(hop.trim())) else {
                break;
            };
            client = address;
        }
        client
    }
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets.
fn parsed(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let trusted: Vec<String> = trusted.iter().map(|&network| network.to_owned()).collect();
        let mut headers = HeaderMap::new();
        for field in forwarded {
            headers.append("x-forwarded-for", field.parse().expect("a value"));
        }
        let peer = SocketAddr::new(peer.parse().expect("an address"), 1234);
        TrustedProxies::parse(&trusted).expect("networks").client(peer, &headers).to_string()
    }

    #[test]
    fn nobody_is_believed_unless_configured() {
        assert_eq!(client(&[], "10.0.0.1", &["1.2.3.4"]), "10.0.0.1");
        assert_eq!(client(&["10.0.0.0/8"], "11.0.0.1", &["1.2.3.4"]), "11.0.0.1");
    }

    #[test]
    fn the_last_address_that_is_not_a_trusted_proxy_is_the_client() {
        let trusted = &["10.0.0.0/8", "::1"];
        assert_eq!(client(trusted, "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client(trusted, "10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(client(trusted, "10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.9.9.9"]), "1.2.3.4");
        assert_eq!(client(trusted, "10.0.0.1", &["6.6.6.6", "1.2.3.4", "10.9.9.9"]), "1.2.3.4");
        assert_eq!(client(trusted, "::1", &["[2001:db8::1]:99"]), "2001:db8::1");
        assert_eq!(client(trusted, "::ffff:10.0.0.1", &["1.2.3.4:80"]), "1.2.3.4");
    }

    #[test]
    fn reading_stops_at_an_entry_that_is_not_an_address() {
        let trusted = &["10.0.0.0/8"];
        for nonsense in ["unknown", "", "1.2.3", "9.9.9.9, x"] {
            assert_eq!(client(trusted, "10.0.0.1", &[nonsense]), "10.0.0.1", "{nonsense:?}");
        }
    }

    /// hyper accepts bytes that are not UTF-8, and a proxy appends to them.
    #[test]
    fn bytes_that_are_not_utf_8_do_not_hide_the_proxys_entry() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_bytes(b"\xff, 1.2.3.4").expect("a value"));
        let trusted = TrustedProxies::parse(&["10.0.0.0/8".to_owned()]).expect("networks");
        let peer = SocketAddr::new("10.0.0.1".parse().expect("an address"), 1);
        assert_eq!(trusted.client(peer, &headers).to_string(), "1.2.3.4");
    }

    #[test]
    fn the_error_names_the_invalid_network() {
        let error = TrustedProxies::parse(&["10.0.0.0/33".to_owned()]).expect_err("no such network");
        assert!(error.to_string().contains("\"10.0.0.0/33\""), "{error}");
    }
}
