//! Preconditions of writes as parameters of a statement.

use tokio_postgres::types::{ToSql, Type};

use super::reading::unexpected;
use crate::internal_error::{InternalError, OperationError};
use crate::json::Version;
use crate::store::{Precondition, PreconditionError, Revisions};

/// A parameter of a statement.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Which versions a write may replace.
#[derive(Debug)]
pub(super) struct Conditions {
    /// Whether it may replace any.
    pub(super) allows_any: bool,
    /// Only these; none for every version.
    pub(super) these: Option<Vec<i64>>,
    /// None of these.
    pub(super) none_of: Vec<i64>,
}

impl Conditions {
    /// Those of a precondition. `is_possible` is whether nothing else forbids the write.
    pub(super) fn of(precondition: &Precondition, is_possible: bool) -> Self {
        let Precondition { if_match, if_none_match, is_required } = precondition;
        let lacks_required = *is_required && if_match.is_none();
        let refuses_all = matches!(if_none_match, Some(Revisions::Any));
        Self {
            allows_any: is_possible && !lacks_required && !refuses_all,
            these: if_match.as_ref().and_then(numbers),
            none_of: if_none_match.as_ref().and_then(numbers).unwrap_or_default(),
        }
    }

    /// Exactly that version.
    pub(super) fn exactly(version: i64) -> Self {
        Self { allows_any: true, these: Some(vec![version]), none_of: Vec::new() }
    }

    /// The parameters, in their order in the statements.
    pub(super) fn parameters(&self) -> [Parameter<'_>; 3] {
        [(&self.allows_any, Type::BOOL), (&self.these, Type::INT8_ARRAY), (&self.none_of, Type::INT8_ARRAY)]
    }

    /// Whether every version may be replaced.
    pub(super) fn are_none(&self) -> bool {
        self.allows_any && self.these.is_none() && self.none_of.is_empty()
    }
}

fn numbers(revisions: &Revisions) -> Option<Vec<i64>> {
    match revisions {
        Revisions::Any => None,
        Revisions::These(revisions) => {
            Some(revisions.iter().map(|revision| revision.cast_signed()).collect())
        }
    }
}

/// The version with that number.
pub(super) fn version(number: i64) -> Version {
    Version::new(number.cast_unsigned())
}

/// Why the statement did not write although the row is there.
pub(super) fn refusal<E: From<PreconditionError>>(
    precondition: &Precondition,
    current: i64,
    what: &'static str,
) -> OperationError<E> {
    match precondition.check(Some(&version(current))) {
        Err(error) => OperationError::Rejected(error.into()),
        Ok(()) => unwritten(what).into(),
    }
}

fn unwritten(what: &'static str) -> InternalError {
    unexpected(what, "nothing forbids the write, but it was not made".to_owned())
}
