//! Metrics: what the server counts, in the text format of Prometheus (version 0.0.4).
//!
//! Requests are counted as they end. Everything else has a figure of its own somewhere, for example the length of a queue; it
//! is read when Prometheus asks ([`Source`]), so that it costs requests nothing. Nothing is counted unless the admin listener
//! is on.

mod requests;
pub mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric as Sample, MetricFamily, MetricType};
use prometheus::TextEncoder;

use self::requests::Requests;
pub use self::requests::{CountedRequest, RATE_LIMITED, UNKNOWN_METHOD, WITHOUT_ROUTE, WITHOUT_STATUS};
use self::table::{Kind, Metric, BUILD_INFO, METRICS, PROCESS_START, RESPONSE_CACHE_LOOKUPS};
use crate::internal_error::InternalError;

/// The media type of the text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether any server of this process counts its requests.
static IS_COUNTING: AtomicBool = AtomicBool::new(false);

/// Whether any server of this process counts its requests. If not, nothing is recorded for it.
#[inline]
pub(crate) fn is_counting() -> bool {
    IS_COUNTING.load(Ordering::Relaxed)
}

/// A part of the server that has figures. It may block for as long as it takes to read them.
pub type Source = Box<dyn Fn(&mut Scrape) + Send + Sync>;

/// The metrics of a server.
pub struct Metrics {
    requests: Requests,
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
    /// In seconds after 1970.
    started: u64,
    sources: Mutex<Vec<Source>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("requests", &self.requests).finish_non_exhaustive()
    }
}

impl Metrics {
    /// The metrics of a server that started so many seconds after 1970. From now on requests are counted.
    ///
    /// # Errors
    /// [`InternalError`] if a metric has an invalid name, which would be a defect.
    pub fn new(started: u64) -> Result<Self, InternalError> {
        let requests = Requests::new().map_err(|error| InternalError::new("describing metrics", error))?;
        IS_COUNTING.store(true, Ordering::Relaxed);
        Ok(Self {
            requests,
            cache_hits: AtomicU64::new(0),
            cache_misses: AtomicU64::new(0),
            started,
            sources: Mutex::default(),
        })
    }

    /// Adds a part of the server that has figures.
    pub fn add_source(&self, source: impl Fn(&mut Scrape) + Send + Sync + 'static) {
        self.sources.lock().push(Box::new(source));
    }

    /// Counts a request that has ended.
    pub fn count(&self, request: &CountedRequest<'_>) {
        self.requests.count(request);
    }

    /// Counts a look-up in the response cache.
    pub fn count_cache_lookup(&self, is_hit: bool) {
        let count = if is_hit { &self.cache_hits } else { &self.cache_misses };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Every metric as text. Blocks for as long as the sources do.
    ///
    /// # Errors
    /// [`InternalError`] if a figure cannot be written, which would be a defect.
    pub fn text(&self) -> Result<String, InternalError> {
        let mut scrape = Scrape::default();
        scrape.set(&BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1);
        scrape.set(&PROCESS_START, &[], self.started);
        for (count, result) in [(&self.cache_hits, "hit"), (&self.cache_misses, "miss")] {
            scrape.set(&RESPONSE_CACHE_LOOKUPS, &[result], count.load(Ordering::Relaxed));
        }
        for source in &*self.sources.lock() {
            source(&mut scrape);
        }
        let families = [self.requests.families(), scrape.families()].concat();
        let text = TextEncoder::new().encode_to_string(&families);
        text.map_err(|error| InternalError::new("writing metrics", error))
    }
}

/// The figures that were read so far for one answer.
#[derive(Debug, Default)]
pub struct Scrape(BTreeMap<&'static str, Vec<Sample>>);

impl Scrape {
    /// Sets the figure of a metric with those labels.
    pub fn set(&mut self, metric: &'static Metric, labels: &[&str], value: u64) {
        let pair = |(name, value): (&&str, &&str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        let mut sample = Sample::from_label(metric.labels.iter().zip(labels).map(pair).collect());
        // Exact up to 2^53. Prometheus has floating-point numbers only.
        let value = value as f64;
        match metric.kind {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                sample.set_counter(counter);
            }
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                sample.set_gauge(gauge);
            }
            // Only requests have one.
            Kind::Histogram => return,
        }
        self.0.entry(metric.name).or_default().push(sample);
    }

    fn families(mut self) -> Vec<MetricFamily> {
        let family = |metric: &&'static Metric| {
            let samples = self.0.remove(metric.name)?;
            let mut family = MetricFamily::default();
            family.set_name(metric.name.to_owned());
            family.set_help(metric.help.to_owned());
            family.set_field_type(match metric.kind {
                Kind::Counter => MetricType::COUNTER,
                Kind::Gauge => MetricType::GAUGE,
                Kind::Histogram => MetricType::HISTOGRAM,
            });
            family.set_metric(samples);
            Some(family)
        };
        METRICS.iter().filter_map(family).collect()
    }
}
