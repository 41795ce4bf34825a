//! Table of the sections of docs/differences.md.

use rocket::http::Method;
use serde_json::Value;

use crate::contract::compare::allowed_difference::conditions::{
    accepts_token, any_integer, contains_value, error_name, has_escapes, has_message,
    has_message_starting_with, has_new_id, has_resource_body, is_bad_request, is_creation, is_html,
    is_incomplete, is_success, methods_at, succeeds, token,
};
use crate::contract::compare::allowed_difference::{AllowedDifference, NOT_OBSERVABLE};
use crate::contract::compare::media_type;
use crate::contract::recording::history::{user_at, LOGIN, SHIPS};
use crate::contract::recording::message::header;
use crate::contract::session::ids::Ids;
use crate::contract::session::jwt::Jwt;
use crate::json;

/// Every section, in the order of the document.
pub const ALL: [AllowedDifference; 24] = [
    AllowedDifference {
        name: "json_errors",
        // A 404 at a known path is JSON in both servers.
        applies_to: |case| match methods_at(case.exchange.request.target()) {
            None => case.exchange.response.status == 404,
            Some(methods) => {
                let method = case.exchange.request.method;
                case.exchange.response.status == 405 && !methods.contains(&method)
            }
        },
        original: |_, response| matches!(response.status, 404 | 405) && is_html(response),
        shipyard: |_, response| {
            matches!(
                (response.status, error_name(response).as_deref()),
                (404, Some("Not Found")) | (405, Some("Method Not Allowed"))
            )
        },
    },
    AllowedDifference {
        name: "options",
        applies_to: |case| {
            let request = &case.exchange.request;
            request.method == Method::Options && methods_at(request.target()).is_some()
        },
        original: |_, response| response.status == 200 && response.body.is_empty(),
        shipyard: |_, response| response.status == 204 && response.header("Allow").is_some(),
    },
    AllowedDifference {
        name: "malformed_json",
        applies_to: |case| {
            let request = &case.exchange.request;
            let body = json::parse(request.body.as_deref().unwrap_or_default());
            if request.target() == LOGIN {
                // Both servers refuse a body of another media type without reading it.
                let label = header(&request.headers, "Content-Type").unwrap_or_default();
                let labelled = label.to_ascii_lowercase().starts_with("application/json");
                return request.method == Method::Post
                    && labelled
                    && !body.is_ok_and(|body| body.is_object());
            }
            has_resource_body(request) && body.is_err()
        },
        original: |_, response| response.status == 500 || (response.status == 400 && is_html(response)),
        shipyard: |_, response| is_bad_request(response),
    },
    AllowedDifference {
        name: "strict_integers",
        applies_to: |case| {
            any_integer(&case.exchange.request, |value| match value {
                Value::String(text) => text.trim().parse::<f64>().is_ok(),
                Value::Number(number) => number.as_f64().is_some_and(|number| number.fract() != 0.0),
                _ => false,
            })
        },
        original: succeeds,
        shipyard: |_, response| is_bad_request(response) && has_message(response, "Not a valid integer."),
    },
    AllowedDifference {
        name: "greatest_integer",
        applies_to: |case| {
            any_integer(&case.exchange.request, |value| {
                value.as_f64().is_some_and(|number| number > f64::from(i32::MAX))
            })
        },
        original: succeeds,
        shipyard: |_, response| {
            is_bad_request(response) && has_message(response, "Must be less than or equal to 2147483647.")
        },
    },
    AllowedDifference {
        name: "one_address",
        applies_to: |case| {
            let path = case.exchange.request.target();
            let plain = path.trim_end_matches('/');
            let (collection, last) = plain.rsplit_once('/').unwrap_or_default();
            let digits = last.trim_start_matches(['+', '0']);
            let other_form = digits != last && digits.parse::<u64>().is_ok();
            methods_at(&format!("{collection}/{digits}")).is_some() && (plain != path || other_form)
        },
        original: |_, response| is_success(response) || matches!(response.status, 308 | 400 | 401 | 403),
        shipyard: |_, response| {
            response.status == 404 && error_name(response).as_deref() == Some("Not Found")
        },
    },
    AllowedDifference {
        name: "rename_to_a_taken_name",
        applies_to: |case| {
            let request = &case.exchange.request;
            let name = |body: Value| Some(body.get("name")?.as_str()?.to_owned());
            let wanted = request.body.as_deref().and_then(|body| name(json::parse(body).ok()?));
            let taken = |own: u64| {
                let mut others = case.history.people.iter().filter(|(id, _)| **id != own);
                others.any(|(_, (name, _))| Some(name) == wanted.as_ref())
            };
            request.method == Method::Put && user_at(request.target()).is_some_and(taken)
        },
        original: |_, response| response.status == 200,
        shipyard: |_, response| is_bad_request(response) && has_message(response, "User already exists."),
    },
    AllowedDifference {
        name: "ids_are_never_reused",
        applies_to: |case| {
            // A later user has the same id if ids are reused.
            let user = token(case).and_then(|jwt| jwt.number("identity"));
            let at = user_at(case.exchange.request.target());
            let is_successor = user.is_some_and(|user| case.history.reused.contains(&user));
            is_creation(case) || (at.is_some() && is_successor)
        },
        original: |case, response| {
            is_success(response) && (!is_creation(case) || has_new_id(case, response) == Some(false))
        },
        shipyard: |case, response| {
            if is_creation(case) {
                has_new_id(case, response) == Some(true)
            } else {
                matches!(response.status, 403 | 404)
            }
        },
    },
    AllowedDifference {
        name: "incomplete_tokens",
        applies_to: |case| {
            let later = |jwt: &Jwt| jwt.number("iat").is_some_and(|issued| issued > case.exchange.date);
            token(case).is_some_and(|jwt| is_incomplete(&jwt) || later(&jwt))
        },
        original: |_, response| accepts_token(response),
        shipyard: |_, response| response.status == 422 && error_name(response).is_some(),
    },
    AllowedDifference {
        name: "last_second_of_a_token",
        applies_to: |case| token(case).is_some_and(|jwt| jwt.number("exp") == Some(case.exchange.date)),
        original: |_, response| accepts_token(response),
        shipyard: |_, response| {
            response.status == 401 && error_name(response).as_deref() == Some("Token has expired")
        },
    },
    AllowedDifference {
        name: "tokens_of_deleted_users",
        // Both servers refuse a refresh, and respond 404 for what belonged to the user.
        applies_to: |case| {
            let user = token(case).and_then(|jwt| jwt.number("identity"));
            let path = case.exchange.request.target();
            (path == SHIPS || Ids::split(path).0 == SHIPS)
                && user.is_some_and(|user| case.history.deleted.contains(&user))
        },
        original: |_, response| accepts_token(response),
        shipyard: |_, response| response.status == 401 && has_message(response, "Unknown user."),
    },
    AllowedDifference {
        name: "tokens_from_before_the_start",
        applies_to: |case| {
            token(case).and_then(|jwt| jwt.number("iat")).is_some_and(|issued| issued < case.start)
        },
        original: |_, response| accepts_token(response),
        shipyard: |_, response| {
            response.status == 401 && error_name(response).as_deref() == Some("Token has been revoked")
        },
    },
    AllowedDifference {
        name: "hashed_passwords",
        applies_to: NOT_OBSERVABLE,
        original: succeeds,
        shipyard: succeeds,
    },
    AllowedDifference {
        name: "password_change_ends_refresh_tokens",
        applies_to: |case| {
            let Some(jwt) = token(case).filter(|jwt| jwt.text("type") == Some("refresh")) else {
                return false;
            };
            let changed = jwt.number("identity").and_then(|user| case.history.changed.get(&user));
            changed.zip(jwt.number("iat")).is_some_and(|(changed, issued)| issued <= *changed)
        },
        original: |_, response| accepts_token(response),
        shipyard: |_, response| {
            response.status == 401 && error_name(response).as_deref() == Some("Token has been revoked")
        },
    },
    AllowedDifference {
        name: "no_content_type_on_204",
        applies_to: |_| true,
        original: |_, response| {
            let label = response.header("Content-Type");
            response.status == 204
                && label.is_some_and(|label| media_type::same(label, "text/html; charset=utf-8"))
        },
        shipyard: |_, response| response.status == 204 && response.header("Content-Type").is_none(),
    },
    AllowedDifference {
        name: "challenge_on_401",
        applies_to: NOT_OBSERVABLE,
        original: succeeds,
        shipyard: succeeds,
    },
    AllowedDifference {
        name: "utf8_text",
        applies_to: |_| true,
        original: |_, response| {
            response.json().is_some() && response.body.is_ascii() && has_escapes(response)
        },
        shipyard: |_, response| response.json().is_some() && !response.body.is_ascii(),
    },
    AllowedDifference {
        name: "atomic_writes",
        applies_to: NOT_OBSERVABLE,
        original: succeeds,
        shipyard: succeeds,
    },
    AllowedDifference {
        name: "limited_bodies",
        applies_to: |case| case.exchange.request.body.as_ref().is_some_and(|body| body.len() > 64 * 1024),
        original: |_, response| response.status != 413 && response.status < 500,
        shipyard: |_, response| response.status == 413,
    },
    AllowedDifference {
        name: "limited_lengths",
        applies_to: |case| {
            let request = &case.exchange.request;
            let body = request.body.as_deref().and_then(|body| json::parse(body).ok());
            let long = |value: &Value| match value {
                Value::String(text) => text.len() > 64,
                Value::Array(items) => items.len() > 32,
                _ => false,
            };
            has_resource_body(request) && body.is_some_and(|body| contains_value(&body, &long))
        },
        original: succeeds,
        shipyard: |_, response| {
            is_bad_request(response) && has_message_starting_with(response, "Longer than maximum length")
        },
    },
    AllowedDifference {
        name: "visible_names",
        applies_to: |case| {
            let request = &case.exchange.request;
            let body = request.body.as_deref().and_then(|body| json::parse(body).ok());
            let name = body.as_ref().and_then(|body| body.get("name")?.as_str());
            let is_plain = |byte: u8| byte.is_ascii_graphic();
            has_resource_body(request) && name.is_some_and(|name| !name.bytes().all(is_plain))
        },
        original: succeeds,
        shipyard: |_, response| is_bad_request(response) && has_message_starting_with(response, "May not "),
    },
    AllowedDifference {
        name: "limited_rates",
        applies_to: NOT_OBSERVABLE,
        original: succeeds,
        shipyard: succeeds,
    },
    AllowedDifference {
        name: "limited_storage",
        applies_to: NOT_OBSERVABLE,
        original: succeeds,
        shipyard: succeeds,
    },
    AllowedDifference {
        name: "one_authorization_header",
        applies_to: |case| {
            let headers = case.exchange.request.headers.iter();
            headers.filter(|(name, _)| name.eq_ignore_ascii_case("Authorization")).count() > 1
        },
        original: |_, response| response.status != 422 && response.status < 500,
        shipyard: |_, response| response.status == 422,
    },
];
