//! Fault injection, for tests of clients: delays, and failures instead of responses.
//!
//! Only operations are affected, and no preflight requests. A request that fails does not reach its handler. The same seed
//! and the same sequence of requests give the same faults.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use rocket::futures::future::BoxFuture;
use rocket::http::Method;
use thiserror::Error;

use super::dispatch::ConnectionContext;
use super::request_head::Target;
use super::{origin, ServerState};
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::INJECTED_FAILURE;
use crate::api::routing;
use crate::dispatch_context::parse_method;
use crate::log::RequestLogContext;

/// The faults to inject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultSettings {
    /// `delay`: how long each response is delayed.
    pub delay: Delay,
    /// `fail`: how many requests fail.
    pub fail: Percentage,
    /// `seed`: decides which requests fail, and how long each is delayed.
    pub seed: u64,
}

impl FaultSettings {
    /// Whether any request is affected.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.delay != Delay::default() || self.fail != Percentage::default()
    }
}

/// A range of delays in milliseconds. The default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    least: u32,
    most: u32,
}

/// The text is not a [`Delay`].
#[derive(Debug, Error)]
#[error("{0:?} is neither a number of milliseconds nor a range of two, such as 200..800")]
pub struct InvalidDelay(String);

impl Delay {
    /// The longest delay.
    #[must_use]
    pub fn longest(self) -> Duration {
        Duration::from_millis(self.most.into())
    }

    /// A delay within the range, by a random number.
    fn pick(self, random: u64) -> Duration {
        let width = u64::from(self.most - self.least) + 1;
        Duration::from_millis(u64::from(self.least) + random % width)
    }
}

impl FromStr for Delay {
    type Err = InvalidDelay;

    fn from_str(text: &str) -> Result<Self, InvalidDelay> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        match (digits(least), digits(most)) {
            (Some(least), Some(most)) if least <= most => Ok(Self { least, most }),
            _ => Err(InvalidDelay(text.to_owned())),
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, most) if least == most => write!(f, "{least}"),
            (least, most) => write!(f, "{least}..{most}"),
        }
    }
}

/// A percentage. The default is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentage {
    millionths: u32,
}

/// The text is not a [`Percentage`].
#[derive(Debug, Error)]
#[error("{0:?} is not a percentage from 0% to 100% with at most 4 decimals, such as 5%")]
pub struct InvalidPercentage(String);

/// How many digits of a percentage follow the point.
const DECIMALS: usize = 4;
const ONE_PERCENT: u32 = 10_000;
const ALL: u32 = 100 * ONE_PERCENT;

impl FromStr for Percentage {
    type Err = InvalidPercentage;

    fn from_str(text: &str) -> Result<Self, InvalidPercentage> {
        let read = || {
            let number = text.strip_suffix('%')?;
            let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
            if decimals.len() > DECIMALS {
                return None;
            }
            let decimals = digits(decimals).and(digits(&format!("{decimals:0<DECIMALS$}")))?;
            let millionths = digits(whole)?.checked_mul(ONE_PERCENT)?.checked_add(decimals)?;
            (millionths <= ALL).then_some(Self { millionths })
        };
        read().ok_or_else(|| InvalidPercentage(text.to_owned()))
    }
}

impl fmt::Display for Percentage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.millionths / ONE_PERCENT, self.millionths % ONE_PERCENT);
        let text = format!("{whole}.{decimals:0DECIMALS$}");
        write!(f, "{}%", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A number in decimal digits only: no sign.
fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The faults of a server, one for each request for an operation.
pub(super) struct FaultInjection {
    settings: FaultSettings,
    /// How many requests there were.
    requests: AtomicU64,
}

/// The fault of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fault {
    delay: Duration,
    fails: bool,
}

impl FaultInjection {
    pub(super) fn new(settings: FaultSettings) -> Self {
        Self { settings, requests: AtomicU64::new(0) }
    }

    /// The fault of the next request.
    fn next(&self) -> Fault {
        let FaultSettings { delay, fail, seed } = self.settings;
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let random = scramble(scramble(seed).wrapping_add(number));
        Fault {
            delay: delay.pick(scramble(random)),
            fails: random % u64::from(ALL) < u64::from(fail.millionths),
        }
    }

