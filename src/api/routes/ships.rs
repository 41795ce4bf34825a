//! Ships: anyone can read them; logged-in users can change them.

use std::net::IpAddr;

use rocket::{delete, get, patch, post, put, State};
use rocket_okapi::openapi;

use crate::api::guards::access::AccessToken;
use crate::api::guards::body::{CreateBody, PatchBody, UpdateBody};
use crate::api::guards::list_query::Query;
use crate::api::response::{Cacheable, Created, Listing, NoContent, Stored};
use crate::api::result::{ApiResult, BodyOr};
use crate::json::EncodedJson;
use crate::model::id::Id;
use crate::model::ship::{Ship, ShipInput};
use crate::store::{
    CreateShipError, DeleteError, GetError, Precondition, Store, TooManyQueries, UpdateShipError,
};

/// # List ships
///
/// Returns all ships by ascending id; with parameters, a page of those that meet all conditions.
#[openapi(tag = "ships")]
#[get("/api/ships")]
pub async fn list(
    query: Query<ShipInput>,
    client: Option<IpAddr>,
    store: &State<Store>,
) -> ApiResult<Listing<Ship>, TooManyQueries> {
    Ok(match query.0 {
        None => Listing::All(Cacheable(store.ships().await?)),
        Some(query) => Listing::Page(store.find_ships(query, client.into()).await?),
    })
}

/// # Get a ship
///
/// Returns the ship with that id.
#[openapi(tag = "ships")]
#[get("/api/ships/<id>")]
pub async fn get(id: Id, store: &State<Store>) -> ApiResult<Cacheable<EncodedJson<Ship>>, GetError> {
    Ok(Cacheable(store.ship(id).await?))
}

/// # Create a ship
///
/// Adds a ship under a new id.
#[openapi(tag = "ships")]
#[post("/api/ships", data = "<body>")]
pub async fn create(
    _token: AccessToken,
    body: CreateBody<ShipInput>,
    store: &State<Store>,
) -> ApiResult<Created<EncodedJson<Ship>>, BodyOr<CreateShipError>> {
    let ship = body?.0;
    let (id, ship) = store.create_ship(ship).await?;
    Ok(Created::under("/api/ships", id, ship))
}

/// # Replace a ship
///
/// Replaces the ship with that id.
#[openapi(tag = "ships")]
#[put("/api/ships/<id>", data = "<body>")]
pub async fn update(
    id: Id,
    _token: AccessToken,
    precondition: Precondition,
    body: UpdateBody<ShipInput>,
    store: &State<Store>,
) -> ApiResult<Stored<Ship>, BodyOr<UpdateShipError>> {
    let ship = body?.0;
    Ok(Stored(store.update_ship(id, ship, &precondition).await?))
}

/// # Change a ship
///
/// Changes the fields of the ship with that id that the body has. The others stay as they are.
#[openapi(tag = "ships")]
#[patch("/api/ships/<id>", data = "<body>")]
pub async fn patch(
    id: Id,
    _token: AccessToken,
    precondition: Precondition,
    body: PatchBody<ShipInput>,
    store: &State<Store>,
) -> ApiResult<Stored<Ship>, BodyOr<UpdateShipError>> {
    let patch = body?.0;
    Ok(Stored(store.patch_ship(id, patch, &precondition).await?))
}

/// # Delete a ship
///
/// Removes the ship with that id. The id is never reused.
#[openapi(tag = "ships")]
#[delete("/api/ships/<id>")]
pub async fn delete(
    id: Id,
    _token: AccessToken,
    precondition: Precondition,
    store: &State<Store>,
) -> ApiResult<NoContent, DeleteError> {
    store.delete_ship(id, &precondition).await?;
    Ok(NoContent)
}
