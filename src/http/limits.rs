//! What a client may take: time, connections, bytes.

use std::time::Duration;

use super::TrustedProxies;

/// The limits of connections and requests.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// `keep_alive`: how long a connection may lie idle between requests. Default 5 s; 0 ends each connection
    /// after one request.
    pub keep_alive: Duration,
    /// `header_timeout`: how long the head of a request may take from its first byte. Default 5 s.
    pub header_timeout: Duration,
    /// `body_timeout`: how long the body may take from the end of the head. Default 10 s.
    pub body_timeout: Duration,
    /// `request_timeout`: how long a request may take from its first byte to its answer; and how long a client
    /// may take for the answer, to which every [`HttpLimits::MIN_WRITE_RATE`] bytes that it takes add a second, but
    /// never beyond this time from then. Default 15 s.
    pub request_timeout: Duration,
    /// `max_connections`: how many there may be at a time. Default 1024.
    pub max_connections: usize,
    /// `max_connections_per_address`: how many of them one client address may have (IPv6: one /64). Trusted proxies
    /// are exempt. Default 256.
    pub max_connections_per_address: usize,
    /// `max_header_size`: how many bytes the head of a request may have, from 8192. Default 16 KiB.
    pub max_header_size: usize,
    /// `max_headers`: how many fields the head may have. Default 64.
    pub max_headers: usize,
    /// `limits.json`: how many bytes a body may have. Default 64 KiB.
    pub max_body: usize,
    /// `response_cache_size`: how many answers each worker keeps, to give them again until something is written. Default 1024.
    pub response_cache_size: usize,
    /// `workers`: how many threads serve connections. Default: one for each core.
    pub workers: usize,
    /// `max_blocking`: how many threads there may be for work that blocks, such as files and passwords.
    /// Default 512.
    pub max_blocking: usize,
    /// `trusted_proxies`: proxies whose `X-Forwarded-For` is trusted. Default: none.
    pub trusted_proxies: TrustedProxies,
}

impl HttpLimits {
    /// How slowly an answer may be taken, in bytes per second, once [`HttpLimits::request_timeout`] is over.
    pub const MIN_WRITE_RATE: u64 = 16 * 1024;

    /// The least `max_header_size`: hyper reads heads in buffers of this many bytes.
    pub const MIN_HEADER_SIZE: usize = 8192;
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
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
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            max_blocking: 512,
            trusted_proxies: TrustedProxies::default(),
        }
    }
}
