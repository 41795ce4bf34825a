//! What health checks and metrics ask the store.

use super::Store;
use crate::metrics::Scrape;

impl Store {
    /// Checks that the store can serve requests. The caller limits the time.
    ///
    /// # Errors
    /// Why it cannot: a sentence for people, without credentials.
    pub async fn check_ready(&self) -> Result<(), String> {
        match self {
            // It cannot be away.
            Self::Memory(_) => Ok(()),
            Self::Sql(sql) => Box::pin(sql.check_ready()).await,
        }
    }

    /// Sets the figures of the store.
    pub fn set_figures(&self, scrape: &mut Scrape) {
        match self {
            Self::Memory(memory) => memory.set_figures(scrape),
            Self::Sql(sql) => sql.set_figures(scrape),
        }
    }
}
