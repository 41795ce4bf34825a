//! The deliberate differences of docs/differences.md, as far as two answers to one request can show them.
//!
//! A difference is tolerated only where the request is of the kind that its section speaks of, one answer is
//! the one side's and the other answer is the other side's. Which of the two was recorded does not matter.

use std::fmt;

use rocket::http::Method;
use serde_json::Value;

use super::history::{user_at, History, LOGIN};
use super::jwt::Jwt;
use super::message::{Request, Response};
use super::transcript::Exchange;
use crate::json;

/// A request in its place in the scenario.
pub struct Case<'a> {
    /// The exchange.
    pub exchange: &'a Exchange,
    /// When the scenario's server was started.
    pub start: u64,
    /// What has happened before it.
    pub history: &'a History,
}

/// One section of docs/differences.md.
pub struct Deviation {
    /// The name of the section.
    pub name: &'static str,
    concerns: fn(&Case<'_>) -> bool,
    original: fn(&Response) -> bool,
    shipyard: fn(&Response) -> bool,
}

/// For sections that no single answer to a recorded request can show.
const UNSEEN: fn(&Case<'_>) -> bool = |_| false;

/// Every section, in the order of the document.
pub const ALL: [Deviation; 20] = [
    Deviation {
        name: "json_errors",
        concerns: |_| true,
        original: |answer| matches!(answer.status, 404 | 405) && is_html(answer),
        shipyard: |answer| {
            matches!(
                (answer.status, error(answer).as_deref()),
                (404, Some("Not Found")) | (405, Some("Method Not Allowed"))
            )
        },
    },
    Deviation {
        name: "options",
        concerns: |case| case.exchange.request.method == Method::Options,
        original: |answer| answer.status == 200 && answer.body.is_empty(),
        shipyard: |answer| answer.status == 204 && answer.header("Allow").is_some(),
    },
    Deviation {
        name: "malformed_json",
        concerns: |case| {
            let request = &case.exchange.request;
            let body = json::parse(request.body.as_deref().unwrap_or_default());
            let expected = matches!(request.method, Method::Post | Method::Put);
            (expected && body.is_err())
                || (request.target() == LOGIN && body.is_ok_and(|body| !body.is_object()))
        },
        original: |answer| answer.status == 500 || (answer.status == 400 && is_html(answer)),
        shipyard: is_bad_request,
    },
    Deviation {
        name: "strict_integers",
        concerns: |case| {
            body_holds(&case.exchange.request, |value| match value {
                Value::String(text) => text.trim().parse::<f64>().is_ok(),
                Value::Number(number) => number.as_f64().is_some_and(|number| number.fract() != 0.0),
                _ => false,
            })
        },
        original: is_success,
        shipyard: |answer| is_bad_request(answer) && says(answer, "Not a valid integer."),
    },
    Deviation {
        name: "greatest_integer",
        concerns: |case| {
            body_holds(&case.exchange.request, |value| {
                value.as_f64().is_some_and(|number| number > f64::from(i32::MAX))
            })
        },
        original: is_success,
        shipyard: |answer| {
            is_bad_request(answer) && says(answer, "Must be less than or equal to 2147483647.")
        },
    },
    Deviation {
        name: "one_address",
        concerns: |case| {
            let path = case.exchange.request.target();
            let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let digits = last.trim_start_matches(['+', '0']);
            path.ends_with('/') || (digits != last && !digits.is_empty())
        },
        original: |answer| is_success(answer) || answer.status == 308,
        shipyard: |answer| answer.status == 404 && error(answer).as_deref() == Some("Not Found"),
    },
    Deviation {
        name: "rename_to_a_taken_name",
        concerns: |case| {
            let request = &case.exchange.request;
            let name = |body: Value| Some(body.get("name")?.as_str()?.to_owned());
            let wanted = request.body.as_deref().and_then(|body| name(json::parse(body).ok()?));
            let taken = |own: u64| {
                let mut others = case.history.people.iter().filter(|(id, _)| **id != own);
                others.any(|(_, (name, _))| Some(name) == wanted.as_ref())
            };
            request.method == Method::Put && user_at(request.target()).is_some_and(taken)
        },
        original: |answer| answer.status == 200,
        shipyard: |answer| is_bad_request(answer) && says(answer, "User already exists."),
    },
    Deviation {
        name: "ids_are_never_reused",
        concerns: is_by_a_deleted_user,
        original: is_success,
        shipyard: |answer| matches!(answer.status, 403 | 404),
    },
    Deviation {
        name: "incomplete_tokens",
        concerns: |case| token(case).is_some_and(|jwt| is_incomplete(&jwt)),
        original: |answer| answer.status != 422,
        shipyard: |answer| answer.status == 422 && error(answer).is_some(),
    },
    Deviation {
        name: "last_second_of_a_token",
        concerns: |case| token(case).is_some_and(|jwt| jwt.number("exp") == Some(case.exchange.date)),
        original: is_success,
        shipyard: |answer| answer.status == 401 && error(answer).as_deref() == Some("Token has expired"),
    },
    Deviation {
        name: "tokens_of_deleted_users",
        concerns: is_by_a_deleted_user,
        original: is_success,
        shipyard: |answer| answer.status == 401 && says(answer, "Unknown user."),
    },
    Deviation {
        name: "tokens_from_before_the_start",
        concerns: |case| {
            token(case).and_then(|jwt| jwt.number("iat")).is_some_and(|issued| issued < case.start)
        },
        original: |answer| answer.status != 401,
        shipyard: |answer| answer.status == 401 && error(answer).as_deref() == Some("Token has been revoked"),
    },
    Deviation { name: "hashed_passwords", concerns: UNSEEN, original: is_success, shipyard: is_success },
    Deviation {
        name: "password_change_ends_refresh_tokens",
        concerns: |case| {
            let Some(jwt) = token(case).filter(|jwt| jwt.text("type") == Some("refresh")) else {
                return false;
            };
            let changed = jwt.number("identity").and_then(|user| case.history.changed.get(&user));
            changed.zip(jwt.number("iat")).is_some_and(|(changed, issued)| issued <= *changed)
        },
        original: is_success,
        shipyard: |answer| answer.status == 401 && error(answer).as_deref() == Some("Token has been revoked"),
    },
    Deviation {
        name: "no_content_type_on_204",
        concerns: |_| true,
        original: |answer| {
            answer.status == 204 && answer.header("Content-Type") == Some("text/html; charset=utf-8")
        },
        shipyard: |answer| answer.status == 204 && answer.header("Content-Type").is_none(),
    },
    Deviation { name: "challenge_on_401", concerns: UNSEEN, original: is_success, shipyard: is_success },
    Deviation {
        name: "utf8_text",
        concerns: |_| true,
        original: |answer| answer.json().is_some() && answer.body.is_ascii() && has_escapes(answer),
        shipyard: |answer| answer.json().is_some() && !answer.body.is_ascii(),
    },
    Deviation { name: "atomic_writes", concerns: UNSEEN, original: is_success, shipyard: is_success },
    Deviation {
        name: "limited_bodies",
        concerns: |case| case.exchange.request.body.as_ref().is_some_and(|body| body.len() > 64 * 1024),
        original: |answer| answer.status != 413,
        shipyard: |answer| answer.status == 413,
    },
    Deviation {
        name: "one_authorization_header",
        concerns: |case| {
            let headers = case.exchange.request.headers.iter();
            headers.filter(|(name, _)| name.eq_ignore_ascii_case("Authorization")).count() > 1
        },
        original: |answer| answer.status != 422,
        shipyard: |answer| answer.status == 422,
    },
];

/// The section of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Deviation> {
    ALL.iter().find(|deviation| deviation.name == name)
}

impl fmt::Debug for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Deviation {
    /// Whether this section speaks of what differs between these two answers.
    #[must_use]
    pub fn explains(&self, case: &Case<'_>, live: &Response) -> bool {
        let recorded = &case.exchange.response;
        let between = |a: &Response, b: &Response| (self.original)(a) && (self.shipyard)(b);
        (self.concerns)(case) && (between(recorded, live) || between(live, recorded)) && {
            // The sections below speak of one thing only; all else must be as recorded.
            match self.name {
                "json_errors" => live.status == recorded.status,
                "no_content_type_on_204" => {
                    let others = ["Content-Length", "Location"];
                    live.body == recorded.body
                        && others.iter().all(|name| live.header(name) == recorded.header(name))
                }
                "utf8_text" => live.status == recorded.status && live.json() == recorded.json(),
                _ => true,
            }
        }
    }
}

fn is_success(answer: &Response) -> bool {
    (200..300).contains(&answer.status)
}

fn is_html(answer: &Response) -> bool {
    answer.header("Content-Type").is_some_and(|label| label.starts_with("text/html"))
}

fn error(answer: &Response) -> Option<String> {
    Some(answer.json()?.get("error")?.as_str()?.to_owned())
}

fn is_bad_request(answer: &Response) -> bool {
    answer.status == 400 && error(answer).as_deref() == Some("Bad Request")
}

/// Whether that text is anywhere in the message of an error.
fn says(answer: &Response, text: &str) -> bool {
    answer
        .json()
        .is_some_and(|body| body.get("message").is_some_and(|message| holds(message, &|value| value == text)))
}

/// Whether any value in there is such a one.
fn holds(value: &Value, such: &dyn Fn(&Value) -> bool) -> bool {
    such(value)
        || match value {
            Value::Array(items) => items.iter().any(|item| holds(item, such)),
            Value::Object(members) => members.values().any(|member| holds(member, such)),
            _ => false,
        }
}

fn body_holds(request: &Request, such: fn(&Value) -> bool) -> bool {
    let body = request.body.as_deref().and_then(|body| json::parse(body).ok());
    body.is_some_and(|body| holds(&body, &such))
}

fn has_escapes(answer: &Response) -> bool {
    answer.body.windows(2).any(|pair| pair == b"\\u")
}

fn token(case: &Case<'_>) -> Option<Jwt> {
    Jwt::parse(case.exchange.request.token()?)
}

fn is_by_a_deleted_user(case: &Case<'_>) -> bool {
    let user = token(case).and_then(|jwt| jwt.number("identity"));
    user.is_some_and(|user| case.history.deleted.contains(&user))
}

fn is_incomplete(jwt: &Jwt) -> bool {
    let missing = |claim: &&str| jwt.claims.get(claim).is_none();
    ["exp", "jti", "type", "iat"].iter().any(missing)
        || ["identity", "exp"].iter().any(|claim| jwt.text(claim).is_some())
        || ["crit", "kid"].iter().any(|parameter| jwt.header.get(parameter).is_some())
        || jwt.text("jti").is_some_and(|jti| uuid::Uuid::try_parse(jti).is_err())
}
