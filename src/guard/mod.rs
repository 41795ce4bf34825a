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

use self::access::AccessError;
use crate::error::fault::Fault;
use crate::error::Failure;
use crate::log::Facts;
use crate::store::Store;
use crate::token::{Claims, Kind, TokenError, Tokens};

/// What the guards look at. A server that lacks either does not start: see [`Keepers::are_missing`].
struct Keepers<'r> {
    tokens: &'r Tokens,
    store: &'r Store,
}

impl<'r> Keepers<'r> {
    fn of(request: &'r Request<'_>) -> Option<Self> {
        let rocket = request.rocket();
        Some(Self { tokens: rocket.state()?, store: rocket.state()? })
    }

    /// The claims of a token that is in order. From here on the request is known to be of its user.
    fn claims(&self, request: &Request<'_>, token: &str, kind: Kind) -> Result<Claims, TokenError> {
        let claims = self.tokens.verify(token, kind)?;
        Facts::note_user(request, claims.identity);
        Ok(claims)
    }

    /// What each guard's `Sentinel` asks, since Rocket cannot see into a guard.
    fn are_missing(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Tokens>().is_none() || rocket.state::<Store>().is_none()
    }
}

/// How to ask again whether a request is let in.
#[derive(Clone, Copy)]
struct Again(fn(&Keepers<'_>, &Request<'_>) -> Result<(), AccessError>);

/// Asks again whether the request is let in, once its body is there: a client that sends the body slowly must
/// not outlive its token. A request that no guard has let in has nothing to lose.
fn ask_again(request: &Request<'_>) -> Result<(), AccessError> {
    let Some(Again(check)) = request.local_cache(|| None::<Again>) else { return Ok(()) };
    let keepers = Keepers::of(request).ok_or(AccessError::UnknownUser)?;
    check(&keepers, request)
}

/// Lets the request in with what `check` finds, or keeps what it finds wrong for the catcher.
fn admit<'r, T, E: Failure>(
    request: &'r Request<'_>,
    check: impl FnOnce(&Keepers<'r>) -> Result<T, E>,
) -> Outcome<T, E> {
    let Some(keepers) = Keepers::of(request) else {
        return Outcome::Forward(Status::InternalServerError);
    };
    match check(&keepers) {
        Ok(found) => Outcome::Success(found),
        Err(error) => {
            let fault = error.fault();
            let status = fault.status();
            request.local_cache(|| Some(fault));
            Outcome::Error((status, error))
        }
    }
}

/// What a guard found wrong with the request, if one did.
pub fn failure<'r>(request: &'r Request<'_>) -> Option<&'r Fault> {
    request.local_cache(|| None::<Fault>).as_ref()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rocket::error::ErrorKind;
    use rocket::local::blocking::Client;
    use rocket::request::FromRequest;
    use rocket::{async_trait, delete, post, put, routes, Build, Config, Route};

    use super::*;
    use crate::clock::{Clock, TokenIds};
    use crate::config::DEFAULT_LIFETIMES;
    use crate::guard::body::{BodyError, CreateBody, UpdateBody};
    use crate::model::id::Id;
    use crate::model::user::UserInput;
    use crate::password::{Cost, Password};
    use crate::secret::Secret;
    use crate::store::StoredUser;

    const ANN: Id = Id::new(1);

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
        let tokens = Tokens::new(&secret, DEFAULT_LIFETIMES, Clock::System, TokenIds::Random);
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

    /// What happens when a request has been let in and its body is still on its way.
    struct Event(fn(&Clock, &Store));

    /// Lets it happen: Rocket reads the body after every guard.
    struct Meanwhile;

    #[async_trait]
    impl<'r> FromRequest<'r> for Meanwhile {
        type Error = ();

        async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
            let rocket = request.rocket();
            if let (Some(Event(event)), Some(clock), Some(store)) =
                (rocket.state(), rocket.state(), rocket.state())
            {
                event(clock, store);
            }
            Outcome::Success(Self)
        }
    }

    #[post("/users", data = "<body>")]
    fn guarded(_token: access::AccessToken, _meanwhile: Meanwhile, body: CreateBody<UserInput>) -> String {
        format!("{:?}", body.err())
    }

    #[put("/users/<id>", data = "<body>")]
    fn owned(id: Id, _owner: owner::Owner, _meanwhile: Meanwhile, body: UpdateBody<UserInput>) -> String {
        format!("{id} {:?}", body.err())
    }

    /// What became of the two requests with that body, while that happened.
    fn meanwhile(event: fn(&Clock, &Store), body: &str) -> (String, String) {
        let hasher = Cost { memory: 8, iterations: 1, parallelism: 1 }.hasher().expect("a cost");
        let hash = hasher.hash(&Password::new("password".to_owned())).expect("a hash");
        let answer = |method, path: &'static str| {
            let clock = Clock::manual(1);
            let users = BTreeMap::from([(ANN, StoredUser { name: "ann".to_owned(), hash: hash.clone() })]);
            let secret = Secret::random().expect("a key");
            let tokens = Tokens::new(&secret, DEFAULT_LIFETIMES, clock.clone(), TokenIds::Random);
            let token = tokens.issue(Kind::Access, ANN).expect("a token").text;
            let rocket = rocket::custom(config())
                .mount("/", routes![guarded, owned])
                .manage(tokens)
                .manage(Store::new(users, BTreeMap::new()))
                .manage(clock)
                .manage(Event(event));
            let client = Client::untracked(rocket).expect("it starts");
            let bearer = rocket::http::Header::new("Authorization", format!("Bearer {token}"));
            let answer = client.req(method, path).header(bearer).body(body).dispatch().into_string();
            answer.expect("an answer")
        };
        (answer(rocket::http::Method::Post, "/users"), answer(rocket::http::Method::Put, "/users/1"))
    }

    #[test]
    fn a_token_must_be_good_when_the_body_is_there_and_comes_before_the_body() {
        let good = r#"{"name": "ann", "password": "password"}"#;
        let late = |error| format!("{:?}", Some(BodyError::NoLongerLetIn(error)));
        assert_eq!(meanwhile(|_, _| (), good), ("None".to_owned(), "1 None".to_owned()));
        for body in [good, "{}", "no JSON"] {
            let expired = late(AccessError::Token(TokenError::Expired));
            let end_of_token = |clock: &Clock, _: &Store| clock.set(1 + 15 * 60);
            assert_eq!(meanwhile(end_of_token, body), (expired.clone(), format!("1 {expired}")), "{body}");
            let (guarded, owned) = meanwhile(|_, store| assert!(store.delete_user(ANN).is_ok()), body);
            assert_eq!(guarded, late(AccessError::UnknownUser), "{body}");
            // That the user is gone is for the store to say.
            assert!(!owned.contains("NoLongerLetIn"), "{body}: {owned}");
        }
    }
}
