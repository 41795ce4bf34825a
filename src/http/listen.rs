//! Listening sockets.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::str::FromStr;

use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};

/// The length of the system's queue of connections to accept.
const BACKLOG: u32 = 1024;

/// The size of the system's send buffer, in bytes. Its content counts as sent, so it bounds the error in the rate at which a
/// slow client seems to read.
const SEND_BUFFER: u32 = 128 * 1024;

/// How many bytes the system takes beyond the client's receive window. Without it, a client that reads nothing would seem to
/// have read a full send buffer.
#[cfg(target_os = "linux")]
const NOTSENT_LOWAT: u32 = 16 * 1024;

/// How often the server tries to find a port that is free for both loopback addresses.
const TRIES: usize = 16;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// `localhost`: 127.0.0.1 and ::1, since some clients try one of them only.
    Localhost,
    /// An IP address.
    Ip(IpAddr),
}

/// The text is not an [`Address`].
#[derive(Debug, Error)]
#[error("{0:?} is neither an IP address nor localhost; 0.0.0.0 is every address")]
pub struct InvalidAddress(String);

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        match text {
            "localhost" => Ok(Self::Localhost),
            _ => text.parse().map(Self::Ip).map_err(|_| InvalidAddress(text.to_owned())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Localhost => f.write_str("localhost"),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

impl Address {
    /// The address, or the first of two.
    #[must_use]
    pub fn first(self) -> IpAddr {
        match self {
            Self::Localhost => Ipv4Addr::LOCALHOST.into(),
            Self::Ip(address) => address,
        }
    }

    /// Listens on the port, or on a free one if it is 0.
    ///
    /// # Errors
    /// [`io::Error`], for example if the port is in use. A machine without IPv6 is not an error.
    pub fn listen(self, port: u16) -> io::Result<Vec<TcpListener>> {
        let Self::Localhost = self else { return Ok(vec![bind(SocketAddr::new(self.first(), port))?]) };
        for _ in 0..TRIES {
            let first = bind(SocketAddr::new(self.first(), port))?;
            let same_port = first.local_addr()?.port();
            match bind(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), same_port)) {
                Ok(second) => return Ok(vec![first, second]),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && port == 0 => {}
                Err(error) if is_ipv6_unavailable(&error) => return Ok(vec![first]),
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}

/// The addresses of this machine that others can use to reach a server on that unspecified address: at most one of each
/// family, that of the default route. A server on `::` is reached over IPv4 too.
#[must_use]
pub fn own_addresses(unspecified: IpAddr) -> Vec<IpAddr> {
    // Addresses for documentation (RFC 5737, RFC 3849), which only the default route leads to.
    const V4: (IpAddr, IpAddr) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    const V6: (IpAddr, IpAddr) =
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)));
    let families = if unspecified.is_ipv4() { vec![V4] } else { vec![V4, V6] };
    families.into_iter().filter_map(|(any, other)| source_address(any, other).ok()).collect()
}

/// The address from which this machine would send to that one. To connect a UDP socket looks up the route, and sends nothing.
fn source_address(any: IpAddr, destination: IpAddr) -> io::Result<IpAddr> {
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((destination, 9))?;
    Ok(socket.local_addr()?.ip())
}

/// Whether the machine or the container has no IPv6.
fn is_ipv6_unavailable(error: &io::Error) -> bool {
    #[cfg(unix)]
    let unknown_family = error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    // WSAEAFNOSUPPORT
    #[cfg(windows)]
    let unknown_family = error.raw_os_error() == Some(10_047);
    #[cfg(not(any(unix, windows)))]
    let unknown_family = false;
    unknown_family || error.kind() == io::ErrorKind::AddrNotAvailable
}

pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of an earlier run that are in TIME_WAIT must not block the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    // Connections inherit it, and the size of the buffer.
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&socket).set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_every_ipv6_address_is_reached_over_ipv4_too() {
        let v4 = own_addresses(Ipv4Addr::UNSPECIFIED.into());
        let both = own_addresses(Ipv6Addr::UNSPECIFIED.into());
        assert!(both.starts_with(&v4), "{both:?}, {v4:?}");
        assert!(both.iter().all(|address| !address.is_unspecified() && !address.is_loopback()), "{both:?}");
    }
}
