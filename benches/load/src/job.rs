//! What is to be asked, of whom, and what must be answered.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::template::Template;

/// One measurement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The server's.
    pub address: SocketAddr,
    /// Those of other nodes of the same server. The connections are spread evenly over all.
    #[serde(default)]
    pub more_addresses: Vec<SocketAddr>,
    /// How many connections ask at a time.
    pub connections: usize,
    /// Seconds of requests that are checked but not counted. Every connection sends one, however short this is.
    pub warmup_s: f64,
    /// Seconds until the last requests are sent.
    pub seconds: f64,
    /// At least so many requests, however long they take.
    pub min_requests: u64,
    /// Seconds that an answer may take.
    pub request_limit_s: f64,
    /// Seconds that the whole may take.
    pub limit_s: f64,
    /// The processes of the server, whose CPU time is read.
    pub pids: Vec<i32>,
    /// The first process of the database, whose CPU time is read as well, with that of its children.
    #[serde(default)]
    pub database: Option<i32>,
    /// The different requests.
    pub requests: Vec<Request>,
    /// Which request comes when, again from the beginning after the last. Positions in `requests`.
    pub order: Vec<usize>,
}

/// A request, and the answer that it must get.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// All of it, the head too.
    pub bytes: String,
    /// The status of the answer.
    pub status: u16,
    /// The body of the answer.
    pub template: Template,
}

impl Job {
    /// A job as JSON.
    ///
    /// # Errors
    /// It cannot be read, or says something that cannot be done.
    pub fn read(mut source: impl Read) -> Result<Self, String> {
        let mut text = String::new();
        source.read_to_string(&mut text).map_err(|error| error.to_string())?;
        let job: Self = serde_json::from_str(&text).map_err(|error| format!("the job: {error}"))?;
        job.check()?;
        Ok(job)
    }

    /// The address for the connection at that position.
    pub(crate) fn address(&self, position: usize) -> SocketAddr {
        let nodes = self.more_addresses.len() + 1;
        match position % nodes {
            0 => self.address,
            node => self.more_addresses[node - 1],
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.connections == 0 {
            return Err("the job: 0 connections".into());
        }
        if self.order.is_empty() {
            return Err("the job: nothing to ask".into());
        }
        if let Some(unknown) = self.order.iter().find(|&&position| position >= self.requests.len()) {
            return Err(format!("the job: there is no request {unknown}"));
        }
        let times = [self.warmup_s, self.seconds, self.request_limit_s, self.limit_s];
        if times.iter().any(|&seconds| Duration::try_from_secs_f64(seconds).is_err()) {
            return Err("the job: a time that is none".into());
        }
        Ok(())
    }
}
