//! Ids of users and ships.

use std::fmt;
use std::str::FromStr;

use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::Rule;

/// The id of a user or of a ship, from 1 to [`Id::MAX`]. No id is given out twice.
///
/// A path may have any number. One that is never given out (0, or above [`Id::MAX`]) is well-formed too: no resource has
/// it, and no user owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(u64);

impl Id {
    /// The largest id, 2³¹ − 1, which the integers of every client can hold.
    pub const MAX: u64 = i32::MAX as u64;

    /// The id with that number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The id after this one; none after [`Id::MAX`].
    #[must_use]
    pub fn next(self) -> Option<Self> {
        (self.0 < Self::MAX).then(|| Self(self.0 + 1))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for Id {
    fn is_referenceable() -> bool {
        false
    }

    fn schema_name() -> String {
        "Id".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Rule::ID.schema().into()
    }
}

/// A path segment that is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl FromStr for Id {
    type Err = NotAnId;

    /// Decimal digits without sign, leading zero or white space, so that a resource has one path, not several. A number
    /// beyond 64 bits becomes the largest of 64 bits, which is not given out either.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty();
        if !canonical || (text.len() > 1 && text.starts_with('0')) {
            return Err(NotAnId);
        }
        Ok(Self(text.parse().unwrap_or(u64::MAX)))
    }
}
