//! Logins: what the store is told of a login or a refresh, and what it tells.

use crate::auth::network::Network;
use crate::auth::password::Hash;
use crate::auth::rate_limit::Admission;
use crate::model::id::Id;

/// A login that was counted.
#[derive(Debug)]
pub struct LoginAttempt {
    /// The permission to verify a password.
    pub admission: Admission,
    /// The id and the password hash of the user with that name, if there is one.
    pub account: Option<(Id, Hash)>,
}

/// The refresh of a token that is spent by it.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// The client of the request.
    pub client: Network,
    /// The time, in seconds since 1970.
    pub now: u64,
    /// How many seconds the same client has for using the same token again: the response may have been lost.
    pub grace: u64,
}
