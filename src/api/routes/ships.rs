//! Ships: anyone can read them; logged-in users can change them.

use rocket::{delete, get, post, put, State};
use rocket_okapi::openapi;

use crate::api::guards::access::AccessToken;
use crate::api::guards::body::{CreateBody, UpdateBody};
use crate::api::response::{Cacheable, Created, Json, NoContent};
use crate::api::result::{ApiResult, BodyOr};
use crate::json::EncodedJson;
use crate::model::id::Id;
use crate::model::ship::{Ship, ShipInput};
use crate::store::{CreateShipError, GetError, List, Store, UpdateShipError};

/// # List all ships
///
/// Returns all ships by ascending id.
#[openapi(tag = "ships")]
#[get("/api/ships")]
pub fn list(store: &State<Store>) -> Cacheable<List<Ship>> {
    Cacheable(store.ships())
}

/// # Get a ship
///
/// Returns the ship with that id.
#[openapi(tag = "ships")]
#[get("/api/ships/<id>")]
pub fn get(id: Id, store: &State<Store>) -> ApiResult<Cacheable<EncodedJson<Ship>>, GetError> {
    Ok(Cacheable(store.ship(id)?))
}

/// # Create a ship
///
/// Adds a ship under a new id.
#[openapi(tag = "ships")]
#[post("/api/ships", data = "<body>")]
pub fn create(
    _token: AccessToken,
    body: CreateBody<ShipInput>,
    store: &State<Store>,
) -> ApiResult<Created<EncodedJson<Ship>>, BodyOr<CreateShipError>> {
    let ship = body?.0;
    let (id, ship) = store.create_ship(ship)?;
    Ok(Created::under("/api/ships", id, ship))
}

/// # Replace a ship
///
/// Replaces the ship with that id.
#[openapi(tag = "ships")]
#[put("/api/ships/<id>", data = "<body>")]
pub fn update(
    id: Id,
    _token: AccessToken,
    body: UpdateBody<ShipInput>,
    store: &State<Store>,
) -> ApiResult<Json<EncodedJson<Ship>>, BodyOr<UpdateShipError>> {
    let ship = body?.0;
    Ok(Json(store.update_ship(id, ship)?))
}

/// # Delete a ship
///
/// Removes the ship with that id. The id is never reused.
#[openapi(tag = "ships")]
#[delete("/api/ships/<id>")]
pub fn delete(id: Id, _token: AccessToken, store: &State<Store>) -> ApiResult<NoContent, GetError> {
    store.delete_ship(id)?;
    Ok(NoContent)
}
