//! Users: anyone can read them and create one; users can change their own data only.

use std::net::IpAddr;

use rocket::{delete, get, patch, post, put, State};
use rocket_okapi::openapi;

use crate::api::guards::body::{CreateBody, PatchBody, UpdateBody};
use crate::api::guards::list_query::Query;
use crate::api::guards::owner::Owner;
use crate::api::response::{Cacheable, Created, Listing, NoContent, Stored};
use crate::api::result::{ApiResult, BodyOr};
use crate::json::EncodedJson;
use crate::model::id::Id;
use crate::model::user::{User, UserInput};
use crate::store::accounts::{Accounts, WriteError};
use crate::store::{
    CreateUserError, DeleteError, GetError, Precondition, Store, TooManyQueries, UpdateUserError,
};

/// # List users
///
/// Returns all users by ascending id, without their passwords; with parameters, a page of those that meet all conditions.
#[openapi(tag = "users")]
#[get("/api/users")]
pub async fn list(
    query: Query<UserInput>,
    client: Option<IpAddr>,
    store: &State<Store>,
) -> ApiResult<Listing<User>, TooManyQueries> {
    Ok(match query.0 {
        None => Listing::All(Cacheable(store.users().await?)),
        Some(query) => Listing::Page(store.find_users(query, client.into()).await?),
    })
}

/// # Get a user
///
/// Returns the user with that id, without the password.
#[openapi(tag = "users")]
#[get("/api/users/<id>")]
pub async fn get(id: Id, store: &State<Store>) -> ApiResult<Cacheable<EncodedJson<User>>, GetError> {
    Ok(Cacheable(store.user(id).await?))
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
) -> ApiResult<Created<EncodedJson<User>>, BodyOr<WriteError<CreateUserError>>> {
    let (id, user) = accounts.create(body?.0, client.into()).await?;
    Ok(Created::under("/api/users", id, user))
}

/// # Replace one's own data
///
/// Replaces the name and the password of the user who is logged in. The user's refresh tokens become invalid.
#[openapi(tag = "users")]
#[put("/api/users/<id>", data = "<body>")]
pub async fn update(
    id: Id,
    owner: Owner,
    client: Option<IpAddr>,
    precondition: Precondition,
    body: UpdateBody<UserInput>,
    accounts: &State<Accounts>,
) -> ApiResult<Stored<User>, BodyOr<WriteError<UpdateUserError>>> {
    let user = body?.0;
    Ok(Stored(accounts.update(id, &owner.0, user.into(), &precondition, client.into()).await?))
}

/// # Change one's own data
///
/// Changes the name or the password of the user who is logged in. With a new password, the user's refresh tokens become
/// invalid.
#[openapi(tag = "users")]
#[patch("/api/users/<id>", data = "<body>")]
pub async fn patch(
    id: Id,
    owner: Owner,
    client: Option<IpAddr>,
    precondition: Precondition,
    body: PatchBody<UserInput>,
    accounts: &State<Accounts>,
) -> ApiResult<Stored<User>, BodyOr<WriteError<UpdateUserError>>> {
    let patch = body?.0;
    Ok(Stored(accounts.update(id, &owner.0, patch, &precondition, client.into()).await?))
}

/// # Delete oneself
///
/// Removes the user who is logged in. The user's tokens become invalid, and the id is never reused.
#[openapi(tag = "users")]
#[delete("/api/users/<id>")]
pub async fn delete(
    id: Id,
    _owner: Owner,
    precondition: Precondition,
    store: &State<Store>,
) -> ApiResult<NoContent, DeleteError> {
    store.delete_user(id, &precondition).await?;
    Ok(NoContent)
}
