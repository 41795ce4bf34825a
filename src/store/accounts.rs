//! Accounts: login, refresh, logout, and every write of a password. No HTTP here.

use std::convert::Infallible;

use thiserror::Error;

use crate::auth::network::Network;
use crate::auth::password::{Hash, Passwords, QueueFull};
use crate::auth::rate_limit::{Admission, Operation, RateLimited};
use crate::auth::token::{Claims, Kind, Tokens};
use crate::internal_error::OperationError;
use crate::json::EncodedJson;
use crate::model::auth::{Credentials, RefreshedToken, TokenPair};
use crate::model::id::Id;
use crate::model::password::Password;
use crate::model::user::{User, UserInput, UserPatch};
use crate::store::{
    CreateUserError, HashedUser, LoginAttempt, Precondition, RefreshSessionError, Rotation, Store,
    UpdateUserError, UserChange,
};

/// Why a login fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LoginError {
    /// The name or the password is wrong; which one is not said.
    #[error("the name or the password is wrong")]
    Invalid,
    /// There were too many logins.
    #[error(transparent)]
    RateLimited(RateLimited),
    /// Too many passwords wait to be verified.
    #[error("too many passwords wait to be verified")]
    QueueFull,
}

/// Why a refresh fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RefreshError {
    /// There were too many refreshes.
    #[error(transparent)]
    RateLimited(RateLimited),
    /// The refresh token has ended since it was checked.
    #[error(transparent)]
    Refresh(RefreshSessionError),
}

/// Why a user is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WriteError<E> {
    /// There were too many such writes.
    #[error(transparent)]
    RateLimited(RateLimited),
    /// Too many passwords wait to be hashed.
    #[error("too many passwords wait to be hashed")]
    QueueFull,
    /// The store refuses it.
    #[error(transparent)]
    Store(E),
}

/// Users with their passwords and tokens.
#[derive(Clone)]
pub struct Accounts {
    store: Store,
    tokens: Tokens,
    passwords: Passwords,
    rotation_grace: Option<u64>,
}

impl Accounts {
    /// Accounts over the users of `store`.
    #[must_use]
    pub fn new(store: Store, tokens: Tokens, passwords: Passwords) -> Self {
        Self { store, tokens, passwords, rotation_grace: None }
    }

    /// With refresh rotation, if there is a grace: how many seconds a client has for using a refresh token again.
    #[must_use]
    pub fn with_rotation(self, grace: Option<u64>) -> Self {
        Self { rotation_grace: grace, ..self }
    }

