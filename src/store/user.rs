//! Users as the store takes them.

use crate::auth::password::Hash;
use crate::auth::token::Claims;
use crate::model::id::Id;

/// A user of the data file, with the hash of the password, which is never returned.
#[derive(Clone, Debug)]
pub struct StoredUser {
    /// The unique name to log in with, in normal form.
    pub name: String,
    /// The hash of the password.
    pub hash: Hash,
}

/// A user from a request body, with the password hashed.
#[derive(Debug)]
pub struct HashedUser {
    /// The id, if the body chooses one.
    pub id: Option<Id>,
    /// The unique name to log in with.
    pub name: String,
    /// The hash of the password.
    pub hash: Hash,
}

/// A change of a user. What it does not have stays as it is.
#[derive(Debug)]
pub struct UserChange {
    /// The id, if the body repeats it.
    pub id: Option<Id>,
    /// The unique name to log in with.
    pub name: Option<String>,
    /// The hash of the password.
    pub hash: Option<Hash>,
    /// The token that allows the change, if it has been checked a while ago.
    pub token: Option<Claims>,
}
