//! CPU time of processes.
//!
//! By each process's own clock: it counts nanoseconds, and the threads that have ended as well. `/proc/PID/stat`
//! counts in hundredths of a second, `/proc/PID/schedstat` knows the first thread alone, and the sum over
//! `/proc/PID/task` loses every thread that ends.

use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime, ClockId};
use nix::unistd::Pid;

/// The CPU time of all of them together.
pub(crate) fn of(pids: &[i32]) -> Result<Duration, String> {
    pids.iter().map(|&pid| one(pid)).sum()
}

/// The CPU time of this process.
pub(crate) fn own() -> Result<Duration, String> {
    read(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_err(|error| format!("the load's CPU time: {error}"))
}

/// The CPU time of a process, of its children, and of the children that have ended and that it has waited for.
pub(crate) fn with_children(pid: i32) -> Result<Duration, String> {
    let mut found = once_with_children(pid);
    for _ in 0..10 {
        if matches!(found, Ok(Some(_))) {
            break;
        }
        found = once_with_children(pid);
    }
    found?.ok_or_else(|| format!("the CPU time of process {pid}: its children end too often"))
}

/// `None` if a child has ended meanwhile: it would count twice, or not at all.
fn once_with_children(pid: i32) -> Result<Option<Duration>, String> {
    let ended = ended_children(pid)?;
    let all = of(&children(pid)?)? + one(pid)? + ended;
    Ok((ended_children(pid)? == ended).then_some(all))
}

/// A process's children are those of its threads.
fn children(pid: i32) -> Result<Vec<i32>, String> {
    let threads = format!("/proc/{pid}/task");
    let mut found = vec![];
    for thread in std::fs::read_dir(&threads).map_err(|error| format!("{threads}: {error}"))?.flatten() {
        // A thread that has ended meanwhile has none.
        let text = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        found.extend(text.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
    }
    Ok(found)
}

/// By the fields `cutime` and `cstime`, in hundredths of a second.
fn ended_children(pid: i32) -> Result<Duration, String> {
    let text = read_file(format!("/proc/{pid}/stat"))?;
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let hundredths: u64 = fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(10 * hundredths))
}

fn read_file(path: String) -> Result<String, String> {
    std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
}

fn one(pid: i32) -> Result<Duration, String> {
    clock_getcpuclockid(Pid::from_raw(pid))
        .and_then(read)
        .map_err(|error| format!("the CPU time of process {pid}: {error}"))
}

fn read(clock: ClockId) -> nix::Result<Duration> {
    clock_gettime(clock).map(Duration::from)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_thread_that_has_ended_still_counts() {
        let own_pid = [i32::try_from(std::process::id()).unwrap()];
        let before = of(&own_pid).unwrap();
        let busy = Duration::from_millis(30);
        std::thread::spawn(move || {
            let began = Instant::now();
            while began.elapsed() < busy {}
        })
        .join()
        .unwrap();
        // A machine that is busy otherwise may give the thread less than all of that time.
        assert!(of(&own_pid).unwrap() - before > busy / 10);
    }

    #[test]
    fn children_count_while_they_run_and_after_they_have_ended() {
        let own_pid = i32::try_from(std::process::id()).unwrap();
        let before = with_children(own_pid).unwrap();
        let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let running = with_children(own_pid).unwrap() - before;
        child.kill().unwrap();
        child.wait().unwrap();
        let ended = with_children(own_pid).unwrap() - before;
        // A machine that is busy otherwise may give the child less than all of that time. The time of ended children is
        // rounded to hundredths.
        assert!(running > Duration::from_millis(50), "{running:?}");
        assert!(ended + Duration::from_millis(10) > running, "{ended:?} after {running:?}");
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        // No process of Linux has a number as high as this.
        assert!(of(&[1 << 22]).is_err());
    }
}
