//! Success responses, and their description in the specification.

use std::fmt::Debug;

use rocket::http::{Header, Status};
use rocket::response::{self, Responder};
use rocket::Request;
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::Responses;
use rocket_okapi::response::OpenApiResponderInner;
use schemars::JsonSchema;

use crate::api::base_url::BaseUrl;
use crate::api::json_response::{json, no_content, ToJson};
use crate::api::openapi::components;
use crate::dispatch_context::DispatchContext;
use crate::json::HasValidity;
use crate::model::id::Id;

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

/// 200 with a body that depends on the path and on one stored value, and on nothing else: all clients get the same. The
/// HTTP server caches it until a write ends the value. Not for an operation with a guard.
#[derive(Debug)]
pub struct Cacheable<T>(pub T);

impl<'r, T: ToJson + HasValidity> Responder<'r, 'static> for Cacheable<T> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let response = json(request, Status::Ok, &self.0)?;
        if let (Some(response_slot), Some(validity)) =
            (DispatchContext::response_slot(request), self.0.validity())
        {
            response_slot.mark_cacheable(validity.clone());
        }
        Ok(response)
    }
}

impl<T: JsonSchema> OpenApiResponderInner for Cacheable<T> {
    fn responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        Json::<T>::responses(generator)
    }
}

/// 201 with a body and `Location`.
#[derive(Debug)]
pub struct Created<T> {
    path: String,
    body: T,
}

impl<T> Created<T> {
    /// A resource created in that collection, with that id.
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
        let location = components::header("The URL of the created resource.", Some("uri"));
        response.headers.insert("Location".to_owned(), location);
        Ok(components::only(201, response))
    }
}

/// 204 after a deletion.
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
