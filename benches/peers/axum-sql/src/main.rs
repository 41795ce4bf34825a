//! The API on axum, with users, ships and logged-out tokens in PostgreSQL through sqlx.
//!
//! `peer-axum-sql init` makes the tables and fills them; without an argument, it serves.

#![forbid(unsafe_code)]

mod database;

use std::env;
use std::error::Error;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordVerifier};
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use jsonwebtoken::{get_current_timestamp, Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use database::{Database, Ship};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Deserialize)]
struct Credentials {
    #[serde(alias = "username")]
    name: String,
    password: String,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iat: u64,
    nbf: u64,
    jti: Uuid,
    exp: u64,
    identity: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fresh: Option<bool>,
    #[serde(rename = "type")]
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Access,
    Refresh,
}

struct App {
    database: Database,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl App {
    async fn new() -> Result<Self, Box<dyn Error>> {
        let secret = env::var("BENCH_SECRET")?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.validate_nbf = true;
        Ok(Self {
            database: Database::connect().await?,
            signing: EncodingKey::from_secret(secret.as_bytes()),
            verifying: DecodingKey::from_secret(secret.as_bytes()),
            validation,
        })
    }

    fn issue(&self, kind: Kind, identity: i64) -> Result<String, ApiError> {
        let now = get_current_timestamp();
        let (lifetime, fresh) = match kind {
            Kind::Access => (15 * 60, Some(false)),
            Kind::Refresh => (30 * 24 * 60 * 60, None),
        };
        let claims =
            Claims { iat: now, nbf: now, jti: Uuid::new_v4(), exp: now + lifetime, identity, fresh, kind };
        jsonwebtoken::encode(&Header::default(), &claims, &self.signing).map_err(internal)
    }

    /// The user whose token of that kind is in the headers.
    async fn verify(&self, headers: &HeaderMap, kind: Kind) -> Result<i64, ApiError> {
        let header = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let token = header
            .and_then(|header| header.strip_prefix("Bearer "))
            .ok_or_else(|| unauthorized("Missing bearer token"))?;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation)
            .map_err(|error| unauthorized(&error.to_string()))?
            .claims;
        if claims.kind != kind {
            return Err(unauthorized("Wrong kind of token"));
        }
        let (is_revoked, is_user) = self.database.check_token(claims.jti, claims.identity).await?;
        if is_revoked {
            return Err(unauthorized("Token has been revoked"));
        }
        if !is_user {
            return Err(unauthorized("Unknown user"));
        }
        Ok(claims.identity)
    }
}

struct ApiError(StatusCode, String);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "msg": self.1 }))).into_response()
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        internal(error)
    }
}

fn internal(error: impl Error) -> ApiError {
    ApiError(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

fn unauthorized(why: &str) -> ApiError {
    ApiError(StatusCode::UNAUTHORIZED, why.to_owned())
}

fn no_such_ship() -> ApiError {
    ApiError(StatusCode::NOT_FOUND, "Ship not found".to_owned())
}

struct AccessToken;

impl FromRequestParts<Arc<App>> for AccessToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        app.verify(&parts.headers, Kind::Access).await.map(|_| Self)
    }
}

/// Of that user.
struct RefreshToken(i64);

impl FromRequestParts<Arc<App>> for RefreshToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        app.verify(&parts.headers, Kind::Refresh).await.map(Self)
    }
}

async fn list_ships(State(app): State<Arc<App>>) -> Result<Json<Vec<Ship>>, ApiError> {
    Ok(Json(app.database.ships().await?))
}

async fn get_ship(State(app): State<Arc<App>>, Path(id): Path<i64>) -> Result<Json<Ship>, ApiError> {
    app.database.ship(id).await?.map(Json).ok_or_else(no_such_ship)
}

async fn put_ship(
    State(app): State<Arc<App>>,
    Path(id): Path<i64>,
    _: AccessToken,
    body: Result<Json<Ship>, JsonRejection>,
) -> Result<Json<Ship>, ApiError> {
    let Json(mut ship) = body?;
    if ship.id.is_some_and(|given| given != id) {
        return Err(ApiError(StatusCode::BAD_REQUEST, "The id is not that of the path".to_owned()));
    }
    ship.id = Some(id);
    if app.database.replace_ship(id, &ship).await? {
        Ok(Json(ship))
    } else {
        Err(no_such_ship())
    }
}

async fn login(
    State(app): State<Arc<App>>,
    body: Result<Json<Credentials>, JsonRejection>,
) -> Result<Response, ApiError> {
    let refused = || unauthorized("Bad username or password");
    let Json(Credentials { name, password }) = body?;
    let (id, hash) = app.database.credentials(&name).await?.ok_or_else(refused)?;
    spawn_blocking(move || {
        let hash = PasswordHash::new(&hash).map_err(internal)?;
        Argon2::default().verify_password(password.as_bytes(), &hash).map_err(|_| refused())
    })
    .await
    .map_err(internal)??;
    let access_token = app.issue(Kind::Access, id)?;
    let refresh_token = app.issue(Kind::Refresh, id)?;
    Ok(Json(json!({ "access_token": access_token, "refresh_token": refresh_token })).into_response())
}

async fn refresh(State(app): State<Arc<App>>, RefreshToken(id): RefreshToken) -> Result<Response, ApiError> {
    Ok(Json(json!({ "access_token": app.issue(Kind::Access, id)? })).into_response())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).as_deref() == Some("init") {
        return database::init().await;
    }
    let port: u16 = env::var("BENCH_PORT")?.parse()?;
    let routes = Router::new()
        .route("/api/ships", get(list_ships))
        .route("/api/ships/{id}", get(get_ship).put(put_ship))
        .route("/auth/login", post(login))
        .route("/auth/refresh", post(refresh))
        .with_state(Arc::new(App::new().await?));
    let listener = TcpListener::bind(("127.0.0.1", port)).await?.tap_io(|stream| {
        // Without it, the end of a long answer may wait for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await?;
    Ok(())
}
