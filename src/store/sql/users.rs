//! Users.

use tokio_postgres::types::Type;

use super::conditions::{refusal, Conditions, Parameter};
use super::database::DatabaseError;
use super::encoding::{answered, NewRow, RowText};
use super::reading::{bigint, column, column_of, id, int, single};
use super::{statements, Sql, Unexpected, MAX_ATTEMPTS};
use crate::auth::password::Hash;
use crate::auth::rate_limit::Admission;
use crate::internal_error::{OperationError, Unavailable};
use crate::json::EncodedJson;
use crate::model::id::Id;
use crate::model::user::User;
use crate::store::{
    CreateUserError, DeleteError, GetError, HashedUser, Precondition, StoreResult, UpdateUserError,
    UserChange,
};

/// The constraint that no two users have one name.
const UNIQUE_NAME: &str = "users_name";

const READING: &str = "reading a user";
const WRITING: &str = "writing a user";

impl Sql {
    /// As [`crate::store::Store::user`].
    pub(crate) async fn user(&self, id: Id) -> StoreResult<EncodedJson<User>, GetError> {
        let rows = self.database.query(statements::USER, &[(&int(id), Type::INT4)]).await?;
        let row = rows.first().ok_or(OperationError::Rejected(GetError::NotFound))?;
        let (version, body) = (column_of(row, 0, READING, id)?, column_of(row, 1, READING, id)?);
        Ok(answered(body, version, self.style, READING, id)?)
    }

    /// As [`crate::store::Store::create_user`]. One statement, and one more each time that another create came between.
    pub(crate) async fn create_user(
        &self,
        input: HashedUser,
    ) -> StoreResult<(Id, EncodedJson<User>), CreateUserError> {
        let rejected = |error| Err(OperationError::Rejected(error));
        if input.id.is_some() {
            return rejected(CreateUserError::IdGiven);
        }
        let mut user = User { id: Id::new(0), name: input.name };
        let row = NewRow::new(RowText::of_user(&user)?)?;
        for _ in 0..MAX_ATTEMPTS {
            let created = match self.insert_user(&user, &row, input.hash.as_str()).await {
                Err(DatabaseError::Duplicate(constraint)) if constraint == UNIQUE_NAME => {
                    return rejected(CreateUserError::NameTaken);
                }
                created => created?,
            };
            match created {
                Created::As(id) => {
                    user.id = id;
                    let version = super::conditions::version(row.text.version);
                    return Ok((id, EncodedJson::new(&user, self.style).with_version(version)));
                }
                Created::Refused(error) => return rejected(error),
                Created::Outrun => {}
            }
        }
        Err(outrun("creating a user").into())
    }

    async fn insert_user(&self, user: &User, row: &NewRow, hash: &str) -> Result<Created, DatabaseError> {
        let most = i32::try_from(self.limits.users).unwrap_or(i32::MAX);
        let ((before_id, after_id), pretty_length) = (row.around_id(), row.pretty_length());
        let name = user.name.as_bytes();
        let parameters: [Parameter<'_>; 8] = [
            (&most, Type::INT4),
            (&row.text.version, Type::INT8),
            (&before_id, Type::TEXT),
            (&after_id, Type::TEXT),
            (&pretty_length, Type::INT4),
            (&row.text.search, Type::BYTEA),
            (&name, Type::BYTEA),
            (&hash, Type::TEXT),
        ];
        let rows = self.database.query(statements::CREATE_USER, &parameters).await?;
        let row = single(&rows, WRITING)?;
        if let Some(number) = column(row, 0, WRITING)? {
            return Ok(Created::As(id(number, WRITING)?));
        }
        let reasons = [CreateUserError::NameTaken, CreateUserError::Full, CreateUserError::IdsExhausted];
        for (at, reason) in (1..).zip(reasons) {
            if column(row, at, WRITING)? {
                return Ok(Created::Refused(reason));
            }
        }
        Ok(Created::Outrun)
    }

