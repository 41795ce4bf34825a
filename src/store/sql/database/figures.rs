//! Figures of the database, for metrics.

use super::{Database, DatabaseCounts};
use crate::metrics::table::{
    DATABASE_CONNECTIONS, DATABASE_DISCARDED, DATABASE_ERRORS, DATABASE_RETRIES, DATABASE_STATEMENTS,
    DATABASE_WAITING,
};
use crate::metrics::Scrape;

impl Database {
    /// Sets the figures.
    pub fn set_figures(&self, scrape: &mut Scrape) {
        let counts = self.counts();
        let DatabaseCounts { open, idle, waiting, statements, retries, discarded, unavailable, internal } =
            counts;
        scrape.set(&DATABASE_CONNECTIONS, &["busy"], open.saturating_sub(idle) as u64);
        scrape.set(&DATABASE_CONNECTIONS, &["idle"], idle as u64);
        scrape.set(&DATABASE_WAITING, &[], waiting as u64);
        scrape.set(&DATABASE_STATEMENTS, &[], statements);
        scrape.set(&DATABASE_RETRIES, &[], retries);
        scrape.set(&DATABASE_DISCARDED, &[], discarded);
        scrape.set(&DATABASE_ERRORS, &["unavailable"], unavailable);
        scrape.set(&DATABASE_ERRORS, &["internal"], internal);
    }
}
