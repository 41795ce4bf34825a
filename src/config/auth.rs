//! Settings of keys, tokens, passwords and rate limits.

use std::path::PathBuf;

use super::error::{invalid, ConfigError};
use super::setting::{Kind, Preset, Setting};
use super::values::Values;
use crate::auth::password::{Cost, Hash, Hasher, Passwords};
use crate::auth::rate_limit::Rates;
use crate::auth::secret::Secret;
use crate::auth::token::Lifetimes;

const JWT_SECRET: Setting = Setting::new(
    "jwt_secret",
    Preset::Unset {
        instead: "random: `.shipyard/development.key` while `address` is loopback, else another at each start",
        example: "",
    },
    Kind::Secret,
    "Key that signs tokens (HS256), at least 32 bytes (RFC 7518, section 3.2). Set it in the environment rather than in \
     a file",
);

const JWT_SECRET_FILE: Setting = Setting::new(
    "jwt_secret_file",
    Preset::Unset { instead: "", example: "/run/secrets/jwt" },
    Kind::Path,
    "File of keys, instead of `jwt_secret`: one a line, the first signs, all verify. Read again at SIGHUP",
)
.flag("jwt-secret-file", None, "FILE");

const ACCESS_TOKEN_TTL: Setting = Setting::new(
    "access_token_ttl",
    Preset::Integer(Lifetimes::DEFAULT.access),
    Kind::Integer(1, Lifetimes::MAX),
    "Lifetime of access tokens in seconds, {range}",
);

const REFRESH_TOKEN_TTL: Setting = Setting::new(
    "refresh_token_ttl",
    Preset::Integer(Lifetimes::DEFAULT.refresh),
    Kind::Integer(1, Lifetimes::MAX),
    "Lifetime of refresh tokens in seconds, {range}",
);

const REFRESH_ROTATION: Setting = Setting::new(
    "refresh_rotation",
    Preset::Bool(false),
    Kind::Bool,
    "Refresh rotation: a refresh returns a new refresh token as well, and spends the old one",
)
.details(
    "A spent token that is used again ends all refresh tokens of its login (RFC 9700, section 4.14.2), of which a user has 32 at \
     most: [api.md](api.md#refresh-rotation)",
);

const REFRESH_GRACE: Setting = Setting::new(
    "refresh_grace",
    Preset::Integer(10),
    Kind::Integer(0, 60),
    "With `refresh_rotation`, seconds in which the same network can use a spent refresh token again, {range}; the response \
     may have been lost",
);

const PASSWORD_MEMORY: Setting = Setting::new(
    "password_memory",
    Preset::Integer(Cost::DEFAULT.memory as u64),
    Kind::Integer(Cost::LEAST_MEMORY as u64, Hash::MAX_MEMORY as u64),
    "argon2id memory in KiB, {range}, and at least 8 for each lane",
)
.details("The product with `password_iterations` is at most 4194304, which takes a few seconds");

const PASSWORD_ITERATIONS: Setting = Setting::new(
    "password_iterations",
    Preset::Integer(Cost::DEFAULT.iterations as u64),
    Kind::Integer(1, Hash::MAX_ITERATIONS as u64),
    "argon2id passes, {range}",
);

const PASSWORD_PARALLELISM: Setting = Setting::new(
    "password_parallelism",
    Preset::Integer(Cost::DEFAULT.parallelism as u64),
    Kind::Integer(1, Hash::MAX_PARALLELISM as u64),
    "argon2id lanes, {range}",
);

const PASSWORD_QUEUE: Setting = Setting::new(
    "password_queue",
    Preset::Integer(Passwords::DEFAULT_QUEUE as u64),
    Kind::Integer(0, 10_000),
    "Requests that may wait for a password to be hashed, {range}; the next one gets 503",
)
.details(
    "One network takes at most half of these places. The last quarter is reserved for networks with a recent success. \
     Half of the cores hash at the same time, at least one",
);

const RATE_LIMITS: Setting = Setting::new(
    "rate_limits",
    Preset::Bool(true),
    Kind::Bool,
    "Rate limits on login, refresh, and creating and changing users",
)
.details("`false` suits tests that log in often");

const RATE_BY_ADDRESS: Setting = Setting::new(
    "rate_by_address",
    Preset::PerMinute(Rates::BY_ADDRESS),
    Kind::Rate,
    "Requests to each of these four operations from one address (IPv6: one /64): burst size, and refill rate in that \
     unit of time. A number {range}; the unit is `second`, `minute` or `hour`",
)
.details("A request above the limit gets 429");

