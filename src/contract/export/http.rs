//! `.http` files as httpYac (<https://httpyac.github.io>) reads them. The live address is the variable `base`.
//!
//! httpYac runs text between `{{` and `}}` as JavaScript: in targets, headers, bodies and expected values, again in the
//! result, and in every variable that is a string. No escape works in all places. So recorded text has only two forms:
//! characters without a meaning to httpYac, and string literals in scripts, which it does not search. Live text never
//! becomes a variable: responses have no name.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    introduction, steps, unsendable, Body, Call, Expected, HeaderValue, Location, ScenarioFile, Step,
};
use crate::contract::recording::fixtures::Scenario;
use crate::contract::recording::message::Request;
use crate::contract::recording::transcript::Exchange;
use crate::escape::escape_invisible;

/// The common part of all files. `base` can be given from outside; a plain definition would override it.
const COMMON: &str = "\
@base = {{typeof base === 'string' ? base : 'http://localhost:5000'}}

{{
  const { deepStrictEqual } = require('node:assert');
  exports.same = deepStrictEqual;
  // The members of a JSON body without tokens: those are new each time.
  exports.json = (response, ...tokens) => {
    const body = JSON.parse(response.body);
    tokens.forEach((token) => delete body[token]);
    return body;
  };
  // Sends the target as it is; a URL would be normalized first.
  exports.target = (request, base, target) => {
    const { protocol, pathname } = new URL(base);
    const path = pathname.replace(/\\/$/, '') + target;
    const { request: send } = require(protocol === 'https:' ? 'node:https' : 'node:http');
    request.options = {
      ...request.options,
      request: (url, options, answered) => send(url, { ...options, path }, answered),
    };
  };
}}
";

const JSON: &str = "application/json";

/// The `.http` file of a scenario.
#[must_use]
pub fn file(scenario: &Scenario) -> ScenarioFile {
    let run = format!("httpyac {}.http --all --var base=http://localhost:5000", scenario.name);
    let mut file = ScenarioFile::default();
    for line in introduction(scenario, &run) {
        file.text += &format!("# {line}\n");
    }
    file.text += COMMON;
    for step in steps(scenario, refusal) {
        file.text.push('\n');
        let text = match step {
            Step::Login(call, reason) => {
                format!(
                    "{}{}\n?? status == 200\n{}",
                    head(&escape_invisible(&reason)),
                    request(&call),
                    script(&capture_script(&call))
                )
            }
            Step::Exchange(call, exchange) => {
                file.exchanges += 1;
                let name = escape_invisible(&exchange.name);
                format!("{}{}\n{}", head(&name), request(&call), expected_response(&call, exchange))
            }
            Step::LeftOut(omitted) => format!("# {}\n", file.leave_out(omitted)),
        };
        file.text += &text;
    }
    file
}

/// The reason why httpYac cannot send a request as recorded, if there is one.
fn refusal(request: &Request) -> Option<String> {
    // httpYac keeps headers in an object, which cannot have this member.
    let prototype = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("__proto__"));
    let reason = prototype.then(|| "a header named \"__proto__\"".to_owned()).or_else(|| unsendable(request));
    reason.map(|reason| format!("httpYac cannot send {reason}"))
}

/// The lines above a request. A title after the `###` would also name the response.
fn head(title: &str) -> String {
    format!("###\n# @title {title}\n# @no-redirect\n# @no-cookie-jar\n")
}

