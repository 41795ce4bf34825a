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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;
    use crate::clock::{Clock, TokenIds};
    use crate::config::DEFAULT_LIFETIMES;
    use crate::password::{Cost, Password};
    use crate::secret::Secret;
    use crate::store::StoredUser;

    const ANN: Id = Id::new(1);

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    /// The password changes while a login with the old one is being verified. That the change ends all tokens
    /// issued before would be worth nothing if the login got its tokens afterwards.
    #[test]
    fn a_login_with_the_old_password_gets_nothing_once_the_password_is_changed() {
        // Enough for the verification to be still under way when the change is made.
        let hasher = Cost { memory: 4096, iterations: 2, parallelism: 1 }.hasher().expect("a cost");
        let hash = hasher.hash(&password("old password")).expect("a hash");
        let users = BTreeMap::from([(ANN, StoredUser { name: "ann".to_owned(), hash })]);
        let store = Store::new(users, BTreeMap::new());
        let secret = Secret::random().expect("a key");
        let tokens = Tokens::new(&secret, DEFAULT_LIFETIMES, Clock::manual(1), TokenIds::Random);
        let passwords = Passwords::new(hasher.clone()).expect("a hash");
        let accounts = Accounts::new(store.clone(), tokens, passwords);
        let log_in =
            |text| accounts.log_in(Credentials { username: "ann".to_owned(), password: password(text) });
        let new = HashedUser {
            id: None,
            name: "ann".to_owned(),
            hash: hasher.hash(&password("new password")).expect("a hash"),
        };
        rocket::execute(async {
            let mut late = pin!(log_in("old password"));
            assert!(late.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            store.update_user(ANN, new, 1).expect("ann is there");
            assert_eq!(late.await.expect("it is hashed").err(), Some(InvalidCredentials));
            assert!(log_in("new password").await.expect("it is hashed").is_ok());
        });
    }
}
