//! Settings of the HTTP server: where it listens, and its limits.

use std::time::Duration;

use rocket::data::ByteUnit;

use super::error::{invalid, ConfigError, Reason};
use super::setting::{Kind, Preset, Setting};
use super::values::Values;
use crate::api::guards::body::DEFAULT_BODY_LIMIT;
use crate::http::admin::{AdminAddress, InvalidAdminAddress};
use crate::http::listen::Address;
use crate::http::{HttpLimits, TrustedProxies};

const DEFAULT: &HttpLimits = &HttpLimits::DEFAULT;
const MOST_CONNECTIONS: u64 = 1_000_000;
const MOST_WORKERS: u64 = 1024;
const ANY_U32: Kind = Kind::Integer(0, u32::MAX as u64);

/// The largest request body that can be allowed: the server reads each into memory as a whole.
const MAX_BODY_LIMIT: ByteUnit = ByteUnit::Gibibyte(1);

const ADDRESS: Setting = Setting::new(
    "address",
    Preset::Text("localhost"),
    Kind::Text(|text| text.parse::<Address>().map(drop).map_err(Reason::from)),
    "IP address to listen on; `localhost` is both 127.0.0.1 and ::1",
)
.flag("address", None, "IP");

const PORT: Setting = Setting::new(
    "port",
    // The port of the recorded exchanges.
    Preset::Integer(5000),
    Kind::Integer(0, u16::MAX as u64),
    "Port to listen on, {range}; 0 for any free port",
)
.flag("port", Some('p'), "PORT");

const ADMIN_ADDRESS: Setting = Setting::new(
    "admin_address",
    Preset::Unset { instead: "", example: "127.0.0.1:5001" },
    Kind::Text(|text| text.parse::<AdminAddress>().map(drop).map_err(Reason::from)),
    "IP address (or `localhost`) and port of the admin listener: `/health/live`, `/health/ready` and `/metrics`; on a loopback \
     address, `POST /reset` puts the data back to what the server started with",
)
.details(
    "It asks for no login. Requests are counted only if it is on. See [monitoring.md](monitoring.md) and \
     [front-end-tests.md](front-end-tests.md#start-over-between-tests)",
)
.flag("admin-address", None, "ADDRESS");

const LIMITS: Setting = Setting::new(
    "limits",
    Preset::Members(&[("json", Preset::Size(DEFAULT_BODY_LIMIT))]),
    Kind::Members(&[("json", Kind::Size(ByteUnit::Byte(1), MAX_BODY_LIMIT))]),
    "`json`: size of the largest request body, {range}",
);

const MAX_CONNECTIONS: Setting = Setting::new(
    "max_connections",
    Preset::Integer(DEFAULT.max_connections as u64),
    Kind::Integer(1, MOST_CONNECTIONS),
    "Concurrent connections, {range}",
)
.details(
    "For one more, the server closes the connection that has waited longest for its client, of the address with the \
     most connections. If the server is working on all of them, the new one gets 503. The server raises its limit of \
     open files (`ulimit -n`) to the hard limit",
);

const MAX_CONNECTIONS_PER_ADDRESS: Setting = Setting::new(
    "max_connections_per_address",
    Preset::Integer(DEFAULT.max_connections_per_address as u64),
    Kind::Integer(1, MOST_CONNECTIONS),
    "Connections of one address (IPv6: one /64), {range}",
)
.details(
    "One more replaces the one of the same address that has waited longest. 30 browsers behind one address that open 6 \
     connections each need 180. `trusted_proxies` are exempt",
);

const MAX_HEADER_SIZE: Setting = Setting::new(
    "max_header_size",
    Preset::Integer(DEFAULT.max_header_size as u64),
    Kind::Integer(HttpLimits::MIN_HEADER_SIZE as u64, 1024 * 1024),
    "Bytes in the head of a request, {range}",
);

const MAX_HEADERS: Setting = Setting::new(
    "max_headers",
    Preset::Integer(DEFAULT.max_headers as u64),
    Kind::Integer(8, 1024),
    "Header fields of a request, {range}",
);

const HEADER_TIMEOUT: Setting = Setting::new(
    "header_timeout",
    Preset::Integer(DEFAULT.header_timeout.as_secs()),
    Kind::Seconds,
    "Seconds for the head of a request to arrive, {range}",
);

const BODY_TIMEOUT: Setting = Setting::new(
    "body_timeout",
    Preset::Integer(DEFAULT.body_timeout.as_secs()),
    Kind::Seconds,
    "Seconds for the body of a request to arrive, {range}",
);

pub(super) const REQUEST_TIMEOUT: Setting = Setting::new(
    "request_timeout",
    Preset::Integer(DEFAULT.request_timeout.as_secs()),
    Kind::Seconds,
    "Seconds from the first byte of a request to its response, and again for the client to read the response, {range}",
)
.details("Each 16 KiB that the client reads adds 1 second, up to this time again");

const KEEP_ALIVE: Setting = Setting::new(
    "keep_alive",
    Preset::Integer(DEFAULT.keep_alive.as_secs()),
    ANY_U32,
    "Seconds that a connection may be idle between requests, {range}; 0 closes it after each request",
);

