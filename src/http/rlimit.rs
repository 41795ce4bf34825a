//! How many files and connections the process may have open.

/// Raises the limit as far as the system lets a process raise it: shells set 1024 for the sake of programs that
/// use `select`, which is less than `max_connections` and files take together. Children inherit it.
pub fn raise_nofile_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

        let limit = getrlimit(Resource::Nofile);
        // With fewer, connections wait until there is one (see `accept`).
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}
