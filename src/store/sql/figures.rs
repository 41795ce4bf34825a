//! Whether the database can be reached, and figures for the metrics.

use super::{statements, Sql};
use crate::internal_error::chain;
use crate::metrics::table::PAGE_QUEUE_REFUSALS;
use crate::metrics::Scrape;
use crate::store::sql::database::DatabaseError;

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
        self.database.set_figures(scrape);
        scrape.set(&PAGE_QUEUE_REFUSALS, &[], self.pages.refusals());
    }
}
