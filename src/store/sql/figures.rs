//! Whether the database can be reached, and figures for the metrics.

use super::{statements, Sql};
use crate::internal_error::chain;
use crate::metrics::table::{
    DATABASE_CONNECTIONS, DATABASE_DISCARDED, DATABASE_ERRORS, DATABASE_RETRIES, DATABASE_STATEMENTS,
    DATABASE_WAITING, PAGE_QUEUE_REFUSALS,
};
use crate::metrics::Scrape;
use crate::store::sql::database::{DatabaseCounts, DatabaseError};

impl Sql {
    /// Asks the database for the row that all nodes share.
    pub(in crate::store) async fn check_ready(&self) -> Result<(), String> {
        match self.database.query(statements::HASH_KEY, &[]).await {
            Ok(rows) if !rows.is_empty() => Ok(()),
            Ok(_) => Err("the store in the database is empty".to_owned()),
            Err(DatabaseError::Unavailable(error)) => Err(chain(&error)),
            Err(DatabaseError::Internal(error)) => Err(chain(&error)),
            Err(DatabaseError::Duplicate(constraint)) => Err(constraint),
        }
    }

    pub(in crate::store) fn set_figures(&self, scrape: &mut Scrape) {
        let counts = self.counts();
        let DatabaseCounts { open, idle, waiting, statements, retries, discarded, unavailable, internal } =
            counts;
        scrape.set(&DATABASE_CONNECTIONS, &["busy"], open.saturating_sub(idle) as u64);
        scrape.set(&DATABASE_CONNECTIONS, &["idle"], idle as u64);
        scrape.set(&DATABASE_WAITING, &[], waiting as u64);
        scrape.set(&DATABASE_DISCARDED, &[], discarded);
        scrape.set(&DATABASE_STATEMENTS, &[], statements);
        scrape.set(&DATABASE_RETRIES, &[], retries);
        scrape.set(&DATABASE_ERRORS, &["unavailable"], unavailable);
        scrape.set(&DATABASE_ERRORS, &["internal"], internal);
        scrape.set(&PAGE_QUEUE_REFUSALS, &[], self.pages.refusals());
    }
}
