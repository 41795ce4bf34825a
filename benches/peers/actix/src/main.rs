//! The API on Actix Web.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashSet};
use std::env;
use std::error::Error;
use std::fmt;
use std::fs;
use std::future::{ready, Ready};
use std::sync::RwLock;

use actix_web::dev::Payload;
use actix_web::error::{BlockingError, JsonPayloadError};
use actix_web::http::header::{HeaderMap, AUTHORIZATION};
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Json, JsonConfig, Path};
use actix_web::{get, post, put, FromRequest, HttpRequest, HttpResponse, HttpServer, ResponseError};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use jsonwebtoken::{get_current_timestamp, Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::json;
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

struct Api {
    ships: RwLock<BTreeMap<u64, Ship>>,
    users: RwLock<BTreeMap<u64, User>>,
    revoked: RwLock<HashSet<Uuid>>,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl Api {
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

#[derive(Debug)]
struct ApiError(StatusCode, String);

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.0
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.0).json(json!({ "msg": self.1 }))
    }
}

fn bad_json(error: JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    ApiError(StatusCode::BAD_REQUEST, error.to_string()).into()
}

fn no_such_ship() -> ApiError {
    ApiError(StatusCode::NOT_FOUND, "Ship not found".to_owned())
}

fn user_of(request: &HttpRequest, kind: Kind) -> Result<u64, ApiError> {
    let api = request.app_data::<Data<Api>>();
    let api = api.ok_or_else(|| ApiError(StatusCode::INTERNAL_SERVER_ERROR, "No data".to_owned()))?;
    api.verify(request.headers(), kind)
}

struct AccessToken;

impl FromRequest for AccessToken {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(user_of(request, Kind::Access).map(|_| Self))
    }
}

/// Of that user.
struct RefreshToken(u64);

impl FromRequest for RefreshToken {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(user_of(request, Kind::Refresh).map(Self))
    }
}

#[get("/api/ships")]
async fn list_ships(api: Data<Api>) -> HttpResponse {
    let ships = api.ships.read().unwrap();
    HttpResponse::Ok().json(ships.values().collect::<Vec<_>>())
}

#[get("/api/ships/{id}")]
async fn get_ship(api: Data<Api>, id: Path<u64>) -> Result<HttpResponse, ApiError> {
    let ships = api.ships.read().unwrap();
    let ship = ships.get(&id).ok_or_else(no_such_ship)?;
    Ok(HttpResponse::Ok().json(ship))
}

#[put("/api/ships/{id}")]
async fn put_ship(
    api: Data<Api>,
    id: Path<u64>,
    _: AccessToken,
    ship: Json<Ship>,
) -> Result<HttpResponse, ApiError> {
    let (id, mut ship) = (id.into_inner(), ship.into_inner());
    let mut ships = api.ships.write().unwrap();
    let stored = ships.get_mut(&id).ok_or_else(no_such_ship)?;
    if ship.id.is_some_and(|given| given != id) {
        return Err(ApiError(StatusCode::BAD_REQUEST, "The id is not that of the path".to_owned()));
    }
    ship.id = Some(id);
    *stored = ship;
    Ok(HttpResponse::Ok().json(&*stored))
}

#[post("/auth/login")]
async fn login(api: Data<Api>, credentials: Json<Credentials>) -> Result<HttpResponse, ApiError> {
    let refused = || ApiError(StatusCode::UNAUTHORIZED, "Bad username or password".to_owned());
    let Credentials { name, password } = credentials.into_inner();
    let (id, hash) = api.user_named(&name).ok_or_else(refused)?;
    web::block(move || Argon2::default().verify_password(password.as_bytes(), &hash))
        .await
        .map_err(|error: BlockingError| ApiError(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?
        .map_err(|_| refused())?;
    let access_token = api.issue(Kind::Access, id)?;
    let refresh_token = api.issue(Kind::Refresh, id)?;
    Ok(HttpResponse::Ok().json(json!({ "access_token": access_token, "refresh_token": refresh_token })))
}

#[post("/auth/refresh")]
async fn refresh(api: Data<Api>, RefreshToken(id): RefreshToken) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(json!({ "access_token": api.issue(Kind::Access, id)? })))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::var("BENCH_PORT")?.parse()?;
    let api = Data::new(Api::load()?);
    HttpServer::new(move || {
        actix_web::App::new()
            .app_data(api.clone())
            .app_data(JsonConfig::default().error_handler(bad_json))
            .service(list_ships)
            .service(get_ship)
            .service(put_ship)
            .service(login)
            .service(refresh)
    })
    // Without it, the end of a long answer may wait for the client's delayed acknowledgement.
    .tcp_nodelay(true)
    .bind(("127.0.0.1", port))?
    .run()
    .await?;
    Ok(())
}
