//! A server that is started for one scenario, and ended with everything that it started.

use std::collections::VecDeque;
use std::fmt;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::contract::client::wire::Target;
use crate::contract::process::process_group;
use crate::contract::recording::message::Response;
use crate::escape::escape_invisible;

/// How long its address may stay taken after it has ended.
const ADDRESS_FREE: Duration = Duration::from_secs(10);

/// How much of what it said last is kept for messages.
const OUTPUT_KEPT: usize = 4 * 1024;

/// How long a server that was left in the background may not be seen yet.
const DETACHED: Duration = Duration::from_secs(1);

const PAUSE: Duration = Duration::from_millis(20);

/// Why there is no server.
#[derive(Debug)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The end of what a process wrote to standard output and standard error.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<VecDeque<u8>>>);

impl Output {
    /// Reads a stream to its end, in a thread of its own: a process stops when its output is not read.
    fn collect(&self, stream: Option<impl Read + Send + 'static>) {
        let Some(mut stream) = stream else { return };
        let kept = Arc::clone(&self.0);
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let mut kept = kept.lock();
                kept.extend(buffer.get(..count).unwrap_or_default());
                let excess = kept.len().saturating_sub(OUTPUT_KEPT);
                kept.drain(..excess);
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

/// A command that serves, in a process group of its own. It ends with the value.
pub struct ServerProcess {
    child: Child,
    output: Output,
    command: String,
    grace: Duration,
    ended: bool,
}

impl ServerProcess {
    /// Starts a command and waits until it answers at that address, `limit` at most. Gives its first answer too,
    /// if that could be understood. `grace` is how long it may take to end when it is asked to, before it is
    /// killed.
    ///
    /// # Errors
    /// [`StartError`]: somebody listens there already, the command ends at once, or nothing answers in time.
    pub fn start(
        command: &str,
        target: &Target,
        limit: Duration,
        grace: Duration,
    ) -> Result<(Self, Option<Response>), StartError> {
        if !process_group::SUPPORTED {
            return Err(StartError(
                "--start works on Unix only: start the server yourself, and give --scenario".to_owned(),
            ));
        }
        if target.is_open(Duration::from_secs(1)) {
            return Err(StartError(format!(
                "something listens at {} already: end it, or leave out --start to use it",
                target.base()
            )));
        }
        process_group::become_subreaper();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process_group::start(&mut shell, grace)
            .map_err(|error| StartError(format!("cannot run `sh -c {command:?}`: {error}")))?;
        let output = Output::default();
        output.collect(child.stdout.take());
        output.collect(child.stderr.take());
        let mut process = Self { child, output, command: command.to_owned(), grace, ended: false };
        match process.wait_until_it_answers(target, limit) {
            Ok(answer) => Ok((process, answer)),
            Err(error) => {
                process_group::block_if_interrupted();
                let left = process.kill();
                Err(if left.is_empty() {
                    error
                } else {
                    StartError(format!("{error}\n{}", process_group::still_running(&left)))
                })
            }
        }
    }

    fn wait_until_it_answers(
        &mut self,
        target: &Target,
        limit: Duration,
    ) -> Result<Option<Response>, StartError> {
        let deadline = Instant::now() + limit;
        let mut ended: Option<Instant> = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let failure = match target.first_answer(left) {
                // It is up, but not ready (RFC 9110, section 15.6.4).
                Ok(Some(answer)) if answer.status == 503 => format!("GET / is answered {}", answer.status),
                Ok(answer) => return Ok(answer),
                Err(failure) => failure.to_string(),
            };
            let exit = self.child.try_wait().ok().flatten();
            if let Some(status) = exit {
                let since = *ended.get_or_insert_with(Instant::now);
                // It may have left a server in the background.
                let left = if status.success() { " and left nothing running" } else { "" };
                if !status.success()
                    || (since.elapsed() > DETACHED && process_group::has_ended(self.child.id()))
                {
                    return Err(self.failed(&format!("ended ({}) before it answered{left}", how(status))));
                }
            }
            if Instant::now() >= deadline {
                let seconds = limit.as_secs_f32();
                return Err(self.failed(&format!("did not answer within {seconds} s: {failure}")));
            }
            sleep(PAUSE);
        }
    }

    fn failed(&self, what: &str) -> StartError {
        // What it printed last is read by a thread that may be a moment behind.
        sleep(PAUSE);
        StartError(format!("`{}` {what}\n{}", self.command, self.output.shown()))
    }

    /// How the process ended, if it has and nothing answers any more, and what it printed last: for who wonders why
    /// it does not answer.
    #[must_use]
    pub fn exit_report(&mut self, target: &Target) -> Option<String> {
        // An interrupt of this program ends the server first.
        process_group::block_if_interrupted();
        // The connection is lost before the process is gone.
        let deadline = Instant::now() + Duration::from_millis(500);
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                // A shell that has started it in the background may have ended long ago.
                if target.is_open(Duration::from_secs(1)) {
                    return None;
                }
                return Some(format!("the server has ended ({}); {}", how(status), self.output.shown()));
            }
            sleep(PAUSE);
        }
        None
    }

    /// Ends the process and all that belongs to it, and waits until its address is free.
    ///
    /// # Errors
    /// [`StartError`]: it could not be ended, or somebody still listens there.
    pub fn end(mut self, target: &Target) -> Result<(), StartError> {
        let left = self.kill();
        if !left.is_empty() {
            return Err(StartError(format!("`{}` is {}", self.command, process_group::still_running(&left))));
        }
        let deadline = Instant::now() + ADDRESS_FREE;
        while target.is_open(Duration::from_secs(1)) {
            if Instant::now() >= deadline {
                return Err(StartError(format!(
                    "something still listens at {} although `{}` has been ended: --start needs a command \
                     that stays in the foreground",
                    target.base(),
                    self.command
                )));
            }
            sleep(PAUSE);
        }
        Ok(())
    }

    /// Ends it, and gives the processes that are left all the same.
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
        // Where it was not ended in order there is something worse to be said.
        let _ = self.kill();
    }
}

fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}
