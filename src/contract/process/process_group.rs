//! Process groups, signals and orphans: what it takes to end a command with everything that it started.

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

/// That commands can be started here, since they can be ended.
pub(crate) const SUPPORTED: bool = true;

/// How long to wait before looking again whether a group has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// How long what was killed may take to be gone. What takes longer may not be killed by this process.
const KILLED_BY: Duration = Duration::from_secs(5);

/// The group that runs now.
struct Running {
    /// 0 for none.
    group: u32,
    /// How long it may take to end when it is asked to.
    grace: Duration,
}

/// A thread that starts or ends a group holds this meanwhile. The one that ends this program keeps it: nothing is started
/// after that.
static RUNNING: Mutex<Running> = Mutex::new(Running { group: 0, grace: Duration::ZERO });

/// This program is being ended by a signal.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// It was asked a second time: do not wait.
static FORCE_KILL: AtomicBool = AtomicBool::new(false);

/// Starts a command as the leader of a group of its own. An interrupt of this program is meant for that group too.
///
/// # Errors
/// The command cannot be run, or signals cannot be watched for.
pub(crate) fn start(command: &mut Command, grace: Duration) -> io::Result<Child> {
    let mut running = lock();
    // Before there is anything that would be left behind.
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.load(Ordering::SeqCst) {
        watch()?;
        WATCHED.store(true, Ordering::SeqCst);
    }
    let child = command.process_group(0).spawn()?;
    *running = Running { group: child.id(), grace };
    Ok(child)
}

/// Ends a group and all orphans: asks it to, and kills what is left after `grace`. Gives the ids of the processes
/// that run all the same.
pub(crate) fn end(id: u32, grace: Duration) -> Vec<u32> {
    let mut running = lock();
    let left = end_all(id, grace);
    running.group = 0;
    left
}

/// Does not come back if this program is being ended by a signal.
pub(crate) fn block_if_interrupted() {
    drop(lock());
}

/// Whether nothing of a group is left, nor anything that it let loose as far as that can be seen.
pub(crate) fn has_ended(id: u32) -> bool {
    group(id).is_none_or(|group| {
        reap(group);
        is_gone(group)
    }) && children().is_empty()
}

fn lock() -> MutexGuard<'static, Running> {
    let running = RUNNING.lock();
    if INTERRUPTED.load(Ordering::SeqCst) {
        let limit = running.grace + 3 * KILLED_BY;
        drop(running);
        // The thread that ends this program does so first, unless something is very wrong with it.
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
    let mut left = group(id).map_or(Vec::new(), |group| end_group(group, [grace, KILLED_BY], &send));
    left.extend(end_orphans());
    left.sort_unstable();
    left.dedup();
    left
}

/// Ends a group within the times for an order and for a kill, and gives the processes that are left of it.
fn end_group(
    group: Pid,
    times: [Duration; 2],
    send: &dyn Fn(Pid, Signal) -> rustix::io::Result<()>,
) -> Vec<u32> {
    for (signal, time) in [Signal::TERM, Signal::KILL].into_iter().zip(times) {
        // What comes of it is seen below.
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

/// Who has ended but was not waited for still counts as one of the group: the leader, and orphans of it that were
/// adopted.
fn reap(group: Pid) {
    while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
}

fn is_gone(group: Pid) -> bool {
    // EPERM says that there is somebody whom this process may not signal.
    test_kill_process_group(group) == Err(Errno::SRCH)
}

/// Waits for signals in a thread of its own, from before this returns.
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
        // A caller that stopped waiting does not start anything either.
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
    // As a shell tells that a signal was the end (POSIX, 2.8.2). The lock is held until then.
    std::process::exit(128 + number);
}

/// What is to be said of processes that could not be ended.
pub(crate) fn still_running(left: &[u32]) -> String {
    let ids: Vec<String> = left.iter().map(u32::to_string).collect();
    format!(
        "still running, although it was told to end and killed: process {}. This program may not end it (another \
         user's, as with sudo or a set-user-id program) or it hangs in the system: end it yourself",
        ids.join(", ")
    )
}

/// What the server starts and leaves alone shall come to this process, which ends it.
pub(crate) fn become_subreaper() {
    #[cfg(target_os = "linux")]
    {
        // Where it is not granted, orphans escape as they do on other systems.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }
}

/// Kills every child that this process did not start itself: the orphans that it has adopted. Gives those that do
/// not end.
fn end_orphans() -> Vec<u32> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{kill_process, waitpid};
        // An orphan that is killed may leave orphans of its own.
        let deadline = Instant::now() + KILLED_BY;
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

/// The children of this process that have not been waited for; none where that cannot be seen.
fn children() -> Vec<u32> {
    let own = std::process::id();
    processes(|parent, _| parent == own)
}

/// The processes of a group that have not been waited for.
fn members(group: Pid) -> Vec<u32> {
    let id = group.as_raw_nonzero().get().unsigned_abs();
    let members = processes(|_, known| known == id);
    // Where that cannot be seen, the leader stands for the group.
    if members.is_empty() {
        vec![id]
    } else {
        members
    }
}

/// The processes of which the ids of their parent and group are such.
fn processes(such: impl Fn(u32, u32) -> bool) -> Vec<u32> {
    let mut found = Vec::new();
    // There is no such folder on systems other than Linux, or one without these files.
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
