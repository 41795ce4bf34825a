//! Users: anyone can read them and create one; users can change their own data only.

use std::net::IpAddr;

use rocket::{delete, get, post, put, State};
use rocket_okapi::openapi;

use crate::api::guards::body::{CreateBody, UpdateBody};
use crate::api::guards::owner::Owner;
use crate::api::response::{Created, Json, NoContent};
use crate::api::result::{ApiResult, BodyOr};
use crate::json::EncodedJson;
use crate::model::id::Id;
use crate::model::user::{User, UserInput};
use crate::store::accounts::{Accounts, WriteError};
use crate::store::{CreateUserError, GetError, List, Store, UpdateUserError};

/// # List all users
///
/// Returns all users by ascending id, without their passwords.
#[openapi(tag = "users")]
#[get("/api/users")]
pub fn list(store: &State<Store>) -> Json<List<User>> {
    Json(store.users())
}

/// # Get a user
///
/// Returns the user with that id, without the password.
#[openapi(tag = "users")]
#[get("/api/users/<id>")]
pub fn get(id: Id, store: &State<Store>) -> ApiResult<Json<EncodedJson<User>>, GetError> {
    Ok(Json(store.user(id)?))
}

/// # Create a user
///
/// Adds a user under a new id. No login is required.
#[openapi(tag = "users")]
#[post("/api/users", data = "<body>")]
pub async fn create(
    client: Option<IpAddr>,
    body: CreateBody<UserInput>,
    accounts: &State<Accounts>,
) -> ApiResult<Created<User>, BodyOr<WriteError<CreateUserError>>> {
    let user = accounts.create(body?.0, client.into()).await?;
    Ok(Created::under("/api/users", user.id, user))
}

/// # Replace one's own data
///
/// Replaces the name and the password of the user who is logged in. The user's refresh tokens become invalid.
#[openapi(tag = "users")]
#[put("/api/users/<id>", data = "<body>")]
pub async fn update(
    id: Id,
    _owner: Owner,
    client: Option<IpAddr>,
    body: UpdateBody<UserInput>,
    accounts: &State<Accounts>,
) -> ApiResult<Json<User>, BodyOr<WriteError<UpdateUserError>>> {
    let user = body?.0;
    Ok(Json(accounts.update(id, user, client.into()).await?))
}

/// # Delete oneself
///
/// Removes the user who is logged in. The user's tokens become invalid, and the id is never reused.
#[openapi(tag = "users")]
#[delete("/api/users/<id>")]
pub fn delete(id: Id, _owner: Owner, store: &State<Store>) -> ApiResult<NoContent, GetError> {
    store.delete_user(id)?;
    Ok(NoContent)
}
