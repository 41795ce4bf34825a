//! Process groups, signals and orphans: how a command ends with everything that it started.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, Sender};
use std::thread::sleep;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rustix::io::Errno;
use rustix::process::{kill_process_group, test_kill_process_group, waitpgid, Pid, Signal, WaitOptions};
use tokio::signal::unix::{signal, SignalKind};

/// Whether commands can be started: only where they can be ended.
pub(crate) const SUPPORTED: bool = true;

/// The interval between checks whether a group has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// The time for a killed process to disappear. A process that stays longer cannot be killed by this one.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// The group that runs now.
struct Running {
    /// 0 for none.
    group: u32,
    /// The time to end after SIGTERM.
    grace: Duration,
}

/// Locked while a group starts or ends. The thread that ends this program keeps the lock, so that nothing starts after
/// that.
static RUNNING: Mutex<Running> = Mutex::new(Running { group: 0, grace: Duration::ZERO });

/// Whether a signal is ending this program.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether a second signal arrived: do not wait.
static FORCE_KILL: AtomicBool = AtomicBool::new(false);

/// Starts a command as the leader of a new group. An interrupt of this program ends that group too.
///
/// # Errors
/// The command or the signal handler cannot be started.
pub(crate) fn start(command: &mut Command, grace: Duration) -> io::Result<Child> {
    let mut running = lock();
    // Before a process exists that could be left behind.
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.load(Ordering::SeqCst) {
        watch()?;
        WATCHED.store(true, Ordering::SeqCst);
    }
    let child = command.process_group(0).spawn()?;
    *running = Running { group: child.id(), grace };
    Ok(child)
}

/// Ends a group and all orphans: SIGTERM first, SIGKILL after `grace`. Returns the ids of processes that still run.
pub(crate) fn end(id: u32, grace: Duration) -> Vec<u32> {
    let mut running = lock();
    let left = end_all(id, grace);
    running.group = 0;
    left
}

/// Does not return if a signal is ending this program.
pub(crate) fn block_if_interrupted() {
    drop(lock());
}

/// Whether a group has ended, with its orphans as far as the system shows them.
pub(crate) fn has_ended(id: u32) -> bool {
    group(id).is_none_or(|group| {
        reap(group);
        is_gone(group)
    }) && children().is_empty()
}

fn lock() -> MutexGuard<'static, Running> {
    let running = RUNNING.lock();
    if INTERRUPTED.load(Ordering::SeqCst) {
        let limit = running.grace + 3 * KILL_TIMEOUT;
        drop(running);
        // The thread that ends this program does so first, unless it hangs.
        sleep(limit);
        std::process::exit(130);
    }
    running
}

fn group(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

fn end_all(id: u32, grace: Duration) -> Vec<u32> {
    let send = |group, signal| kill_process_group(group, signal);
    let mut left = group(id).map_or(Vec::new(), |group| end_group(group, [grace, KILL_TIMEOUT], &send));
    left.extend(end_orphans());
    left.sort_unstable();
    left.dedup();
    left
}

/// Ends a group, with the times for SIGTERM and for SIGKILL. Returns the processes that are left of it.
fn end_group(
    group: Pid,
    times: [Duration; 2],
    send: &dyn Fn(Pid, Signal) -> rustix::io::Result<()>,
) -> Vec<u32> {
    for (signal, time) in [Signal::TERM, Signal::KILL].into_iter().zip(times) {
        // The check below shows whether it worked.
        let _ = send(group, signal);
        let deadline = Instant::now() + time;
        let patient = || signal == Signal::KILL || !FORCE_KILL.load(Ordering::SeqCst);
        while Instant::now() < deadline && patient() {
            reap(group);
            if is_gone(group) {
                return Vec::new();
            }
            sleep(PAUSE);
        }
    }
    members(group)
}

/// Reaps zombies, which count as members of the group: its leader, and adopted orphans.
fn reap(group: Pid) {
    while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
}

fn is_gone(group: Pid) -> bool {
    // EPERM: a process exists that this one may not signal.
    test_kill_process_group(group) == Err(Errno::SRCH)
}

/// Waits for signals in a new thread, which is ready when this returns.
fn watch() -> io::Result<()> {
    let (ready, is_ready) = channel();
    std::thread::spawn(move || {
        if let Err(error) = watch_here(&ready) {
            let _ = ready.send(Err(error));
        }
    });
    is_ready.recv_timeout(Duration::from_secs(5)).map_err(io::Error::other)?
}

fn watch_here(ready: &Sender<io::Result<()>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        // If the caller has stopped waiting, it starts nothing.
        let _ = ready.send(Ok(()));
        loop {
            let number = tokio::select! {
                _ = interrupt.recv() => 2,
                _ = terminate.recv() => 15,
                _ = hangup.recv() => 1,
            };
            if INTERRUPTED.swap(true, Ordering::SeqCst) {
                FORCE_KILL.store(true, Ordering::SeqCst);
            } else {
                std::thread::spawn(move || end_this_program(number));
            }
        }
    })
}

