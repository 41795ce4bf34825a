//! Conditions on requests and responses, of which the sections consist.

use rocket::http::{Method, RawStr};
use serde_json::Value;

use crate::contract::compare::allowed_difference::Case;
use crate::contract::compare::difference::difference;
use crate::contract::compare::media_type;
use crate::contract::recording::history::{SHIPS, USERS};
use crate::contract::recording::message::{Request, Response};
use crate::contract::session::ids::Ids;
use crate::contract::session::jwt::Jwt;
use crate::json;

pub(super) fn succeeds(_: &Case<'_>, response: &Response) -> bool {
    is_success(response)
}

pub(super) fn is_success(response: &Response) -> bool {
    (200..300).contains(&response.status)
}

/// Whether a request creates a ship or a user.
pub(super) fn is_creation(case: &Case<'_>) -> bool {
    let request = &case.exchange.request;
    request.method == Method::Post && matches!(request.target(), SHIPS | USERS)
}

/// The id of the created resource; `None` if there is none.
pub(super) fn created_id(response: &Response) -> Option<u64> {
    response.json()?.get("id")?.as_u64().filter(|_| response.status == 201)
}

/// Whether the id of the created resource was never used before; `None` if nothing was created.
pub(super) fn has_new_id(case: &Case<'_>, response: &Response) -> Option<bool> {
    Some(!case.history.has_used(case.exchange.request.target(), created_id(response)?))
}

/// Whether the live response equals the recorded one apart from the id.
pub(super) fn differs_only_in_id(case: &Case<'_>, live: &Response) -> bool {
    let Some((was, is)) = created_id(&case.exchange.response).zip(created_id(live)) else { return false };
    let collection = case.exchange.request.target();
    let mut ids = Ids::default();
    ids.capture(collection, was, is);
    let mut renamed = live.clone();
    renamed.body = ids.restore_text(collection, &String::from_utf8_lossy(&live.body)).into_bytes();
    let end = format!("{collection}/{is}");
    for (name, value) in &mut renamed.headers {
        if name.eq_ignore_ascii_case("Location") {
            let Some(base) = value.strip_suffix(&end) else { return false };
            *value = format!("{base}{collection}/{was}");
        } else if name.eq_ignore_ascii_case("Content-Length") {
            // The reader has checked it against the live body.
            *value = renamed.body.len().to_string();
        }
    }
    difference(case.exchange, &renamed, case.mode, "").is_none()
}

/// Whether the token was accepted, whatever else is wrong with the request.
pub(super) fn accepts_token(response: &Response) -> bool {
    is_success(response) || matches!(response.status, 400 | 403 | 404)
}

/// Whether a response comes from the original, by its server software.
pub(super) fn is_from_original(recorded: &Response) -> bool {
    recorded.header("Server").is_some_and(|server| server.starts_with("Werkzeug/"))
}

/// The methods of a path in both servers; `None` for an unknown path.
pub(super) fn methods_at(path: &str) -> Option<&'static [Method]> {
    use Method::{Delete, Get, Head, Options, Post, Put};
    let path = RawStr::new(path).percent_decode_lossy();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match segments.as_slice() {
        ["auth", "login" | "refresh"] => Some(&[Post, Options]),
        ["auth", "logout" | "logout2"] => Some(&[Delete, Options]),
        ["api", "ships" | "users"] => Some(&[Get, Head, Post, Options]),
        ["api", "ships" | "users", id] if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(&[Get, Head, Put, Delete, Options])
        }
        _ => None,
    }
}

/// Whether a request is meant to have a ship or a user as its body.
pub(super) fn has_resource_body(request: &Request) -> bool {
    matches!(request.method, Method::Post | Method::Put)
        && !request.target().starts_with("/auth/")
        && methods_at(request.target()).is_some_and(|methods| methods.contains(&request.method))
}

pub(super) fn is_html(response: &Response) -> bool {
    response.header("Content-Type").is_some_and(|label| media_type::is(label, "text/html"))
}

pub(super) fn error_name(response: &Response) -> Option<String> {
    Some(response.json()?.get("error")?.as_str()?.to_owned())
}

pub(super) fn is_bad_request(response: &Response) -> bool {
    response.status == 400 && error_name(response).as_deref() == Some("Bad Request")
}

/// Whether the message of an error contains this string as a value.
pub(super) fn has_message(response: &Response, text: &str) -> bool {
    response.json().is_some_and(|body| {
        body.get("message").is_some_and(|message| contains_value(message, &|value| value == text))
    })
}

/// Whether the message of an error contains a string that starts like this.
pub(super) fn has_message_starting_with(response: &Response, beginning: &str) -> bool {
    let begins = |value: &Value| value.as_str().is_some_and(|text| text.starts_with(beginning));
    response
        .json()
        .is_some_and(|body| body.get("message").is_some_and(|message| contains_value(message, &begins)))
}

/// Whether a value, or one within it, meets the condition.
pub(super) fn contains_value(value: &Value, such: &dyn Fn(&Value) -> bool) -> bool {
    such(value)
        || match value {
            Value::Array(items) => items.iter().any(|item| contains_value(item, such)),
            Value::Object(members) => members.values().any(|member| contains_value(member, such)),
            _ => false,
        }
}

/// Whether an integer field of the ship or user in a body meets the condition.
pub(super) fn any_integer(request: &Request, such: fn(&Value) -> bool) -> bool {
    let body = request.body.as_deref().and_then(|body| json::parse(body).ok()).unwrap_or_default();
    let mut integers = ["id", "crew", "length"].iter().filter_map(|name| body.get(name));
    has_resource_body(request) && integers.any(such)
}

pub(super) fn has_escapes(response: &Response) -> bool {
    response.body.windows(2).any(|pair| pair == b"\\u")
}

pub(super) fn token(case: &Case<'_>) -> Option<Jwt> {
    Jwt::parse(case.exchange.request.token()?)
}

pub(super) fn is_incomplete(jwt: &Jwt) -> bool {
    let missing = |claim: &&str| jwt.claims.get(claim).is_none();
    let is_no_whole_number = |claim: &&str| jwt.claims.get(claim).is_some_and(|value| !value.is_u64());
    ["exp", "jti", "type", "iat"].iter().any(missing)
        || ["identity", "exp", "nbf", "iat"].iter().any(is_no_whole_number)
        || ["crit", "kid"].iter().any(|parameter| jwt.header.get(parameter).is_some())
        || jwt.text("jti").is_some_and(|jti| uuid::Uuid::try_parse(jti).is_err())
}
