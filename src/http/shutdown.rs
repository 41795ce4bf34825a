//! How the server ends.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::signals::Signals;

/// What the server is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It serves.
    Serving,
    /// It accepts no connections; what has been asked is answered, each time as the last answer of its connection.
    Draining,
    /// Only what is being sent is still sent.
    Closing,
    /// Nothing is waited for any more.
    Over,
}

/// How long it may take to give up what is left.
const FINAL_TIMEOUT: Duration = Duration::from_millis(100);

/// Ends a server in stages.
#[derive(Debug)]
pub struct Shutdown {
    stage: watch::Sender<Stage>,
    asked: watch::Receiver<bool>,
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
    /// A shutdown that lets requests go on for `grace` and answers be sent for `mercy` more.
    #[must_use]
    pub fn new(grace: Duration, mercy: Duration) -> (ShutdownHandle, Self) {
        let (ask, asked) = watch::channel(false);
        let (stage, _) = watch::channel(Stage::Serving);
        (ShutdownHandle(ask), Self { stage, asked, grace, mercy })
    }

    pub(super) fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Waits until the server is asked to end, then for `all_connections_have_ended`, as long as each stage
    /// may take.
    pub(super) async fn complete(mut self, all_connections_have_ended: impl Future<Output = ()>) {
        // An error means that no receiver is left.
        let _ = self.asked.wait_for(|asked| *asked).await;
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
        // Long enough to give up what is left, and to say so in the log.
        let _ = timeout(FINAL_TIMEOUT, ended).await;
    }
}

/// Ends the server at the first of the configured signals, and the process at the second; at any other signal that ends
/// a process, at once.
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
