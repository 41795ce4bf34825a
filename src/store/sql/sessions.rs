//! Tokens: which are accepted, and those that are issued for others.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::conditions::Parameter;
use super::keys::NetworkKey;
use super::reading::{bigint, column, int, single, unexpected};
use super::{statements, Sql};
use crate::auth::password::Hash;
use crate::auth::rate_limit::Admission;
use crate::auth::token::Claims;
use crate::internal_error::OperationError;
use crate::store::{AccessSessionError, RefreshSessionError, Rotation, StoreResult};

const CHECKING: &str = "checking a token";

/// A token as the tables have it.
pub(super) struct Token {
    pub(super) user: i32,
    pub(super) jti: Uuid,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) family: Option<Uuid>,
    /// 0 without a family.
    pub(super) generation: i64,
}

impl From<&Claims> for Token {
    fn from(claims: &Claims) -> Self {
        Self {
            user: int(claims.identity),
            jti: claims.jti,
            iat: bigint(claims.iat),
            exp: bigint(claims.exp),
            family: claims.family.map(|family| family.id),
            generation: claims.family.map_or(0, |family| i64::from(family.generation)),
        }
    }
}

impl Token {
    /// The parameters of a check. The last is only for refresh tokens.
    fn parameters(&self) -> [Parameter<'_>; 5] {
        [
            (&self.user, Type::INT4),
            (&self.jti, Type::UUID),
            (&self.iat, Type::INT8),
            (&self.exp, Type::INT8),
            (&self.family, Type::UUID),
        ]
    }

    fn issued(&self) -> [Parameter<'_>; 2] {
        [(&self.jti, Type::UUID), (&self.iat, Type::INT8)]
    }
}

impl NetworkKey {
    fn parameters(&self) -> [Parameter<'_>; 2] {
        [(&self.hash, Type::INT8), (&self.slot, Type::INT4)]
    }
}

/// What the codes of the statements mean.
fn refresh_error(code: i32) -> Option<RefreshSessionError> {
    Some(match code {
        1 => RefreshSessionError::Revoked,
        2 => RefreshSessionError::UnknownUser,
        3 => RefreshSessionError::AllLoggedOut,
        4 => RefreshSessionError::PasswordChanged,
        5 => RefreshSessionError::FamilyEnded,
        6 => RefreshSessionError::Reused,
        _ => return None,
    })
}

fn access_error(code: i32) -> Option<AccessSessionError> {
    Some(match code {
        1 => AccessSessionError::Revoked,
        2 => AccessSessionError::UnknownUser,
        3 => AccessSessionError::AllLoggedOut,
        _ => return None,
    })
}

impl Sql {
    /// Runs a statement that selects a code, of which 0 is success.
    async fn decide<E>(
        &self,
        statement: &'static str,
        parameters: &[Parameter<'_>],
        error_of: fn(i32) -> Option<E>,
    ) -> StoreResult<(), E> {
        let rows = self.database.query(statement, parameters).await?;
        match column(single(&rows, CHECKING)?, 0, CHECKING)? {
            0 => Ok(()),
            code => Err(match error_of(code) {
                Some(error) => OperationError::Rejected(error),
                None => unexpected(CHECKING, format!("the code {code}")).into(),
            }),
        }
    }

    /// As [`crate::store::Store::check_access`].
    pub(crate) async fn check_access(&self, access: &Claims) -> StoreResult<(), AccessSessionError> {
        let token = Token::from(access);
        let [user, jti, iat, exp, _] = token.parameters();
        self.decide(statements::CHECK_ACCESS, &[user, jti, iat, exp], access_error).await
    }

    /// As [`crate::store::Store::check_refresh`].
    pub(crate) async fn check_refresh(&self, refresh: &Claims) -> StoreResult<(), RefreshSessionError> {
        self.decide(statements::CHECK_REFRESH, &Token::from(refresh).parameters(), refresh_error).await
    }

    /// As [`crate::store::Store::refresh`].
    pub(crate) async fn refresh(
        &self,
        refresh: &Claims,
        access: &Claims,
        admission: &Admission,
    ) -> StoreResult<(), RefreshSessionError> {
        let (spent, issued, network) =
            (Token::from(refresh), Token::from(access), self.keys.network(admission.network));
        let mut parameters = spent.parameters().to_vec();
        parameters.extend(issued.issued());
        parameters.extend(network.parameters());
        self.decide(statements::REFRESH, &parameters, refresh_error).await
    }

    /// As [`crate::store::Store::rotate`].
    pub(crate) async fn rotate(
        &self,
        spent: &Claims,
        access: &Claims,
        next: &Claims,
        rotation: &Rotation,
        admission: &Admission,
    ) -> StoreResult<(), RefreshSessionError> {
        let (spent, access, next) = (Token::from(spent), Token::from(access), Token::from(next));
        let network = self.keys.network(rotation.client);
        let (now, grace) = (bigint(rotation.now), bigint(rotation.grace));
        let mut parameters = spent.parameters().to_vec();
        parameters.extend(access.issued());
        parameters.extend(network.parameters());
        parameters.extend(next.issued());
        let own: [Parameter<'_>; 3] =
            [(&spent.generation, Type::INT8), (&now, Type::INT8), (&grace, Type::INT8)];
        parameters.extend(own);
        debug_assert_eq!(rotation.client, admission.network, "one request has one client");
        self.decide(statements::ROTATE, &parameters, refresh_error).await
    }

    /// As [`crate::store::Store::complete_login`].
    pub(crate) async fn complete_login<E>(
        &self,
        verified: &Hash,
        access: &Claims,
        refresh: &Claims,
        admission: &Admission,
    ) -> StoreResult<bool, E> {
        let (access, refresh) = (Token::from(access), Token::from(refresh));
        let (hash, network) = (verified.as_str(), self.keys.network(admission.network));
        let mut parameters: Vec<Parameter<'_>> = vec![(&refresh.user, Type::INT4), (&hash, Type::TEXT)];
        parameters.extend(access.issued());
        parameters.extend(refresh.issued());
        let own: [Parameter<'_>; 3] =
            [(&refresh.exp, Type::INT8), (&refresh.family, Type::UUID), (&refresh.generation, Type::INT8)];
        parameters.extend(own);
        parameters.extend(network.parameters());
        let rows = self.database.query(statements::COMPLETE_LOGIN, &parameters).await?;
        Ok(column(single(&rows, CHECKING)?, 0, CHECKING)?)
    }
}