    /// Delays a request for an operation, or refuses it. While it is delayed, its body is not late.
    #[cold]
    pub(super) fn inject<'a>(
        &self,
        server: &'static ServerState,
        connection: &'a ConnectionContext,
        head: &'a Parts,
        target: Option<&Target<'_>>,
        body: &Incoming,
        log_context: Option<&RequestLogContext>,
    ) -> BoxFuture<'a, Result<(), ApiError>> {
        let method = parse_method(head.method.as_str()).unwrap_or(Method::Trace);
        let routes = server.rocket.rocket().routes();
        let path = target.and_then(|target| target.origin().ok());
        let operation = path.and_then(|path| routing::operation(routes, method, &path));
        if let Some((log_context, operation)) = log_context.zip(operation) {
            // A request that fails does not reach its route, and counts there all the same.
            let _ = log_context.route.set(operation.uri.path().to_owned());
        }
        let fault = operation.map(|_| self.next());
        let has_body = !body.is_end_stream();
        Box::pin(async move {
            let Some(Fault { delay, fails }) = fault else { return Ok(()) };
            // For the response to a request that is still delayed when the server ends.
            *connection.origin.lock() = origin::of_head(&head.headers);
            connection.progress.request_is_complete();
            tokio::time::sleep(delay).await;
            if fails {
                return Err(ApiError::of(&INJECTED_FAILURE));
            }
            if has_body {
                connection.progress.body_is_awaited();
            }
            Ok(())
        })
    }
}

/// The finalizer of SplitMix64: neighbours become numbers that seem random. (The sequence is of no use to an attacker.)
fn scramble(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(delay: &str, fail: &str, seed: u64) -> FaultSettings {
        let (delay, fail) = (delay.parse().expect("a delay"), fail.parse().expect("a percentage"));
        FaultSettings { delay, fail, seed }
    }

    fn faults(count: usize, settings: FaultSettings) -> Vec<Fault> {
        let injection = FaultInjection::new(settings);
        (0..count).map(|_| injection.next()).collect()
    }

    #[test]
    fn reads_delays_and_percentages_and_writes_them_the_same() {
        for text in ["0", "300", "200..800", "0..4294967295"] {
            assert_eq!(text.parse::<Delay>().ok().map(|delay| delay.to_string()).as_deref(), Some(text));
        }
        for text in
            ["", "..", "1..", "..1", "2..1", "-1", "+1", "1.5", "1...2", "200..=800", "1s", "4294967296"]
        {
            assert!(text.parse::<Delay>().is_err(), "{text:?}");
        }
        for text in ["0%", "5%", "0.5%", "12.3456%", "0.0001%", "100%"] {
            let read = text.parse::<Percentage>().ok().map(|fail| fail.to_string());
            assert_eq!(read.as_deref(), Some(text));
        }
        for text in
            ["", "%", "5", "-1%", "+1%", "101%", "100.0001%", "1.%", ".5%", "0.00001%", "5 %", "5%%", "1e1%"]
        {
            assert!(text.parse::<Percentage>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let first = faults(1000, settings("200..800", "5%", 7));
        assert_eq!(first, faults(1000, settings("200..800", "5%", 7)));
        assert_ne!(first, faults(1000, settings("200..800", "5%", 8)));
    }

    #[test]
    fn faults_are_as_frequent_and_as_long_as_set() {
        for seed in [0, 7, u64::MAX] {
            let all = faults(10_000, settings("200..800", "5%", seed));
            let failures = all.iter().filter(|fault| fault.fails).count();
            assert!((400..600).contains(&failures), "{failures}");
            let delays = || all.iter().map(|fault| fault.delay.as_millis());
            assert!(delays().all(|delay| (200..=800).contains(&delay)));
            assert_eq!((delays().min(), delays().max()), (Some(200), Some(800)));
            assert!(faults(100, settings("5", "100%", seed))
                .iter()
                .all(|fault| { *fault == Fault { delay: Duration::from_millis(5), fails: true } }));
            assert!(faults(1000, settings("5", "0%", seed)).iter().all(|fault| !fault.fails));
        }
    }
}
