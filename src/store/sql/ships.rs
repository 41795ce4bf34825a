//! Ships.

use tokio_postgres::types::Type;

use super::conditions::{refusal, version, Conditions, Parameter};
use super::encoding::{answered, NewRow, RowText};
use super::reading::{column, column_of, id, int, single, unexpected};
use super::{statements, Sql, MAX_ATTEMPTS};
use crate::internal_error::{OperationError, Unavailable};
use crate::json::{EncodedJson, Style};
use crate::model;
use crate::model::id::Id;
use crate::model::ship::{Ship, ShipInput, ShipPatch};
use crate::store::{CreateShipError, DeleteError, GetError, Precondition, StoreResult, UpdateShipError};

const READING: &str = "reading a ship";
const WRITING: &str = "writing a ship";

/// The values of a ship as its columns have them.
pub(super) struct ShipColumns<'a> {
    texts: [&'a [u8]; 5],
    numbers: [i32; 2],
    roles: Vec<&'a [u8]>,
}

impl<'a> ShipColumns<'a> {
    pub(super) fn of(ship: &'a Ship) -> Self {
        let texts = [&ship.affiliation, &ship.category, &ship.manufacturer, &ship.model, &ship.ship_class];
        Self {
            texts: texts.map(|text| text.as_bytes()),
            numbers: [ship.crew, ship.length],
            roles: ship.roles.iter().map(|role| role.as_bytes()).collect(),
        }
    }

    /// The columns `search` to `ship_class`, in their order in the statements.
    pub(super) fn parameters<'p>(&'p self, text: &'p RowText) -> [Parameter<'p>; 9] {
        let [affiliation, category, manufacturer, model, ship_class] = &self.texts;
        let [crew, length] = &self.numbers;
        [
            (&text.search, Type::BYTEA),
            (affiliation, Type::BYTEA),
            (category, Type::BYTEA),
            (crew, Type::INT4),
            (length, Type::INT4),
            (manufacturer, Type::BYTEA),
            (model, Type::BYTEA),
            (&self.roles, Type::BYTEA_ARRAY),
            (ship_class, Type::BYTEA),
        ]
    }
}

/// What an update found.
enum Updated {
    Done,
    NotFound,
    /// The row as it is.
    Refused {
        version: i64,
        body: String,
    },
}

impl Sql {
    /// As [`crate::store::Store::ship`].
    pub(crate) async fn ship(&self, id: Id) -> StoreResult<EncodedJson<Ship>, GetError> {
        let (version, body) =
            self.stored_ship(id).await?.ok_or(OperationError::Rejected(GetError::NotFound))?;
        Ok(answered(&body, version, self.style, READING, id)?)
    }

    async fn stored_ship<E>(&self, id: Id) -> StoreResult<Option<(i64, String)>, E> {
        let rows = self.database.query(statements::SHIP, &[(&int(id), Type::INT4)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some((column_of(row, 0, READING, id)?, column_of(row, 1, READING, id)?)))
    }

    /// As [`crate::store::Store::create_ship`].
    pub(crate) async fn create_ship(
        &self,
        input: ShipInput,
    ) -> StoreResult<(Id, EncodedJson<Ship>), CreateShipError> {
        if input.id.is_some() {
            return Err(OperationError::Rejected(CreateShipError::IdGiven));
        }
        let mut ship = input.with_id(Id::new(0));
        let row = NewRow::new(RowText::of_ship(&ship)?)?;
        let (before_id, after_id) = row.around_id();
        let most = i32::try_from(self.limits.ships).unwrap_or(i32::MAX);
        let columns = ShipColumns::of(&ship);
        let mut parameters: Vec<Parameter<'_>> = vec![
            (&most, Type::INT4),
            (&row.text.version, Type::INT8),
            (&before_id, Type::TEXT),
            (&after_id, Type::TEXT),
        ];
        let pretty_length = row.pretty_length();
        parameters.push((&pretty_length, Type::INT4));
        parameters.extend(columns.parameters(&row.text));
        let rows = self.database.query(statements::CREATE_SHIP, &parameters).await?;
        let created = single(&rows, WRITING)?;
        let (is_full, number): (bool, Option<i32>) =
            (column(created, 0, WRITING)?, column(created, 1, WRITING)?);
        let Some(number) = number else {
            let error = if is_full { CreateShipError::Full } else { CreateShipError::IdsExhausted };
            return Err(OperationError::Rejected(error));
        };
        let id = id(number, WRITING)?;
        ship.id = id;
        Ok((id, EncodedJson::new(&ship, self.style).with_version(version(row.text.version))))
    }

