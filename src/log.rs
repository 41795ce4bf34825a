//! The log: what each request came to, and what broke. It goes to standard error.
//!
//! A line names the route by its template and the user by the id: no path, query, body, password or token is
//! ever written (OWASP Logging Cheat Sheet). The one text of a client's that is written is its `X-Request-Id`,
//! which [`RequestId`] bounds.

mod lines;
pub mod request_context;
pub mod request_id;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use rocket::http::Method;
use rocket::log::LogLevel;
use serde::Deserialize;
use tokio::time::{Duration, Instant};
use tracing::Level;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use self::lines::Lines;
pub use self::request_context::RequestLogContext;
pub use self::request_id::RequestId;
use crate::auth::clock;
use crate::dispatch_context::parse_method;

/// How the lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people: time, level, what it is, and then `name=value`.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `log_level`: `off`, nothing; `critical`, what broke and what an operator must know; `normal`, each request as well. Default `critical` in
    /// the release profile, else `normal`.
    pub level: LogLevel,
    /// `log_format`: `text` or `json`. Default `text`.
    pub format: Format,
}

/// The log of this process. What waits to be written is written when the value ends, if it can be.
#[derive(Debug)]
pub struct Log(Option<&'static Lines>);

/// How long the reader of the log may take for the rest of it.
const LAST_LINES: Duration = Duration::from_millis(500);

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(lines) = self.0 {
            lines.wait(LAST_LINES);
        }
    }
}

/// Begins to log: what `tracing` is told from here on, and panics, goes to standard error.
///
/// # Errors
/// The system's, if there is no thread or no standard error to write with; or if the process logs already.
pub fn start(settings: Settings) -> io::Result<Log> {
    // The usual hook writes to standard error itself: it would wait for the reader of that, and quote what it
    // panicked about, which can be a client's.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
    let level = match settings.level {
        LogLevel::Off => return Ok(Log(None)),
        LogLevel::Critical => Level::WARN,
        LogLevel::Normal | LogLevel::Debug => Level::INFO,
    };
    let lines = Lines::start(settings.format)?;
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_timer(Stamp)
        .with_target(false)
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(move || lines);
    let started = match settings.format {
        Format::Text => tracing::subscriber::set_global_default(log.finish()),
        Format::Json => {
            let log = log.json().flatten_event(true).with_current_span(false).with_span_list(false);
            tracing::subscriber::set_global_default(log.finish())
        }
    };
    started.map(|()| Log(Some(lines))).map_err(io::Error::other)
}

struct Stamp;

impl FormatTime for Stamp {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        writer.write_str(&clock::stamp())
    }
}

/// Whether requests are logged. If not, nothing needs to be found out about them.
fn requests_are_logged() -> bool {
    tracing::enabled!(Level::INFO)
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client, or its system, has all of the answer.
    Answered,
    /// It took too long: to come, to be answered, or to take the answer.
    Timeout,
    /// The client went away, or broke the connection.
    ClientGone,
    /// The server ended.
    Shutdown,
    /// The answer could not be read to its end.
    Failed,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Timeout => "timeout",
            Self::ClientGone => "client_gone",
            Self::Shutdown => "shutdown",
            Self::Failed => "failed",
        }
    }
}

/// The line of one request. It is written once, by [`AccessLogEntry::end`].
#[derive(Debug)]
pub struct AccessLogEntry {
    /// The id of the request.
    pub id: RequestId,
    /// The method, if it is one that is known: others are a client's own text.
    method: Option<Method>,
    client: IpAddr,
    /// When its first byte came.
    began: Instant,
    log_context: Option<Arc<RequestLogContext>>,
    status: Option<u16>,
    bytes: u64,
}

impl AccessLogEntry {
    /// For a request that could not be read.
    #[must_use]
    pub fn unread(id: RequestId, client: IpAddr, began: Instant) -> Self {
        Self { id, method: None, client, began, log_context: None, status: None, bytes: 0 }
    }

    /// For a request with that method.
    #[must_use]
    #[inline]
    pub fn new(id: RequestId, method: &str, client: IpAddr, began: Instant) -> Self {
        let log_context = requests_are_logged().then(Arc::default);
        Self { method: parse_method(method), log_context, ..Self::unread(id, client, began) }
    }

    /// Where guards and routing put what they find out; nowhere, if it is not asked for.
    #[must_use]
    pub fn log_context(&self) -> Option<Arc<RequestLogContext>> {
        self.log_context.clone()
    }

    /// Whether the status is known.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.status.is_some()
    }

    /// The status is known.
    pub fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// So many bytes of the body are on their way.
    pub fn sent(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
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
            "request"
        );
    }
}

/// Says that there was no place for connections, or that connections were closed to make room for others; once a second
/// at most.
#[derive(Debug, Default)]
pub struct RejectionReporter(Mutex<(Option<Instant>, u64)>);

impl RejectionReporter {
    const EVERY: Duration = Duration::from_secs(1);

    /// One more was refused, or closed without a word.
    pub fn refused(&self, client: IpAddr) {
        if let Some(connections) = self.count(Instant::now()) {
            tracing::warn!(connections, %client, "no place for connections; the last was this client's");
        }
    }

    /// One more was closed to make room for another.
    pub fn evicted(&self, client: IpAddr) {
        if let Some(connections) = self.count(Instant::now()) {
            tracing::warn!(
                connections,
                %client,
                "closed connections that waited for their client, to make room; the last was this client's"
            );
        }
    }

    /// How many there were since the last line, if it is time for a line.
    fn count(&self, now: Instant) -> Option<u64> {
        let mut crowd = self.0.lock();
        let (said, count) = &mut *crowd;
        *count += 1;
        if said.is_some_and(|said| now < said + Self::EVERY) {
            return None;
        }
        *said = Some(now);
        Some(std::mem::take(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_one_line_a_second_with_a_count() {
        let crowd = RejectionReporter::default();
        let start = Instant::now();
        assert_eq!(crowd.count(start), Some(1));
        for _ in 0..1000 {
            assert_eq!(crowd.count(start + Duration::from_millis(999)), None);
        }
        assert_eq!(crowd.count(start + Duration::from_millis(1000)), Some(1001));
    }
}