const RESPONSE_CACHE_SIZE: Setting = Setting::new(
    "response_cache_size",
    Preset::Integer(DEFAULT.response_cache_size as u64),
    Kind::Integer(0, 1_000_000),
    "Entries of the response cache of each worker, {range}; 0 turns the cache off",
)
.details("See [performance.md](performance.md)");

const WORKERS: Setting = Setting::new(
    "workers",
    Preset::Cores(MOST_WORKERS),
    Kind::Integer(1, MOST_WORKERS),
    "Threads that serve connections, {range}",
);

const MAX_BLOCKING: Setting = Setting::new(
    "max_blocking",
    Preset::Integer(DEFAULT.max_blocking as u64),
    Kind::Integer(1, 65_536),
    "Threads for blocking work (passwords, files), {range}, divided among the workers; each worker has at least one",
);

const SHUTDOWN: Setting = Setting::new(
    "shutdown",
    Preset::Members(&[("grace", Preset::Integer(2)), ("mercy", Preset::Integer(1))]),
    Kind::Members(&[
        ("ctrlc", Kind::Rocket),
        ("signals", Kind::Rocket),
        ("grace", ANY_U32),
        ("mercy", ANY_U32),
        ("force", Kind::Rocket),
    ]),
    "`grace`: seconds for requests in progress after a signal to stop; `mercy`: further seconds for responses that are \
     being sent; both {range}",
);

const SHUTDOWN_DELAY: Setting = Setting::new(
    "shutdown_delay",
    Preset::Integer(0),
    Kind::Integer(0, 3600),
    "Seconds for which the server still accepts connections after a signal to stop, while `/health/ready` answers 503, {range}",
)
.details(
    "So load balancers stop sending requests before the server refuses connections. `shutdown` begins after it. See \
     [monitoring.md](monitoring.md#shutdown-behind-a-load-balancer)",
);

const TRUSTED_PROXIES: Setting = Setting::new(
    "trusted_proxies",
    Preset::EmptyList,
    Kind::List,
    "Addresses and networks (`10.0.0.0/8`) whose `X-Forwarded-For` the server trusts",
);

pub(super) const SETTINGS: &[Setting] = &[
    ADDRESS,
    PORT,
    ADMIN_ADDRESS,
    LIMITS,
    MAX_CONNECTIONS,
    MAX_CONNECTIONS_PER_ADDRESS,
    MAX_HEADER_SIZE,
    MAX_HEADERS,
    HEADER_TIMEOUT,
    BODY_TIMEOUT,
    REQUEST_TIMEOUT,
    KEEP_ALIVE,
    RESPONSE_CACHE_SIZE,
    WORKERS,
    MAX_BLOCKING,
    SHUTDOWN,
    SHUTDOWN_DELAY,
    TRUSTED_PROXIES,
];

pub(super) fn address(values: &Values) -> Result<Address, ConfigError> {
    values.parse(&ADDRESS)
}

pub(super) fn admin_address(values: &Values) -> Result<Option<AdminAddress>, ConfigError> {
    let address = values.optional::<String>(&ADMIN_ADDRESS)?;
    let parse = |address: String| {
        address.parse().map_err(|reason: InvalidAdminAddress| invalid(ADMIN_ADDRESS.name, reason))
    };
    address.map(parse).transpose()
}

pub(super) fn shutdown_delay(values: &Values) -> Result<Duration, ConfigError> {
    values.get(&SHUTDOWN_DELAY).map(Duration::from_secs)
}

pub(super) fn limits(values: &Values, rocket: &rocket::Config) -> Result<HttpLimits, ConfigError> {
    let seconds = |setting| values.get(setting).map(Duration::from_secs_f64);
    let proxies = values.list(&TRUSTED_PROXIES)?.unwrap_or_default();
    let body = rocket.limits.get("json").unwrap_or(DEFAULT_BODY_LIMIT).as_u64();
    Ok(HttpLimits {
        keep_alive: Duration::from_secs(rocket.keep_alive.into()),
        header_timeout: seconds(&HEADER_TIMEOUT)?,
        body_timeout: seconds(&BODY_TIMEOUT)?,
        request_timeout: seconds(&REQUEST_TIMEOUT)?,
        max_connections: values.get(&MAX_CONNECTIONS)?,
        max_connections_per_address: values.get(&MAX_CONNECTIONS_PER_ADDRESS)?,
        max_header_size: values.get(&MAX_HEADER_SIZE)?,
        max_headers: values.get(&MAX_HEADERS)?,
        // The table keeps it small enough for any machine.
        max_body: usize::try_from(body).unwrap_or(usize::MAX),
        response_cache_size: values.get(&RESPONSE_CACHE_SIZE)?,
        workers: rocket.workers,
        max_blocking: rocket.max_blocking,
        trusted_proxies: TrustedProxies::parse(&proxies)
            .map_err(|reason| invalid(TRUSTED_PROXIES.name, reason))?,
    })
}
