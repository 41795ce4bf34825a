//! The only source of time and of token ids. Both are injected, so that recorded exchanges can be replayed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use time::OffsetDateTime;
use uuid::{Builder, Uuid};

use crate::internal_error::InternalError;

/// Tells the time in whole seconds since 1970-01-01T00:00:00Z, the unit of every date in a token
/// (RFC 7519, section 2, `NumericDate`).
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is set: every clone shows the same time.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands at `seconds`.
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

    /// Sets a manual clock. The machine's clock is left alone.
    pub fn set(&self, seconds: u64) {
        if let Self::Manual(now) = self {
            now.store(seconds, Ordering::SeqCst);
        }
    }
}

/// Notices that a clock has been set back.
#[derive(Debug)]
pub struct SetBack {
    /// The latest time there was, since the clock was last set back.
    latest: AtomicU64,
    /// When that was last said.
    said: Mutex<Option<Instant>>,
}

impl SetBack {
    /// What a clock may go back without notice, in seconds: it is set right from time to time.
    const TOLERANCE: u64 = 5;

    /// The least time between two lines, however often the clock is set.
    const EVERY: Duration = Duration::from_secs(1);

    /// For a clock that shows `now`.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self { latest: AtomicU64::new(now), said: Mutex::default() }
    }

    /// Takes note of the time, and says so in the log if the clock was set back: once for each time.
    pub fn watch(&self, now: u64) {
        if let Some(latest) = self.latest_before(now) {
            let mut said = self.said.lock();
            if said.is_none_or(|said| said.elapsed() >= Self::EVERY) {
                *said = Some(Instant::now());
                tracing::warn!(
                    seconds = latest - now,
                    until = %written(Duration::from_secs(latest)),
                    "the clock was set back: until then, tokens may be refused as revoked; if the clock is right now, \
                     restart the server, and all log in again"
                );
            }
        }
    }

    /// The time that the clock was set back from, if it was since this was last asked.
    fn latest_before(&self, now: u64) -> Option<u64> {
        let latest = self.latest.load(Ordering::Relaxed);
        if now > latest {
            self.latest.fetch_max(now, Ordering::Relaxed);
        }
        if now.saturating_add(Self::TOLERANCE) >= latest {
            return None;
        }
        // Of several threads that notice, one says it.
        self.latest.compare_exchange(latest, now, Ordering::Relaxed, Ordering::Relaxed).ok()
    }
}

/// The machine's time as a Date header (RFC 9110, section 5.6.7).
#[must_use]
pub fn http_date() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}

/// The machine's time for people and for what reads logs: UTC to the millisecond, as RFC 3339 has it.
#[must_use]
pub fn stamp() -> String {
    written(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn written(since: Duration) -> String {
    let seconds = i64::try_from(since.as_secs()).ok();
    let date = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    // A clock beyond the year 9999 is as wrong as one before 1970.
    let date = date.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = date.to_calendar_date();
    let (hour, minute, second) = date.to_hms();
    let month = u8::from(month);
    let millis = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Measures the time between two events. It cannot be set, neither back nor ahead, and so says nothing about
/// dates; and what it measures is no part of a recording.
pub type Ticker = governor::clock::MonotonicClock;

/// Gives each token its id (`jti`).
#[derive(Debug)]
pub enum TokenIds {
    /// Version 4 UUIDs (RFC 9562) from the system's random source.
    Random,
    /// The ids of a recording, in order; random ones after the last.
    Recorded(Mutex<VecDeque<Uuid>>),
}

impl TokenIds {
    /// Ids as recorded, in the order in which tokens were issued.
    pub fn recorded(ids: impl IntoIterator<Item = Uuid>) -> Self {
        Self::Recorded(Mutex::new(ids.into_iter().collect()))
    }

    /// The next id.
    ///
    /// # Errors
    /// [`InternalError`] where the system gives no random bytes.
    pub fn next(&self) -> Result<Uuid, InternalError> {
        match self {
            Self::Random => random(),
            Self::Recorded(ids) => ids.lock().pop_front().map_or_else(random, Ok),
        }
    }
}

/// How many bytes of the system's are taken at a time: those of 16 ids. To ask for each costs a quarter of what it
/// costs to issue a token.
const AT_A_TIME: usize = 256;

fn random() -> Result<Uuid, InternalError> {
    thread_local! {
        /// Random bytes that no id has been made of, at the end of what was taken.
        static UNUSED: RefCell<([u8; AT_A_TIME], usize)> = const { RefCell::new(([0; AT_A_TIME], 0)) };
    }
    UNUSED.with_borrow_mut(|(bytes, unused)| {
        if *unused == 0 {
            getrandom::fill(bytes).map_err(|error| InternalError::new("making a token id", error))?;
            *unused = AT_A_TIME;
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
    fn no_two_ids_are_made_of_the_same_bytes() {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                std::thread::spawn(|| (0..1000).map(|_| TokenIds::Random.next().expect("an id")).collect())
            })
            .collect();
        let ids: Vec<Vec<Uuid>> = threads.into_iter().map(|thread| thread.join().expect("ids")).collect();
        let ids: HashSet<Uuid> = ids.into_iter().flatten().collect();
        assert_eq!(ids.len(), 2000);
        // The 122 random bits of each are set in some and not in others; two of the other six are always set.
        let fold = |start: u128, with: fn(u128, u128) -> u128| {
            ids.iter().map(Uuid::as_u128).fold(start, with).count_ones()
        };
        assert_eq!((fold(0, |a, b| a | b), fold(u128::MAX, |a, b| a & b)), (122 + 2, 2));
    }

    #[test]
    fn a_clock_that_is_set_back_is_noticed_once_each_time_and_small_steps_are_not() {
        let clock = SetBack::new(1000);
        let noticed = |times: &[u64]| -> Vec<_> {
            times.iter().filter_map(|now| Some((*now, clock.latest_before(*now)?))).collect()
        };
        assert_eq!(noticed(&[1000, 1001, 1010, 1005, 1006, 1010]), []);
        assert_eq!(noticed(&[1004, 1004, 1005, 1000]), [(1004, 1010)]);
        // Little by little, too.
        assert_eq!(noticed(&[2000, 1998, 1996, 1994, 1992]), [(1994, 2000)]);
        assert_eq!(noticed(&[u64::MAX, 0, 1]), [(0, u64::MAX)]);
    }

    #[test]
    fn a_stamp_is_utc_to_the_millisecond() {
        assert_eq!(written(Duration::ZERO), "1970-01-01T00:00:00.000Z");
        assert_eq!(written(Duration::from_millis(1_589_547_385_042)), "2020-05-15T12:56:25.042Z");
        assert_eq!(written(Duration::from_millis(1_709_251_199_999)), "2024-02-29T23:59:59.999Z");
        assert_eq!(written(Duration::MAX), "1970-01-01T00:00:00.999Z");
    }
}