const RATE_BY_USER: Setting = Setting::new(
    "rate_by_user",
    Preset::PerMinute(Rates::BY_USER),
    Kind::Rate,
    "Logins under one name, from all networks together. A number {range}, and a unit",
)
.details("A network from which that user has logged in has this limit for itself");

const RATE_OVERALL: Setting = Setting::new(
    "rate_overall",
    Preset::PerMinute(Rates::OVERALL),
    Kind::Rate,
    "Requests to log in, create or replace a user, each, of all clients together. A number {range}, and a unit",
)
.details(
    "When it is used up, a network with a recent success still has a quarter of `rate_by_address`",
);

pub(super) const SETTINGS: &[Setting] = &[
    JWT_SECRET,
    JWT_SECRET_FILE,
    ACCESS_TOKEN_TTL,
    REFRESH_TOKEN_TTL,
    REFRESH_ROTATION,
    REFRESH_GRACE,
    PASSWORD_MEMORY,
    PASSWORD_ITERATIONS,
    PASSWORD_PARALLELISM,
    PASSWORD_QUEUE,
    RATE_LIMITS,
    RATE_BY_ADDRESS,
    RATE_BY_USER,
    RATE_OVERALL,
];

pub(super) fn jwt_secret(values: &Values) -> Result<Option<Secret>, ConfigError> {
    let Some(key) = values.optional::<String>(&JWT_SECRET)? else { return Ok(None) };
    // To choose one of the two might accept tokens of the other.
    if values.figment.contains(JWT_SECRET_FILE.name) {
        return Err(invalid(JWT_SECRET.name, "jwt_secret_file is given as well; one of the two"));
    }
    if is_padded(&key) {
        return Err(invalid(
            JWT_SECRET.name,
            "a control character, or white space or a byte order mark at an end; the key goes without",
        ));
    }
    Secret::new(key).map(Some).map_err(|short| invalid(JWT_SECRET.name, short.to_string()))
}

/// Whether a key has something that came along with it, such as the line break at the end of a file. Other programs with
/// the same key might leave it out, and then refuse the tokens.
fn is_padded(key: &str) -> bool {
    let blank = |character: char| character.is_whitespace() || character == '\u{feff}';
    key.starts_with(blank) || key.ends_with(blank) || key.contains(|character: char| character.is_control())
}

pub(super) fn jwt_secret_file(values: &Values) -> Result<Option<PathBuf>, ConfigError> {
    values.path(&JWT_SECRET_FILE)
}

pub(super) fn lifetimes(values: &Values) -> Result<Lifetimes, ConfigError> {
    Ok(Lifetimes { access: values.get(&ACCESS_TOKEN_TTL)?, refresh: values.get(&REFRESH_TOKEN_TTL)? })
}

/// The grace of refresh rotation in seconds, if that is on.
pub(super) fn rotation_grace(values: &Values) -> Result<Option<u64>, ConfigError> {
    let grace = values.get(&REFRESH_GRACE)?;
    Ok(values.get::<bool>(&REFRESH_ROTATION)?.then_some(grace))
}

pub(super) fn hasher(values: &Values) -> Result<Hasher, ConfigError> {
    let cost = Cost {
        memory: values.get(&PASSWORD_MEMORY)?,
        iterations: values.get(&PASSWORD_ITERATIONS)?,
        parallelism: values.get(&PASSWORD_PARALLELISM)?,
    };
    // Each is in its range, so the error is about two of them together.
    let names = [PASSWORD_MEMORY, PASSWORD_ITERATIONS, PASSWORD_PARALLELISM].map(|setting| setting.name);
    cost.hasher().map_err(|reason| invalid(&names.join(", "), reason))
}

pub(super) fn password_queue(values: &Values) -> Result<usize, ConfigError> {
    values.get(&PASSWORD_QUEUE)
}

/// The rate limits, unless they are off. A wrong one is an error even if they are off.
pub(super) fn rates(values: &Values) -> Result<Option<Rates>, ConfigError> {
    let rates = Rates {
        by_address: values.parse(&RATE_BY_ADDRESS)?,
        by_user: values.parse(&RATE_BY_USER)?,
        overall: values.parse(&RATE_OVERALL)?,
    };
    Ok(values.get::<bool>(&RATE_LIMITS)?.then_some(rates))
}
