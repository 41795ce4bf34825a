//! Rate limits that all nodes share: the token buckets of [`crate::auth::rate_limit`], by the clock of the database.

use tokio_postgres::types::Type;
use tokio_postgres::Row;

use super::conditions::Parameter;
use super::keys::{operation_number, NetworkKey};
use super::reading::{column, id, single, unexpected};
use super::{statements, Sql};
use crate::auth::network::Network;
use crate::auth::password::Hash;
use crate::auth::rate_limit::{Admission, Operation, Rate, RateLimited, Rates};
use crate::internal_error::{InternalError, OperationError};
use crate::model::id::Id;
use crate::store::{LoginAttempt, StoreResult};

const ADMITTING: &str = "counting a request";

/// The generic cell rate algorithm's numbers of a rate, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    /// The time that a request takes.
    interval: i64,
    /// How far ahead a bucket may be.
    tolerance: i64,
}

impl Cell {
    fn of(rate: Rate) -> Self {
        // A rate of 7 a minute has an interval of 8,571,428.57 us: a request early by less than one counts as in time.
        let interval = i64::try_from(rate.interval().as_micros()).unwrap_or(i64::MAX).max(1);
        Self { interval, tolerance: interval.saturating_mul(i64::from(rate.burst()) - 1) }
    }
}

/// The limits of each operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    by_address: Cell,
    by_user: Cell,
    overall: Cell,
    reserve: Cell,
}

impl Limits {
    pub(super) fn new(rates: &Rates) -> Self {
        Self {
            by_address: Cell::of(rates.by_address),
            by_user: Cell::of(rates.by_user),
            overall: Cell::of(rates.overall),
            reserve: Cell::of(rates.by_address.quarter()),
        }
    }
}

/// A request that is counted.
struct Counted {
    network: NetworkKey,
    bucket: i32,
    operation: i32,
}

impl Counted {
    fn parameters<'a>(&'a self, limits: &'a Limits) -> [Parameter<'a>; 11] {
        [
            (&self.network.hash, Type::INT8),
            (&self.network.slot, Type::INT4),
            (&self.bucket, Type::INT4),
            (&limits.by_address.interval, Type::INT8),
            (&limits.by_address.tolerance, Type::INT8),
            (&self.operation, Type::INT4),
            (&limits.overall.interval, Type::INT8),
            (&limits.overall.tolerance, Type::INT8),
            (&self.bucket, Type::INT4),
            (&limits.reserve.interval, Type::INT8),
            (&limits.reserve.tolerance, Type::INT8),
        ]
    }
}

impl Sql {
    /// As [`crate::store::Store::admit`].
    pub(crate) async fn admit(
        &self,
        operation: Operation,
        client: Network,
    ) -> StoreResult<Admission, RateLimited> {
        let counted = self.counted(operation, client);
        let rows = match &self.rates {
            // Only what hashes a password has a queue, in which known networks have places of their own.
            None if operation == Operation::Refresh => {
                return Ok(Admission { network: client, is_known: false });
            }
            None => {
                let parameters =
                    [(&counted.network.hash as _, Type::INT8), (&counted.network.slot as _, Type::INT4)];
                self.database.query(statements::ADMIT_UNLIMITED, &parameters).await?
            }
            Some(limits) => {
                let parameters = counted.parameters(limits);
                let (statement, parameters) = match operation {
                    Operation::Refresh => (statements::ADMIT_REFRESH, parameters.get(..5)),
                    _ => (statements::ADMIT_WRITE, parameters.get(..)),
                };
                self.database.query(statement, parameters.unwrap_or_default()).await?
            }
        };
        admission(single(&rows, ADMITTING)?, client)
    }

    fn counted(&self, operation: Operation, client: Network) -> Counted {
        Counted {
            network: self.keys.network(client),
            bucket: self.keys.bucket(operation, client),
            operation: i32::from(operation_number(operation)),
        }
    }

    /// As [`crate::store::Store::begin_login`].
    pub(crate) async fn begin_login(
        &self,
        name: &str,
        client: Network,
    ) -> StoreResult<LoginAttempt, RateLimited> {
        let counted = self.counted(Operation::LogIn, client);
        let (by_name, name) = (self.keys.name(name), name.as_bytes());
        let rows = match &self.rates {
            None => {
                let parameters: [Parameter<'_>; 3] = [
                    (&counted.network.hash, Type::INT8),
                    (&counted.network.slot, Type::INT4),
                    (&name, Type::BYTEA),
                ];
                self.database.query(statements::BEGIN_LOGIN_UNLIMITED, &parameters).await?
            }
            Some(limits) => {
                let mut parameters = counted.parameters(limits).to_vec();
                let own: [Parameter<'_>; 4] = [
                    (&by_name, Type::INT4),
                    (&limits.by_user.interval, Type::INT8),
                    (&limits.by_user.tolerance, Type::INT8),
                    (&name, Type::BYTEA),
                ];
                parameters.extend(own);
                self.database.query(statements::BEGIN_LOGIN, &parameters).await?
            }
        };
        let row = single(&rows, ADMITTING)?;
        let admission = admission(row, client)?;
        Ok(LoginAttempt { admission, account: account(row)? })
    }
}

/// The user of a login, and the hash of the password.
fn account(row: &Row) -> Result<Option<(Id, Hash)>, InternalError> {
    const WHAT: &str = "reading a user's password";
    let Some(number) = column(row, 2, WHAT)? else { return Ok(None) };
    let (id, hash): (Id, &str) = (id(number, WHAT)?, column(row, 3, WHAT)?);
    // The error says what is wrong with it, and does not repeat it.
    let hash = Hash::parse(hash).map_err(|error| unexpected(WHAT, format!("row {id}: {error}")))?;
    Ok(Some((id, hash)))
}

fn admission(row: &Row, client: Network) -> Result<Admission, OperationError<RateLimited>> {
    let retry_after: Option<i32> = column(row, 0, ADMITTING)?;
    if let Some(seconds) = retry_after {
        let retry_after = u32::try_from(seconds).unwrap_or(1).max(1);
        return Err(OperationError::Rejected(RateLimited { retry_after }));
    }
    Ok(Admission { network: client, is_known: column(row, 1, ADMITTING)? })
}
