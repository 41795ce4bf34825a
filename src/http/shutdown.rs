//! Graceful shutdown.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::signals::Signals;

/// The stage of a server's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The server serves.
    Serving,
    /// The server still accepts connections, and each gets one response. A load balancer sees that the server is not ready, and
    /// sends no more requests.
    Leaving,
    /// The server accepts no connections. It responds to the requests that have arrived, and closes each connection after that.
    Draining,
    /// Only responses that are being sent are completed.
    Closing,
    /// All connections are aborted.
    Over,
}

impl Stage {
    /// Whether the server accepts connections.
    pub(super) fn accepts(self) -> bool {
        matches!(self, Self::Serving | Self::Leaving)
    }
}

/// How long aborting the remaining connections may take.
const FINAL_TIMEOUT: Duration = Duration::from_millis(100);

/// Shuts a server down in stages.
#[derive(Debug)]
pub struct Shutdown {
    stage: watch::Sender<Stage>,
    asked: watch::Receiver<bool>,
    delay: Duration,
    grace: Duration,
    mercy: Duration,
}

/// Asks a server to end. If it is dropped, the server ends as well.
#[derive(Debug)]
pub struct ShutdownHandle(watch::Sender<bool>);

impl ShutdownHandle {
    /// Asks the server to end.
    pub fn end(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// A shutdown that gives requests `grace`, and then responses `mercy`.
    #[must_use]
    pub fn new(grace: Duration, mercy: Duration) -> (ShutdownHandle, Self) {
        let (ask, asked) = watch::channel(false);
        let (stage, _) = watch::channel(Stage::Serving);
        (ShutdownHandle(ask), Self { stage, asked, delay: Duration::ZERO, grace, mercy })
    }

    /// The same shutdown, before which the server accepts connections for `delay`.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// The stage, as it changes.
    #[must_use]
    pub fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Waits until the server is asked to end, and then for `all_connections_have_ended`, through the stages.
    pub(super) async fn complete(mut self, all_connections_have_ended: impl Future<Output = ()>) {
        // An error means that no receiver is left.
        let _ = self.asked.wait_for(|asked| *asked).await;
        if !self.delay.is_zero() {
            self.stage.send_replace(Stage::Leaving);
            sleep(self.delay).await;
        }
        self.stage.send_replace(Stage::Draining);
        let mut ended = std::pin::pin!(all_connections_have_ended);
        if timeout(self.grace, ended.as_mut()).await.is_ok() {
            return;
        }
        self.stage.send_replace(Stage::Closing);
        if timeout(self.mercy, ended.as_mut()).await.is_ok() {
            return;
        }
        self.stage.send_replace(Stage::Over);
        // Time for the connections to end, and to be logged.
        let _ = timeout(FINAL_TIMEOUT, ended).await;
    }
}

/// Shuts the server down at the first of the configured signals, and ends the process at the second. Any other signal that
/// ends a process ends it at once.
pub fn on_signals(shutdown_handle: ShutdownHandle, mut signals: Signals) {
    tokio::spawn(async move {
        let mut is_asked = false;
        loop {
            let code = signals.ended().await;
            if is_asked || !signals.is_gentle(code) {
                std::process::exit(code);
            }
            is_asked = true;
            shutdown_handle.end();
        }
    });
}
