//! Worker threads.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// Threads with a runtime each. A connection stays on its thread: requests are short, and moving them between threads would
/// cost more than it gains.
pub(super) struct Workers {
    handles: Vec<Handle>,
    next: AtomicUsize,
    /// The threads end when it is dropped.
    _running: watch::Sender<()>,
}

impl Workers {
    /// Starts `count` threads, which use at most `max_blocking` more in total for blocking work.
    ///
    /// # Errors
    /// [`io::Error`] if the system gives no threads.
    pub(super) fn start(count: usize, max_blocking: usize) -> io::Result<Self> {
        let (running, _) = watch::channel(());
        let handles = (0..count).map(|_| start_one(max_blocking.div_ceil(count.max(1)), running.subscribe()));
        Ok(Self {
            handles: handles.collect::<io::Result<_>>()?,
            next: AtomicUsize::new(0),
            _running: running,
        })
    }

    /// Runs a future on the next thread.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len().max(1);
        if let Some(handle) = self.handles.get(turn) {
            handle.spawn(work);
        }
    }
}

fn start_one(max_blocking: usize, mut running: watch::Receiver<()>) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().max_blocking_threads(max_blocking).enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new().name("shipyard-worker".to_owned()).spawn(move || {
        // Nothing is ever sent. An error means that the `Workers` are dropped.
        while runtime.block_on(running.changed()).is_ok() {}
        // Does not wait for threads that hash passwords.
        runtime.shutdown_background();
    })?;
    Ok(handle)
}
