//! JSON body guards for creating, replacing and changing a resource.

use bytes::Bytes;
use rocket::data::{self, ByteUnit, Data, FromData, ToByteUnit};
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::{async_trait, Request};
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::RequestBody;
use rocket_okapi::request::OpenApiFromData;
use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;
use serde_json::Value;

use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::{ErrorSpec, INVALID_FIELDS};
use crate::api::error::{error_specs, ToApiError};
use crate::api::openapi::components;
use crate::dispatch_context::{AwaitedBody, DispatchContext};
use crate::json;
use crate::model::field::FieldErrors;
use crate::model::{self, Input, InputError};

/// The default of the maximum body size (`limits.json`).
pub const DEFAULT_BODY_LIMIT: ByteUnit = ByteUnit::Kibibyte(64);

/// Why a body is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The body cannot be read as JSON.
    Read(ReadError),
    /// The body is JSON with invalid fields.
    Invalid(FieldErrors),
}

/// A body that creates a resource. If it has an `id`, the store rejects it.
#[derive(Debug)]
pub struct Create<T>(pub T);

/// A body that replaces a resource. It may repeat the resource's `id`.
#[derive(Debug)]
pub struct Update<T>(pub T);

/// A body that changes a resource: a JSON merge patch (RFC 7396). It may repeat the resource's `id`.
#[derive(Debug)]
pub struct Patch<T: Input>(pub T::Patch);

/// The argument of a handler: the body, or an error, which the handler returns after the other guards have run.
pub type CreateBody<T> = Result<Create<T>, BodyError>;

/// The argument of a handler: the body, or an error.
pub type UpdateBody<T> = Result<Update<T>, BodyError>;

/// The argument of a handler: the body, or an error.
pub type PatchBody<T> = Result<Patch<T>, BodyError>;

/// Why a body cannot be read as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The body has more bytes than this limit.
    TooLarge(u64),
    /// The body is not JSON.
    Malformed(String),
}

error_specs!(ReadError {
    TooLarge(limit) => PAYLOAD_TOO_LARGE.with_message(format!("The body may have {limit} bytes at most.")),
    Malformed(reason) => MALFORMED_JSON.with_message(format!("Malformed JSON: {reason}")),
});

impl ToApiError for BodyError {
    fn error_specs() -> Vec<&'static ErrorSpec> {
        let mut specs = ReadError::error_specs();
        specs.push(&INVALID_FIELDS);
        specs
    }

    fn to_api_error(&self) -> ApiError {
        match self {
            Self::Read(error) => error.to_api_error(),
            Self::Invalid(errors) => ApiError::of(&INVALID_FIELDS).with_message(errors),
        }
    }
}

/// The body, whatever its Content-Type. `data` has it only in a test with Rocket's local client.
async fn bytes(request: &Request<'_>, data: Data<'_>) -> Result<Bytes, ReadError> {
    let limit = limit(request);
    let body = match DispatchContext::of(request) {
        Some(context) => context.body.take(),
        None => {
            let body = data.open(limit.saturating_add(1).bytes()).into_bytes().await;
            body.map_err(|error| ReadError::Malformed(format!("the body broke off: {error}")))?.value.into()
        }
    };
    if body.len() as u64 > limit {
        return Err(ReadError::TooLarge(limit));
    }
    Ok(body)
}

/// Whether the body has arrived. If the client waits for a 100 response before it sends the body (RFC 9110, section
/// 10.1.1), the body is marked as needed, unless its length is above the limit.
pub(super) fn has_arrived(request: &Request<'_>) -> Result<bool, ReadError> {
    let Some(DispatchContext { body, .. }) = DispatchContext::of(request) else { return Ok(true) };
    let Some(AwaitedBody { length }) = body.awaited() else { return Ok(true) };
    let limit = limit(request);
    if length.is_some_and(|length| length > limit) {
        return Err(ReadError::TooLarge(limit));
    }
    body.set_needed();
    Ok(false)
}

/// Forwards the request, so that no handler runs before the body has arrived. The server discards the response.
pub(super) fn stop<T, E>(data: Data<'_>) -> Outcome<T, (Status, E), (Data<'_>, Status)> {
    Outcome::Forward((data, Status::NotFound))
}

fn limit(request: &Request<'_>) -> u64 {
    request.limits().get("json").unwrap_or(DEFAULT_BODY_LIMIT).as_u64()
}

impl From<json::Malformed> for ReadError {
    fn from(error: json::Malformed) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<InputError> for BodyError {
    fn from(error: InputError) -> Self {
        match error {
            InputError::Malformed(error) => Self::Read(error.into()),
            InputError::Invalid(errors) => Self::Invalid(errors),
        }
    }
}

/// The JSON value of the body.
pub(super) async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Value, ReadError> {
    Ok(json::parse(&bytes(request, data).await?)?)
}

async fn outcome<'r, T, B>(
    request: &Request<'_>,
    data: Data<'r>,
    parse: fn(&[u8]) -> Result<T, InputError>,
    body: fn(T) -> B,
) -> data::Outcome<'r, B>
where
    B: FromData<'r, Error = BodyError>,
{
    let bytes = match has_arrived(request) {
        Ok(true) => bytes(request, data).await,
        Ok(false) => return stop(data),
        Err(error) => Err(error),
    };
    match bytes.map_err(BodyError::Read).and_then(|bytes| Ok(parse(&bytes)?)) {
        Ok(input) => Outcome::Success(body(input)),
        Err(error) => Outcome::Error((Status::BadRequest, error)),
    }
}

#[async_trait]
impl<'r, T: Input> FromData<'r> for Create<T> {
    type Error = BodyError;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        outcome(request, data, model::parse, Self).await
    }
}

#[async_trait]
impl<'r, T: Input> FromData<'r> for Update<T> {
    type Error = BodyError;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        outcome(request, data, model::parse, Self).await
    }
}

#[async_trait]
impl<'r, T: Input> FromData<'r> for Patch<T> {
    type Error = BodyError;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        outcome(request, data, model::parse_patch::<T>, Self).await
    }
}

impl<T: Input> JsonSchema for Create<T> {
    fn schema_name() -> String {
        format!("New{}", T::RESOURCE)
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        model::create_schema::<T>("What creates a resource. The server chooses its id.")
    }
}

impl<T: Input> JsonSchema for Update<T> {
    fn schema_name() -> String {
        format!("{}Update", T::RESOURCE)
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        model::update_schema::<T>("What replaces a resource. It may repeat the id of the path.")
    }
}

impl<T: Input> JsonSchema for Patch<T> {
    fn schema_name() -> String {
        format!("{}Patch", T::RESOURCE)
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        model::patch_schema::<T>("What to change of a resource. It may repeat the id of the path.")
    }
}

impl<'r, T: Input> OpenApiFromData<'r> for Create<T> {
    fn request_body(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<RequestBody> {
        Ok(components::request_body::<Self>(generator, "What to create.", T::example()))
    }
}

impl<'r, T: Input> OpenApiFromData<'r> for Update<T> {
    fn request_body(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<RequestBody> {
        Ok(components::request_body::<Self>(generator, "What to put in its place.", T::example()))
    }
}

impl<'r, T: Input> OpenApiFromData<'r> for Patch<T> {
    fn request_body(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<RequestBody> {
        // Not `application/merge-patch+json` as well: generators of clients cannot choose.
        let about = "What to change: a JSON merge patch (RFC 7396).";
        Ok(components::request_body::<Self>(generator, about, T::patch_example()))
    }
}
