//! Hurl files (<https://hurl.dev>). The live address is the variable `base`.

use serde_json::{Number, Value};

use super::{
    introduction, steps, unsendable, Body, Call, Expected, HeaderValue, Location, ScenarioFile, Step, TokenIn,
};
use crate::contract::recording::fixtures::Scenario;
use crate::contract::recording::message::Request;
use crate::contract::recording::transcript::Exchange;
use crate::escape::{escape_invisible, is_invisible};

/// The Hurl file of a scenario.
#[must_use]
pub fn file(scenario: &Scenario) -> ScenarioFile {
    let run =
        format!("hurl --test --no-cookie-store --variable base=http://localhost:5000 {}.hurl", scenario.name);
    let mut file = ScenarioFile::default();
    for line in introduction(scenario, &run) {
        file.text += &format!("# {line}\n");
    }
    file.text += "# Hurl makes no list of a single result: `[*,*]` takes one member twice, so that it can be counted.\n";
    for step in steps(scenario, refusal) {
        file.text.push('\n');
        let text = match step {
            Step::Login(call, reason) => {
                format!("# {}\n{}HTTP 200\n{}", escape_invisible(&reason), request(&call), captures(&call))
            }
            Step::Exchange(call, exchange) => {
                file.exchanges += 1;
                format!(
                    "# {}\n{}{}",
                    escape_invisible(&exchange.name),
                    request(&call),
                    expected_response(&call, exchange)
                )
            }
            Step::LeftOut(omitted) => format!("# {}\n", file.leave_out(omitted)),
        };
        file.text += &text;
    }
    file
}

/// The reason why Hurl cannot send a request as recorded, if there is one.
fn refusal(request: &Request) -> Option<String> {
    let encoded = (!request.path.is_ascii()).then(|| "a target that is not ASCII".to_owned());
    unsendable(request).or(encoded).map(|reason| format!("Hurl cannot send {reason}"))
}

fn request(call: &Call<'_>) -> String {
    let mut text = format!("{} {{{{base}}}}{}\n", call.request.method, unquoted(&call.request.path));
    for (name, value) in call.headers() {
        let value = match value {
            HeaderValue::Recorded(value) => unquoted(value),
            HeaderValue::Bearer(token) => format!("Bearer {{{{{}}}}}", token.variable),
        };
        text += format!("{}: {value}", key(name)).trim_end();
        text.push('\n');
    }
    // Otherwise Hurl removes dot segments.
    if call.request.path.contains("/.") {
        text += "[Options]\npath-as-is: true\n";
    }
    if let Some(body) = call.body() {
        text += &format!("`{}`\n", escaped(&body, "`"));
    }
    text
}

fn captures(call: &Call<'_>) -> String {
    if call.captured.is_empty() {
        return String::new();
    }
    let lines = call.captured.iter().map(|TokenIn { member, variable, .. }| {
        format!("{variable}: jsonpath {}\n", quoted(&member_of("$", member)))
    });
    format!("[Captures]\n{}", lines.collect::<String>())
}

fn expected_response(call: &Call<'_>, exchange: &Exchange) -> String {
    let expected = Expected::of(exchange);
    let mut asserts = Vec::new();
    if let Some(label) = expected.content_type {
        asserts.push(format!("header \"Content-Type\" == {}", quoted(label)));
    }
    match expected.location {
        Some(Location::Here(path)) => {
            asserts.push(format!("header \"Location\" == \"{{{{base}}}}{}\"", escaped(path, "\"")));
        }
        Some(Location::Elsewhere(url)) => asserts.push(format!("header \"Location\" == {}", quoted(url))),
        None => {}
    }
    match &expected.body {
        Body::Json(body) => json(&mut asserts, "$", body, expected.tokens.len()),
        Body::Text(text) if text.is_empty() => asserts.push("bytes count == 0".to_owned()),
        Body::Text(text) => asserts.push(format!("body == {}", quoted(text))),
    }
    for token in &expected.tokens {
        asserts.push(format!("jsonpath {} isString", quoted(&member_of("$", token))));
    }
    let status = exchange.response.status;
    format!("HTTP {status}\n{}[Asserts]\n{}\n", captures(call), asserts.join("\n"))
}

/// Assertions that compare a JSON value whatever its layout and the order of members. (Hurl compares a body byte for
/// byte.) The object has `more` members than `value`.
fn json(asserts: &mut Vec<String>, path: &str, value: &Value, more: usize) {
    let mut assert = |path: &str, what: &str| asserts.push(format!("jsonpath {} {what}", quoted(path)));
    match value {
        Value::Object(members) => {
            match members.len() + more {
                0 => {
                    assert(path, "isObject");
                    assert(path, "isEmpty");
                }
                // Hurl makes no list of a single result, so select it twice to count it.
                1 => assert(&format!("{path}[*,*]"), "count == 2"),
                count => assert(&format!("{path}.*"), &format!("count == {count}")),
            }
            for (name, member) in members {
                json(asserts, &member_of(path, name), member, 0);
            }
        }
        Value::Array(items) => {
            assert(path, &format!("count == {}", items.len()));
            for (index, item) in items.iter().enumerate() {
                json(asserts, &format!("{path}[{index}]"), item, 0);
            }
        }
        Value::String(text) => assert(path, &format!("== {}", quoted(text))),
        Value::Number(number) => assert(path, &format!("== {}", plain(number))),
        Value::Bool(bool) => assert(path, &format!("== {bool}")),
        Value::Null => assert(path, "== null"),
    }
}

/// A number without an exponent, which Hurl does not support.
fn plain(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) if float.fract() == 0.0 => format!("{float:.1}"),
        Some(float) => float.to_string(),
        None => number.to_string(),
    }
}

/// The JSONPath (RFC 9535) of a member.
fn member_of(path: &str, name: &str) -> String {
    let mut characters = name.chars();
    let first = |character: char| character.is_ascii_alphabetic() || character == '_';
    if characters.next().is_some_and(first) && characters.all(|other| first(other) || other.is_ascii_digit())
    {
        return format!("{path}.{name}");
    }
    format!("{path}[{}]", Value::from(name))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text, "\""))
}

/// A text without quotes: it ends at the line end or at a `#`, and Hurl trims its spaces.
fn unquoted(text: &str) -> String {
    let bare = text.trim_matches(' ');
    let spaces = |count: usize| unicode(' ').repeat(count);
    let before = text.len() - text.trim_start_matches(' ').len();
    let after = text.len() - before - bare.len();
    spaces(before) + &escaped(bare, "#") + &spaces(after)
}

/// The name of a header, in which most characters need an escape.
fn key(name: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let escape = |character: char| match plain(character) {
        true => character.to_string(),
        false => unicode(character),
    };
    name.chars().map(escape).collect()
}

/// Escapes `special` characters and all other syntax of Hurl.
fn escaped(text: &str, special: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '{' if characters.peek() == Some(&'{') => written += &unicode(character),
            other if other.is_control() || is_invisible(other) => written += &unicode(other),
            other if special.contains(other) => written.extend(['\\', other]),
            other => written.push(other),
        }
    }
    written
}

fn unicode(character: char) -> String {
    format!("\\u{{{:x}}}", u32::from(character))
}