    /// As [`crate::store::Store::update_user`].
    pub(crate) async fn update_user(
        &self,
        id: Id,
        change: UserChange,
        precondition: &Precondition,
        admission: &Admission,
        now: u64,
    ) -> StoreResult<EncodedJson<User>, UpdateUserError> {
        let rejected = |error| Err(OperationError::Rejected(error));
        let is_same = change.id.is_none_or(|given| given == id);
        let conditions = Conditions::of(precondition, is_same);
        for _ in 0..MAX_ATTEMPTS {
            let found = match self.write_user(id, &change, &conditions, admission, now).await {
                Err(DatabaseError::Duplicate(constraint)) if constraint == UNIQUE_NAME => {
                    return rejected(UpdateUserError::NameTaken);
                }
                found => found?,
            };
            match found {
                Found { token_has_ended: true, .. } => return rejected(UpdateUserError::TokenEnded),
                Found { current: None, .. } => return rejected(UpdateUserError::NotFound),
                _ if !is_same => return rejected(UpdateUserError::IdMismatch),
                Found { name_is_taken: true, .. } => return rejected(UpdateUserError::NameTaken),
                Found { written: Some((version, body)), .. } => {
                    return Ok(answered(&body, version, self.style, WRITING, id)?);
                }
                // The name was looked for before the row was locked, and may be taken by the time of this version.
                Found { is_stale: true, .. } if change.name.is_some() => {}
                Found { current: Some(current), .. } => return Err(refusal(precondition, current, WRITING)),
            }
        }
        Err(outrun("changing a user").into())
    }

    async fn write_user(
        &self,
        id: Id,
        change: &UserChange,
        conditions: &Conditions,
        admission: &Admission,
        now: u64,
    ) -> Result<Found, DatabaseError> {
        let name = change.name.clone();
        let text = name.map(|name| RowText::of_user(&User { id, name })).transpose()?;
        let version = text.as_ref().map_or_else(super::encoding::new_version, |text| Ok(text.version))?;
        let network = self.keys.network(admission.network);
        let number = int(id);
        let body = text.as_ref().map(|text| text.body.as_str());
        let pretty_length = text.as_ref().map(|text| text.pretty_length);
        let search = text.as_ref().map(|text| text.search.as_slice());
        let name = change.name.as_ref().map(|name| name.as_bytes());
        let hash = change.hash.as_ref().map(Hash::as_str);
        let (issued, jti) =
            (change.token.map(|token| bigint(token.iat)), change.token.map(|token| token.jti));
        let mark = bigint(self.mark(now));
        let mut parameters: Vec<Parameter<'_>> = vec![(&number, Type::INT4)];
        parameters.extend(conditions.parameters());
        let own: [Parameter<'_>; 11] = [
            (&version, Type::INT8),
            (&body, Type::TEXT),
            (&pretty_length, Type::INT4),
            (&search, Type::BYTEA),
            (&name, Type::BYTEA),
            (&hash, Type::TEXT),
            (&mark, Type::INT8),
            (&network.hash, Type::INT8),
            (&network.slot, Type::INT4),
            (&issued, Type::INT8),
            (&jti, Type::UUID),
        ];
        parameters.extend(own);
        let rows = self.database.query(statements::UPDATE_USER, &parameters).await?;
        let row = single(&rows, WRITING)?;
        let seen_is_current: Option<bool> = column_of(row, 3, WRITING, id)?;
        let written: Option<String> = column_of(row, 4, WRITING, id)?;
        Ok(Found {
            token_has_ended: column_of(row, 0, WRITING, id)?,
            current: column_of(row, 1, WRITING, id)?,
            name_is_taken: column_of(row, 2, WRITING, id)?,
            is_stale: seen_is_current == Some(false),
            written: written.map(|body| (version, body)),
        })
    }

    /// As [`crate::store::Store::delete_user`].
    pub(crate) async fn delete_user(
        &self,
        id: Id,
        precondition: &Precondition,
    ) -> StoreResult<(), DeleteError> {
        self.delete(statements::DELETE_USER, id, precondition).await
    }
}

/// What a create came to.
enum Created {
    As(Id),
    Refused(CreateUserError),
    /// Another create was faster.
    Outrun,
}

/// What an update found, and what it wrote.
struct Found {
    token_has_ended: bool,
    /// The version of the row.
    current: Option<i64>,
    name_is_taken: bool,
    /// Whether the row has changed since the other facts were read.
    is_stale: bool,
    /// The new version and body.
    written: Option<(i64, String)>,
}

fn outrun(what: &'static str) -> Unavailable {
    Unavailable::new(what, Unexpected(format!("{MAX_ATTEMPTS} other writes came between")))
}
