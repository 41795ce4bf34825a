//! All connections, and the loop that serves them.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::event::Event;
use mio::{Events, Poll, Token};

use crate::connection::{Connection, Got};
use crate::cpu;
use crate::job::Job;
use crate::report::Measured;

/// How often it is looked whether an answer takes too long.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes that are read at a time.
const READ: usize = 256 * 1024;

/// The connections of a job.
pub struct Pool<'a> {
    job: &'a Job,
    poll: Poll,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    /// Position in the job's order.
    next: usize,
    deadline: Instant,
    phase: Phase,
}

/// What is going on.
struct Phase {
    until: Instant,
    at_least: u64,
    sent: u64,
    in_flight: usize,
    reconnects: u64,
    latencies: Histogram<u64>,
}

impl Phase {
    fn wants_more(&self, now: Instant) -> bool {
        now < self.until || self.sent < self.at_least
    }
}

impl<'a> Pool<'a> {
    /// Opens the connections.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn new(job: &'a Job) -> Result<Self, String> {
        let poll = Poll::new().map_err(|error| error.to_string())?;
        let connections = (0..job.connections)
            .map(|position| Connection::open(job.address(position), poll.registry(), Token(position)))
            .collect::<Result<_, _>>()
            .map_err(|error| format!("connect: {error}"))?;
        Ok(Self {
            job,
            poll,
            connections,
            buffer: vec![0; READ],
            next: 0,
            deadline: Instant::now() + Duration::from_secs_f64(job.limit_s),
            phase: phase(Instant::now(), 0)?,
        })
    }

    /// Asks until `seconds` are over and at least so many requests were sent, and then waits for the last answers.
    ///
    /// # Errors
    /// The first thing that was not as it must be.
    pub fn phase(&mut self, seconds: f64, at_least: u64) -> Result<Measured, String> {
        let (cpu, own_cpu) = (cpu::of(&self.job.pids)?, cpu::own()?);
        let database_cpu = self.database_cpu()?;
        let began = Instant::now();
        self.phase = phase(began + Duration::from_secs_f64(seconds), at_least)?;
        for position in 0..self.connections.len() {
            self.ask(position)?;
        }
        let mut events = Events::with_capacity(self.connections.len());
        let mut looked = began;
        while self.phase.in_flight > 0 {
            match self.poll.poll(&mut events, Some(LOOK)) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                result => result.map_err(|error| format!("poll: {error}"))?,
            }
            for event in &events {
                self.happened(event)?;
            }
            let now = Instant::now();
            if now - looked > LOOK {
                looked = now;
                self.look(now)?;
            }
        }
        let elapsed = began.elapsed();
        Ok(Measured {
            elapsed,
            cpu: cpu::of(&self.job.pids)?.saturating_sub(cpu),
            own_cpu: cpu::own()?.saturating_sub(own_cpu),
            database_cpu: self.database_cpu()?.saturating_sub(database_cpu),
            latencies: std::mem::replace(&mut self.phase.latencies, histogram()?),
            reconnects: self.phase.reconnects,
        })
    }

    fn database_cpu(&self) -> Result<Duration, String> {
        self.job.database.map_or(Ok(Duration::ZERO), cpu::with_children)
    }

    /// Sends the next request.
    fn ask(&mut self, position: usize) -> Result<(), String> {
        let request = self.job.order[self.next];
        self.next = (self.next + 1) % self.job.order.len();
        self.phase.sent += 1;
        self.phase.in_flight += 1;
        self.send(position, request, Instant::now())
    }

    fn send(&mut self, position: usize, request: usize, began: Instant) -> Result<(), String> {
        if !self.connections[position].is_usable() {
            let token = Token(position);
            self.connections[position] =
                Connection::open(self.job.address(position), self.poll.registry(), token)
                    .map_err(|error| format!("connect: {error}"))?;
            self.phase.reconnects += 1;
        }
        let connection = &mut self.connections[position];
        connection.begin(request, began);
        let bytes = self.job.requests[request].bytes.as_bytes();
        connection.send(bytes).map_err(|error| format!("send: {error}"))
    }

    fn happened(&mut self, event: &Event) -> Result<(), String> {
        let Token(position) = event.token();
        if event.is_writable() && self.connections[position].in_flight {
            let connection = &mut self.connections[position];
            let bytes = self.job.requests[connection.request].bytes.as_bytes();
            connection.send(bytes).map_err(|error| format!("send: {error}"))?;
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.receive(position, event.is_read_closed())?;
        }
        Ok(())
    }

    /// Reads what has come. The system tells of it once, so that all of it must be read; a read that does not fill the
    /// buffer was the last, unless the end of the connection is behind it.
    fn receive(&mut self, position: usize, closed: bool) -> Result<(), String> {
        loop {
            let connection = &mut self.connections[position];
            let got = connection.receive(&mut self.buffer).map_err(|error| format!("receive: {error}"))?;
            let count = match got {
                Got::Nothing => return Ok(()),
                Got::End => return self.ended(position),
                Got::Bytes(count) => count,
            };
            let now = Instant::now();
            if !connection.in_flight {
                return Err(format!("{count} bytes that were not asked for"));
            }
            let request = &self.job.requests[connection.request];
            connection
                .answer
                .feed(request, &self.buffer[..count])
                .map_err(|fault| told(request.bytes.as_str(), fault))?;
            if connection.answer.is_complete() {
                return self.answered(position, now, closed);
            }
            if count < READ && !closed {
                return Ok(());
            }
        }
    }

    fn answered(&mut self, position: usize, now: Instant, closed: bool) -> Result<(), String> {
        let connection = &mut self.connections[position];
        let took = u64::try_from((now - connection.began).as_nanos()).unwrap_or(u64::MAX);
        self.phase.latencies.saturating_record(took.max(1));
        self.phase.in_flight -= 1;
        connection.finish();
        if closed {
            connection.end();
        }
        if self.phase.wants_more(now) {
            self.ask(position)?;
        }
        Ok(())
    }

    fn ended(&mut self, position: usize) -> Result<(), String> {
        let connection = &mut self.connections[position];
        connection.end();
        if !connection.in_flight {
            return Ok(());
        }
        let (index, began) = (connection.request, connection.began);
        if connection.was_closed_between_answers() {
            return self.send(position, index, began);
        }
        let request = &self.job.requests[index];
        connection.answer.end(request).map_err(|fault| told(&request.bytes, fault))?;
        self.answered(position, Instant::now(), true)
    }

    fn look(&self, now: Instant) -> Result<(), String> {
        let limit = Duration::from_secs_f64(self.job.request_limit_s);
        let late = self.connections.iter().find(|one| one.in_flight && now - one.began > limit);
        if let Some(connection) = late {
            let request = &self.job.requests[connection.request].bytes;
            return Err(told(request, format_args!("no answer within {} s", self.job.request_limit_s)));
        }
        if now > self.deadline {
            return Err(format!("not done within {} s", self.job.limit_s));
        }
        Ok(())
    }
}

fn phase(until: Instant, at_least: u64) -> Result<Phase, String> {
    Ok(Phase { until, at_least, sent: 0, in_flight: 0, reconnects: 0, latencies: histogram()? })
}

/// Up to an hour, to a thousandth.
fn histogram() -> Result<Histogram<u64>, String> {
    Histogram::new_with_bounds(1, 3_600_000_000_000, 3).map_err(|error| error.to_string())
}

fn told(request: &str, what: impl std::fmt::Display) -> String {
    format!("{}: {what}", request.lines().next().unwrap_or_default())
}
