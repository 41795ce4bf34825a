//! Where users, passwords and tokens meet: login, refresh, and every write of a password. No HTTP here.

use crate::auth::network::Network;
use crate::auth::password::{Passwords, QueueFull};
use crate::auth::rate_limit::{Admission, Operation, RateLimited, RateLimiter};
use crate::auth::token::{Claims, Kind, Tokens};
use crate::internal_error::InternalError;
use crate::model::auth::{Credentials, RefreshedToken, TokenPair};
use crate::model::id::Id;
use crate::model::user::{User, UserInput};
use crate::store::{CreateUserError, HashedUser, RefreshError, Store, UpdateUserError};

/// Why nobody is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogInError {
    /// The name or the password is wrong; which one is not said.
    Invalid,
    /// There were too many logins.
    RateLimited(RateLimited),
    /// Too many passwords wait to be verified.
    QueueFull,
}

/// Why there is no new access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewError {
    /// There were too many refreshes.
    RateLimited(RateLimited),
    /// The refresh token has ended since it was looked at.
    Refresh(RefreshError),
}

/// Why a user is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError<E> {
    /// There were too many such writes.
    RateLimited(RateLimited),
    /// Too many passwords wait to be hashed.
    QueueFull,
    /// The store refuses it.
    Store(E),
}

/// Users with their passwords and tokens.
#[derive(Clone)]
pub struct Accounts {
    store: Store,
    tokens: Tokens,
    passwords: Passwords,
    rate_limiter: RateLimiter,
    max_revocations: usize,
}

impl Accounts {
    /// Accounts over the users of `store`, of which at most `max_revocations` tokens are logged out singly.
    #[must_use]
    pub fn new(
        store: Store,
        tokens: Tokens,
        passwords: Passwords,
        rate_limiter: RateLimiter,
        max_revocations: usize,
    ) -> Self {
        Self { store, tokens, passwords, rate_limiter, max_revocations }
    }

    /// Both tokens for a name and its password. An unknown name costs as much as a wrong password, and is
    /// limited as one that is known.
    ///
    /// # Errors
    /// [`LogInError`]; outside it [`InternalError`].
    pub async fn log_in(
        &self,
        login: Credentials,
        client: Network,
    ) -> Result<Result<TokenPair, LogInError>, InternalError> {
        let returning = self.store.returning_user(&login.username, client);
        let admission = match self.rate_limiter.admit_login(&login.username, returning, client) {
            Ok(admission) => admission,
            Err(error) => return Ok(Err(LogInError::RateLimited(error))),
        };
        let found = self.store.credentials(&login.username);
        let hash = found.as_ref().map(|(_, hash)| hash.clone());
        let Ok(matches) = self.passwords.verify(&admission, login.password, hash).await? else {
            return Ok(Err(LogInError::QueueFull));
        };
        let Some((id, hash)) = found.filter(|_| matches) else { return Ok(Err(LogInError::Invalid)) };
        let access = self.tokens.issue(Kind::Access, id)?;
        let refresh = self.tokens.issue(Kind::Refresh, id)?;
        if !self.store.admit_login(&hash, &access.claims, &refresh.claims) {
            return Ok(Err(LogInError::Invalid));
        }
        self.store.remember_network(id, &hash, client);
        self.rate_limiter.succeeded(&admission);
        Ok(Ok(TokenPair { access_token: access.text, refresh_token: refresh.text }))
    }

    /// A new access token for the user of a refresh token.
    ///
    /// # Errors
    /// [`RenewError`]; outside it [`InternalError`].
    pub fn refresh(
        &self,
        refresh: &Claims,
        client: Network,
    ) -> Result<Result<RefreshedToken, RenewError>, InternalError> {
        let admission = match self.rate_limiter.admit(Operation::Refresh, client) {
            Ok(admission) => admission,
            Err(error) => return Ok(Err(RenewError::RateLimited(error))),
        };
        let access = self.tokens.issue(Kind::Access, refresh.identity)?;
        if let Err(error) = self.store.admit_refresh(refresh, &access.claims) {
            return Ok(Err(RenewError::Refresh(error)));
        }
        self.rate_limiter.refreshed(&admission);
        Ok(Ok(RefreshedToken { access_token: access.text }))
    }

