//! Success responses, and their description in the specification.

use std::fmt::Debug;

use rocket::http::{Header, RawStr, Status};
use rocket::response::{self, Responder};
use rocket::{Request, Response};
use rocket_okapi::gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::{RefOr, Response as OpenApiResponse, Responses};
use rocket_okapi::response::OpenApiResponderInner;
use schemars::JsonSchema;

use crate::api::base_url::BaseUrl;
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::PRECONDITION_FAILED;
use crate::api::etag;
use crate::api::json_response::{json, no_content, ToJson};
use crate::api::openapi::components;
use crate::dispatch_context::DispatchContext;
use crate::json::{EncodedJson, Version};
use crate::model::id::Id;
use crate::store::{List, Page};

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

/// The value that a write has stored, as [`Json`] with its entity tag.
#[derive(Debug)]
pub struct Stored<T>(pub EncodedJson<T>);

impl<'r, T> Responder<'r, 'static> for Stored<T> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        json(request, Status::Ok, &self.0)
    }
}

impl<T: JsonSchema> OpenApiResponderInner for Stored<T> {
    fn responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        Ok(components::only(200, with_etag(components::response_with::<T>(generator, "Done."))))
    }
}

/// The response to a read that needs no value: 412, or 304 (RFC 9110, section 13.2.2).
fn conditional(request: &Request<'_>, version: &Version) -> Result<Option<Response<'static>>, Status> {
    let precondition = etag::precondition(request);
    if precondition.if_match.is_some_and(|required| !required.contains(Some(version))) {
        return ApiError::of(&PRECONDITION_FAILED).respond_to(request).map(Some);
    }
    if precondition.if_none_match.is_some_and(|known| known.contains(Some(version))) {
        return etag::not_modified(etag::of(version)).map(Some);
    }
    Ok(None)
}

fn with_etag(mut response: OpenApiResponse) -> OpenApiResponse {
    let about = "The version of the body, for `If-Match` and `If-None-Match` (RFC 9110, section 8.8.3).";
    response.headers.insert("ETag".to_owned(), components::header(about, None));
    response
}

/// The response to a read: 200 with a body that depends on the path and on one stored value, and on nothing else: all clients
/// get the same. The HTTP server caches it until a write ends the version of the value. Not for an operation with a guard. A
/// client that has the current version gets a 304.
#[derive(Debug)]
pub struct Cacheable<T>(pub T);

impl<'r, T: ToJson> Responder<'r, 'static> for Cacheable<T> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let Some(version) = self.0.version() else { return json(request, Status::Ok, &self.0) };
        if let Some(response) = conditional(request, version)? {
            return Ok(response);
        }
        let response = json(request, Status::Ok, &self.0)?;
        if let Some(response_slot) = DispatchContext::response_slot(request) {
            response_slot.mark_cacheable();
        }
        Ok(response)
    }
}

impl<T: JsonSchema> OpenApiResponderInner for Cacheable<T> {
    fn responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        let mut responses = components::errors(generator, &[&PRECONDITION_FAILED]);
        let done = with_etag(components::response_with::<T>(generator, "Done."));
        let known = with_etag(components::response("The client has the current version."));
        for (status, response) in [("200", done), ("304", known)] {
            responses.responses.insert(status.to_owned(), RefOr::Object(response));
        }
        Ok(responses)
    }
}

/// The response to a read of a list: all of it, or a page.
#[derive(Debug)]
pub enum Listing<T> {
    /// All items.
    All(Cacheable<List<T>>),
    /// A page, with the number of items on all pages, and a link to the next one (RFC 8288).
    Page(Page<T>),
}

impl<'r, T: Debug + 'static> Responder<'r, 'static> for Listing<T> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let page = match self {
            Self::All(list) => return list.respond_to(request),
            Self::Page(page) => page,
        };
        let Page { list, total, next } = page;
        let mut response = match conditional(request, list.version())? {
            Some(response) => return Ok(response),
            None => json(request, Status::Ok, &list)?,
        };
        response.set_header(Header::new("X-Total-Count", total.to_string()));
        if let Some(cursor) = next {
            response
                .set_header(Header::new("Link", format!("<{}>; rel=\"next\"", next_page(request, &cursor))));
        }
        Ok(response)
    }
}

/// The URL of the request with another cursor.
fn next_page(request: &Request<'_>, cursor: &str) -> String {
    let query = request.uri().query().map_or("", |query| query.as_str());
    let is_cursor = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default();
        RawStr::new(name).url_decode_lossy() == "cursor"
    };
    let others = query.split('&').filter(|parameter| !parameter.is_empty() && !is_cursor(parameter));
    let cursor = format!("cursor={cursor}");
    let parameters: Vec<&str> = others.chain([cursor.as_str()]).collect();
    BaseUrl::of(request).join(&format!("{}?{}", request.uri().path(), parameters.join("&")))
}

impl<T: JsonSchema> OpenApiResponderInner for Listing<T> {
    fn responses(generator: &mut OpenApiGenerator) -> rocket_okapi::Result<Responses> {
        let mut responses = Cacheable::<List<T>>::responses(generator)?;
        if let Some(RefOr::Object(done)) = responses.responses.get_mut("200") {
            let count = "The number of items on all pages. Only with a parameter of the list.";
            let link = "The next page, as `rel=\"next\"` (RFC 8288), if there is one.";
            for (name, about) in [("X-Total-Count", count), ("Link", link)] {
                done.headers.insert(name.to_owned(), components::optional_header(about));
            }
        }
        Ok(responses)
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
        let mut response = with_etag(components::response_with::<T>(generator, "Created."));
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
