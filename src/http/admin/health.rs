//! Health: whether the process lives, and whether it is ready for requests.
//!
//! An orchestrator restarts what does not live, and a load balancer sends requests only to what is ready
//! (<https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/>). So the first never asks the store:
//! if it did, an outage of a database would restart every node.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rocket::futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::http::Stage;

/// How long the store may take to say that it is ready.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// Asks the store whether it is ready. The error is a sentence for people.
pub type AskStore = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Whether the server is ready.
pub struct Readiness {
    stage: watch::Receiver<Stage>,
    ask_store: AskStore,
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness").field("stage", &self.stage).finish_non_exhaustive()
    }
}

impl Readiness {
    /// The readiness of a server in that stage, with a store that is always ready.
    #[must_use]
    pub fn new(stage: watch::Receiver<Stage>) -> Self {
        Self { stage, ask_store: Arc::new(|| Box::pin(async { Ok(()) })) }
    }

    /// The same with a store to ask.
    #[must_use]
    pub fn with_store(self, ask_store: AskStore) -> Self {
        Self { ask_store, ..self }
    }

    /// Checks that the server is ready.
    ///
    /// # Errors
    /// Why it is not: a sentence.
    pub(super) async fn check(&self) -> Result<(), String> {
        self.check_stage()?;
        let asked = timeout(STORE_TIMEOUT, (self.ask_store)()).await;
        let late = |_| Err(format!("The store did not answer within {} second.", STORE_TIMEOUT.as_secs()));
        asked.unwrap_or_else(late)?;
        // A signal may have come meanwhile.
        self.check_stage()
    }

    fn check_stage(&self) -> Result<(), String> {
        match *self.stage.borrow() {
            Stage::Serving => Ok(()),
            _ => Err("The server is shutting down.".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    fn readiness(ask_store: AskStore) -> (watch::Sender<Stage>, Readiness) {
        let (stage, observed) = watch::channel(Stage::Serving);
        (stage, Readiness::new(observed).with_store(ask_store))
    }

    #[test]
    fn is_ready_while_it_serves_and_the_store_says_so() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (stage, ready) = readiness(Arc::new(|| Box::pin(async { Ok(()) })));
            assert_eq!(ready.check().await, Ok(()));
            for not_serving in [Stage::Leaving, Stage::Draining, Stage::Closing, Stage::Over] {
                stage.send_replace(not_serving);
                assert_eq!(ready.check().await, Err("The server is shutting down.".to_owned()));
            }
            let (_stage, refused) = readiness(Arc::new(|| Box::pin(async { Err("No route.".to_owned()) })));
            assert_eq!(refused.check().await, Err("No route.".to_owned()));
        });
    }

    #[test]
    fn a_store_that_does_not_answer_is_not_ready() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (_stage, silent) = readiness(Arc::new(|| Box::pin(pending())));
            let began = Instant::now();
            let late = silent.check().await;
            assert_eq!(late, Err("The store did not answer within 1 second.".to_owned()));
            assert!(began.elapsed() < STORE_TIMEOUT * 5, "{:?}", began.elapsed());
        });
    }
}
