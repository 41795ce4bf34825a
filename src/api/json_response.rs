//! JSON responses.

use std::fmt::Debug;
use std::io::Cursor;

use rocket::http::{ContentType, Header, Status};
use rocket::{response, Request, Response};
use serde::Serialize;

use crate::api::etag;
use crate::dispatch_context::DispatchContext;
use crate::json::{EncodedJson, JsonBody, Style, Version};
use crate::store::List;

/// A value that can be the body of a JSON response.
pub trait ToJson {
    /// The text in the style of the server. `None` if the value cannot be serialized, which no type of this crate causes.
    fn to_json(&self, style: Style) -> Option<JsonBody>;

    /// The version of a stored value; none of any other.
    fn version(&self) -> Option<&Version> {
        None
    }
}

impl<T: Serialize> ToJson for T {
    fn to_json(&self, style: Style) -> Option<JsonBody> {
        style.render(self).ok().map(|text| JsonBody::Full(text.into()))
    }
}

/// In the style of the store.
impl<T> ToJson for EncodedJson<T> {
    fn to_json(&self, _: Style) -> Option<JsonBody> {
        self.text().cloned().map(JsonBody::Full)
    }

    fn version(&self) -> Option<&Version> {
        self.version()
    }
}

/// In the style of the store.
impl<T: Debug + 'static> ToJson for List<T> {
    fn to_json(&self, _: Style) -> Option<JsonBody> {
        self.to_body()
    }

    fn version(&self) -> Option<&Version> {
        Some(self.version())
    }
}

/// A response with `value` as JSON, in the style of the server, and with the entity tag of a stored value.
///
/// # Errors
/// 500 if the body cannot be serialized, which no type of this crate causes.
pub(super) fn json(request: &Request<'_>, status: Status, value: &impl ToJson) -> response::Result<'static> {
    let style = request.rocket().state::<Style>().copied().unwrap_or(Style::Compact);
    let body = value.to_json(style).ok_or(Status::InternalServerError)?;
    if let Some(response_slot) = DispatchContext::response_slot(request) {
        response_slot.put(status, body, value.version().cloned());
        return Response::build().status(status).ok();
    }
    let text = body.into_bytes().map_err(|_| Status::InternalServerError)?;
    let mut response = Response::build();
    if let Some(version) = value.version() {
        response.header(Header::new("ETag", etag::of(version)));
    }
    response.status(status).header(ContentType::JSON).sized_body(text.len(), Cursor::new(text)).ok()
}

/// A 204 without Content-Length, which it must not have (RFC 9110, section 8.6). Rocket would send `0` for a body of known
/// size.
#[must_use]
pub(super) fn no_content() -> Response<'static> {
    Response::build().status(Status::NoContent).streamed_body(tokio::io::empty()).finalize()
}
