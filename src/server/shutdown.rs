//! How the server ends.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

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
const LAST_MOMENT: Duration = Duration::from_millis(100);

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
pub struct Ender(watch::Sender<bool>);

impl Ender {
    /// Asks the server to end.
    pub fn end(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// A shutdown that lets requests go on for `grace` and answers be sent for `mercy` more.
    #[must_use]
    pub fn new(grace: Duration, mercy: Duration) -> (Ender, Self) {
        let (ask, asked) = watch::channel(false);
        let (stage, _) = watch::channel(Stage::Serving);
        (Ender(ask), Self { stage, asked, grace, mercy })
    }

    pub(super) fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Waits until the server is asked to end, then for `all_connections_have_ended`, as long as each stage
    /// may take.
    pub(super) async fn complete(mut self, all_connections_have_ended: impl Future<Output = ()>) {
        // An error says that nobody is left to ask.
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
        let _ = timeout(LAST_MOMENT, ended).await;
    }
}

/// Ends the server at the first of the configured signals, and the process at the second.
///
/// # Errors
/// The system's, if a signal cannot be listened for.
pub fn on_signals(ender: Ender, config: &rocket::config::Shutdown) -> io::Result<()> {
    let mut signals = listen(config)?;
    tokio::spawn(async move {
        if signals.recv().await.is_some() {
            ender.end();
            if let Some(code) = signals.recv().await {
                std::process::exit(code);
            }
        }
        // Without signals to listen for, the server serves until it is killed.
        std::future::pending::<()>().await;
        drop(ender);
    });
    Ok(())
}

/// The signals that end the server: each time one comes, the exit code of a process that it ends at once.
#[cfg(unix)]
fn listen(config: &rocket::config::Shutdown) -> io::Result<tokio::sync::mpsc::Receiver<i32>> {
    use rocket::config::Sig;
    use tokio::signal::unix::{signal, SignalKind};

    let kind = |signal: &Sig| match signal {
        Sig::Alrm => SignalKind::alarm(),
        Sig::Chld => SignalKind::child(),
        Sig::Hup => SignalKind::hangup(),
        Sig::Int => SignalKind::interrupt(),
        Sig::Io => SignalKind::io(),
        Sig::Pipe => SignalKind::pipe(),
        Sig::Quit => SignalKind::quit(),
        Sig::Term => SignalKind::terminate(),
        Sig::Usr1 => SignalKind::user_defined1(),
        Sig::Usr2 => SignalKind::user_defined2(),
    };
    let mut kinds: Vec<SignalKind> = config.signals.iter().map(kind).collect();
    if config.ctrlc && !config.signals.contains(&Sig::Int) {
        kinds.push(SignalKind::interrupt());
    }
    let (came, coming) = tokio::sync::mpsc::channel(2);
    for kind in kinds {
        let mut signals = signal(kind)?;
        let came = came.clone();
        tokio::spawn(async move {
            // As a shell tells that a signal was the end (POSIX, 2.8.2).
            while signals.recv().await.is_some() && came.send(128 + kind.as_raw_value()).await.is_ok() {}
        });
    }
    Ok(coming)
}

#[cfg(not(unix))]
fn listen(config: &rocket::config::Shutdown) -> io::Result<tokio::sync::mpsc::Receiver<i32>> {
    let (came, coming) = tokio::sync::mpsc::channel(2);
    if config.ctrlc {
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() && came.send(130).await.is_ok() {}
        });
    }
    Ok(coming)
}
