//! The tables, and the statements on them: one for each operation, and one for each check of a token.

use std::env;
use std::error::Error;
use std::fs;

use argon2::{Argon2, PasswordHasher};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgPool, PgPoolOptions};
use uuid::Uuid;

#[derive(Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ship {
    /// May be missing in a request; never is in the store.
    pub(crate) id: Option<i64>,
    affiliation: String,
    category: String,
    crew: i32,
    length: i32,
    manufacturer: String,
    model: String,
    roles: Vec<String>,
    ship_class: String,
}

const TABLES: [&str; 3] = [
    "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL UNIQUE, password text NOT NULL)",
    "CREATE TABLE ships (id bigint PRIMARY KEY, affiliation text NOT NULL, category text NOT NULL, crew integer NOT NULL,
        length integer NOT NULL, manufacturer text NOT NULL, model text NOT NULL, roles text[] NOT NULL,
        ship_class text NOT NULL)",
    "CREATE TABLE revoked (jti uuid PRIMARY KEY, expires bigint NOT NULL)",
];

pub(crate) struct Database(PgPool);

impl Database {
    pub(crate) async fn connect() -> Result<Self, Box<dyn Error>> {
        let connections = env::var("BENCH_POOL")?.parse()?;
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            // Otherwise sqlx pings the connection before each use: another round trip for each statement.
            .test_before_acquire(false)
            .connect(&env::var("BENCH_DATABASE_URL")?)
            .await?;
        Ok(Self(pool))
    }

    /// Whether the token was revoked, and whether its user exists.
    pub(crate) async fn check_token(&self, jti: Uuid, user: i64) -> sqlx::Result<(bool, bool)> {
        sqlx::query_as(
            "SELECT EXISTS (SELECT FROM revoked WHERE jti = $1), EXISTS (SELECT FROM users WHERE id = $2)",
        )
        .bind(jti)
        .bind(user)
        .fetch_one(&self.0)
        .await
    }

    /// The id and the password hash of that user.
    pub(crate) async fn credentials(&self, name: &str) -> sqlx::Result<Option<(i64, String)>> {
        sqlx::query_as("SELECT id, password FROM users WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.0)
            .await
    }

    pub(crate) async fn ships(&self) -> sqlx::Result<Vec<Ship>> {
        sqlx::query_as(
            "SELECT id, affiliation, category, crew, length, manufacturer, model, roles, ship_class
             FROM ships ORDER BY id",
        )
        .fetch_all(&self.0)
        .await
    }

    pub(crate) async fn ship(&self, id: i64) -> sqlx::Result<Option<Ship>> {
        sqlx::query_as(
            "SELECT id, affiliation, category, crew, length, manufacturer, model, roles, ship_class
             FROM ships WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(&self.0)
        .await
    }

    /// False if there is no such ship.
    pub(crate) async fn replace_ship(&self, id: i64, ship: &Ship) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "UPDATE ships SET affiliation = $2, category = $3, crew = $4, length = $5, manufacturer = $6, model = $7,
             roles = $8, ship_class = $9 WHERE id = $1",
        )
        .bind(id)
        .bind(&ship.affiliation)
        .bind(&ship.category)
        .bind(ship.crew)
        .bind(ship.length)
        .bind(&ship.manufacturer)
        .bind(&ship.model)
        .bind(&ship.roles)
        .bind(&ship.ship_class)
        .execute(&self.0)
        .await?;
        Ok(done.rows_affected() > 0)
    }
}

/// Makes the tables and fills them with the data file.
pub(crate) async fn init() -> Result<(), Box<dyn Error>> {
    #[derive(Deserialize)]
    struct Data {
        users: Vec<User>,
        ships: Vec<Ship>,
    }
    #[derive(Deserialize)]
    struct User {
        id: i64,
        name: String,
        password: String,
    }

    let Data { users, ships } = serde_json::from_str(&fs::read_to_string(env::var("BENCH_DATA")?)?)?;
    let pool = PgPool::connect(&env::var("BENCH_DATABASE_URL")?).await?;
    for table in TABLES {
        sqlx::query(table).execute(&pool).await?;
    }
    for user in users {
        let password = Argon2::default().hash_password(user.password.as_bytes())?.to_string();
        sqlx::query("INSERT INTO users VALUES ($1, $2, $3)")
            .bind(user.id)
            .bind(user.name)
            .bind(password)
            .execute(&pool)
            .await?;
    }
    for ship in ships {
        sqlx::query("INSERT INTO ships VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(ship.id)
            .bind(ship.affiliation)
            .bind(ship.category)
            .bind(ship.crew)
            .bind(ship.length)
            .bind(ship.manufacturer)
            .bind(ship.model)
            .bind(ship.roles)
            .bind(ship.ship_class)
            .execute(&pool)
            .await?;
    }
    Ok(())
}
