//! The API on axum.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashSet};
use std::env;
use std::error::Error;
use std::fs;
use std::sync::{Arc, RwLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ship {
    /// May be missing in a request; never is in the store.
    id: Option<u64>,
    affiliation: String,
    category: String,
    crew: i32,
    length: i32,
    manufacturer: String,
    model: String,
    roles: Vec<String>,
    ship_class: String,
}

struct User {
    name: String,
    password: PasswordHash,
}

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
    identity: u64,
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
    ships: RwLock<BTreeMap<u64, Ship>>,
    users: RwLock<BTreeMap<u64, User>>,
    revoked: RwLock<HashSet<Uuid>>,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl App {
    fn load() -> Result<Self, Box<dyn Error>> {
        #[derive(Deserialize)]
        struct Data {
            users: Vec<DataUser>,
            ships: Vec<Ship>,
        }
        #[derive(Deserialize)]
        struct DataUser {
            id: u64,
            name: String,
            password: String,
        }

        let data: Data = serde_json::from_str(&fs::read_to_string(env::var("BENCH_DATA")?)?)?;
        let secret = env::var("BENCH_SECRET")?;
        let mut ships = BTreeMap::new();
        for ship in data.ships {
            ships.insert(ship.id.ok_or("a ship without an id")?, ship);
        }
        let mut users = BTreeMap::new();
        for user in data.users {
            let password = Argon2::default().hash_password(user.password.as_bytes())?;
            users.insert(user.id, User { name: user.name, password });
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.validate_nbf = true;
        Ok(Self {
            ships: RwLock::new(ships),
            users: RwLock::new(users),
            revoked: RwLock::default(),
            signing: EncodingKey::from_secret(secret.as_bytes()),
            verifying: DecodingKey::from_secret(secret.as_bytes()),
            validation,
        })
    }

    fn user_named(&self, name: &str) -> Option<(u64, PasswordHash)> {
        let users = self.users.read().unwrap();
        users.iter().find(|(_, user)| user.name == name).map(|(&id, user)| (id, user.password.clone()))
    }

    fn issue(&self, kind: Kind, identity: u64) -> Result<String, ApiError> {
        let now = get_current_timestamp();
        let (lifetime, fresh) = match kind {
            Kind::Access => (15 * 60, Some(false)),
            Kind::Refresh => (30 * 24 * 60 * 60, None),
        };
        let claims =
            Claims { iat: now, nbf: now, jti: Uuid::new_v4(), exp: now + lifetime, identity, fresh, kind };
        jsonwebtoken::encode(&Header::default(), &claims, &self.signing)
            .map_err(|error| ApiError(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
    }

    /// The user whose token of that kind is in the headers.
    fn verify(&self, headers: &HeaderMap, kind: Kind) -> Result<u64, ApiError> {
        let refused = |why: &str| ApiError(StatusCode::UNAUTHORIZED, why.to_owned());
        let header = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let token = header
            .and_then(|header| header.strip_prefix("Bearer "))
            .ok_or_else(|| refused("Missing bearer token"))?;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation)
            .map_err(|error| refused(&error.to_string()))?
            .claims;
        if claims.kind != kind {
            return Err(refused("Wrong kind of token"));
        }
        if self.revoked.read().unwrap().contains(&claims.jti) {
            return Err(refused("Token has been revoked"));
        }
        if !self.users.read().unwrap().contains_key(&claims.identity) {
            return Err(refused("Unknown user"));
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

fn no_such_ship() -> ApiError {
    ApiError(StatusCode::NOT_FOUND, "Ship not found".to_owned())
}

struct AccessToken;

impl FromRequestParts<Arc<App>> for AccessToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        app.verify(&parts.headers, Kind::Access).map(|_| Self)
    }
}

/// Of that user.
struct RefreshToken(u64);

impl FromRequestParts<Arc<App>> for RefreshToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        app.verify(&parts.headers, Kind::Refresh).map(Self)
    }
}

async fn list_ships(State(app): State<Arc<App>>) -> Response {
    let ships = app.ships.read().unwrap();
    Json(ships.values().collect::<Vec<_>>()).into_response()
}

async fn get_ship(State(app): State<Arc<App>>, Path(id): Path<u64>) -> Result<Response, ApiError> {
    let ships = app.ships.read().unwrap();
    let ship = ships.get(&id).ok_or_else(no_such_ship)?;
    Ok(Json(ship).into_response())
}

async fn put_ship(
    State(app): State<Arc<App>>,
    Path(id): Path<u64>,
    _: AccessToken,
    body: Result<Json<Ship>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(mut ship) = body?;
    let mut ships = app.ships.write().unwrap();
    let stored = ships.get_mut(&id).ok_or_else(no_such_ship)?;
    if ship.id.is_some_and(|given| given != id) {
        return Err(ApiError(StatusCode::BAD_REQUEST, "The id is not that of the path".to_owned()));
    }
    ship.id = Some(id);
    *stored = ship;
    Ok(Json(&*stored).into_response())
}

async fn login(
    State(app): State<Arc<App>>,
    body: Result<Json<Credentials>, JsonRejection>,
) -> Result<Response, ApiError> {
    let refused = || ApiError(StatusCode::UNAUTHORIZED, "Bad username or password".to_owned());
    let Json(Credentials { name, password }) = body?;
    let (id, hash) = app.user_named(&name).ok_or_else(refused)?;
    spawn_blocking(move || Argon2::default().verify_password(password.as_bytes(), &hash))
        .await
        .map_err(|error| ApiError(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?
        .map_err(|_| refused())?;
    let access_token = app.issue(Kind::Access, id)?;
    let refresh_token = app.issue(Kind::Refresh, id)?;
    Ok(Json(json!({ "access_token": access_token, "refresh_token": refresh_token })).into_response())
}

async fn refresh(State(app): State<Arc<App>>, RefreshToken(id): RefreshToken) -> Result<Response, ApiError> {
    Ok(Json(json!({ "access_token": app.issue(Kind::Access, id)? })).into_response())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::var("BENCH_PORT")?.parse()?;
    let routes = Router::new()
        .route("/api/ships", get(list_ships))
        .route("/api/ships/{id}", get(get_ship).put(put_ship))
        .route("/auth/login", post(login))
        .route("/auth/refresh", post(refresh))
        .with_state(Arc::new(App::load()?));
    let listener = TcpListener::bind(("127.0.0.1", port)).await?.tap_io(|stream| {
        // Without it, the end of a long answer may wait for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await?;
    Ok(())
}
