//! Server process of one scenario: started, and ended with everything that it started.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use thiserror::Error;

use crate::contract::client::wire::Target;
use crate::contract::process::process_group;
use crate::contract::recording::message::Response;
use crate::escape::escape_invisible;
use crate::internal_error::chain;

/// How long its address may stay in use after it has ended.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(10);

/// How many of the last bytes of its output are output for messages.
const MAX_OUTPUT: usize = 4 * 1024;

/// How long it may take until a server that moved to the background can be found.
const DETACH_TIMEOUT: Duration = Duration::from_secs(1);

const PAUSE: Duration = Duration::from_millis(20);

/// Why a server does not start, or does not end.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// The system has no process groups.
    #[error("--start works on Unix only: start the server yourself, and give --scenario")]
    Unsupported,
    /// Another process uses the address.
    #[error("something listens at {0} already: end it, or leave out --start to use it")]
    AddressInUse(String),
    /// There is no shell.
    #[error("cannot run `sh -c {command:?}`")]
    Spawn {
        /// The command.
        command: String,
        /// The system's error.
        source: io::Error,
    },
    /// It ended, or did not respond in time.
    #[error("`{command}` {what}\n{output}")]
    NotStarted {
        /// The command.
        command: String,
        /// What happened.
        what: String,
        /// The end of its output.
        output: String,
    },
    /// The same, and processes of it cannot be ended.
    #[error("{error}\n{still_running}")]
    NotStartedStillRunning {
        /// Why it did not start.
        error: Box<ProcessError>,
        /// The processes.
        still_running: String,
    },
    /// Processes of it cannot be ended.
    #[error("`{command}` is {still_running}")]
    StillRunning {
        /// The command.
        command: String,
        /// The processes.
        still_running: String,
    },
    /// Its address is still in use.
    #[error(
        "something still listens at {base} although `{command}` has been ended: --start needs a command that stays in \
         the foreground"
    )]
    AddressKept {
        /// The address.
        base: String,
        /// The command.
        command: String,
    },
}

/// The end of what a process wrote to standard output and standard error.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<VecDeque<u8>>>);

impl Output {
    /// Reads a stream to its end in a new thread: a process blocks when its output is not read.
    fn collect(&self, stream: Option<impl Read + Send + 'static>) {
        let Some(mut stream) = stream else { return };
        let output = Arc::clone(&self.0);
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let mut output = output.lock();
                output.extend(buffer.get(..count).unwrap_or_default());
                let excess = output.len().saturating_sub(MAX_OUTPUT);
                output.drain(..excess);
            }
        });
    }

    fn shown(&self) -> String {
        let bytes: Vec<u8> = self.0.lock().iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        if text.trim().is_empty() {
            return "it printed nothing".to_owned();
        }
        let lines: Vec<String> = text.trim_end().lines().map(escape_invisible).collect();
        let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
        format!("the end of what it printed:\n    {}", last.join("\n    "))
    }
}

/// A server command in its own process group. Dropping the value ends it.
pub struct ServerProcess {
    child: Child,
    output: Output,
    command: String,
    grace: Duration,
    ended: bool,
}

impl ServerProcess {
    /// Starts a command and waits at most `limit` until it responds at the address. Returns its first response too, if
    /// that is HTTP. `grace` is how long it may take to end before it is killed.
    ///
    /// # Errors
    /// [`ProcessError`]: the address is in use, the command ends, or nothing responds in time.
    pub fn start(
        command: &str,
        target: &Target,
        limit: Duration,
        grace: Duration,
    ) -> Result<(Self, Option<Response>), ProcessError> {
        if !process_group::SUPPORTED {
            return Err(ProcessError::Unsupported);
        }
        if target.is_open(Duration::from_secs(1)) {
            return Err(ProcessError::AddressInUse(target.base()));
        }
        process_group::become_subreaper();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process_group::start(&mut shell, grace)
            .map_err(|source| ProcessError::Spawn { command: command.to_owned(), source })?;
        let output = Output::default();
        output.collect(child.stdout.take());
        output.collect(child.stderr.take());
        let mut process = Self { child, output, command: command.to_owned(), grace, ended: false };
        match process.wait_until_it_responds(target, limit) {
            Ok(response) => Ok((process, response)),
            Err(error) => {
                process_group::block_if_interrupted();
                let left = process.kill();
                if left.is_empty() {
                    return Err(error);
                }
                let still_running = process_group::still_running(&left);
                Err(ProcessError::NotStartedStillRunning { error: Box::new(error), still_running })
            }
        }
    }

    fn wait_until_it_responds(
        &mut self,
        target: &Target,
        limit: Duration,
    ) -> Result<Option<Response>, ProcessError> {
        let deadline = Instant::now() + limit;
        let mut ended: Option<Instant> = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let failure = match target.first_response(left) {
                // It is up, but not ready (RFC 9110, section 15.6.4).
                Ok(Some(response)) if response.status == 503 => format!("GET / gives {}", response.status),
                Ok(response) => return Ok(response),
                Err(failure) => chain(&failure),
            };
            let exit = self.child.try_wait().ok().flatten();
            if let Some(status) = exit {
                let since = *ended.get_or_insert_with(Instant::now);
                // It may have moved a server to the background.
                let left = if status.success() { " and left nothing running" } else { "" };
                if !status.success()
                    || (since.elapsed() > DETACH_TIMEOUT && process_group::has_ended(self.child.id()))
                {
                    return Err(
                        self.not_started(format!("ended ({}) before it responded{left}", how(status)))
                    );
                }
            }
            if Instant::now() >= deadline {
                let seconds = limit.as_secs_f32();
                return Err(self.not_started(format!("did not respond within {seconds} s: {failure}")));
            }
            sleep(PAUSE);
        }
    }

    fn not_started(&self, what: String) -> ProcessError {
        // The thread that reads its output may be behind.
        sleep(PAUSE);
        ProcessError::NotStarted { command: self.command.clone(), what, output: self.output.shown() }
    }

    /// How the process ended, if it has and nothing responds, and the end of its output: why the server does not respond.
    #[must_use]
    pub fn exit_report(&mut self, target: &Target) -> Option<String> {
        // An interrupt of this program ends the server first.
        process_group::block_if_interrupted();
        // The connection is lost before the process is gone.
        let deadline = Instant::now() + Duration::from_millis(500);
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                // A shell that started the server in the background ends early.
                if target.is_open(Duration::from_secs(1)) {
                    return None;
                }
                return Some(format!("the server has ended ({}); {}", how(status), self.output.shown()));
            }
            sleep(PAUSE);
        }
        None
    }

    /// Ends the process and everything it started, and waits until its address is free.
    ///
    /// # Errors
    /// [`ProcessError`]: it could not be ended, or another process listens there.
    pub fn end(mut self, target: &Target) -> Result<(), ProcessError> {
        let left = self.kill();
        if !left.is_empty() {
            let still_running = process_group::still_running(&left);
            return Err(ProcessError::StillRunning { command: self.command.clone(), still_running });
        }
        let deadline = Instant::now() + ADDRESS_TIMEOUT;
        while target.is_open(Duration::from_secs(1)) {
            if Instant::now() >= deadline {
                return Err(ProcessError::AddressKept { base: target.base(), command: self.command.clone() });
            }
            sleep(PAUSE);
        }
        Ok(())
    }

    /// Ends it. Returns the processes that are still running.
    fn kill(&mut self) -> Vec<u32> {
        if self.ended {
            return Vec::new();
        }
        self.ended = true;
        process_group::end(self.child.id(), self.grace)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // If it was not ended before, a more important error is reported.
        let _ = self.kill();
    }
}

fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}