    /// Ends that token. If there is no room to remember it by itself, all tokens of its user end that were
    /// issued until now: none that was logged out is ever let in, and nobody else notices.
    pub fn log_out(&self, token: &Claims) {
        if self.tokens.revoke(token, self.max_revocations).is_err() {
            self.store.log_out(token.identity, self.tokens.now());
        }
    }

    /// Creates a user.
    ///
    /// # Errors
    /// [`WriteError`] with [`CreateUserError`]; outside it [`InternalError`].
    pub async fn create(
        &self,
        input: UserInput,
        client: Network,
    ) -> Result<Result<User, WriteError<CreateUserError>>, InternalError> {
        Ok(match self.hashed(Operation::CreateUser, input, client).await? {
            Ok((user, _)) => self.store.create_user(user).map_err(WriteError::Store),
            Err(error) => Err(error),
        })
    }

    /// Replaces a user's name and password. The user's refresh tokens end; access tokens live on until they
    /// expire.
    ///
    /// # Errors
    /// [`WriteError`] with [`UpdateUserError`]; outside it [`InternalError`].
    pub async fn update(
        &self,
        id: Id,
        input: UserInput,
        client: Network,
    ) -> Result<Result<User, WriteError<UpdateUserError>>, InternalError> {
        let (user, admission) = match self.hashed(Operation::UpdateUser, input, client).await? {
            Ok(hashed) => hashed,
            Err(error) => return Ok(Err(error)),
        };
        let hash = user.hash.clone();
        Ok(self.store.update_user(id, user, self.tokens.now()).map_err(WriteError::Store).inspect(|_| {
            // A client that sets a password knows it.
            self.store.remember_network(id, &hash, client);
            self.rate_limiter.succeeded(&admission);
        }))
    }

    async fn hashed<E>(
        &self,
        operation: Operation,
        input: UserInput,
        client: Network,
    ) -> Result<Result<(HashedUser, Admission), WriteError<E>>, InternalError> {
        let admission = match self.rate_limiter.admit(operation, client) {
            Ok(admission) => admission,
            Err(error) => return Ok(Err(WriteError::RateLimited(error))),
        };
        let UserInput { id, name, password } = input;
        let hash = self.passwords.hash(&admission, password).await?;
        let user = hash.map(|hash| (HashedUser { id, name, hash }, admission));
        Ok(user.map_err(|QueueFull| WriteError::QueueFull))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;
    use crate::auth::clock::{Clock, TokenIds};
    use crate::auth::password::Cost;
    use crate::auth::secret::Secret;
    use crate::auth::token::Lifetimes;
    use crate::model::password::Password;
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
        let hasher = Cost { memory: 32 * 1024, iterations: 3, parallelism: 1 }.hasher().expect("a cost");
        let hash = hasher.hash(&password("old password")).expect("a hash");
        let users = BTreeMap::from([(ANN, StoredUser { name: "ann".to_owned(), hash })]);
        let store = Store::new(users, BTreeMap::new());
        let secret = Secret::random().expect("a key");
        let tokens = Tokens::new(&secret, Lifetimes::default(), Clock::manual(1), TokenIds::Random);
        let passwords = Passwords::new(hasher.clone(), 16).expect("a hash");
        let accounts = Accounts::new(store.clone(), tokens, passwords, RateLimiter::new(None), 1000);
        let log_in = |text| {
            accounts.log_in(Credentials { username: "ann".to_owned(), password: password(text) }, None.into())
        };
        let new = HashedUser {
            id: None,
            name: "ann".to_owned(),
            hash: hasher.hash(&password("new password")).expect("a hash"),
        };
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(async {
            let mut late = pin!(log_in("old password"));
            assert!(late.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            store.update_user(ANN, new, 1).expect("ann is there");
            assert_eq!(late.await.expect("it is hashed").err(), Some(LogInError::Invalid));
            assert!(log_in("new password").await.expect("it is hashed").is_ok());
        });
    }
}
