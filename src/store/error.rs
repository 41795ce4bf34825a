//! What the store refuses, and why.

/// Nothing has that id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetError {
    /// Nothing has that id.
    NotFound,
}

/// Why a ship is not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateShipError {
    /// The body chose an id.
    IdGiven,
    /// The greatest id has been given out.
    IdsExhausted,
    /// There are as many ships as are stored.
    Full,
}

/// Why a ship is not replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateShipError {
    /// Nothing has that id.
    NotFound,
    /// The body names another id than the path.
    IdMismatch,
}

/// Why a user is not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateUserError {
    /// The body chose an id.
    IdGiven,
    /// Another user has that name.
    NameTaken,
    /// The greatest id has been given out.
    IdsExhausted,
    /// There are as many users as are stored.
    Full,
}

/// Why a user is not replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateUserError {
    /// Nothing has that id.
    NotFound,
    /// The body names another id than the path.
    IdMismatch,
    /// Another user has that name.
    NameTaken,
}

/// Why an access token that is in order is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// Its user is gone.
    UnknownUser,
    /// All tokens that its user had have been logged out.
    AllLoggedOut,
}

/// Why a refresh token that is in order is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshError {
    /// Its user is gone.
    UnknownUser,
    /// All tokens that its user had have been logged out.
    AllLoggedOut,
    /// Its user's password was changed after it was issued.
    PasswordChanged,
}
