//! Where users, passwords and tokens meet: login, refresh, and every write of a password. No HTTP here.

use crate::internal::Internal;
use crate::model::auth::{Credentials, RefreshedToken, TokenPair};
use crate::model::id::Id;
use crate::model::user::{User, UserInput};
use crate::password::Passwords;
use crate::store::{CreateUserError, HashedUser, Store, UpdateUserError};
use crate::token::{Claims, Kind, Tokens};

/// The name or the password is wrong; which one is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCredentials;

/// Users with their passwords and tokens.
#[derive(Clone)]
pub struct Accounts {
    store: Store,
    tokens: Tokens,
    passwords: Passwords,
}

impl Accounts {
    /// Accounts over the users of `store`.
    #[must_use]
    pub fn new(store: Store, tokens: Tokens, passwords: Passwords) -> Self {
        Self { store, tokens, passwords }
    }

    /// Both tokens for a name and its password. An unknown name costs as much as a wrong password.
    ///
    /// # Errors
    /// [`InvalidCredentials`]; outside it [`Internal`].
    pub async fn log_in(
        &self,
        login: Credentials,
    ) -> Result<Result<TokenPair, InvalidCredentials>, Internal> {
        let found = self.store.credentials(&login.username);
        let hash = found.as_ref().map(|(_, hash)| hash.clone());
        let matches = self.passwords.verify(login.password, hash).await?;
        let Some((id, hash)) = found.filter(|_| matches) else { return Ok(Err(InvalidCredentials)) };
        let access = self.tokens.issue(Kind::Access, id)?;
        let refresh = self.tokens.issue(Kind::Refresh, id)?;
        if !self.store.admit_login(&hash, &refresh.claims) {
            return Ok(Err(InvalidCredentials));
        }
        Ok(Ok(TokenPair { access_token: access.text, refresh_token: refresh.text }))
    }

    /// A new access token for the user of a refresh token.
    ///
    /// # Errors
    /// [`Internal`].
    pub fn refresh(&self, refresh: &Claims) -> Result<RefreshedToken, Internal> {
        let access = self.tokens.issue(Kind::Access, refresh.identity)?;
        Ok(RefreshedToken { access_token: access.text })
    }

    /// Creates a user.
    ///
    /// # Errors
    /// [`CreateUserError`]; outside it [`Internal`].
    pub async fn create(&self, input: UserInput) -> Result<Result<User, CreateUserError>, Internal> {
        let user = self.hashed(input).await?;
        Ok(self.store.create_user(user))
    }

    /// Replaces a user's name and password. The user's refresh tokens end; access tokens live on until they
    /// expire.
    ///
    /// # Errors
    /// [`UpdateUserError`]; outside it [`Internal`].
    pub async fn update(&self, id: Id, input: UserInput) -> Result<Result<User, UpdateUserError>, Internal> {
        let user = self.hashed(input).await?;
        Ok(self.store.update_user(id, user, self.tokens.now()))
    }

    async fn hashed(&self, input: UserInput) -> Result<HashedUser, Internal> {
        let UserInput { id, name, password } = input;
        Ok(HashedUser { id, name, hash: self.passwords.hash(password).await? })
    }
}
