//! Signal handling, from the start of the process.
//!
//! A signal without a handler kills the process, unless it is process 1 of a container, which then never gets the signal.
//! So the handlers are installed before the settings are read, and signals that arrive in between are kept.

use std::io;

use tokio::sync::mpsc::{channel, Receiver, Sender};

/// The signals of a server. A signal that ends it is represented by the exit code of a process killed by that signal (POSIX,
/// 2.8.2).
pub struct Signals {
    came: Sender<i32>,
    coming: Receiver<i32>,
    /// The signals that start a graceful shutdown.
    gentle: Vec<i32>,
    /// SIGHUP, unless it ends the server.
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    /// Waits for a signal that ends the server.
    pub async fn ended(&mut self) -> i32 {
        match self.coming.recv().await {
            Some(code) => code,
            // It cannot be closed: this value has a sender itself.
            None => std::future::pending().await,
        }
    }

    /// Whether that signal starts a graceful shutdown.
    pub(super) fn is_gentle(&self, code: i32) -> bool {
        self.gentle.contains(&code)
    }
}

#[cfg(unix)]
mod unix {
    use rocket::config::Sig;
    use tokio::signal::unix::{signal, Signal, SignalKind};

    use super::{channel, io, Signals};

    fn exit_code(kind: SignalKind) -> i32 {
        128 + kind.as_raw_value()
    }

    fn kind(signal: Sig) -> SignalKind {
        match signal {
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
        }
    }

    impl Signals {
        /// Starts to listen for SIGHUP, SIGTERM and SIGINT. Call it within a runtime.
        ///
        /// # Errors
        /// [`io::Error`] if the system installs no handler.
        pub fn listen() -> io::Result<Self> {
            let hangup = signal(SignalKind::hangup())?;
            let (came, coming) = channel(2);
            let signals = Self { came, coming, gentle: Vec::new(), hangup: Some(hangup) };
            for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
                signals.forward(signal(kind)?, kind);
            }
            Ok(signals)
        }

        fn forward(&self, mut signal: Signal, kind: SignalKind) {
            let came = self.came.clone();
            tokio::spawn(async move {
                while signal.recv().await.is_some() && came.send(exit_code(kind)).await.is_ok() {}
            });
        }

        /// Listens for the configured signals as well. `at_hangup`: whether SIGHUP ends the process at once.
        ///
        /// # Errors
        /// [`io::Error`] if the system installs no handler.
        pub fn configure(&mut self, config: &rocket::config::Shutdown, at_hangup: bool) -> io::Result<()> {
            let mut kinds: Vec<SignalKind> = config.signals.iter().map(|signal| kind(*signal)).collect();
            if config.ctrlc {
                kinds.push(SignalKind::interrupt());
            }
            self.gentle = kinds.iter().map(|kind| exit_code(*kind)).collect();
            let hangup = SignalKind::hangup();
            if at_hangup || kinds.contains(&hangup) {
                if let Some(signal) = self.hangup.take() {
                    self.forward(signal, hangup);
                }
            }
            let listened_for = [hangup, SignalKind::terminate(), SignalKind::interrupt()];
            for kind in kinds.into_iter().filter(|kind| !listened_for.contains(kind)) {
                self.forward(signal(kind)?, kind);
            }
            Ok(())
        }

        /// SIGHUP, unless it ends the server.
        pub(in crate::http) fn take_hangup(&mut self) -> Option<Signal> {
            self.hangup.take()
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Starts to listen for Ctrl-C. Call it within a runtime.
    ///
    /// # Errors
    /// None.
    pub fn listen() -> io::Result<Self> {
        let (came, coming) = channel(2);
        let sender = came.clone();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() && sender.send(130).await.is_ok() {}
        });
        Ok(Self { came, coming, gentle: Vec::new() })
    }

    /// Sets whether Ctrl-C starts a graceful shutdown.
    ///
    /// # Errors
    /// None.
    pub fn configure(&mut self, config: &rocket::config::Shutdown, _: bool) -> io::Result<()> {
        self.gentle = config.ctrlc.then_some(130).into_iter().collect();
        Ok(())
    }
}
