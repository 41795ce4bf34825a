//! Ships of the store.

use std::collections::BTreeMap;

use super::ids::Ids;
use super::list::List;
use super::page::page;
use super::rows::{Rows, Tree};
use super::{Memory, Shared};
use crate::internal_error::{InternalError, OperationError};
use crate::json::{EncodedJson, Style};
use crate::model;
use crate::model::id::Id;
use crate::model::query::ListQuery;
use crate::model::ship::{Ship, ShipInput, ShipPatch};
use crate::store::{CreateShipError, DeleteError, GetError, Page, Precondition, UpdateShipError};

/// The ships, as encoded text.
#[derive(Debug)]
pub(super) struct Ships {
    rows: Rows<Ship>,
    ids: Ids,
}

impl Ships {
    pub(super) fn new(ships: &BTreeMap<Id, Ship>, style: Style) -> Self {
        let encoded = ships.iter().map(|(id, ship)| (*id, EncodedJson::new(ship, style)));
        Self { rows: Rows::new(style, encoded), ids: Ids::after(ships.keys().next_back().copied()) }
    }

    /// Records that all rows are about to be dropped.
    pub(super) fn end_all(&mut self) -> Vec<Tree<Ship>> {
        self.rows.end_all()
    }

    /// The ship that a write would replace, if the write is allowed. `given_id` is the one in the body.
    fn check_update(
        &self,
        id: Id,
        given_id: Option<Id>,
        precondition: &Precondition,
    ) -> Result<&EncodedJson<Ship>, UpdateShipError> {
        let current = self.rows.get(id).ok_or(UpdateShipError::NotFound)?;
        if given_id.is_some_and(|given| given != id) {
            return Err(UpdateShipError::IdMismatch);
        }
        precondition.check(current.version())?;
        Ok(current)
    }
}

impl Memory {
    /// All ships, by ascending id.
    #[must_use]
    pub fn ships(&self) -> List<Ship> {
        self.0.state.read().ships.rows.list()
    }

    /// The ships that the query asks for.
    #[must_use]
    pub fn find_ships(&self, query: &ListQuery) -> Page<Ship> {
        let Shared { ship_index, state, .. } = &*self.0;
        page(
            ship_index,
            query,
            || state.read().ships.rows.for_index(),
            |list| state.read().ships.rows.track(list),
        )
    }

    /// The ship with that id.
    ///
    /// # Errors
    /// [`GetError::NotFound`].
    pub fn ship(&self, id: Id) -> Result<EncodedJson<Ship>, GetError> {
        self.0.state.read().ships.rows.get(id).cloned().ok_or(GetError::NotFound)
    }

    /// Adds a ship under a new id, and returns both.
    ///
    /// # Errors
    /// [`CreateShipError`].
    pub fn create_ship(&self, input: ShipInput) -> Result<(Id, EncodedJson<Ship>), CreateShipError> {
        if input.id.is_some() {
            return Err(CreateShipError::IdGiven);
        }
        let mut state = self.0.state.write();
        if state.ships.rows.len() >= state.limits.ships {
            return Err(CreateShipError::Full);
        }
        let id = state.ships.ids.next_id().ok_or(CreateShipError::IdsExhausted)?;
        let ship = EncodedJson::new(&input.with_id(id), self.0.style);
        let (ship, freed) = state.ships.rows.insert(id, ship);
        drop(state);
        drop(freed);
        Ok((id, ship))
    }

    /// Replaces the ship with that id.
    ///
    /// # Errors
    /// [`UpdateShipError`].
    pub fn update_ship(
        &self,
        id: Id,
        input: ShipInput,
        precondition: &Precondition,
    ) -> Result<EncodedJson<Ship>, UpdateShipError> {
        let given_id = input.id;
        let ship = EncodedJson::new(&input.with_id(id), self.0.style);
        let mut state = self.0.state.write();
        state.ships.check_update(id, given_id, precondition)?;
        let (ship, freed) = state.ships.rows.insert(id, ship);
        drop(state);
        drop(freed);
        Ok(ship)
    }

    /// Changes the fields of the ship with that id that the patch has.
    ///
    /// # Errors
    /// [`UpdateShipError`].
    pub fn patch_ship(
        &self,
        id: Id,
        patch: ShipPatch,
        precondition: &Precondition,
    ) -> Result<EncodedJson<Ship>, OperationError<UpdateShipError>> {
        let mut state = self.0.state.write();
        let current = state
            .ships
            .check_update(id, patch.id.flatten(), precondition)
            .map_err(OperationError::Rejected)?;
        let mut input: ShipInput = model::parse(current.text().map_or(&[], |text| text))
            .map_err(|error| InternalError::new("reading a stored ship", error))?;
        input.apply(patch);
        let ship = EncodedJson::new(&input.with_id(id), self.0.style);
        let (ship, freed) = state.ships.rows.insert(id, ship);
        drop(state);
        drop(freed);
        Ok(ship)
    }

    /// Removes the ship with that id.
    ///
    /// # Errors
    /// [`DeleteError`].
    pub fn delete_ship(&self, id: Id, precondition: &Precondition) -> Result<(), DeleteError> {
        let mut state = self.0.state.write();
        let current = state.ships.rows.get(id).ok_or(DeleteError::NotFound)?;
        precondition.check(current.version())?;
        let freed = state.ships.rows.remove(id);
        drop(state);
        drop(freed);
        Ok(())
    }
}
