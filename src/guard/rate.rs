//! Limits of rate.

use std::marker::PhantomData;

use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::{async_trait, Ignite, Request, Rocket, Sentinel};
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::Responses;
use rocket_okapi::request::{OpenApiFromRequest, RequestHeaderInput};

use super::refuse;
use crate::docs;
use crate::error::Failure;
use crate::throttle::{Operation, Throttle, TooMany};

/// The client has not asked for this operation too often. It stands before the other guards: who asks too often
/// costs no more than that.
#[derive(Debug)]
pub struct WithinRate<O>(PhantomData<O>);

/// An operation whose rate is limited.
pub trait Limited {
    /// Which it is.
    const OPERATION: Operation;
}

macro_rules! limited {
    ($($(#[$about:meta])* $name:ident;)*) => {
        $($(#[$about])*
        #[derive(Debug)]
        pub enum $name {}

        impl Limited for $name {
            const OPERATION: Operation = Operation::$name;
        })*
    };
}

limited! {
    /// A login.
    LogIn;
    /// A refresh.
    Refresh;
    /// A new user.
    CreateUser;
    /// A user's new name and password.
    UpdateUser;
}

#[async_trait]
impl<'r, O: Limited> FromRequest<'r> for WithinRate<O> {
    type Error = TooMany;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, TooMany> {
        let Some(throttle) = request.rocket().state::<Throttle>() else {
            return Outcome::Forward(Status::InternalServerError);
        };
        match throttle.admit(O::OPERATION, request.remote().map(|client| client.ip())) {
            Ok(()) => Outcome::Success(Self(PhantomData)),
            Err(error) => refuse(request, error),
        }
    }
}

impl<O> Sentinel for WithinRate<O> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Throttle>().is_none()
    }
}

impl<'r, O: Limited> OpenApiFromRequest<'r> for WithinRate<O> {
    fn from_request_input(
        _: &mut OpenApiGenerator,
        _: String,
        _: bool,
    ) -> rocket_okapi::Result<RequestHeaderInput> {
        Ok(RequestHeaderInput::None)
    }

    fn get_responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        Ok(docs::errors(generator, &TooMany::rows()))
    }
}
