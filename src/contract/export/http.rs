//! `.http` files as httpYac (<https://httpyac.github.io>) reads them. The live address is the variable `base`.

use serde_json::Value;

use super::{introduction, omission, steps, Body, Call, Expected, Given, Location, ScenarioFile, Step};
use crate::contract::fixtures::Scenario;
use crate::contract::transcript::Exchange;

/// What all calls of a file use. `base` can be given from outside; a plain definition would override that.
const COMMON: &str = "\
@base = {{typeof base === 'string' ? base : 'http://localhost:5000'}}

{{
  const { deepStrictEqual } = require('node:assert');
  exports.same = deepStrictEqual;
  // The members of a JSON body, but for tokens: those are new each time.
  exports.json = (response, ...tokens) => {
    const body = JSON.parse(response.body);
    tokens.forEach((token) => delete body[token]);
    return body;
  };
}}
";

/// The `.http` file of a scenario.
#[must_use]
pub fn file(scenario: &Scenario) -> ScenarioFile {
    let run = format!("httpyac {}.http --all --var base=http://localhost:5000", scenario.name);
    let mut file = ScenarioFile { text: String::new(), exchanges: 0, left_out: 0 };
    for line in introduction(scenario, &run) {
        file.text += &format!("# {line}\n");
    }
    file.text += COMMON;
    for step in steps(scenario) {
        file.text.push('\n');
        file.text += &match step {
            Step::Login(call, reason) => {
                let title = format!("{reason}\n# @name {}", answer_of(&call.name));
                format!("### {title}\n{}\n?? status == 200\n", request(&call))
            }
            Step::Exchange(call, exchange) => {
                file.exchanges += 1;
                let mut title = format!("{}\n# @name {}", exchange.name, answer_of(&call.name));
                if (300..400).contains(&exchange.response.status) {
                    // The answer itself is what was recorded, not what it leads to.
                    title += "\n# @no-redirect";
                }
                format!("### {title}\n{}\n{}", request(&call), answer(exchange))
            }
            Step::LeftOut(exchange, reason) => {
                file.left_out += 1;
                format!("# {}\n", omission(exchange, &reason))
            }
        };
    }
    file
}

/// The name under which others refer to an answer: one that JavaScript has for a variable.
fn answer_of(call: &str) -> String {
    format!("answer_{call}")
}

fn request(call: &Call<'_>) -> String {
    let mut text = format!("{} {{{{base}}}}{}\n", call.request.method, call.request.path);
    let mut body = String::new();
    // What cannot be written down is set when the request is about to be sent.
    let mut set = String::new();
    for (name, value) in call.headers() {
        match value {
            Given::Recorded(value) if value.contains("{{") => {
                set += &format!("  request.headers[{}] = {};\n", literal(name), literal(value));
            }
            Given::Recorded(value) => {
                text += format!("{name}: {value}").trim_end();
                text.push('\n');
            }
            Given::Bearer(token) => {
                let answer = answer_of(&token.call);
                text += &format!("{name}: Bearer {{{{{answer}.{}}}}}\n", token.member);
            }
        }
    }
    match call.body() {
        Some(plain) if is_plain(&plain) => body = format!("\n{plain}\n"),
        Some(other) => set += &format!("  request.body = {};\n", literal(&other)),
        None => {}
    }
    if !set.is_empty() {
        text += &format!("{{{{@request\n{set}}}}}\n");
    }
    text + &body
}

/// Whether httpYac takes a line for nothing but a body: others are comments, files, scripts, or have variables.
fn is_plain(body: &str) -> bool {
    let first = body.chars().next();
    first.is_some_and(|first| first.is_ascii_alphanumeric() || "{[\"".contains(first))
        && !body.contains("{{")
        && !body.contains(char::is_control)
        && !body.ends_with(' ')
}

fn answer(exchange: &Exchange) -> String {
    let expected = Expected::of(exchange);
    let mut text = format!("?? status == {}\n", exchange.response.status);
    if let Some(label) = expected.content_type {
        text += &format!("?? header content-type == {label}\n");
    }
    match expected.location {
        Some(Location::Here(path)) => text += &format!("?? header location == {{{{base}}}}{path}\n"),
        Some(Location::Elsewhere(url)) => text += &format!("?? header location == {url}\n"),
        None => {}
    }
    for token in &expected.tokens {
        text += &format!("?? js typeof response.parsedBody[{}] == string\n", literal(token));
    }
    let (found, expected) = match &expected.body {
        Body::Json(body) => {
            let tokens: String =
                expected.tokens.iter().map(|token| format!(", {}", literal(token))).collect();
            (format!("json(response{tokens})"), format!("{body:#}").replace('\n', "\n  "))
        }
        Body::Text(text) => ("String(response.body ?? '')".to_owned(), literal(text)),
    };
    text + &format!("{{{{\n  test('body', () => same({found}, {expected}));\n}}}}\n")
}

/// A text as JavaScript has it: every JSON text is one.
fn literal(text: &str) -> String {
    Value::from(text).to_string()
}
