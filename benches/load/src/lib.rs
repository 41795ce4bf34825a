//! Asks a server without pause, each connection its next request as soon as the answer to its last is complete, and
//! checks every answer, byte by byte.

pub mod answer;
mod chunked;
mod connection;
mod cpu;
mod head;
pub mod job;
pub mod pool;
pub mod report;
pub mod revoke;
pub mod template;

use job::Job;
use pool::Pool;
use report::Report;

/// Warms the server up, then measures it. Between the two, and after the second, no request is on its way, so that
/// the CPU time read at both ends is that of the counted requests and of no other.
#[must_use]
pub fn run(job: &Job) -> Report {
    let mut pool = match Pool::new(job) {
        Ok(pool) => pool,
        Err(error) => return Report::failed(format!("the load: {error}")),
    };
    let measured = pool.phase(job.warmup_s, 0).and_then(|_| pool.phase(job.seconds, job.min_requests));
    match measured {
        Ok(measured) => Report::measured(&measured),
        Err(reason) => Report::failed(reason),
    }
}
