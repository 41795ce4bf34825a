//! JSON responses.

use std::fmt::Debug;
use std::io::Cursor;

use rocket::http::{ContentType, Status};
use rocket::{response, Request, Response};
use serde::Serialize;

use crate::dispatch_context::DispatchContext;
use crate::json::{EncodedJson, JsonBody, Style};
use crate::store::List;

/// A value that can be the body of a JSON response.
pub trait ToJson {
    /// The text in the style of the server. `None` if the value cannot be serialized, which no type of this crate causes.
    fn to_json(&self, style: Style) -> Option<JsonBody>;
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
}

/// In the style of the store.
impl<T: Debug + 'static> ToJson for List<T> {
    fn to_json(&self, _: Style) -> Option<JsonBody> {
        self.to_body()
    }
}

/// A response with `body` as JSON, in the style of the server.
///
/// # Errors
/// 500 if the body cannot be serialized, which no type of this crate causes.
pub(super) fn json(request: &Request<'_>, status: Status, body: &impl ToJson) -> response::Result<'static> {
    let style = request.rocket().state::<Style>().copied().unwrap_or(Style::Compact);
    let body = body.to_json(style).ok_or(Status::InternalServerError)?;
    if let Some(response_slot) = DispatchContext::response_slot(request) {
        response_slot.put(status, body);
        return Response::build().status(status).ok();
    }
    let text = body.into_bytes().map_err(|_| Status::InternalServerError)?;
    Response::build().status(status).header(ContentType::JSON).sized_body(text.len(), Cursor::new(text)).ok()
}

/// A 204 without Content-Length, which it must not have (RFC 9110, section 8.6). Rocket would send `0` for a body of known
/// size.
#[must_use]
pub(super) fn no_content() -> Response<'static> {
    Response::build().status(Status::NoContent).streamed_body(tokio::io::empty()).finalize()
}