    /// Checks a name and a password, and issues both tokens. An unknown name takes as long as a wrong password, and has the
    /// same rate limits.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn log_in(
        &self,
        login: Credentials,
        client: Network,
    ) -> Result<TokenPair, OperationError<LoginError>> {
        let attempt = self.store.begin_login(&login.username, client).await;
        let LoginAttempt { admission, account } =
            attempt.map_err(|error| error.map(LoginError::RateLimited))?;
        let hash = account.as_ref().map(|(_, hash)| hash.clone());
        let matches = self
            .passwords
            .verify(&admission, login.password, hash)
            .await
            .map_err(|error| error.map(|QueueFull| LoginError::QueueFull))?;
        let invalid = OperationError::Rejected(LoginError::Invalid);
        let Some((id, hash)) = account.filter(|_| matches) else { return Err(invalid) };
        let access = self.tokens.issue(Kind::Access, id)?;
        let refresh = match self.rotation_grace {
            None => self.tokens.issue(Kind::Refresh, id)?,
            Some(_) => self.tokens.issue_first_of_family(id)?,
        };
        let completed = self.store.complete_login(&hash, &access.claims, &refresh.claims, &admission).await;
        if !completed.map_err(|error| error.map(|never| match never {}))? {
            return Err(invalid);
        }
        Ok(TokenPair { access_token: access.text, refresh_token: refresh.text })
    }

    /// A new access token for the user of a refresh token. With refresh rotation, a new refresh token as well: the old one is
    /// spent.
    ///
    /// # Errors
    /// [`RefreshError`].
    pub async fn refresh(
        &self,
        refresh: &Claims,
        client: Network,
    ) -> Result<RefreshedToken, OperationError<RefreshError>> {
        let admission = self.store.admit(Operation::Refresh, client).await;
        let admission = admission.map_err(|error| error.map(RefreshError::RateLimited))?;
        let access = self.tokens.issue(Kind::Access, refresh.identity)?;
        let refresh_token = if let Some(grace) = self.rotation_grace {
            let ended = OperationError::Rejected(RefreshError::Refresh(RefreshSessionError::FamilyEnded));
            let family = refresh.family.ok_or(ended)?;
            let next = self.tokens.issue_next_of_family(refresh, family)?;
            let rotation = Rotation { client, now: self.tokens.now(), grace };
            let rotated =
                self.store.rotate(refresh, &access.claims, &next.claims, &rotation, &admission).await;
            if matches!(rotated, Err(OperationError::Rejected(RefreshSessionError::Reused))) {
                tracing::warn!(user = %refresh.identity, "a refresh token was used a second time; its login has ended");
            }
            rotated.map_err(|error| error.map(RefreshError::Refresh))?;
            Some(next.text)
        } else {
            let refreshed = self.store.refresh(refresh, &access.claims, &admission).await;
            refreshed.map_err(|error| error.map(RefreshError::Refresh))?;
            None
        };
        Ok(RefreshedToken { access_token: access.text, refresh_token })
    }

    /// Ends a token, as [`Store::log_out`] does.
    ///
    /// # Errors
    /// None of its own.
    pub async fn log_out(&self, token: &Claims) -> Result<(), OperationError<Infallible>> {
        self.store.log_out(token, self.tokens.now()).await
    }

    /// Creates a user.
    ///
    /// # Errors
    /// [`WriteError`] with [`CreateUserError`].
    pub async fn create(
        &self,
        input: UserInput,
        client: Network,
    ) -> Result<(Id, EncodedJson<User>), OperationError<WriteError<CreateUserError>>> {
        let UserInput { id, name, password } = input;
        let admission = self.admit_write(Operation::CreateUser, client).await?;
        let hash = self.hash(&admission, password).await?;
        let user = self.store.create_user(HashedUser { id, name, hash }).await;
        user.map_err(|error| error.map(WriteError::Store))
    }

    /// Changes the user of the access token. With a new password the user's refresh tokens end; access tokens live on until they
    /// expire.
    ///
    /// # Errors
    /// [`WriteError`] with [`UpdateUserError`].
    pub async fn update(
        &self,
        id: Id,
        token: &Claims,
        patch: UserPatch,
        precondition: &Precondition,
        client: Network,
    ) -> Result<EncodedJson<User>, OperationError<WriteError<UpdateUserError>>> {
        let UserPatch { id: given_id, name, password } = patch;
        let admission = self.admit_write(Operation::UpdateUser, client).await?;
        let hash = match password {
            Some(password) => Some(self.hash(&admission, password).await?),
            None => None,
        };
        let change = UserChange { id: given_id.flatten(), name, hash, token: Some(*token) };
        let user = self.store.update_user(id, change, precondition, &admission, self.tokens.now()).await;
        user.map_err(|error| error.map(WriteError::Store))
    }

    async fn admit_write<E>(
        &self,
        operation: Operation,
        client: Network,
    ) -> Result<Admission, OperationError<WriteError<E>>> {
        let admission = self.store.admit(operation, client).await;
        admission.map_err(|error| error.map(WriteError::RateLimited))
    }

    async fn hash<E>(
        &self,
        admission: &Admission,
        password: Password,
    ) -> Result<Hash, OperationError<WriteError<E>>> {
        let hash = self.passwords.hash(admission, password).await;
        hash.map_err(|error| error.map(|QueueFull| WriteError::QueueFull))
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
    use crate::store::initial_rows::InitialRows;
    use crate::store::memory::{Memory, MemoryConfig};
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
        let rows = InitialRows { users, ..InitialRows::default() };
        let memory = Memory::new(rows, &MemoryConfig::default());
        let secret = Secret::random().expect("a key");
        let tokens = Tokens::new(&secret, Lifetimes::default(), Clock::manual(1), TokenIds::Random);
        let passwords = Passwords::new(hasher.clone(), 16).expect("a hash");
        let accounts = Accounts::new(Store::Memory(memory.clone()), tokens, passwords);
        let log_in = |text| {
            accounts.log_in(Credentials { username: "ann".to_owned(), password: password(text) }, None.into())
        };
        let hash = hasher.hash(&password("new password")).expect("a hash");
        let new = UserChange { id: None, name: None, hash: Some(hash), token: None };
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(async {
            let admission = Admission::uncounted(None.into());
            let mut late = pin!(log_in("old password"));
            assert!(late.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            memory.update_user(ANN, new, &Precondition::NONE, &admission, 1).expect("ann is there");
            let refused = late.await.err();
            assert!(matches!(refused, Some(OperationError::Rejected(LoginError::Invalid))), "{refused:?}");
            assert!(log_in("new password").await.is_ok());
        });
    }
}
