//! Metrics of requests.

use std::time::Duration;

use hyper::StatusCode;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts};

use super::table::{Metric, RATE_LIMIT_REFUSALS, REQUESTS, REQUEST_DURATION};

/// The route of a request that no route matched, or that was refused or broken off before its route was known.
pub const WITHOUT_ROUTE: &str = "none";

/// The method of a request whose method is unknown or could not be read. A method is a client's text otherwise.
pub const UNKNOWN_METHOD: &str = "other";

/// The status of a request that was broken off before it had one.
pub const WITHOUT_STATUS: &str = "none";

/// Bounds in seconds. The server answers most requests within 1 ms, needs 16 ms to hash a password, and gives up after 15 s.
const BOUNDS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The operations with a rate limit: method, template of the route, name. Each answers 429 for no other reason.
pub const RATE_LIMITED: &[(&str, &str, &str)] = &[
    ("POST", "/auth/login", "log_in"),
    ("POST", "/auth/refresh", "refresh"),
    ("POST", "/api/users", "create_user"),
    ("PUT", "/api/users/<id>", "update_user"),
    ("PATCH", "/api/users/<id>", "update_user"),
];

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub struct CountedRequest<'a> {
    /// The template of the route, if it is known.
    pub route: Option<&'a str>,
    /// The method, if it is known.
    pub method: Option<&'static str>,
    /// The status, if there was a response.
    pub status: Option<u16>,
    /// From its first byte to its end.
    pub duration: Duration,
}

#[derive(Debug)]
pub(super) struct Requests {
    counts: IntCounterVec,
    durations: HistogramVec,
    rate_limited: IntCounterVec,
}

impl Requests {
    pub(super) fn new() -> prometheus::Result<Self> {
        let options = |metric: &Metric| Opts::new(metric.name, metric.help);
        let durations = HistogramOpts::from(options(&REQUEST_DURATION)).buckets(BOUNDS.into());
        let rate_limited = IntCounterVec::new(options(&RATE_LIMIT_REFUSALS), RATE_LIMIT_REFUSALS.labels)?;
        for (_, _, operation) in RATE_LIMITED {
            // So that the first refusal is an increase.
            rate_limited.with_label_values(&[operation]);
        }
        Ok(Self {
            counts: IntCounterVec::new(options(&REQUESTS), REQUESTS.labels)?,
            durations: HistogramVec::new(durations, REQUEST_DURATION.labels)?,
            rate_limited,
        })
    }

    pub(super) fn count(&self, request: &CountedRequest<'_>) {
        let route = request.route.unwrap_or(WITHOUT_ROUTE);
        let method = request.method.unwrap_or(UNKNOWN_METHOD);
        let status = request.status.and_then(|status| StatusCode::from_u16(status).ok());
        let text = status.as_ref().map_or(WITHOUT_STATUS, StatusCode::as_str);
        self.counts.with_label_values(&[route, method, text]).inc();
        self.durations.with_label_values(&[route]).observe(request.duration.as_secs_f64());
        if status == Some(StatusCode::TOO_MANY_REQUESTS) {
            let is_it = |(of, template, _): &&(&str, &str, &str)| (*of, *template) == (method, route);
            if let Some((_, _, operation)) = RATE_LIMITED.iter().find(is_it) {
                self.rate_limited.with_label_values(&[operation]).inc();
            }
        }
    }

    pub(super) fn families(&self) -> Vec<MetricFamily> {
        let all = [self.counts.collect(), self.durations.collect(), self.rate_limited.collect()].concat();
        // Those of which nothing has been counted yet have no samples, which the encoder refuses.
        all.into_iter().filter(|family| !family.get_metric().is_empty()).collect()
    }
}
