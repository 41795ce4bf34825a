//! Address of the admin listener.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;

use thiserror::Error;
use tokio::net::TcpListener;

use crate::http::listen::Address;

/// The address of the admin listener: an IP address or `localhost`, and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminAddress {
    address: Address,
    port: u16,
}

/// The text is not an [`AdminAddress`].
#[derive(Debug, Error)]
#[error("{0:?} is not an IP address or localhost and a port, such as 127.0.0.1:5001 or 0.0.0.0:5001")]
pub struct InvalidAdminAddress(String);

impl FromStr for AdminAddress {
    type Err = InvalidAdminAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAdminAddress> {
        let read = || {
            if let Some(port) = text.strip_prefix("localhost:") {
                let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
                return Some(Self {
                    address: Address::Localhost,
                    port: port.parse().ok().filter(|_| is_number)?,
                });
            }
            let address: SocketAddr = text.parse().ok()?;
            Some(Self { address: Address::Ip(address.ip()), port: address.port() })
        };
        read().ok_or_else(|| InvalidAdminAddress(text.to_owned()))
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Address::Localhost => write!(f, "localhost:{}", self.port),
            Address::Ip(address) => SocketAddr::new(address, self.port).fmt(f),
        }
    }
}

impl AdminAddress {
    /// Whether only this machine reaches it. On another address there is no reset: it asks for no login. The address of the
    /// client would not do instead, since proxies on this machine, such as that of a container's ports, have a loopback address.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        self.address.first().is_loopback()
    }

    /// Listens on the address; on both loopback addresses for `localhost`.
    ///
    /// # Errors
    /// [`io::Error`], for example if the port is in use.
    pub fn listen(self) -> io::Result<Vec<TcpListener>> {
        self.address.listen(self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_ip_address_or_localhost_with_a_port() {
        for (address, is_loopback) in [
            ("127.0.0.1:5001", true),
            ("[::1]:0", true),
            ("127.1.2.3:65535", true),
            ("localhost:5001", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("10.0.0.1:1", false),
            // Not loopback to the standard library: no reset is the safe side.
            ("[::ffff:127.0.0.1]:1", false),
        ] {
            let read: AdminAddress = address.parse().expect(address);
            assert_eq!((read.to_string().as_str(), read.is_loopback()), (address, is_loopback));
        }
        for other in [
            "127.0.0.1",
            "localhost",
            "localhost:",
            "localhost:+1",
            "localhost:65536",
            "Localhost:1",
            "example.com:1",
            "127.0.0.1:65536",
            ":1",
            "",
        ] {
            assert!(other.parse::<AdminAddress>().is_err(), "{other:?}");
        }
    }
}
