//! Limits of connections and requests.

use std::time::Duration;

use super::TrustedProxies;

/// The limits of connections and requests.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// `keep_alive`: how long a connection may be idle between requests; zero closes it after one request.
    pub keep_alive: Duration,
    /// `header_timeout`: time for the head of a request, from its first byte.
    pub header_timeout: Duration,
    /// `body_timeout`: time for the body, from the end of the head.
    pub body_timeout: Duration,
    /// `request_timeout`: time from the first byte of a request to its response, and again for the client to read the
    /// response. Each [`HttpLimits::MIN_TRANSFER_RATE`] bytes that it reads add a second, up to this time again.
    pub request_timeout: Duration,
    /// `max_connections`: concurrent connections.
    pub max_connections: usize,
    /// `max_connections_per_address`: concurrent connections of one client address (IPv6: one /64). Trusted proxies
    /// are exempt.
    pub max_connections_per_address: usize,
    /// `max_header_size`: bytes in the head of a request.
    pub max_header_size: usize,
    /// `max_headers`: header fields of a request.
    pub max_headers: usize,
    /// `limits.json`: bytes in the body of a request.
    pub max_body: usize,
    /// `response_cache_size`: entries of each worker's response cache; 0 turns the cache off.
    pub response_cache_size: usize,
    /// `workers`: threads that serve connections.
    pub workers: usize,
    /// `max_blocking`: threads for blocking work, such as files and passwords.
    pub max_blocking: usize,
    /// `trusted_proxies`: proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: TrustedProxies,
}

impl HttpLimits {
    /// The default limits for one worker. [`HttpLimits::default`] has one for each core.
    pub const DEFAULT: Self = Self {
        keep_alive: Duration::from_secs(5),
        header_timeout: Duration::from_secs(5),
        body_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(15),
        max_connections: 1024,
        max_connections_per_address: 256,
        max_header_size: 16 * 1024,
        max_headers: 64,
        max_body: 64 * 1024,
        response_cache_size: 1024,
        workers: 1,
        max_blocking: 512,
        trusted_proxies: TrustedProxies::NONE,
    };

    /// The minimum transfer rate in bytes per second: at which a client reads a response once
    /// [`HttpLimits::request_timeout`] is over, and below which it counts as stalled.
    pub const MIN_TRANSFER_RATE: u64 = 16 * 1024;

    /// The least `max_header_size`: hyper reads heads in buffers of this many bytes.
    pub const MIN_HEADER_SIZE: usize = 8192;
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self { workers: std::thread::available_parallelism().map_or(1, usize::from), ..Self::DEFAULT }
    }
}
