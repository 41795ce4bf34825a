//! What a request must have before a handler sees it.
//!
//! A guard that refuses leaves its error in the request, because Rocket keeps only the status; the default
//! catcher answers it (`error::default_catcher`).

pub mod access;
pub mod bearer;
pub mod body;
pub mod login;
pub mod owner;
pub mod path;
pub mod refresh;

use rocket::http::Status;
use rocket::request::Outcome;
use rocket::{Request, Rocket, Sentinel};

use crate::error::{Failure, Fault};
use crate::store::Store;
use crate::token::Tokens;

/// Refuses the request.
fn refuse<T, E: Failure>(request: &Request<'_>, error: E) -> Outcome<T, E> {
    let fault = error.fault();
    let status = fault.status();
    request.local_cache(|| Some(fault));
    Outcome::Error((status, error))
}

/// What a guard found wrong with the request, if one did.
pub fn failure<'r>(request: &'r Request<'_>) -> Option<&'r Fault> {
    request.local_cache(|| None::<Fault>).as_ref()
}

/// What the guards look at. A server that lacks either does not start.
struct Keepers<'r> {
    tokens: &'r Tokens,
    store: &'r Store,
}

impl<'r> Keepers<'r> {
    fn of<T, E>(request: &'r Request<'_>) -> Result<Self, Outcome<T, E>> {
        let rocket = request.rocket();
        match (rocket.state::<Tokens>(), rocket.state::<Store>()) {
            (Some(tokens), Some(store)) => Ok(Self { tokens, store }),
            _ => Err(Outcome::Forward(Status::InternalServerError)),
        }
    }
}

impl Sentinel for Keepers<'_> {
    fn abort(rocket: &Rocket<rocket::Ignite>) -> bool {
        rocket.state::<Tokens>().is_none() || rocket.state::<Store>().is_none()
    }
}
