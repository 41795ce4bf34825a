//! A server that is started for one scenario, and ended with everything that it started.

use std::collections::VecDeque;
use std::fmt;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::message::{Request, Response};
use super::wire::{Target, WireError};

/// How long a server may take to end when it is asked to, before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How long its address may stay taken after it has ended.
const ADDRESS_FREE: Duration = Duration::from_secs(10);

/// How much of what it said last is kept for messages.
const OUTPUT_KEPT: usize = 4 * 1024;

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
    /// Reads a stream to its end, in a thread of its own: a process whose output nobody reads stops.
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
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
        format!("the end of what it printed:\n    {}", last.join("\n    "))
    }
}

/// A command that serves, in a process group of its own. It ends with the value.
pub struct ServerProcess {
    child: Child,
    output: Output,
    command: String,
    ended: bool,
}

impl ServerProcess {
    /// Starts a command and waits until it answers at that address. Gives its first answer too, if that could
    /// be understood.
    ///
    /// # Errors
    /// [`StartError`]: somebody listens there already, the command ends at once, or nothing answers in time.
    pub fn start(
        command: &str,
        target: &Target,
        limit: Duration,
    ) -> Result<(Self, Option<Response>), StartError> {
        if target.is_open(Duration::from_secs(1)) {
            return Err(StartError(format!(
                "something listens at {} already: end it, or leave out --start to use it",
                target.base()
            )));
        }
        group::adopt_orphans();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        group::lead(&mut shell);
        let mut child =
            shell.spawn().map_err(|error| StartError(format!("cannot run `sh -c {command:?}`: {error}")))?;
        group::end_on_signal(child.id());
        let output = Output::default();
        output.collect(child.stdout.take());
        output.collect(child.stderr.take());
        let mut process = Self { child, output, command: command.to_owned(), ended: false };
        let answer = process.wait_until_it_answers(target, limit)?;
        Ok((process, answer))
    }

    fn wait_until_it_answers(
        &mut self,
        target: &Target,
        limit: Duration,
    ) -> Result<Option<Response>, StartError> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let failure = match first_answer(target, left) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let exit = self.child.try_wait().ok().flatten();
            if let Some(status) = exit.filter(|status| !status.success()) {
                return Err(self.failed(&format!("ended ({}) before it answered", how(status))));
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

    /// How the process ended, if it has, and what it printed last: for who wonders why it does not answer.
    #[must_use]
    pub fn obituary(&mut self) -> Option<String> {
        // The connection is lost before the process is gone.
        let deadline = Instant::now() + Duration::from_millis(500);
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(format!("the server has ended ({}); {}", how(status), self.output.shown()));
            }
            sleep(PAUSE);
        }
        None
    }

    /// Ends the process and all that belongs to it, and waits until its address is free.
    ///
    /// # Errors
    /// [`StartError`]: somebody still listens there.
    pub fn end(mut self, target: &Target) -> Result<(), StartError> {
        self.kill();
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

    fn kill(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        group::end(self.child.id(), GRACE, || matches!(self.child.try_wait(), Ok(Some(_))));
        // It has been killed; this is to know that it is gone.
        let _ = self.child.wait();
        group::end_orphans();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a server answers that is asked for the first time; `None` if it answers something that is no HTTP.
///
/// # Errors
/// [`WireError`]: there is no answer.
pub fn first_answer(target: &Target, limit: Duration) -> Result<Option<Response>, WireError> {
    let limit = limit.max(Duration::from_millis(10));
    match target.send(&Request::new(rocket::http::Method::Get, "/"), limit) {
        Ok(answer) => Ok(Some(answer)),
        // That there is something wrong with its answers is found with the first exchange.
        Err(WireError::Garbage { .. }) => Ok(None),
        Err(WireError::Closed { got: 1.., .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}

/// Process groups, signals and orphans.
#[cfg(unix)]
mod group {
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::Once;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use rustix::process::{kill_process_group, test_kill_process_group, waitpgid, Pid, Signal, WaitOptions};
    use tokio::signal::unix::{signal, SignalKind};

    /// The group that runs now; 0 for none.
    static RUNNING: AtomicU32 = AtomicU32::new(0);

    pub(super) fn lead(command: &mut Command) {
        command.process_group(0);
    }

    fn group(id: u32) -> Option<Pid> {
        Pid::from_raw(i32::try_from(id).ok()?)
    }

    /// Asks a group to end, and kills what is left of it after `grace`.
    pub(super) fn end(id: u32, grace: Duration, mut reap: impl FnMut() -> bool) {
        RUNNING.store(0, Ordering::SeqCst);
        let Some(group) = group(id) else { return };
        // An error says that there is nobody left.
        let _ = kill_process_group(group, Signal::TERM);
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline {
            // Who has ended but was not waited for still counts as one of the group: the leader, and orphans
            // of it that were adopted.
            reap();
            while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
            if test_kill_process_group(group).is_err() {
                return;
            }
            sleep(super::PAUSE);
        }
        let _ = kill_process_group(group, Signal::KILL);
    }

    /// Whoever interrupts this program means the server too, which has a group of its own.
    pub(super) fn end_on_signal(id: u32) {
        static WATCH: Once = Once::new();
        RUNNING.store(id, Ordering::SeqCst);
        WATCH.call_once(|| {
            std::thread::spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let Ok(runtime) = runtime else { return };
                let number = runtime.block_on(async {
                    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = (
                        signal(SignalKind::interrupt()),
                        signal(SignalKind::terminate()),
                        signal(SignalKind::hangup()),
                    ) else {
                        return std::future::pending().await;
                    };
                    tokio::select! {
                        _ = interrupt.recv() => 2,
                        _ = terminate.recv() => 15,
                        _ = hangup.recv() => 1,
                    }
                });
                let running = RUNNING.load(Ordering::SeqCst);
                if running != 0 {
                    end(running, Duration::from_secs(2), || false);
                }
                end_orphans();
                // As a shell tells that a signal was the end (POSIX, 2.8.2).
                std::process::exit(128 + number);
            });
        });
    }

    /// What the server starts and leaves alone shall come to this process, which ends it.
    pub(super) fn adopt_orphans() {
        #[cfg(target_os = "linux")]
        {
            // Where it is not granted, orphans escape as they do on other systems.
            let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        }
    }

    /// Kills every child that this process did not start itself: the orphans that it has adopted.
    pub(super) fn end_orphans() {
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{getpid, kill_process, waitpid};
            let own = getpid().as_raw_nonzero().get().to_string();
            // An orphan that is killed may leave orphans of its own.
            for _ in 0..100 {
                let mut found = false;
                for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
                    let Ok(status) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
                    // `pid (name) state ppid`; the name may hold anything.
                    let parent = status.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
                    let pid = entry.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
                    if let (Some(pid), true) = (pid, parent == Some(own.as_str())) {
                        found = true;
                        let _ = kill_process(pid, Signal::KILL);
                        let _ = waitpid(Some(pid), WaitOptions::empty());
                    }
                }
                if !found {
                    return;
                }
            }
        }
    }
}

/// Where there are no process groups, the process alone is ended.
#[cfg(not(unix))]
mod group {
    use std::process::Command;
    use std::time::Duration;

    pub(super) fn lead(_: &mut Command) {}
    pub(super) fn end(_: u32, _: Duration, _: impl FnMut() -> bool) {}
    pub(super) fn end_on_signal(_: u32) {}
    pub(super) fn adopt_orphans() {}
    pub(super) fn end_orphans() {}
}

/// So that a caller can tell what cannot be run here from what fails.
#[must_use]
pub fn is_supported() -> bool {
    cfg!(unix)
}
