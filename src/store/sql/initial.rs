//! Initial rows in an empty schema.

use thiserror::Error;
use tokio_postgres::types::Type;
use tokio_postgres::GenericClient;

use super::conditions::Parameter;
use super::encoding::RowText;
use super::reading::int;
use super::ships::ShipColumns;
use super::statements;
use crate::internal_error::InternalError;
use crate::model::id::Id;
use crate::model::user::User;
use crate::store::initial_rows::InitialRows;

/// Why initial rows are not written.
#[derive(Debug, Error)]
pub enum InitialRowsError {
    /// The database refuses one.
    #[error("the database does not take a row")]
    Database(#[from] tokio_postgres::Error),
    /// One cannot be written.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// Writes the rows and the counters of their ids. `client` is a transaction, so that all are written or none.
///
/// # Errors
/// [`InitialRowsError`].
pub async fn insert(client: &impl GenericClient, rows: &InitialRows) -> Result<(), InitialRowsError> {
    let InitialRows { users, ships } = rows;
    let last = [users.keys().next_back(), ships.keys().next_back()].map(|id| id.map_or(0, |id| int(*id)));
    for ((kind, last_id), number) in ["users", "ships"].into_iter().zip(last).zip([users.len(), ships.len()])
    {
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        let parameters: [Parameter<'_>; 3] =
            [(&kind, Type::TEXT), (&last_id, Type::INT4), (&number, Type::INT4)];
        client.query_typed(statements::INSERT_COUNTER, &parameters).await?;
    }
    for (id, user) in users {
        insert_user(client, *id, &user.name, user.hash.as_str()).await?;
    }
    for (id, ship) in ships {
        let (text, columns) = (RowText::of_ship(ship)?, ShipColumns::of(ship));
        let id = int(*id);
        let mut parameters: Vec<Parameter<'_>> = vec![
            (&id, Type::INT4),
            (&text.version, Type::INT8),
            (&text.body, Type::TEXT),
            (&text.pretty_length, Type::INT4),
        ];
        parameters.extend(columns.parameters(&text));
        client.query_typed(statements::INSERT_SHIP, &parameters).await?;
    }
    Ok(())
}

async fn insert_user(
    client: &impl GenericClient,
    id: Id,
    name: &str,
    hash: &str,
) -> Result<(), InitialRowsError> {
    let text = RowText::of_user(&User { id, name: name.to_owned() })?;
    let (id, name) = (int(id), name.as_bytes());
    let parameters: [Parameter<'_>; 7] = [
        (&id, Type::INT4),
        (&text.version, Type::INT8),
        (&text.body, Type::TEXT),
        (&text.pretty_length, Type::INT4),
        (&text.search, Type::BYTEA),
        (&name, Type::BYTEA),
        (&hash, Type::TEXT),
    ];
    client.query_typed(statements::INSERT_USER, &parameters).await?;
    Ok(())
}
