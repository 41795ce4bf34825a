//! The sections of docs/differences.md.

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
        // What is not found at a known path is JSON in both.
        applies_to: |case| match methods_at(case.exchange.request.target()) {
            None => case.exchange.response.status == 404,
            Some(methods) => {
                let asked = case.exchange.request.method;
                case.exchange.response.status == 405 && !methods.contains(&asked)
            }
        },
        original: |_, answer| matches!(answer.status, 404 | 405) && is_html(answer),
        shipyard: |_, answer| {
            matches!(
                (answer.status, error_name(answer).as_deref()),
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
        original: |_, answer| answer.status == 200 && answer.body.is_empty(),
        shipyard: |_, answer| answer.status == 204 && answer.header("Allow").is_some(),
    },
    AllowedDifference {
        name: "malformed_json",
        applies_to: |case| {
            let request = &case.exchange.request;
            let body = json::parse(request.body.as_deref().unwrap_or_default());
            if request.target() == LOGIN {
                // What is not labelled as JSON is refused by both, unread.
                let label = header(&request.headers, "Content-Type").unwrap_or_default();
                let labelled = label.to_ascii_lowercase().starts_with("application/json");
                return request.method == Method::Post
                    && labelled
                    && !body.is_ok_and(|body| body.is_object());
            }
            has_resource_body(request) && body.is_err()
        },
        original: |_, answer| answer.status == 500 || (answer.status == 400 && is_html(answer)),
        shipyard: |_, answer| is_bad_request(answer),
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
        shipyard: |_, answer| is_bad_request(answer) && has_message(answer, "Not a valid integer."),
    },
    AllowedDifference {
        name: "greatest_integer",
        applies_to: |case| {
            any_integer(&case.exchange.request, |value| {
                value.as_f64().is_some_and(|number| number > f64::from(i32::MAX))
            })
        },
        original: succeeds,
        shipyard: |_, answer| {
            is_bad_request(answer) && has_message(answer, "Must be less than or equal to 2147483647.")
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
        original: |_, answer| is_success(answer) || matches!(answer.status, 308 | 400 | 401 | 403),
        shipyard: |_, answer| answer.status == 404 && error_name(answer).as_deref() == Some("Not Found"),
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
        original: |_, answer| answer.status == 200,
        shipyard: |_, answer| is_bad_request(answer) && has_message(answer, "User already exists."),
    },
    AllowedDifference {
        name: "ids_are_never_reused",
        applies_to: |case| {
            // The id has been somebody else's since, if ids are given out again.
            let user = token(case).and_then(|jwt| jwt.number("identity"));
            let at = user_at(case.exchange.request.target());
            let is_successor = user.is_some_and(|user| case.history.succeeded.contains(&user));
            is_creation(case) || (at.is_some() && is_successor)
        },
        original: |case, answer| {
            is_success(answer) && (!is_creation(case) || has_new_id(case, answer) == Some(false))
        },
        shipyard: |case, answer| {
            if is_creation(case) {
                has_new_id(case, answer) == Some(true)
            } else {
                matches!(answer.status, 403 | 404)
            }
        },
    },
    AllowedDifference {
        name: "incomplete_tokens",
        applies_to: |case| {
            let later = |jwt: &Jwt| jwt.number("iat").is_some_and(|issued| issued > case.exchange.date);
            token(case).is_some_and(|jwt| is_incomplete(&jwt) || later(&jwt))
        },
        original: |_, answer| accepts_token(answer),
        shipyard: |_, answer| answer.status == 422 && error_name(answer).is_some(),
    },
    AllowedDifference {
        name: "last_second_of_a_token",
        applies_to: |case| token(case).is_some_and(|jwt| jwt.number("exp") == Some(case.exchange.date)),
        original: |_, answer| accepts_token(answer),
        shipyard: |_, answer| {
            answer.status == 401 && error_name(answer).as_deref() == Some("Token has expired")
        },
    },
    AllowedDifference {
        name: "tokens_of_deleted_users",
        // A refresh is refused by both, and what is the user's own is not found in both.
        applies_to: |case| {
            let user = token(case).and_then(|jwt| jwt.number("identity"));
            let path = case.exchange.request.target();
            (path == SHIPS || Ids::place(path).0 == SHIPS)
                && user.is_some_and(|user| case.history.deleted.contains(&user))
        },
        original: |_, answer| accepts_token(answer),
        shipyard: |_, answer| answer.status == 401 && has_message(answer, "Unknown user."),
    },
    AllowedDifference {
        name: "tokens_from_before_the_start",
        applies_to: |case| {
            token(case).and_then(|jwt| jwt.number("iat")).is_some_and(|issued| issued < case.start)
        },
        original: |_, answer| accepts_token(answer),
        shipyard: |_, answer| {
            answer.status == 401 && error_name(answer).as_deref() == Some("Token has been revoked")
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
        original: |_, answer| accepts_token(answer),
        shipyard: |_, answer| {
            answer.status == 401 && error_name(answer).as_deref() == Some("Token has been revoked")
        },
    },
    AllowedDifference {
        name: "no_content_type_on_204",
        applies_to: |_| true,
        original: |_, answer| {
            let label = answer.header("Content-Type");
            answer.status == 204
                && label.is_some_and(|label| media_type::same(label, "text/html; charset=utf-8"))
        },
        shipyard: |_, answer| answer.status == 204 && answer.header("Content-Type").is_none(),
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
        original: |_, answer| answer.json().is_some() && answer.body.is_ascii() && has_escapes(answer),
        shipyard: |_, answer| answer.json().is_some() && !answer.body.is_ascii(),
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
        original: |_, answer| answer.status != 413 && answer.status < 500,
        shipyard: |_, answer| answer.status == 413,
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
        shipyard: |_, answer| {
            is_bad_request(answer) && has_message_starting_with(answer, "Longer than maximum length")
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
        shipyard: |_, answer| is_bad_request(answer) && has_message_starting_with(answer, "May not "),
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
        original: |_, answer| answer.status != 422 && answer.status < 500,
        shipyard: |_, answer| answer.status == 422,
    },
];
