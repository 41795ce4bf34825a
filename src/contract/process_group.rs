//! Process groups, signals and orphans: what it takes to end a command with everything that it started.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Once;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{kill_process_group, test_kill_process_group, waitpgid, Pid, Signal, WaitOptions};
use tokio::signal::unix::{signal, SignalKind};

/// That commands can be started here, since they can be ended.
pub(super) const SUPPORTED: bool = true;

/// How long to wait before looking again whether a group has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// The group that runs now; 0 for none.
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// Makes a command lead a group of its own.
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
        sleep(PAUSE);
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
