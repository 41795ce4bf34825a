//! Initial rows: the users and ships that a store begins with.

use std::collections::BTreeMap;

use super::StoredUser;
use crate::model::id::Id;
use crate::model::ship::Ship;

/// Users, with their passwords hashed, and ships. Names must be unique.
#[derive(Clone, Debug, Default)]
pub struct InitialRows {
    /// The users.
    pub users: BTreeMap<Id, StoredUser>,
    /// The ships.
    pub ships: BTreeMap<Id, Ship>,
}
