//! The deliberate differences of docs/differences.md, as far as two answers to one request can show them.
//!
//! A difference is tolerated only where the request is of the kind that its section speaks of, the recorded answer
//! is as the one side gives it, and the live one as the other. The side that a server is held to be is given: what
//! the original allows is no excuse for a server that claims to be like this one, nor the other way round.

use std::fmt;

use rocket::http::{Method, RawStr};
use serde_json::Value;

use crate::contract::compare::difference::{difference, CompareMode};
use crate::contract::compare::lossless::Json;
use crate::contract::compare::media_type;
use crate::contract::recording::history::{user_at, History, LOGIN, SHIPS, USERS};
use crate::contract::recording::message::{header, Request, Response};
use crate::contract::recording::transcript::Exchange;
use crate::contract::session::ids::Ids;
use crate::contract::session::jwt::Jwt;
use crate::json;

/// Whose answers a live server may give where the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The original's, in the place of what this server was recorded to answer.
    Original,
    /// This server's, in the place of what the original was recorded to answer.
    Shipyard,
}

/// A request in its place in the scenario.
pub struct Case<'a> {
    /// The exchange.
    pub exchange: &'a Exchange,
    /// When the scenario's server was started.
    pub start: u64,
    /// What has happened before it.
    pub history: &'a History,
    /// How its answers are compared.
    pub measure: CompareMode,
}

