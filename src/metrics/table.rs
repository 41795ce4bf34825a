//! Table of all metrics: name, kind, labels and meaning. `docs/monitoring.md` is checked against it.

/// A metric. Units are in the name: seconds, or the number of what it counts
/// (<https://prometheus.io/docs/practices/naming/>).
#[derive(Debug)]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The names of the labels. No label has a client's text as its value, so that their number is bounded.
    pub labels: &'static [&'static str],
    /// What it is: a sentence without the full stop.
    pub help: &'static str,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows, from 0 at the start.
    Counter,
    /// A number as it is now.
    Gauge,
    /// How many values are at most so large, for several bounds.
    Histogram,
}

macro_rules! metrics {
    ($($id:ident: $kind:ident, $name:literal, [$($label:literal),*], $help:literal;)*) => {
        $(#[doc = $help] pub static $id: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// Every metric, in the order of the documentation.
        pub static METRICS: &[&Metric] = &[$(&$id),*];
    };
}

metrics! {
    REQUESTS: Counter, "shipyard_http_requests_total", ["route", "method", "status"],
        "Requests that have ended, by the template of the route, method, and status of the response";
    REQUEST_DURATION: Histogram, "shipyard_http_request_duration_seconds", ["route"],
        "Time from the first byte of a request until its client or the system has the whole response";
    RATE_LIMIT_REFUSALS: Counter, "shipyard_rate_limit_refusals_total", ["operation"],
        "Requests that a rate limit refused (429), by operation";
    CONNECTIONS_OPEN: Gauge, "shipyard_connections_open", [],
        "Open connections";
    CONNECTIONS_ACCEPTED: Counter, "shipyard_connections_accepted_total", [],
        "Connections that the server accepted, without those that it refused";
    CONNECTIONS_REFUSED: Counter, "shipyard_connections_refused_total", ["reason"],
        "Connections that were refused (503, or closed), by the limit that was reached: server, address";
    CONNECTIONS_EVICTED: Counter, "shipyard_connections_evicted_total", [],
        "Connections that waited for their client and were closed to make room for another";
    RESPONSE_CACHE_LOOKUPS: Counter, "shipyard_response_cache_lookups_total", ["result"],
        "Look-ups in the response cache, by result: hit, miss";
    PASSWORD_QUEUE: Gauge, "shipyard_password_queue_length", [],
        "Passwords that are being hashed or wait for it";
    PASSWORD_QUEUE_REFUSALS: Counter, "shipyard_password_queue_refusals_total", [],
        "Requests that were refused (503) since the queue of passwords was full";
    PAGE_QUEUE: Gauge, "shipyard_page_queue_length", [],
        "Lists that are being selected or wait for it, in memory";
    PAGE_QUEUE_REFUSALS: Counter, "shipyard_page_queue_refusals_total", [],
        "Requests that were refused (503) since the queue of lists was full";
    REVOCATIONS: Gauge, "shipyard_revocations", [],
        "Revoked tokens that the server remembers, in memory";
    DATABASE_CONNECTIONS: Gauge, "shipyard_database_connections", ["state"],
        "Connections of the pools to the database, by state: busy, idle";
    DATABASE_WAITING: Gauge, "shipyard_database_waiting", [],
        "Statements that wait for a connection to the database";
    DATABASE_DISCARDED: Counter, "shipyard_database_connections_discarded_total", [],
        "Connections to the database that were given up after a failure";
    DATABASE_STATEMENTS: Counter, "shipyard_database_statements_total", [],
        "Statements sent to the database, retries included";
    DATABASE_RETRIES: Counter, "shipyard_database_retries_total", [],
        "Statements sent again after a serialization failure or a deadlock";
    DATABASE_ERRORS: Counter, "shipyard_database_errors_total", ["kind"],
        "Statements that failed, by kind: unavailable, internal";
    BUILD_INFO: Gauge, "shipyard_build_info", ["version"],
        "1, with the version of the server";
    PROCESS_START: Gauge, "process_start_time_seconds", [],
        "When the server started, in seconds after 1970";
}
