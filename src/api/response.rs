//! Success replies: what they answer, and how the specification describes them.

use std::fmt::Debug;
use std::io::Cursor;

use rocket::http::{ContentType, Header, Status};
use rocket::response::{self, Responder};
use rocket::{Request, Response};
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::Responses;
use rocket_okapi::response::OpenApiResponderInner;
use schemars::JsonSchema;
use serde::Serialize;

use crate::api::base_url::BaseUrl;
use crate::api::openapi::components;
use crate::dispatch_context::DispatchContext;
use crate::json::{EncodedJson, JsonBody, Style};
use crate::model::id::Id;
use crate::store::List;

/// What can be answered as JSON.
pub trait ToJson {
    /// Its text; `style` is the server's. None if it cannot be written as JSON, which is so for no body of this crate.
    fn to_json(&self, style: Style) -> Option<JsonBody>;
}

impl<T: Serialize> ToJson for T {
    fn to_json(&self, style: Style) -> Option<JsonBody> {
        style.render(self).ok().map(|text| JsonBody::Full(text.into()))
    }
}

/// In the style of the store that it comes from.
impl<T> ToJson for EncodedJson<T> {
    fn to_json(&self, _: Style) -> Option<JsonBody> {
        self.text().cloned().map(JsonBody::Full)
    }
}

/// In the style of the store that it comes from.
impl<T: Debug + 'static> ToJson for List<T> {
    fn to_json(&self, _: Style) -> Option<JsonBody> {
        self.to_body()
    }
}

/// `body` as JSON in the style of the server.
///
/// # Errors
/// 500 where the body cannot be written as JSON, which no body of this crate does.
pub fn json(request: &Request<'_>, status: Status, body: &impl ToJson) -> response::Result<'static> {
    let style = request.rocket().state::<Style>().copied().unwrap_or(Style::Compact);
    let body = body.to_json(style).ok_or(Status::InternalServerError)?;
    if let Some(response_slot) = DispatchContext::response_slot(request) {
        response_slot.put(status, body);
        return Response::build().status(status).ok();
    }
    let text = body.into_bytes().map_err(|_| Status::InternalServerError)?;
    Response::build().status(status).header(ContentType::JSON).sized_body(text.len(), Cursor::new(text)).ok()
}

/// 200 with a body.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<'r, T: ToJson> Responder<'r, 'static> for Json<T> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        json(request, Status::Ok, &self.0)
    }
}

impl<T: JsonSchema> OpenApiResponderInner for Json<T> {
    fn responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        Ok(components::only(200, components::response_with::<T>(generator, "Done.")))
    }
}

/// 200 with a body that depends on the path and on what is stored, and on nothing else: who asks, or how, changes
/// nothing. The front gives it again until something is written. Not for an operation with a guard.
#[derive(Debug)]
pub struct Cacheable<T>(pub T);

impl<'r, T: ToJson> Responder<'r, 'static> for Cacheable<T> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let response = json(request, Status::Ok, &self.0)?;
        if let Some(response_slot) = DispatchContext::response_slot(request) {
            response_slot.mark_cacheable();
        }
        Ok(response)
    }
}

impl<T: JsonSchema> OpenApiResponderInner for Cacheable<T> {
    fn responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        Json::<T>::responses(generator)
    }
}

/// 201 with a body and its address.
#[derive(Debug)]
pub struct Created<T> {
    path: String,
    body: T,
}

impl<T> Created<T> {
    /// What was created under that path, with that id.
    pub fn under(collection: &str, id: Id, body: T) -> Self {
        Self { path: format!("{collection}/{id}"), body }
    }
}

impl<'r, T: ToJson> Responder<'r, 'static> for Created<T> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = json(request, Status::Created, &self.body)?;
        let location = BaseUrl::of(request).join(&self.path);
        response.set_header(Header::new("Location", location));
        Ok(response)
    }
}

impl<T: JsonSchema> OpenApiResponderInner for Created<T> {
    fn responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        let mut response = components::response_with::<T>(generator, "Created.");
        let location = components::header("The address of what was created.", Some("uri"));
        response.headers.insert("Location".to_owned(), location);
        Ok(components::only(201, response))
    }
}

/// 204 without Content-Length, which it must not have (RFC 9110, section 8.6). Rocket would send `0` for a body
/// whose size it knows.
#[must_use]
pub fn no_content() -> Response<'static> {
    Response::build().status(Status::NoContent).streamed_body(tokio::io::empty()).finalize()
}

/// 204: it is gone, and there is nothing to say.
#[derive(Debug)]
pub struct NoContent;

impl<'r> Responder<'r, 'static> for NoContent {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Ok(no_content())
    }
}

impl OpenApiResponderInner for NoContent {
    fn responses(_: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        Ok(components::only(204, components::response("Deleted.")))
    }
}