/// One section of docs/differences.md.
pub struct AllowedDifference {
    /// The name of the section.
    pub name: &'static str,
    concerns: fn(&Case<'_>) -> bool,
    original: fn(&Case<'_>, &Response) -> bool,
    shipyard: fn(&Case<'_>, &Response) -> bool,
}

/// For sections that no single answer to a recorded request can show.
const NOT_OBSERVABLE: fn(&Case<'_>) -> bool = |_| false;

/// Every section, in the order of the document.
pub const ALL: [AllowedDifference; 24] = [
    AllowedDifference {
        name: "json_errors",
        // What is not found at a known path is JSON in both.
        concerns: |case| match methods_at(case.exchange.request.target()) {
            None => case.exchange.response.status == 404,
            Some(methods) => {
                let asked = case.exchange.request.method;
                case.exchange.response.status == 405 && !methods.contains(&asked)
            }
        },
        original: |_, answer| matches!(answer.status, 404 | 405) && is_html(answer),
        shipyard: |_, answer| {
            matches!(
                (answer.status, error(answer).as_deref()),
                (404, Some("Not Found")) | (405, Some("Method Not Allowed"))
            )
        },
    },
    AllowedDifference {
        name: "options",
        concerns: |case| {
            let request = &case.exchange.request;
            request.method == Method::Options && methods_at(request.target()).is_some()
        },
        original: |_, answer| answer.status == 200 && answer.body.is_empty(),
        shipyard: |_, answer| answer.status == 204 && answer.header("Allow").is_some(),
    },
    AllowedDifference {
        name: "malformed_json",
        concerns: |case| {
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
            takes_a_thing(request) && body.is_err()
        },
        original: |_, answer| answer.status == 500 || (answer.status == 400 && is_html(answer)),
        shipyard: |_, answer| is_bad_request(answer),
    },
    AllowedDifference {
        name: "strict_integers",
        concerns: |case| {
            an_integer_is(&case.exchange.request, |value| match value {
                Value::String(text) => text.trim().parse::<f64>().is_ok(),
                Value::Number(number) => number.as_f64().is_some_and(|number| number.fract() != 0.0),
                _ => false,
            })
        },
        original: succeeds,
        shipyard: |_, answer| is_bad_request(answer) && says(answer, "Not a valid integer."),
    },
    AllowedDifference {
        name: "greatest_integer",
        concerns: |case| {
            an_integer_is(&case.exchange.request, |value| {
                value.as_f64().is_some_and(|number| number > f64::from(i32::MAX))
            })
        },
        original: succeeds,
        shipyard: |_, answer| {
            is_bad_request(answer) && says(answer, "Must be less than or equal to 2147483647.")
        },
    },
    AllowedDifference {
        name: "one_address",
        concerns: |case| {
            let path = case.exchange.request.target();
            let plain = path.trim_end_matches('/');
            let (collection, last) = plain.rsplit_once('/').unwrap_or_default();
            let digits = last.trim_start_matches(['+', '0']);
            let other_form = digits != last && digits.parse::<u64>().is_ok();
            methods_at(&format!("{collection}/{digits}")).is_some() && (plain != path || other_form)
        },
        original: |_, answer| is_success(answer) || matches!(answer.status, 308 | 400 | 401 | 403),
        shipyard: |_, answer| answer.status == 404 && error(answer).as_deref() == Some("Not Found"),
    },
    AllowedDifference {
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
        original: |_, answer| answer.status == 200,
        shipyard: |_, answer| is_bad_request(answer) && says(answer, "User already exists."),
    },
    AllowedDifference {
        name: "ids_are_never_reused",
        concerns: |case| {
            // The id has been somebody else's since, if ids are given out again.
            let user = token(case).and_then(|jwt| jwt.number("identity"));
            let at = user_at(case.exchange.request.target());
            let is_successor = user.is_some_and(|user| case.history.succeeded.contains(&user));
            creates(case) || (at.is_some() && is_successor)
        },
        original: |case, answer| {
            is_success(answer) && (!creates(case) || has_new_id(case, answer) == Some(false))
        },
        shipyard: |case, answer| {
            if creates(case) {
                has_new_id(case, answer) == Some(true)
            } else {
                matches!(answer.status, 403 | 404)
            }
        },
    },
    AllowedDifference {
        name: "incomplete_tokens",
        concerns: |case| {
            let later = |jwt: &Jwt| jwt.number("iat").is_some_and(|issued| issued > case.exchange.date);
            token(case).is_some_and(|jwt| is_incomplete(&jwt) || later(&jwt))
        },
        original: |_, answer| takes_the_token(answer),
        shipyard: |_, answer| answer.status == 422 && error(answer).is_some(),
    },
    AllowedDifference {
        name: "last_second_of_a_token",
        concerns: |case| token(case).is_some_and(|jwt| jwt.number("exp") == Some(case.exchange.date)),
        original: |_, answer| takes_the_token(answer),
        shipyard: |_, answer| answer.status == 401 && error(answer).as_deref() == Some("Token has expired"),
    },
    AllowedDifference {
        name: "tokens_of_deleted_users",
        // A refresh is refused by both, and what is the user's own is not found in both.
        concerns: |case| {
            let user = token(case).and_then(|jwt| jwt.number("identity"));
            let path = case.exchange.request.target();
            (path == SHIPS || Ids::place(path).0 == SHIPS)
                && user.is_some_and(|user| case.history.deleted.contains(&user))
        },
        original: |_, answer| takes_the_token(answer),
        shipyard: |_, answer| answer.status == 401 && says(answer, "Unknown user."),
    },
    AllowedDifference {
        name: "tokens_from_before_the_start",
        concerns: |case| {
            token(case).and_then(|jwt| jwt.number("iat")).is_some_and(|issued| issued < case.start)
        },
        original: |_, answer| takes_the_token(answer),
        shipyard: |_, answer| {
            answer.status == 401 && error(answer).as_deref() == Some("Token has been revoked")
        },
    },
    AllowedDifference {
        name: "hashed_passwords",
        concerns: NOT_OBSERVABLE,
        original: succeeds,
        shipyard: succeeds,
    },
    AllowedDifference {
        name: "password_change_ends_refresh_tokens",
        concerns: |case| {
            let Some(jwt) = token(case).filter(|jwt| jwt.text("type") == Some("refresh")) else {
                return false;
            };
            let changed = jwt.number("identity").and_then(|user| case.history.changed.get(&user));
            changed.zip(jwt.number("iat")).is_some_and(|(changed, issued)| issued <= *changed)
        },
        original: |_, answer| takes_the_token(answer),
        shipyard: |_, answer| {
            answer.status == 401 && error(answer).as_deref() == Some("Token has been revoked")
        },
    },
    AllowedDifference {
        name: "no_content_type_on_204",
        concerns: |_| true,
        original: |_, answer| {
            let label = answer.header("Content-Type");
            answer.status == 204
                && label.is_some_and(|label| media_type::same(label, "text/html; charset=utf-8"))
        },
        shipyard: |_, answer| answer.status == 204 && answer.header("Content-Type").is_none(),
    },
    AllowedDifference {
        name: "challenge_on_401",
        concerns: NOT_OBSERVABLE,
        original: succeeds,
        shipyard: succeeds,
    },
    AllowedDifference {
        name: "utf8_text",
        concerns: |_| true,
        original: |_, answer| answer.json().is_some() && answer.body.is_ascii() && has_escapes(answer),
        shipyard: |_, answer| answer.json().is_some() && !answer.body.is_ascii(),
    },
    AllowedDifference {
        name: "atomic_writes",
        concerns: NOT_OBSERVABLE,
        original: succeeds,
        shipyard: succeeds,
    },
    AllowedDifference {
        name: "limited_bodies",
        concerns: |case| case.exchange.request.body.as_ref().is_some_and(|body| body.len() > 64 * 1024),
        original: |_, answer| answer.status != 413 && answer.status < 500,
        shipyard: |_, answer| answer.status == 413,
    },
    AllowedDifference {
        name: "limited_lengths",
        concerns: |case| {
            let request = &case.exchange.request;
            let body = request.body.as_deref().and_then(|body| json::parse(body).ok());
            let long = |value: &Value| match value {
                Value::String(text) => text.len() > 64,
                Value::Array(items) => items.len() > 32,
                _ => false,
            };
            takes_a_thing(request) && body.is_some_and(|body| holds(&body, &long))
        },
        original: succeeds,
        shipyard: |_, answer| is_bad_request(answer) && speaks_of(answer, "Longer than maximum length"),
    },
    AllowedDifference {
        name: "visible_names",
        concerns: |case| {
            let request = &case.exchange.request;
            let body = request.body.as_deref().and_then(|body| json::parse(body).ok());
            let name = body.as_ref().and_then(|body| body.get("name")?.as_str());
            let is_plain = |byte: u8| byte.is_ascii_graphic();
            takes_a_thing(request) && name.is_some_and(|name| !name.bytes().all(is_plain))
        },
        original: succeeds,
        shipyard: |_, answer| is_bad_request(answer) && speaks_of(answer, "May not "),
    },
    AllowedDifference {
        name: "limited_rates",
        concerns: NOT_OBSERVABLE,
        original: succeeds,
        shipyard: succeeds,
    },
    AllowedDifference {
        name: "limited_storage",
        concerns: NOT_OBSERVABLE,
        original: succeeds,
        shipyard: succeeds,
    },
    AllowedDifference {
        name: "one_authorization_header",
        concerns: |case| {
            let headers = case.exchange.request.headers.iter();
            headers.filter(|(name, _)| name.eq_ignore_ascii_case("Authorization")).count() > 1
        },
        original: |_, answer| answer.status != 422 && answer.status < 500,
        shipyard: |_, answer| answer.status == 422,
    },
];

/// The section of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static AllowedDifference> {
    ALL.iter().find(|deviation| deviation.name == name)
}

impl fmt::Debug for AllowedDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl AllowedDifference {
    /// Whether this section speaks of what differs between these two answers, and the live one is that side's.
    #[must_use]
    pub fn explains(&self, case: &Case<'_>, live: &Response, side: Side) -> bool {
        let recorded = &case.exchange.response;
        let (other, own) = match side {
            Side::Original => (self.shipyard, self.original),
            Side::Shipyard => (self.original, self.shipyard),
        };
        // What the original was recorded to answer is what the original answers.
        let is_itself = side == Side::Original && is_of_the_original(recorded);
        let in_this = other(case, recorded) && !own(case, recorded) && own(case, live);
        (self.concerns)(case) && !is_itself && in_this && {
            // The sections below speak of one thing only; all else must be as recorded.
            match self.name {
                "json_errors" => live.status == recorded.status,
                "no_content_type_on_204" => {
                    let others = ["Content-Length", "Location"];
                    live.body == recorded.body
                        && others.iter().all(|name| live.header(name) == recorded.header(name))
                }
                "ids_are_never_reused" => !creates(case) || differs_in_the_id_only(case, live),
                "utf8_text" => {
                    live.status == recorded.status
                        && Json::parse(&live.body).ok() == Json::parse(&recorded.body).ok()
                }
                _ => true,
            }
        }
    }
}

fn succeeds(_: &Case<'_>, answer: &Response) -> bool {
    is_success(answer)
}

fn is_success(answer: &Response) -> bool {
    (200..300).contains(&answer.status)
}

/// Whether it is a request to create a thing.
fn creates(case: &Case<'_>) -> bool {
    let request = &case.exchange.request;
    request.method == Method::Post && matches!(request.target(), SHIPS | USERS)
}

/// The id of what was created; `None` if nothing was.
fn created(answer: &Response) -> Option<u64> {
    answer.json()?.get("id")?.as_u64().filter(|_| answer.status == 201)
}

/// Whether the id of what was created was never that of anything before; `None` if nothing was created.
fn has_new_id(case: &Case<'_>, answer: &Response) -> Option<bool> {
    Some(!case.history.has_used(case.exchange.request.target(), created(answer)?))
}

/// Whether the live answer is the recorded one once the recorded id is put in the place of its own.
fn differs_in_the_id_only(case: &Case<'_>, live: &Response) -> bool {
    let Some((was, is)) = created(&case.exchange.response).zip(created(live)) else { return false };
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
            // That it is true of the live body was seen when that was read.
            *value = renamed.body.len().to_string();
        }
    }
    difference(case.exchange, &renamed, case.measure, "").is_none()
}

/// Whether the guards have let the request in: the token was taken, whatever else was wrong.
fn takes_the_token(answer: &Response) -> bool {
    is_success(answer) || matches!(answer.status, 400 | 403 | 404)
}

/// By the one server that the original ran on.
fn is_of_the_original(recorded: &Response) -> bool {
    recorded.header("Server").is_some_and(|server| server.starts_with("Werkzeug/"))
}

/// The methods that both servers know for a path; `None` for a path that they do not know.
fn methods_at(path: &str) -> Option<&'static [Method]> {
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

/// Whether the body of a request is a ship or a user.
fn takes_a_thing(request: &Request) -> bool {
    matches!(request.method, Method::Post | Method::Put)
        && !request.target().starts_with("/auth/")
        && methods_at(request.target()).is_some_and(|methods| methods.contains(&request.method))
}

fn is_html(answer: &Response) -> bool {
    answer.header("Content-Type").is_some_and(|label| media_type::is(label, "text/html"))
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

/// Whether any text in the message of an error begins so.
fn speaks_of(answer: &Response, beginning: &str) -> bool {
    let begins = |value: &Value| value.as_str().is_some_and(|text| text.starts_with(beginning));
    answer.json().is_some_and(|body| body.get("message").is_some_and(|message| holds(message, &begins)))
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

/// Whether one of the integers in the body of a ship or a user is such a value.
fn an_integer_is(request: &Request, such: fn(&Value) -> bool) -> bool {
    let body = request.body.as_deref().and_then(|body| json::parse(body).ok()).unwrap_or_default();
    let mut integers = ["id", "crew", "length"].iter().filter_map(|name| body.get(name));
    takes_a_thing(request) && integers.any(such)
}

fn has_escapes(answer: &Response) -> bool {
    answer.body.windows(2).any(|pair| pair == b"\\u")
}

fn token(case: &Case<'_>) -> Option<Jwt> {
    Jwt::parse(case.exchange.request.token()?)
}

fn is_incomplete(jwt: &Jwt) -> bool {
    let missing = |claim: &&str| jwt.claims.get(claim).is_none();
    let is_no_whole_number = |claim: &&str| jwt.claims.get(claim).is_some_and(|value| !value.is_u64());
    ["exp", "jti", "type", "iat"].iter().any(missing)
        || ["identity", "exp", "nbf", "iat"].iter().any(is_no_whole_number)
        || ["crit", "kid"].iter().any(|parameter| jwt.header.get(parameter).is_some())
        || jwt.text("jti").is_some_and(|jti| uuid::Uuid::try_parse(jti).is_err())
}
