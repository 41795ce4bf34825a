//! Access log and error log, on standard error.
//!
//! A line has the route's template and the user's id. Paths, queries, bodies, passwords and tokens are never written (OWASP
//! Logging Cheat Sheet). The only text from a client is its `X-Request-Id`, which [`RequestId`] bounds.

mod non_blocking;
pub mod request_context;
pub mod request_id;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;
use rocket::http::Method;
use rocket::log::LogLevel;
use serde::Deserialize;
use tokio::time::{Duration, Instant};
use tracing::Level;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use self::non_blocking::NonBlockingWriter;
pub use self::request_context::RequestLogContext;
pub use self::request_id::RequestId;
use crate::auth::clock;
use crate::dispatch_context::parse_method;
use crate::metrics::{CountedRequest, Metrics};

/// How the lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people: time, level, message, and fields as `name=value`.
    #[default]
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `log_level`: `off`, nothing; `critical`, errors and warnings; `normal`, each request as well. Default `normal`.
    pub level: LogLevel,
    /// `log_format`: `text` or `json`. Default `text` if standard error is a terminal, else `json`.
    pub format: Format,
}

/// The log of this process. Dropping it writes the buffered lines, within `FLUSH_TIMEOUT`.
#[derive(Debug)]
pub struct Log(Option<&'static NonBlockingWriter>);

/// How long the end of the process waits for a slow reader of the log.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(writer) = self.0 {
            writer.flush_within(FLUSH_TIMEOUT);
        }
    }
}

/// Starts to write `tracing` events and panics to standard error.
///
/// # Errors
/// [`io::Error`] if the system gives no thread, if there is no standard error, or if the process logs already.
pub fn start(settings: Settings) -> io::Result<Log> {
    // The default hook writes to standard error itself. It would block on a slow reader, and write the panic's message,
    // which can have a client's data in it.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
    let level = match settings.level {
        LogLevel::Off => return Ok(Log(None)),
        LogLevel::Critical => Level::WARN,
        LogLevel::Normal | LogLevel::Debug => Level::INFO,
    };
    let writer = NonBlockingWriter::start(settings.format)?;
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_timer(Stamp)
        .with_target(false)
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(move || writer);
    let started = match settings.format {
        Format::Text => tracing::subscriber::set_global_default(log.finish()),
        Format::Json => {
            let log = log.json().flatten_event(true).with_current_span(false).with_span_list(false);
            tracing::subscriber::set_global_default(log.finish())
        }
    };
    started.map(|()| Log(Some(writer))).map_err(io::Error::other)
}

struct Stamp;

impl FormatTime for Stamp {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        writer.write_str(&clock::stamp())
    }
}

/// Whether requests are logged.
fn requests_are_logged() -> bool {
    tracing::enabled!(Level::INFO)
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client, or its system, has the whole response.
    Responded,
    /// The request took too long to arrive, the server took too long to respond, or the client took too long to read the
    /// response.
    Timeout,
    /// The client closed or reset the connection.
    ClientGone,
    /// The server shut down.
    Shutdown,
    /// The response could not be read to its end.
    Failed,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Responded => "answered",
            Self::Timeout => "timeout",
            Self::ClientGone => "client_gone",
            Self::Shutdown => "shutdown",
            Self::Failed => "failed",
        }
    }
}

/// The access log's line for one request. [`AccessLogEntry::end`] writes it.
#[derive(Debug)]
pub struct AccessLogEntry {
    /// The request id.
    pub id: RequestId,
    /// The method, if it is known. An unknown one is a client's text, and is not written.
    method: Option<Method>,
    client: IpAddr,
    /// When the first byte of the request arrived.
    began: Instant,
    log_context: Option<Arc<RequestLogContext>>,
    status: Option<u16>,
    bytes: u64,
}

impl AccessLogEntry {
    /// The entry of a request that could not be parsed.
    #[must_use]
    pub fn unread(id: RequestId, client: IpAddr, began: Instant) -> Self {
        Self { id, method: None, client, began, log_context: None, status: None, bytes: 0 }
    }

    /// The entry of a request with that method. `is_counted`: whether [`AccessLogEntry::count`] will be called.
    #[must_use]
    #[inline]
    pub fn new(id: RequestId, method: &str, client: IpAddr, began: Instant, is_counted: bool) -> Self {
        let log_context = (is_counted || requests_are_logged()).then(Arc::default);
        Self { method: parse_method(method), log_context, ..Self::unread(id, client, began) }
    }

    /// The context in which guards and routing record the user and the route; `None` if requests are neither
    /// logged nor counted.
    #[must_use]
    pub fn log_context(&self) -> Option<Arc<RequestLogContext>> {
        self.log_context.clone()
    }

    /// Whether the status is set.
    #[must_use]
    pub fn has_status(&self) -> bool {
        self.status.is_some()
    }

    /// Sets the status.
    pub fn set_status(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// Adds to the number of bytes sent of the body.
    pub fn sent(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// Counts the request, which has ended.
    #[cold]
    pub fn count(&self, metrics: &Metrics) {
        let log_context = self.log_context.as_deref();
        let route = log_context.and_then(|log_context| log_context.route.get()).map(String::as_str);
        let (method, status) = (self.method.map(|method| method.as_str()), self.status);
        metrics.count(&CountedRequest { route, method, status, duration: self.began.elapsed() });
    }

    /// Writes the line.
    pub fn end(self, outcome: Outcome) {
        let log_context = self.log_context.as_deref();
        tracing::info!(
            method = %self.method.map_or("-", Method::as_str),
            route = %log_context.and_then(|log_context| log_context.route.get()).map_or("-", String::as_str),
            status = self.status,
            outcome = %outcome.as_str(),
            duration_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            bytes = self.bytes,
            id = %self.id,
            user = log_context.and_then(|log_context| log_context.user.get()).map(|user| user.number()),
            client = %self.client,
            reason = log_context.and_then(|log_context| log_context.reason.get()),
            "request"
        );
    }
}

/// Warnings about rejected and evicted connections, at most one a second.
#[derive(Debug, Default)]
pub struct RejectionReporter {
    /// When the last warning was, and the number of connections since.
    pending: Mutex<(Option<Instant>, u64)>,
    total: AtomicU64,
}

impl RejectionReporter {
    const INTERVAL: Duration = Duration::from_secs(1);

    /// Counts a connection that was rejected, or closed without a response.
    pub fn rejected(&self, client: IpAddr) {
        if let Some(connections) = self.count(Instant::now()) {
            tracing::warn!(connections, %client, "no room for connections; the last was this client's");
        }
    }

    /// Counts a connection that was closed to make room for another.
    pub fn evicted(&self, client: IpAddr) {
        if let Some(connections) = self.count(Instant::now()) {
            tracing::warn!(
                connections,
                %client,
                "closed connections that waited for their client, to make room; the last was this client's"
            );
        }
    }

    /// The number of connections since the start.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Counts a connection. Returns the number of connections since the last warning, if the next is due.
    fn count(&self, now: Instant) -> Option<u64> {
        self.total.fetch_add(1, Ordering::Relaxed);
        let mut state = self.pending.lock();
        let (last, count) = &mut *state;
        *count += 1;
        if last.is_some_and(|last| now < last + Self::INTERVAL) {
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_warning_a_second_with_a_count() {
        let reporter = RejectionReporter::default();
        let start = Instant::now();
        assert_eq!(reporter.count(start), Some(1));
        for _ in 0..1000 {
            assert_eq!(reporter.count(start + Duration::from_millis(999)), None);
        }
        assert_eq!(reporter.count(start + Duration::from_millis(1000)), Some(1001));
    }
}
