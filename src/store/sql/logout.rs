//! Logouts, and the number of tokens that are on record for them.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_postgres::types::Type;

use super::conditions::Parameter;
use super::reading::{bigint, column, single};
use super::sessions::Token;
use super::{statements, Sql};
use crate::auth::token::Claims;
use crate::store::StoreResult;

/// Up to this maximum, the revoked tokens are counted exactly: it costs no more than the logout.
const COUNTED_EXACTLY: usize = 1000;

/// The most logouts of this node, and the longest time, from one count to the next. Until then, all nodes together may
/// exceed the maximum by as many as they log out.
const LOGOUTS_BETWEEN: u32 = 1000;
const TIME_BETWEEN: Duration = Duration::from_secs(60);

/// How long a list that is full is taken to stay so, without counting.
const FULL_FOR: Duration = Duration::from_secs(5);

/// Tokens are counted until the hour in which they expire is over, as in memory.
const HOUR: u64 = 3600;

/// When the revoked tokens were counted, which takes too long for each logout.
#[derive(Debug)]
pub(super) struct RevocationCount {
    max: usize,
    latest: Mutex<Option<Count>>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    at: Instant,
    logouts_since: u32,
    is_full: bool,
}

impl RevocationCount {
    pub(super) fn new(max: usize) -> Self {
        Self { max, latest: Mutex::new(None) }
    }

    /// The maximum that the next logout counts up to; none if it does not count.
    fn maximum(&self, now: Instant) -> Option<i64> {
        let max = bigint(self.max as u64);
        if self.max <= COUNTED_EXACTLY {
            return Some(max);
        }
        let mut latest = self.latest.lock();
        let Some(count) = latest.as_mut() else { return Some(max) };
        count.logouts_since += 1;
        let age = now.saturating_duration_since(count.at);
        match count {
            Count { is_full: true, .. } if age < FULL_FOR => Some(0),
            Count { is_full: false, logouts_since, .. }
                if *logouts_since < LOGOUTS_BETWEEN && age < TIME_BETWEEN =>
            {
                None
            }
            _ => Some(max),
        }
    }

    /// Records what a count up to the maximum came to.
    fn record(&self, now: Instant, is_full: bool) {
        *self.latest.lock() = Some(Count { at: now, logouts_since: 0, is_full });
    }
}

impl Sql {
    /// As [`crate::store::Store::log_out`].
    pub(crate) async fn log_out<E>(&self, token: &Claims, now: u64) -> StoreResult<(), E> {
        let (token, at) = (Token::from(token), Instant::now());
        let full = bigint(self.limits.revocations as u64);
        let most = self.revocations.maximum(at);
        let (mark, hour) = (bigint(self.mark(now)), bigint(now / HOUR * HOUR));
        let parameters: [Parameter<'_>; 7] = [
            (&token.user, Type::INT4),
            (&token.jti, Type::UUID),
            (&token.exp, Type::INT8),
            (&token.family, Type::UUID),
            (&mark, Type::INT8),
            (&most, Type::INT8),
            (&hour, Type::INT8),
        ];
        let rows = self.database.query(statements::LOG_OUT, &parameters).await?;
        let is_revoked: bool = column(single(&rows, "logging out")?, 0, "logging out")?;
        if most == Some(full) {
            self.revocations.record(at, !is_revoked);
        }
        Ok(())
    }
}