fn request(call: &Call<'_>) -> String {
    let Request { method, path, .. } = &*call.request;
    let mut set = String::new();
    let mut text = if is_plain_target(path) {
        format!("{method} {{{{base}}}}{path}\n")
    } else {
        set += &format!("  target(request, base, {});\n", literal(&octets(path)));
        format!("{method} {{{{base}}}}/\n")
    };
    // By name: httpYac takes all values of a header together.
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in call.headers() {
        let value = match value {
            HeaderValue::Recorded(value) => literal(&octets(value)),
            HeaderValue::Bearer(token) => {
                format!("\"Bearer \" + {}[{}]", variable(&token.call), literal(&token.member))
            }
        };
        headers.entry(name.to_ascii_lowercase()).or_default().push(value);
    }
    let label = headers.get("content-type").filter(|values| *values == &[literal(JSON)]);
    let is_json = label.is_some();
    if is_json {
        headers.remove("content-type");
        text += &format!("Content-Type: {JSON}\n");
    }
    for (name, values) in headers {
        let values = match values.as_slice() {
            [value] => value.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        set += &format!("  request.headers[{}] = {values};\n", literal(&name));
    }
    let body = call.body();
    // With a body that is a text, node writes the head as UTF-8, and it must be octets.
    let is_ascii = path.is_ascii() && call.request.headers.iter().all(|(_, value)| value.is_ascii());
    let plain = body.as_deref().filter(|body| is_json && is_ascii && is_plain_body(body));
    if let (Some(body), None) = (&body, plain) {
        set += &format!("  request.body = Buffer.from({});\n", literal(body));
    }
    if !set.is_empty() {
        text += &format!("{{{{@request\n{set}}}}}\n");
    }
    if let Some(body) = plain {
        text += &format!("\n{body}\n");
    }
    text
}

/// Whether a URL holds the target as it is, and httpYac finds nothing in it.
fn is_plain_target(target: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-?=&".contains(&byte);
    target.bytes().all(plain) && !target.ends_with('?')
}

/// Whether httpYac takes a line as the JSON body of a request and nothing else.
fn is_plain_body(body: &str) -> bool {
    let plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'\\';
    body.starts_with(['{', '['])
        && body.ends_with(['}', ']'])
        && body.bytes().all(plain)
        && !body.contains("{{")
        && crate::json::parse(body.as_bytes()).is_ok()
}

fn expected_response(call: &Call<'_>, exchange: &Exchange) -> String {
    let expected = Expected::of(exchange);
    let mut tests = capture_script(call);
    let mut header = |name: &str, expected: &str| {
        tests += &format!("  test('{name}', () => same(response.headers['{name}'], {expected}));\n");
    };
    if let Some(label) = expected.content_type {
        header("content-type", &literal(&octets(label)));
    }
    match expected.location {
        Some(Location::Here(path)) => header("location", &format!("base + {}", literal(&octets(path)))),
        Some(Location::Elsewhere(url)) => header("location", &literal(&octets(url))),
        None => {}
    }
    for token in &expected.tokens {
        tests +=
            &format!("  test('a token', () => same(typeof json(response)[{}], 'string'));\n", literal(token));
    }
    let (found, expected) = match &expected.body {
        Body::Json(body) => {
            let tokens: String =
                expected.tokens.iter().map(|token| format!(", {}", literal(token))).collect();
            (format!("json(response{tokens})"), value(body))
        }
        Body::Text(text) => ("String(response.body ?? '')".to_owned(), literal(text)),
    };
    tests += &format!("  test('body', () => same({found}, {expected}));\n");
    format!("?? status == {}\n{}", exchange.response.status, script(&tests))
}

fn script(lines: &str) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!("{{{{\n{lines}}}}}\n")
}

/// Keeps the tokens of a response for later calls, in an object: httpYac runs scripts in strings.
fn capture_script(call: &Call<'_>) -> String {
    if call.captured.is_empty() {
        return String::new();
    }
    format!("  exports.{} = {{ ...response.parsedBody }};\n", variable(&call.name))
}

/// The JavaScript variable of a response.
fn variable(call: &str) -> String {
    format!("answer_{call}")
}

/// A JSON value in JavaScript. In an object literal, `__proto__` does not name a member.
fn value(body: &Value) -> String {
    if has_prototype(body) {
        return format!("JSON.parse({})", literal(&body.to_string()));
    }
    inert(&format!("{body:#}").replace('\n', "\n  "))
}

fn has_prototype(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, member)| name == "__proto__" || has_prototype(member))
        }
        Value::Array(items) => items.iter().any(has_prototype),
        _ => false,
    }
}

/// A string literal in JavaScript: every JSON string is one.
fn literal(text: &str) -> String {
    inert(&Value::from(text).to_string())
}

/// JSON without characters that have a meaning to httpYac, an editor or a terminal. Outside strings, JSON has none.
fn inert(json: &str) -> String {
    let mut written = String::with_capacity(json.len());
    let mut units = [0; 2];
    for character in json.chars() {
        match character {
            '\n' | ' '..='~' if !(character == '{' && written.ends_with('{')) => written.push(character),
            other => {
                for unit in other.encode_utf16(&mut units) {
                    written += &format!("\\u{unit:04x}");
                }
            }
        }
    }
    written
}

/// The bytes of a text, each as the character with its number: Node.js writes and reads heads so.
fn octets(text: &str) -> String {
    text.bytes().map(char::from).collect()
}
