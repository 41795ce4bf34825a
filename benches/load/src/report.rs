//! What was measured.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::Duration;

/// The raw figures of a phase.
#[derive(Debug)]
pub struct Measured {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// The server's CPU time meanwhile.
    pub cpu: Duration,
    /// This process's CPU time meanwhile.
    pub own_cpu: Duration,
    /// The database's CPU time meanwhile.
    pub database_cpu: Duration,
    /// Nanoseconds from sending a request to the end of its answer.
    pub latencies: Histogram<u64>,
    /// How often a connection had to be opened again.
    pub reconnects: u64,
}

/// What is printed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Why there is nothing else.
    pub error: Option<String>,
    /// Requests that were answered.
    pub requests: u64,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// The server's CPU time meanwhile.
    pub cpu_s: f64,
    /// This process's CPU time meanwhile.
    pub own_cpu_s: f64,
    /// The database's CPU time meanwhile.
    pub database_cpu_s: f64,
    /// How often a connection had to be opened again.
    pub reconnects: u64,
    /// Latencies in microseconds: half, 99 % and 99.9 % are at most this, and the longest.
    pub p50_us: f64,
    /// See `p50_us`.
    pub p99_us: f64,
    /// See `p50_us`.
    pub p999_us: f64,
    /// See `p50_us`.
    pub max_us: f64,
}

impl Report {
    /// The figures of a phase.
    #[must_use]
    pub fn measured(measured: &Measured) -> Self {
        let latency = |quantile| micros(measured.latencies.value_at_quantile(quantile));
        Self {
            error: None,
            requests: measured.latencies.len(),
            seconds: measured.elapsed.as_secs_f64(),
            cpu_s: measured.cpu.as_secs_f64(),
            own_cpu_s: measured.own_cpu.as_secs_f64(),
            database_cpu_s: measured.database_cpu.as_secs_f64(),
            reconnects: measured.reconnects,
            p50_us: latency(0.5),
            p99_us: latency(0.99),
            p999_us: latency(0.999),
            max_us: micros(measured.latencies.max()),
        }
    }

    /// The server erred, or could not be measured.
    #[must_use]
    pub fn failed(reason: String) -> Self {
        Self { error: Some(reason), ..Self::default() }
    }
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}
