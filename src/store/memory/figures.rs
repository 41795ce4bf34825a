//! Figures of the store in memory, for metrics. None takes the lock of users and ships.

use super::Memory;
use crate::metrics::table::{PAGE_QUEUE, PAGE_QUEUE_REFUSALS, REVOCATIONS};
use crate::metrics::Scrape;

impl Memory {
    /// Sets the figures.
    pub(in crate::store) fn set_figures(&self, scrape: &mut Scrape) {
        let queue = self.0.page_selector.queue_figures();
        scrape.set(&PAGE_QUEUE, &[], queue.length as u64);
        scrape.set(&PAGE_QUEUE_REFUSALS, &[], queue.refusals);
        scrape.set(&REVOCATIONS, &[], self.0.revoked.len() as u64);
    }
}
