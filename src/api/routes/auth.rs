//! Login, refresh and the two logouts.

use std::convert::Infallible;
use std::net::IpAddr;

use rocket::{delete, post, State};
use rocket_okapi::openapi;

use crate::api::guards::access::AccessToken;
use crate::api::guards::login::{Login, LoginBody, LoginRequestError};
use crate::api::guards::refresh::RefreshToken;
use crate::api::response::Json;
use crate::api::result::ApiResult;
use crate::model::auth::{Message, RefreshedToken, TokenPair};
use crate::store::accounts::{Accounts, RefreshError};

const LOGGED_OUT: Message = Message { message: "Successfully logged out." };

/// # Log in
///
/// Returns an access token and a refresh token for a name and its password. Unless the server is configured
/// otherwise, they are valid for 15 minutes and 30 days. The Content-Type must be `application/json` or end in `+json`.
#[openapi(tag = "auth")]
#[post("/auth/login", data = "<body>")]
pub async fn login(
    client: Option<IpAddr>,
    body: LoginBody,
    accounts: &State<Accounts>,
) -> ApiResult<Json<TokenPair>, LoginRequestError> {
    let Login(credentials) = body?;
    Ok(Json(accounts.log_in(credentials, client.into()).await?))
}

/// # Get a new access token
///
/// Returns a new access token for a refresh token, which stays valid.
#[openapi(tag = "auth")]
#[post("/auth/refresh")]
pub async fn refresh(
    token: RefreshToken,
    client: Option<IpAddr>,
    accounts: &State<Accounts>,
) -> ApiResult<Json<RefreshedToken>, RefreshError> {
    Ok(Json(accounts.refresh(&token.0, client.into()).await?))
}

/// # Log out the access token
///
/// Revokes the access token that the request carries.
#[openapi(tag = "auth")]
#[delete("/auth/logout")]
pub async fn logout_access_token(
    token: AccessToken,
    accounts: &State<Accounts>,
) -> ApiResult<Json<Message>, Infallible> {
    accounts.log_out(&token.0).await?;
    Ok(Json(LOGGED_OUT))
}

/// # Log out the refresh token
///
/// Revokes the refresh token that the request carries.
#[openapi(tag = "auth")]
#[delete("/auth/logout2")]
pub async fn logout_refresh_token(
    token: RefreshToken,
    accounts: &State<Accounts>,
) -> ApiResult<Json<Message>, Infallible> {
    accounts.log_out(&token.0).await?;
    Ok(Json(LOGGED_OUT))
}
