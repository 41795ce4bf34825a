//! Limit of open files (`RLIMIT_NOFILE`).

/// Raises the soft limit to the hard limit. Shells set 1024 for programs that use `select`, which is too low for
/// `max_connections` and files together. Child processes inherit the limit.
pub fn raise_nofile_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

        let limit = getrlimit(Resource::Nofile);
        // If this fails, connections wait for a free descriptor (see `accept`).
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}
