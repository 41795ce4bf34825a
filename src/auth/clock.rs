//! Clock and token ids. Both are passed in, so that recorded exchanges can be replayed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use time::OffsetDateTime;
use uuid::{Builder, Uuid};

use crate::internal_error::InternalError;

/// A clock in whole seconds since 1970-01-01T00:00:00Z, the unit of every date in a token
/// (RFC 7519, section 2, `NumericDate`).
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that changes only when it is set. Clones show the same time.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A manual clock that shows `seconds`.
    #[must_use]
    pub fn manual(seconds: u64) -> Self {
        Self::Manual(Arc::new(AtomicU64::new(seconds)))
    }

    /// Seconds since 1970. A machine clock set before 1970 reads 0, at which no token is valid yet.
    #[must_use]
    pub fn now(&self) -> u64 {
        match self {
            Self::System => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            Self::Manual(seconds) => seconds.load(Ordering::SeqCst),
        }
    }

    /// Sets a manual clock. Does nothing to the machine's clock.
    pub fn set(&self, seconds: u64) {
        if let Self::Manual(now) = self {
            now.store(seconds, Ordering::SeqCst);
        }
    }
}

/// Logs a warning when a clock is set back.
#[derive(Debug)]
pub struct ClockMonitor {
    /// The latest time since the clock was last set back.
    latest: AtomicU64,
    last_warning: Mutex<Option<Instant>>,
}

impl ClockMonitor {
    /// The step back that is ignored, in seconds: time synchronisation makes small steps.
    const TOLERANCE: u64 = 5;

    /// The minimum time between two warnings, however often the clock is set.
    const WARNING_INTERVAL: Duration = Duration::from_secs(1);

    /// A monitor of a clock that shows `now`.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self { latest: AtomicU64::new(now), last_warning: Mutex::default() }
    }

    /// Records the time, and logs a warning if the clock was set back: one for each step back.
    pub fn observe(&self, now: u64) {
        if let Some(latest) = self.latest_before(now) {
            let mut last_warning = self.last_warning.lock();
            if last_warning.is_none_or(|instant| instant.elapsed() >= Self::WARNING_INTERVAL) {
                *last_warning = Some(Instant::now());
                tracing::warn!(
                    seconds = latest - now,
                    until = %rfc3339(Duration::from_secs(latest)),
                    "the clock was set back: until then, tokens may be refused as revoked; if the clock is right now, \
                     restart the server, and all log in again"
                );
            }
        }
    }

    /// The time from which the clock was set back, if it was set back since the last call.
    fn latest_before(&self, now: u64) -> Option<u64> {
        let latest = self.latest.load(Ordering::Relaxed);
        if now > latest {
            self.latest.fetch_max(now, Ordering::Relaxed);
        }
        if now.saturating_add(Self::TOLERANCE) >= latest {
            return None;
        }
        // If several threads notice it, one of them logs it.
        self.latest.compare_exchange(latest, now, Ordering::Relaxed, Ordering::Relaxed).ok()
    }
}

/// The machine's time as a Date header (RFC 9110, section 5.6.7).
#[must_use]
pub fn http_date() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}

/// The machine's time as a timestamp for logs: UTC with milliseconds (RFC 3339).
#[must_use]
pub fn stamp() -> String {
    rfc3339(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn rfc3339(since: Duration) -> String {
    let seconds = i64::try_from(since.as_secs()).ok();
    let date = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    // `time` cannot represent years after 9999. Such a clock is as wrong as one before 1970.
    let date = date.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = date.to_calendar_date();
    let (hour, minute, second) = date.to_hms();
    let month = u8::from(month);
    let millis = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// A monotonic clock, for intervals. Recordings do not depend on it.
pub type Ticker = governor::clock::MonotonicClock;

/// The source of token ids (`jti`).
#[derive(Debug)]
pub enum TokenIds {
    /// Version 4 UUIDs (RFC 9562) from the system's random source.
    Random,
    /// The ids of a recording, in order. Random ids follow the last.
    Recorded(Mutex<VecDeque<Uuid>>),
}

impl TokenIds {
    /// The ids of a recording, in the order in which tokens were issued.
    pub fn recorded(ids: impl IntoIterator<Item = Uuid>) -> Self {
        Self::Recorded(Mutex::new(ids.into_iter().collect()))
    }

    /// The next id.
    ///
    /// # Errors
    /// [`InternalError`] if the system returns no random bytes.
    pub fn next(&self) -> Result<Uuid, InternalError> {
        match self {
            Self::Random => random(),
            Self::Recorded(ids) => ids.lock().pop_front().map_or_else(random, Ok),
        }
    }
}

/// The number of random bytes that are read from the system at once: enough for 16 ids. One read for each id takes a
/// quarter of the time of issuing a token.
const BATCH: usize = 256;

fn random() -> Result<Uuid, InternalError> {
    thread_local! {
        /// Random bytes, and the number at their end that are not yet used.
        static UNUSED: RefCell<([u8; BATCH], usize)> = const { RefCell::new(([0; BATCH], 0)) };
    }
    UNUSED.with_borrow_mut(|(bytes, unused)| {
        if *unused == 0 {
            getrandom::fill(bytes).map_err(|error| InternalError::new("making a token id", error))?;
            *unused = BATCH;
        }
        let id = bytes.get(*unused - size_of::<Uuid>()..).and_then(|rest| rest.first_chunk());
        let id = *id.ok_or_else(|| InternalError::new("making a token id", "out of random bytes"))?;
        *unused -= size_of::<Uuid>();
        Ok(Builder::from_random_bytes(id).into_uuid())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_never_share_random_bytes() {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                std::thread::spawn(|| (0..1000).map(|_| TokenIds::Random.next().expect("an id")).collect())
            })
            .collect();
        let ids: Vec<Vec<Uuid>> = threads.into_iter().map(|thread| thread.join().expect("ids")).collect();
        let ids: HashSet<Uuid> = ids.into_iter().flatten().collect();
        assert_eq!(ids.len(), 2000);
        // Each of the 122 random bits is set in some ids and clear in others. Of the other six, two are always set.
        let fold = |start: u128, with: fn(u128, u128) -> u128| {
            ids.iter().map(Uuid::as_u128).fold(start, with).count_ones()
        };
        assert_eq!((fold(0, |a, b| a | b), fold(u128::MAX, |a, b| a & b)), (122 + 2, 2));
    }

    #[test]
    fn reports_each_step_back_once_and_ignores_small_steps() {
        let monitor = ClockMonitor::new(1000);
        let reported = |times: &[u64]| -> Vec<_> {
            times.iter().filter_map(|now| Some((*now, monitor.latest_before(*now)?))).collect()
        };
        assert_eq!(reported(&[1000, 1001, 1010, 1005, 1006, 1010]), []);
        assert_eq!(reported(&[1004, 1004, 1005, 1000]), [(1004, 1010)]);
        // Several small steps add up.
        assert_eq!(reported(&[2000, 1998, 1996, 1994, 1992]), [(1994, 2000)]);
        assert_eq!(reported(&[u64::MAX, 0, 1]), [(0, u64::MAX)]);
    }

    #[test]
    fn formats_timestamps_in_utc_with_milliseconds() {
        assert_eq!(rfc3339(Duration::ZERO), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(Duration::from_millis(1_589_547_385_042)), "2020-05-15T12:56:25.042Z");
        assert_eq!(rfc3339(Duration::from_millis(1_709_251_199_999)), "2024-02-29T23:59:59.999Z");
        assert_eq!(rfc3339(Duration::MAX), "1970-01-01T00:00:00.999Z");
    }
}
