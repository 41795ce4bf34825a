//! What a request must have before a handler sees it.
//!
//! A guard that refuses leaves its error in the request, because Rocket keeps only the status; the default
//! catcher answers it (`error::catcher::default_catcher`).

pub mod access;
pub mod bearer;
pub mod body;
pub mod login;
pub mod owner;
pub mod path;
pub mod refresh;

use rocket::http::Status;
use rocket::request::Outcome;
use rocket::{Ignite, Request, Rocket};

use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::ErrorSpec;
use crate::api::error::ToApiError;
use crate::auth::token::{Claims, Kind, TokenError, Tokens};
use crate::log::RequestLogContext;
use crate::store::Store;

/// What the guards look at. A server that lacks either does not start: see [`AuthState::is_unmanaged`].
struct AuthState<'r> {
    tokens: &'r Tokens,
    store: &'r Store,
}

impl<'r> AuthState<'r> {
    fn of(request: &'r Request<'_>) -> Option<Self> {
        let rocket = request.rocket();
        Some(Self { tokens: rocket.state()?, store: rocket.state()? })
    }

    /// The claims of a token that is in order. From here on the request is known to be of its user.
    fn claims(&self, request: &Request<'_>, token: &str, kind: Kind) -> Result<Claims, TokenError> {
        let claims = self.tokens.verify(token, kind)?;
        RequestLogContext::record_user(request, claims.identity);
        Ok(claims)
    }

    /// What each guard's `Sentinel` asks, since Rocket cannot see into a guard.
    fn is_unmanaged(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Tokens>().is_none() || rocket.state::<Store>().is_none()
    }
}

/// Lets the request in with what `check` finds, or keeps what it finds wrong for the catcher.
fn run_guard<'r, T, E: ToApiError>(
    request: &'r Request<'_>,
    check: impl FnOnce(&AuthState<'r>) -> Result<T, E>,
) -> Outcome<T, E> {
    let Some(auth) = AuthState::of(request) else {
        return Outcome::Forward(Status::InternalServerError);
    };
    match check(&auth) {
        Ok(found) => Outcome::Success(found),
        Err(error) => refuse(request, error),
    }
}

/// Refuses the request, and keeps what is wrong for the catcher.
fn refuse<T, E: ToApiError>(request: &Request<'_>, error: E) -> Outcome<T, E> {
    let api_error = error.to_api_error();
    let status = api_error.status();
    request.local_cache(|| Some(api_error));
    Outcome::Error((status, error))
}

/// What a guard found wrong with the request, if one did.
pub fn failure<'r>(request: &'r Request<'_>) -> Option<&'r ApiError> {
    request.local_cache(|| None::<ApiError>).as_ref()
}

/// The errors of a token guard: those of its header, those of tokens but for the other kind's, and its own.
fn token_guard_errors(
    other_kind: &'static ErrorSpec,
    own: Vec<&'static ErrorSpec>,
) -> Vec<&'static ErrorSpec> {
    let mut rows = bearer::BearerError::error_specs();
    rows.extend(TokenError::error_specs().into_iter().filter(|row| row.name != other_kind.name));
    rows.extend(own);
    rows
}

#[cfg(test)]
mod tests {
    use rocket::error::ErrorKind;
    use rocket::{delete, routes, Build, Config, Route};

    use super::*;
    use crate::auth::clock::{Clock, TokenIds};
    use crate::auth::secret::Secret;
    use crate::auth::token::Lifetimes;

    fn config() -> Config {
        Config { log_level: rocket::config::LogLevel::Off, ..Config::debug_default() }
    }

    #[delete("/")]
    fn with_access_token(_token: access::AccessToken) {}

    #[delete("/")]
    fn with_refresh_token(_token: refresh::RefreshToken) {}

    #[delete("/<_>")]
    fn by_the_owner(_owner: owner::Owner) {}

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
    fn a_server_without_what_a_guard_looks_at_does_not_start() {
        let secret = Secret::random().expect("a key");
        let tokens = Tokens::new(&secret, Lifetimes::default(), 1000, Clock::System, TokenIds::Random);
        let guarded: [Vec<Route>; 3] =
            [routes![with_access_token], routes![with_refresh_token], routes![by_the_owner]];
        for routes in guarded {
            let bare = || rocket::custom(config()).mount("/", routes.clone());
            let place = format!("{routes:?}");
            assert!(!starts(bare()), "{place}");
            assert!(!starts(bare().manage(tokens.clone())), "{place}");
            assert!(!starts(bare().manage(Store::default())), "{place}");
            assert!(starts(bare().manage(tokens.clone()).manage(Store::default())), "{place}");
        }
    }
}
