//! Startup banner: where the server listens, and what it serves.

use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rocket::log::LogLevel;
use shipyard::http::fault_injection::FaultSettings;
use shipyard::http::listen;
use shipyard::json::Style;
use shipyard::log::{self, Format};
use shipyard::store::seed::Source;

use super::{Kept, KeySource};

/// What the banner says.
pub(super) struct Banner<'a> {
    /// The address on which the server listens.
    pub(super) bound: Option<SocketAddr>,
    pub(super) kept: &'a Kept,
    pub(super) keys: &'a KeySource,
    pub(super) example_users: bool,
    pub(super) log: log::Settings,
    pub(super) json: Style,
    pub(super) faults: FaultSettings,
    pub(super) watch: bool,
    /// The admin listener, if it is on.
    pub(super) admin: Option<AdminListener>,
}

/// The admin listener.
#[derive(Clone, Copy)]
pub(super) struct AdminListener {
    /// Its address.
    pub(super) bound: SocketAddr,
    pub(super) has_reset: bool,
}

impl Display for Banner<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let host = self.bound.map_or_else(|| "an unknown address".to_owned(), host);
        writeln!(f, "Shipyard {} listens on http://{host}", env!("CARGO_PKG_VERSION"))?;
        if let Some(bound) = self.bound.filter(|bound| bound.ip().is_unspecified()) {
            writeln!(f, "  Network {}", network(bound))?;
        }
        writeln!(f, "  Docs    http://{host}/docs (the specification: http://{host}/openapi.json)")?;
        match self.kept {
            Kept::Memory(Source::File(path)) => {
                let when = if self.watch { "read again when it changes" } else { "read once" };
                writeln!(f, "  Data    {} ({when}; changes are lost at the end)", path.display())?;
            }
            Kept::Memory(Source::BuiltIn) => {
                writeln!(f, "  Data    the built-in example (there is no data.json here)")?;
            }
            Kept::Database(database) => writeln!(f, "  Data    PostgreSQL at {database}")?,
        }
        if self.example_users {
            writeln!(f, "  Login   user / password, guest / guest")?;
        }
        self.keys(f)?;
        if let Some(AdminListener { bound, has_reset }) = self.admin {
            writeln!(f, "  Health  http://{bound}/health/ready (and /health/live, /metrics)")?;
            if has_reset {
                writeln!(f, "  Admin   POST http://{bound}/reset puts the data back")?;
            }
        }
        let FaultSettings { delay, fail, seed } = self.faults;
        if self.faults.is_on() {
            writeln!(f, "  Faults  of operations: delay {delay} ms, failures (503) {fail}, seed {seed}")?;
        }
        writeln!(f, "  Output  {}; responses as {} JSON", output(self.log), layout(self.json))
    }
}

impl Banner<'_> {
    fn keys(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.keys {
            KeySource::Setting => Ok(()),
            KeySource::File(file) => {
                writeln!(f, "  Tokens  signed with the first key of {}", file.path().display())
            }
            KeySource::Development(file) => writeln!(
                f,
                "  Tokens  signed with the development key in {}; clients log in again after a restart",
                file.path().display()
            ),
            KeySource::ThisRun => {
                writeln!(f, "  Tokens  signed with a key made for this run: logins end with it")
            }
        }
    }
}

/// Host and port for URLs that work on this machine.
fn host(bound: SocketAddr) -> String {
    const LOCALHOST: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    if bound.ip().is_unspecified() || LOCALHOST.contains(&bound.ip()) {
        format!("localhost:{}", bound.port())
    } else {
        bound.to_string()
    }
}

/// URLs that work on other machines, for a server that listens on every address.
fn network(bound: SocketAddr) -> String {
    let url = |address| format!("http://{}", SocketAddr::new(address, bound.port()));
    let urls: Vec<String> = listen::own_addresses(bound.ip()).into_iter().map(url).collect();
    if urls.is_empty() {
        return format!("every address of this machine, port {}", bound.port());
    }
    urls.join(", ")
}

fn output(log: log::Settings) -> String {
    let format = match log.format {
        Format::Text => "text",
        Format::Json => "json",
    };
    match log.level {
        LogLevel::Off => "no log".to_owned(),
        LogLevel::Critical => format!("log as {format} (critical)"),
        LogLevel::Normal | LogLevel::Debug => format!("log as {format} (normal)"),
    }
}

fn layout(json: Style) -> &'static str {
    match json {
        Style::Pretty => "pretty",
        Style::Compact => "compact",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_host_that_works_on_this_machine() {
        let localhost = "localhost:1";
        for (bound, expected) in [
            ("127.0.0.1:1", localhost),
            ("[::1]:1", localhost),
            ("0.0.0.0:1", localhost),
            ("[::]:1", localhost),
            ("127.0.0.2:1", "127.0.0.2:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("[fd00::1]:1", "[fd00::1]:1"),
        ] {
            assert_eq!(bound.parse().map(host), Ok(expected.to_owned()));
        }
    }
}
