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
    fn a_process_that_is_not_there_is_an_error() {
        // No process of Linux has a number as high as this.
        assert!(of(&[1 << 22]).is_err());
    }
}
