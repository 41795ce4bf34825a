//! List-query guard: which rows of a list a client wants.

use std::marker::PhantomData;

use rocket::async_trait;
use rocket::http::RawStr;
use rocket::request::{FromRequest, Outcome, Request};
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::Responses;
use rocket_okapi::request::{OpenApiFromRequest, RequestHeaderInput};

use super::reject;
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::{ErrorSpec, INVALID_PARAMETERS};
use crate::api::error::ToApiError;
use crate::api::openapi::components;
use crate::model::field::FieldErrors;
use crate::model::query::{self, ListQuery};
use crate::model::Input;

/// Whether a list refuses unknown parameters: the setting `strict_query`.
#[derive(Clone, Copy, Debug)]
pub struct StrictQuery(pub bool);

/// The query of a list of such resources; none if the client wants all.
#[derive(Debug)]
pub struct Query<I>(pub Option<ListQuery>, PhantomData<fn() -> I>);

/// Why a query is rejected.
#[derive(Debug)]
pub struct QueryError(FieldErrors);

impl ToApiError for QueryError {
    fn error_specs() -> Vec<&'static ErrorSpec> {
        vec![&INVALID_PARAMETERS]
    }

    fn to_api_error(&self) -> ApiError {
        ApiError::of(&INVALID_PARAMETERS).with_message(&self.0)
    }
}

#[async_trait]
impl<'r, I: Input> FromRequest<'r> for Query<I> {
    type Error = QueryError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, QueryError> {
        let is_strict = request.rocket().state::<StrictQuery>().is_some_and(|StrictQuery(strict)| *strict);
        let text = request.uri().query().map_or("", |query| query.as_str());
        let parameters = text.split('&').filter(|parameter| !parameter.is_empty()).map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = RawStr::new(name).url_decode_lossy();
            (name, RawStr::new(value).url_decode().ok())
        });
        match query::parse::<I>(parameters, is_strict) {
            Ok(query) => Outcome::Success(Self(query, PhantomData)),
            Err(errors) => reject(request, QueryError(errors)),
        }
    }
}

/// The specification describes the parameters with those of other operations.
impl<'r, I: Input> OpenApiFromRequest<'r> for Query<I> {
    fn from_request_input(
        _: &mut OpenApiGenerator,
        _: String,
        _: bool,
    ) -> rocket_okapi::Result<RequestHeaderInput> {
        Ok(RequestHeaderInput::None)
    }

    fn get_responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        Ok(components::errors(generator, &QueryError::error_specs()))
    }
}