fn end_this_program(number: i32) -> ! {
    let running = RUNNING.lock();
    let left = end_all(running.group, running.grace);
    if !left.is_empty() {
        // There is no one left to report the error to.
        let _ = io::Write::write_all(&mut io::stderr(), format!("\n{}\n", still_running(&left)).as_bytes());
    }
    // The exit code of a shell for a signal (POSIX, 2.8.2). The lock is held until then.
    std::process::exit(128 + number);
}

/// The message about processes that could not be ended.
pub(crate) fn still_running(left: &[u32]) -> String {
    let ids: Vec<String> = left.iter().map(u32::to_string).collect();
    format!(
        "still running, although it was told to end and killed: process {}. This program may not end it (another \
         user's, as with sudo or a set-user-id program) or it hangs in the system: end it yourself",
        ids.join(", ")
    )
}

/// Makes this process adopt the server's orphans, so that it can end them.
pub(crate) fn become_subreaper() {
    #[cfg(target_os = "linux")]
    {
        // If it fails, orphans escape as on other systems.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }
}

/// Kills adopted orphans: every child that this process did not start. Returns those that do not end.
fn end_orphans() -> Vec<u32> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{kill_process, waitpid};
        // A killed orphan may leave orphans.
        let deadline = Instant::now() + KILL_TIMEOUT;
        loop {
            let left = children();
            if left.is_empty() || Instant::now() >= deadline {
                return left;
            }
            let mut forbidden = 0;
            for pid in left.iter().filter_map(|id| group(*id)) {
                forbidden += usize::from(kill_process(pid, Signal::KILL) == Err(Errno::PERM));
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
            if forbidden == left.len() {
                return left;
            }
            sleep(PAUSE / 4);
        }
    }
    #[cfg(not(target_os = "linux"))]
    Vec::new()
}

/// The children of this process that are not reaped; none if the system does not show them.
fn children() -> Vec<u32> {
    let own = std::process::id();
    processes(|parent, _| parent == own)
}

/// The processes of a group that are not reaped.
fn members(group: Pid) -> Vec<u32> {
    let id = group.as_raw_nonzero().get().unsigned_abs();
    let members = processes(|_, known| known == id);
    // If the system does not show them, name the leader.
    if members.is_empty() {
        vec![id]
    } else {
        members
    }
}

/// The processes whose parent and group meet the condition.
fn processes(such: impl Fn(u32, u32) -> bool) -> Vec<u32> {
    let mut found = Vec::new();
    // Other systems than Linux have no such files.
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(status) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // `pid (name) state ppid pgrp`; the name may hold anything.
        let mut fields = status.rsplit(')').next().unwrap_or_default().split_whitespace().skip(1);
        let mut number = || fields.next().and_then(|field| field.parse().ok());
        let (parent, group) = (number(), number());
        let id = entry.file_name().to_string_lossy().parse().ok();
        if let (Some(id), true) = (id, parent.zip(group).is_some_and(|(parent, group)| such(parent, group))) {
            found.push(id);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_be_ended_is_named_in_time() {
        let mut child = Command::new("sleep").arg("60").process_group(0).spawn().expect("sleep");
        let leader = group(child.id()).expect("an id");
        let times = [Duration::from_millis(100); 2];
        let start = Instant::now();
        assert_eq!(end_group(leader, times, &|_, _| Err(Errno::PERM)), [child.id()]);
        assert!(start.elapsed() < Duration::from_secs(5));
        assert!(still_running(&[child.id(), 7]).contains(&format!("process {}, 7.", child.id())));
        // And any that were are gone.
        let send = |group, signal| kill_process_group(group, signal);
        assert_eq!(end_group(leader, [Duration::from_secs(5); 2], &send), [0; 0]);
        // It was waited for already.
        assert!(child.try_wait().is_err());
    }
}
