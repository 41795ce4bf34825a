//! Errors of the store.

use thiserror::Error;

use super::PreconditionError;

/// Why a row is not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GetError {
    /// Nothing has that id.
    #[error("nothing has that id")]
    NotFound,
}

/// Why a ship is not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CreateShipError {
    /// The body chose an id.
    #[error("the body chooses an id")]
    IdGiven,
    /// The greatest id has been given out.
    #[error("no ids are left")]
    IdsExhausted,
    /// The limit of ships is reached.
    #[error("no more ships can be stored")]
    Full,
}

/// Why a ship is not replaced or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UpdateShipError {
    /// Nothing has that id.
    #[error("nothing has that id")]
    NotFound,
    /// The body names another id than the path.
    #[error("the body names another id than the path")]
    IdMismatch,
    /// The client does not allow it for the current version.
    #[error(transparent)]
    Precondition(#[from] PreconditionError),
}

/// Why a ship or a user is not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DeleteError {
    /// Nothing has that id.
    #[error("nothing has that id")]
    NotFound,
    /// The client does not allow it for the current version.
    #[error(transparent)]
    Precondition(#[from] PreconditionError),
}

/// Why a user is not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CreateUserError {
    /// The body chose an id.
    #[error("the body chooses an id")]
    IdGiven,
    /// Another user has that name.
    #[error("another user has that name")]
    NameTaken,
    /// The greatest id has been given out.
    #[error("no ids are left")]
    IdsExhausted,
    /// The limit of users is reached.
    #[error("no more users can be stored")]
    Full,
}

/// Why a user is not replaced or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UpdateUserError {
    /// The token has ended since it was checked.
    #[error("the token has ended")]
    TokenEnded,
    /// Nothing has that id.
    #[error("nothing has that id")]
    NotFound,
    /// The body names another id than the path.
    #[error("the body names another id than the path")]
    IdMismatch,
    /// Another user has that name.
    #[error("another user has that name")]
    NameTaken,
    /// The client does not allow it for the current version.
    #[error(transparent)]
    Precondition(#[from] PreconditionError),
}

/// Too many queries wait, of all clients or of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many queries wait")]
pub struct TooManyQueries;

/// Why the store refuses a valid access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AccessSessionError {
    /// The token was logged out.
    #[error("the token was logged out")]
    Revoked,
    /// The user has been deleted.
    #[error("the user has been deleted")]
    UnknownUser,
    /// The user has logged out all tokens since.
    #[error("all tokens of the user were logged out")]
    AllLoggedOut,
}

/// Why the store refuses a valid refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RefreshSessionError {
    /// The token was logged out.
    #[error("the token was logged out")]
    Revoked,
    /// The user has been deleted.
    #[error("the user has been deleted")]
    UnknownUser,
    /// The user has logged out all tokens since.
    #[error("all tokens of the user were logged out")]
    AllLoggedOut,
    /// The user's password was changed after the token was issued.
    #[error("the password was changed after the token was issued")]
    PasswordChanged,
    /// The token was spent before, which ends its family.
    #[error("the token was used a second time")]
    Reused,
    /// The family of the token has ended: one of its tokens was used a second time or logged out, or there were too many
    /// logins since.
    #[error("the family of the token has ended")]
    FamilyEnded,
}