    /// As [`crate::store::Store::update_ship`].
    pub(crate) async fn update_ship(
        &self,
        id: Id,
        input: ShipInput,
        precondition: &Precondition,
    ) -> StoreResult<EncodedJson<Ship>, UpdateShipError> {
        let is_same = input.id.is_none_or(|given| given == id);
        let ship = input.with_id(id);
        let text = RowText::of_ship(&ship)?;
        let rejected = |error| Err(OperationError::Rejected(error));
        match self.write_ship(&ship, &text, &Conditions::of(precondition, is_same)).await? {
            Updated::Done => Ok(stored(&ship, &text, self.style)),
            Updated::NotFound => rejected(UpdateShipError::NotFound),
            Updated::Refused { .. } if !is_same => rejected(UpdateShipError::IdMismatch),
            Updated::Refused { version, .. } => Err(refusal(precondition, version, WRITING)),
        }
    }

    /// As [`crate::store::Store::patch_ship`]. Two statements, and one more each time that another write came between.
    pub(crate) async fn patch_ship(
        &self,
        id: Id,
        patch: ShipPatch,
        precondition: &Precondition,
    ) -> StoreResult<EncodedJson<Ship>, UpdateShipError> {
        let rejected = |error| Err(OperationError::Rejected(error));
        let is_same = patch.id.flatten().is_none_or(|given| given == id);
        let mut current = self.stored_ship(id).await?;
        for _ in 0..MAX_ATTEMPTS {
            let Some((number, body)) = current else { return rejected(UpdateShipError::NotFound) };
            if !is_same {
                return rejected(UpdateShipError::IdMismatch);
            }
            let allowed = precondition.check(Some(&version(number)));
            allowed.map_err(|error| OperationError::Rejected(error.into()))?;
            let mut input: ShipInput = model::parse(body.as_bytes())
                .map_err(|error| unexpected(READING, format!("row {id}: {error}")))?;
            input.apply(patch.clone());
            let ship = input.with_id(id);
            let text = RowText::of_ship(&ship)?;
            current = match self.write_ship(&ship, &text, &Conditions::exactly(number)).await? {
                Updated::Done => return Ok(stored(&ship, &text, self.style)),
                Updated::NotFound => None,
                Updated::Refused { version, body } => Some((version, body)),
            };
        }
        let reason = format!("{MAX_ATTEMPTS} other writes came between");
        Err(Unavailable::new("changing a ship", super::Unexpected(reason)).into())
    }

    /// Writes a ship, if its present version meets the conditions.
    async fn write_ship<E>(
        &self,
        ship: &Ship,
        text: &RowText,
        conditions: &Conditions,
    ) -> StoreResult<Updated, E> {
        let (id, columns) = (int(ship.id), ShipColumns::of(ship));
        let mut parameters: Vec<Parameter<'_>> = vec![(&id, Type::INT4)];
        let is_unconditional = conditions.are_none();
        if !is_unconditional {
            parameters.extend(conditions.parameters());
        }
        let own: [Parameter<'_>; 3] =
            [(&text.version, Type::INT8), (&text.body, Type::TEXT), (&text.pretty_length, Type::INT4)];
        parameters.extend(own);
        parameters.extend(columns.parameters(text));
        if is_unconditional {
            let rows = self.database.query(statements::REPLACE_SHIP, &parameters).await?;
            return Ok(if rows.is_empty() { Updated::NotFound } else { Updated::Done });
        }
        let rows = self.database.query(statements::UPDATE_SHIP, &parameters).await?;
        let Some(row) = rows.first() else { return Ok(Updated::NotFound) };
        let body: Option<String> = column_of(row, 2, WRITING, ship.id)?;
        Ok(match body {
            _ if column_of(row, 1, WRITING, ship.id)? => Updated::Done,
            body => Updated::Refused {
                version: column_of(row, 0, WRITING, ship.id)?,
                body: body.unwrap_or_default(),
            },
        })
    }

    /// As [`crate::store::Store::delete_ship`].
    pub(crate) async fn delete_ship(
        &self,
        id: Id,
        precondition: &Precondition,
    ) -> StoreResult<(), DeleteError> {
        self.delete(statements::DELETE_SHIP, id, precondition).await
    }

    /// Removes the row with that id by that statement.
    pub(super) async fn delete(
        &self,
        statement: &'static str,
        id: Id,
        precondition: &Precondition,
    ) -> StoreResult<(), DeleteError> {
        let (number, conditions) = (int(id), Conditions::of(precondition, true));
        let mut parameters: Vec<Parameter<'_>> = vec![(&number, Type::INT4)];
        parameters.extend(conditions.parameters());
        let rows = self.database.query(statement, &parameters).await?;
        let row = rows.first().ok_or(OperationError::Rejected(DeleteError::NotFound))?;
        if column_of(row, 1, "deleting a row", id)? {
            return Ok(());
        }
        Err(refusal(precondition, column_of(row, 0, "deleting a row", id)?, "deleting a row"))
    }
}

/// A ship that was written, as it is answered.
fn stored(ship: &Ship, text: &RowText, style: Style) -> EncodedJson<Ship> {
    EncodedJson::new(ship, style).with_version(version(text.version))
}
