//! HAR 1.2 (HTTP Archive, <http://www.softwareishard.com/blog/har-12-spec/>): traffic as it was recorded, for
//! tools that read traffic.

use rocket::http::RawStr;
use rocket::time::OffsetDateTime;
use serde_json::{json, Value};

use crate::contract::recording::fixtures::Scenario;
use crate::contract::recording::message::{header, Request, Response};
use crate::contract::recording::transcript::Exchange;
use crate::escape::is_invisible;

/// HAR's word for "not known".
const UNKNOWN: i32 = -1;

/// The archive of scenarios. Invisible characters, and those that move a terminal's cursor, are JSON escapes: a program
/// reads the same value.
#[must_use]
pub fn text(scenarios: &[Scenario]) -> String {
    escaped(&format!("{:#}\n", archive(scenarios)))
}

fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        // Line ends occur between values only; in strings they are escapes already.
        if character != '\n' && (character.is_control() || is_invisible(character)) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                text += &format!("\\u{unit:04x}");
            }
        } else {
            text.push(character);
        }
    }
    text
}

/// A page for each of the scenarios, and an entry for each exchange.
fn archive(scenarios: &[Scenario]) -> Value {
    let entries = scenarios
        .iter()
        .flat_map(|scenario| scenario.exchanges.iter().map(|exchange| entry(&scenario.name, exchange)));
    json!({"log": {
        "version": "1.2",
        "creator": {"name": "shipyard", "version": env!("CARGO_PKG_VERSION")},
        "pages": scenarios.iter().map(page).collect::<Vec<_>>(),
        "entries": entries.collect::<Vec<_>>(),
    }})
}

fn page(scenario: &Scenario) -> Value {
    json!({
        "startedDateTime": date_time(scenario.start()),
        "id": scenario.name,
        "title": scenario.name,
        "pageTimings": {},
    })
}

fn entry(scenario: &str, exchange: &Exchange) -> Value {
    json!({
        "pageref": scenario,
        "comment": format!("{scenario}/{}", exchange.name),
        "startedDateTime": date_time(exchange.date),
        "request": request(&exchange.request),
        "response": response(&exchange.response),
        "cache": {},
        // These must be numbers, but a transcript has none.
        "time": 0,
        "timings": {"send": 0, "wait": 0, "receive": 0, "comment": "not recorded"},
    })
}

fn request(request: &Request) -> Value {
    let host = header(&request.headers, "Host").unwrap_or_default();
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    let mut object = json!({
        "method": request.method.as_str(),
        "url": format!("http://{host}{}", request.path),
        "httpVersion": "HTTP/1.1",
        "cookies": cookies(&request.headers, "Cookie"),
        "headers": pairs(&request.headers),
        "queryString": parameters(query),
        // curl adds headers.
        "headersSize": UNKNOWN,
        "bodySize": request.body.as_ref().map_or(0, Vec::len),
    });
    if let (Some(body), Some(members)) = (&request.body, object.as_object_mut()) {
        let label = header(&request.headers, "Content-Type").unwrap_or_default();
        let data = json!({"mimeType": label, "text": String::from_utf8_lossy(body)});
        members.insert("postData".to_owned(), data);
    }
    object
}

fn response(response: &Response) -> Value {
    let mut words = response.status_line.splitn(3, ' ');
    let version = words.next().unwrap_or_default();
    let reason = words.nth(1).unwrap_or_default();
    let lines = response.headers.iter().map(|(name, value)| name.len() + value.len() + ": \r\n".len());
    let head = response.status_line.len() + "\r\n".len() + lines.sum::<usize>() + "\r\n".len();
    json!({
        "status": response.status,
        "statusText": reason,
        "httpVersion": version,
        "cookies": cookies(&response.headers, "Set-Cookie"),
        "headers": pairs(&response.headers),
        "content": {
            "size": response.body.len(),
            "mimeType": response.header("Content-Type").unwrap_or_default(),
            "text": String::from_utf8_lossy(&response.body),
        },
        "redirectURL": response.header("Location").unwrap_or_default(),
        "headersSize": head,
        "bodySize": response.body.len(),
    })
}

fn pairs(headers: &[(String, String)]) -> Value {
    headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn parameters(query: &str) -> Value {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let decoded = |text: &str| RawStr::new(text).url_decode_lossy().into_owned();
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            json!({"name": decoded(name), "value": decoded(value)})
        })
        .collect()
}

/// The names and values of cookies: any number in each Cookie header, and one in each Set-Cookie, before its
/// attributes.
fn cookies(headers: &[(String, String)], name: &str) -> Value {
    let most = if name == "Set-Cookie" { 1 } else { usize::MAX };
    let values = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let pairs = values.flat_map(|value| value.split(';').take(most)).filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| json!({"name": name.trim(), "value": value.trim()})).collect()
}

/// Seconds since 1970 in the form of ISO 8601.
fn date_time(seconds: u64) -> String {
    let at =
        i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hours, minutes, seconds) = at.to_hms();
    format!("{}T{hours:02}:{minutes:02}:{seconds:02}.000Z", at.date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_an_escape_in_the_text() {
        let value = json!({"a\u{9b}\u{202e}": ["\u{7f}\u{feff}\u{e0001}\n\t \u{a0}", "\u{e9}\u{1f600}"]});
        let text = escaped(&format!("{value:#}\n"));
        assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
        assert!(text.contains(r#""a\u009b\u202e""#), "{text}");
        assert!(text.contains("\\u007f\\ufeff\\udb40\\udc01\\n\\t \\u00a0\""), "{text}");
        assert!(text.contains("\u{e9}\u{1f600}"), "{text}");
    }
}
