//! Request guards: the checks that run before a handler.
//!
//! A guard that fails stores its error in the request, because Rocket keeps only the status. The default catcher
//! responds with that error (`api::catcher::default_catcher`).

pub mod access;
pub mod body;
pub mod list_query;
pub mod login;
pub mod owner;
pub mod path;
pub mod precondition;
pub mod refresh;

use std::future::Future;

use rocket::http::Status;
use rocket::request::Outcome;
use rocket::{Ignite, Request, Rocket};
use rocket_okapi::okapi::openapi3::{Object, SecurityRequirement, SecurityScheme, SecuritySchemeData};
use rocket_okapi::request::RequestHeaderInput;

use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::ErrorSpec;
use crate::api::error::{error_specs, ToApiError};
use crate::auth::token::{Claims, Kind, TokenError, Tokens};
use crate::internal_error::OperationError;
use crate::log::RequestLogContext;
use crate::store::Store;

/// The managed state that the guards use. A server without it does not start: see [`AuthState::is_unmanaged`].
#[derive(Clone, Copy)]
struct AuthState<'r> {
    tokens: &'r Tokens,
    store: &'r Store,
}

impl<'r> AuthState<'r> {
    fn from_request(request: &'r Request<'_>) -> Option<Self> {
        let rocket = request.rocket();
        Some(Self { tokens: rocket.state()?, store: rocket.state()? })
    }

    /// Verifies a token, and records its user for the access log.
    fn verify_token(&self, request: &Request<'_>, token: &str, kind: Kind) -> Result<Claims, TokenError> {
        let claims = self.tokens.verify(token, kind)?;
        RequestLogContext::record_user(request, claims.identity);
        Ok(claims)
    }

    /// Whether state is missing, for the guards' `Sentinel`: Rocket does not know what a guard uses.
    fn is_unmanaged(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Tokens>().is_none() || rocket.state::<Store>().is_none()
    }
}

/// Why the header has no bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerError {
    /// The Authorization header is missing or empty.
    Missing,
    /// The header is not `Bearer`, white space and a token, or there is more than one.
    Malformed,
}

error_specs!(BearerError { Missing => AUTHORIZATION_MISSING, Malformed => AUTHORIZATION_MALFORMED });

/// The token after `Bearer` in the Authorization header (RFC 6750, section 2.1).
fn bearer_token<'r>(request: &'r Request<'_>) -> Result<&'r str, BearerError> {
    // RFC 9110, section 5.6.3: white space is spaces and tabs. Other Unicode white space is part of a word, as it is for
    // proxies.
    let mut headers = request.headers().get("Authorization").map(str::trim_ascii);
    let header = match (headers.next(), headers.next()) {
        (None | Some(""), None) => return Err(BearerError::Missing),
        (Some(header), None) => header,
        _ => return Err(BearerError::Malformed),
    };
    let token =
        header.strip_prefix("Bearer").filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim_ascii);
    let is_one_word = |token: &&str| ![b' ', b'\t'].iter().any(|space| token.as_bytes().contains(space));
    token.filter(is_one_word).ok_or(BearerError::Malformed)
}

/// A bearer security scheme for the OpenAPI specification.
fn security(name: &str, description: &str) -> RequestHeaderInput {
    let scheme = SecurityScheme {
        description: Some(description.to_owned()),
        data: SecuritySchemeData::Http { scheme: "bearer".to_owned(), bearer_format: Some("JWT".to_owned()) },
        extensions: Object::default(),
    };
    let requirement = SecurityRequirement::from_iter([(name.to_owned(), Vec::new())]);
    RequestHeaderInput::Security(name.to_owned(), scheme, requirement)
}

/// Runs the check of a guard. An error is stored for the catcher.
async fn run_guard<'r, T, E, F>(
    request: &'r Request<'_>,
    check: impl FnOnce(AuthState<'r>) -> F,
) -> Outcome<T, OperationError<E>>
where
    E: ToApiError,
    F: Future<Output = Result<T, OperationError<E>>>,
{
    let Some(auth) = AuthState::from_request(request) else {
        return Outcome::Forward(Status::InternalServerError);
    };
    match check(auth).await {
        Ok(value) => Outcome::Success(value),
        Err(error) => reject(request, error),
    }
}

/// Rejects the request, and stores the error for the catcher.
fn reject<T, E: ToApiError>(request: &Request<'_>, error: E) -> Outcome<T, E> {
    let api_error = error.to_api_error();
    let status = api_error.status();
    request.local_cache(|| Some(api_error));
    Outcome::Error((status, error))
}

/// The error of the guard that rejected the request, if one did.
pub fn failure<'r>(request: &'r Request<'_>) -> Option<&'r ApiError> {
    request.local_cache(|| None::<ApiError>).as_ref()
}

/// The errors of a token guard: those of the header, those of tokens except the one for the other kind, and its own.
fn token_guard_errors(
    other_kind: &'static ErrorSpec,
    own: Vec<&'static ErrorSpec>,
) -> Vec<&'static ErrorSpec> {
    let mut specs = BearerError::error_specs();
    specs.extend(TokenError::error_specs().into_iter().filter(|spec| spec.name != other_kind.name));
    specs.extend(own);
    specs
}

#[cfg(test)]
mod tests {
    use rocket::error::ErrorKind;
    use rocket::{delete, routes, Build, Config, Route};

    use super::*;
    use crate::auth::clock::{Clock, TokenIds};
    use crate::auth::secret::Secret;
    use crate::auth::token::Lifetimes;
    use crate::store::initial_rows::InitialRows;
    use crate::store::memory::{Memory, MemoryConfig};

    fn config() -> Config {
        Config { log_level: rocket::config::LogLevel::Off, ..Config::debug_default() }
    }

    #[delete("/")]
    fn with_access_token(_token: access::AccessToken) {}

    #[delete("/")]
    fn with_refresh_token(_token: refresh::RefreshToken) {}

    #[delete("/<_>")]
    fn with_owner(_owner: owner::Owner) {}

    fn store() -> Store {
        Store::Memory(Memory::new(InitialRows::default(), &MemoryConfig::default()))
    }

    fn starts(rocket: Rocket<Build>) -> bool {
        match rocket::execute(rocket.ignite()) {
            Ok(_) => true,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::SentinelAborts(_)), "{error}");
                false
            }
        }
    }

    #[test]
    fn a_server_without_the_state_of_a_guard_does_not_start() {
        let secret = Secret::random().expect("a key");
        let tokens = Tokens::new(&secret, Lifetimes::default(), Clock::System, TokenIds::Random);
        let guarded: [Vec<Route>; 3] =
            [routes![with_access_token], routes![with_refresh_token], routes![with_owner]];
        for routes in guarded {
            let bare = || rocket::custom(config()).mount("/", routes.clone());
            let name = format!("{routes:?}");
            assert!(!starts(bare()), "{name}");
            assert!(!starts(bare().manage(tokens.clone())), "{name}");
            assert!(!starts(bare().manage(store())), "{name}");
            assert!(starts(bare().manage(tokens.clone()).manage(store())), "{name}");
        }
    }
}
