//! Ships of the store.

use std::collections::BTreeMap;

use super::ids::Ids;
use super::rows::{List, Rows};
use super::{CreateShipError, GetError, Store, UpdateShipError};
use crate::json::{EncodedJson, Style};
use crate::model::id::Id;
use crate::model::ship::{Ship, ShipInput};

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
}

impl Store {
    /// All ships, by ascending id.
    #[must_use]
    pub fn ships(&self) -> List<Ship> {
        self.0.state.read().ships.rows.list()
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
        let freed = state.ships.rows.insert(id, ship.clone());
        drop(state);
        drop(freed);
        Ok((id, ship))
    }

    /// Replaces the ship with that id.
    ///
    /// # Errors
    /// [`UpdateShipError`].
    pub fn update_ship(&self, id: Id, input: ShipInput) -> Result<EncodedJson<Ship>, UpdateShipError> {
        let has_other_id = input.id.is_some_and(|given| given != id);
        let ship = EncodedJson::new(&input.with_id(id), self.0.style);
        let mut state = self.0.state.write();
        if state.ships.rows.get(id).is_none() {
            return Err(UpdateShipError::NotFound);
        }
        if has_other_id {
            return Err(UpdateShipError::IdMismatch);
        }
        let freed = state.ships.rows.insert(id, ship.clone());
        drop(state);
        drop(freed);
        Ok(ship)
    }

    /// Removes the ship with that id.
    ///
    /// # Errors
    /// [`GetError::NotFound`].
    pub fn delete_ship(&self, id: Id) -> Result<(), GetError> {
        let mut state = self.0.state.write();
        let freed = state.ships.rows.remove(id).ok_or(GetError::NotFound)?;
        drop(state);
        drop(freed);
        Ok(())
    }
}
