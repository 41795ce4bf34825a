//! Table `key_checks`: which keys the nodes of a store sign with.
//!
//! A node signs only with a key that is in the table. A key comes into it with the node that has it as a further key, which
//! verifies: so a key that signs is one that the other nodes have had the time to know.

use thiserror::Error;
use tokio_postgres::types::Type;
use tokio_postgres::{GenericClient, Row};

use super::database::session::SqlError;
use super::database::{Database, DatabaseError};
use crate::auth::keys::KeyCheck;
use crate::internal_error::InternalError;

/// Why a node must not use its keys.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyCheckError {
    /// The signing key is not in the table.
    #[error(
        "the other nodes do not know the key {0}, which signs: start each with it as a further key first, or, if all are to \
         change at once, run `shipyard store set-keys`"
    )]
    Unknown(String),
    /// The table has another key of that name.
    #[error("the other nodes have another key {0}")]
    Other(String),
    /// There is none.
    #[error("there is no key")]
    None,
}

/// Compares the keys of this node with those in the table. Returns the keys that are not in it yet.
fn compare<'a>(found: &[KeyCheck], own: &'a [KeyCheck]) -> Result<Vec<&'a KeyCheck>, KeyCheckError> {
    let signing = own.first().ok_or(KeyCheckError::None)?;
    let named = |key: &KeyCheck| found.iter().find(|found| found.name == key.name);
    if let Some(other) = own.iter().find(|key| named(key).is_some_and(|found| found.code != key.code)) {
        return Err(KeyCheckError::Other(other.name.clone()));
    }
    if named(signing).is_none() {
        return Err(KeyCheckError::Unknown(signing.name.clone()));
    }
    Ok(own.iter().filter(|key| named(key).is_none()).collect())
}

fn key_check(row: &Row) -> Result<KeyCheck, tokio_postgres::Error> {
    Ok(KeyCheck { name: row.try_get(0)?, code: row.try_get(1)? })
}

/// Compares the keys of this node with those of the others, and adds its further keys to the table if `add` says so.
///
/// # Errors
/// [`DatabaseError`]; inside, [`KeyCheckError`].
pub async fn check(
    database: &Database,
    own: &[KeyCheck],
    add: bool,
) -> Result<Result<(), KeyCheckError>, DatabaseError> {
    const ALL: &str = "SELECT kid, mac FROM key_checks";
    const ADD: &str = "INSERT INTO key_checks (kid, mac) VALUES ($1, $2) ON CONFLICT (kid) DO NOTHING";
    let rows = database.query(ALL, &[]).await?;
    let found = rows.iter().map(key_check).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| {
        DatabaseError::Internal(InternalError::new("reading the codes of the keys", error))
    })?;
    let new = match compare(&found, own) {
        Ok(new) => new,
        Err(error) => return Ok(Err(error)),
    };
    for key in new.into_iter().filter(|_| add) {
        database.query(ADD, &[(&key.name, Type::TEXT), (&key.code, Type::BYTEA)]).await?;
    }
    Ok(Ok(()))
}

/// Makes these the keys of the store. `client` is a transaction.
///
/// # Errors
/// [`SqlError`].
pub async fn replace(client: &impl GenericClient, keys: &[KeyCheck]) -> Result<(), SqlError> {
    const CLEAR: &str = "DELETE FROM key_checks";
    const ADD: &str = "INSERT INTO key_checks (kid, mac) VALUES ($1, $2)";
    client.query_typed(CLEAR, &[]).await?;
    for key in keys {
        client.query_typed(ADD, &[(&key.name, Type::TEXT), (&key.code, Type::BYTEA)]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_signs_only_with_a_key_that_the_others_know() {
        let key = |name: &str, code: u8| KeyCheck { name: name.to_owned(), code: vec![code] };
        let found = [key("a", 1), key("b", 2)];
        assert_eq!(compare(&found, &[key("a", 1)]), Ok(vec![]));
        assert_eq!(compare(&found, &[key("b", 2), key("c", 3)]), Ok(vec![&key("c", 3)]));
        assert_eq!(compare(&found, &[key("c", 3), key("a", 1)]), Err(KeyCheckError::Unknown("c".to_owned())));
        assert_eq!(compare(&found, &[key("a", 1), key("b", 3)]), Err(KeyCheckError::Other("b".to_owned())));
        assert_eq!(compare(&[], &[key("a", 1)]), Err(KeyCheckError::Unknown("a".to_owned())));
        assert_eq!(compare(&found, &[]), Err(KeyCheckError::None));
    }
}
