//! Recorded exchanges: `curl -i` transcripts.

use std::path::{Path, PathBuf};

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use rocket::http::Method;
use serde_json::Value;
use uuid::Uuid;

use super::server::{Answer, Ask};

/// A folder of exchanges, in order.
pub struct Scenario {
    pub name: String,
    pub exchanges: Vec<Exchange>,
}

/// One request and its recorded response.
pub struct Exchange {
    pub name: String,
    pub request: Ask,
    /// As recorded, headers in their order.
    pub response: Answer,
    /// Seconds since 1970, from the Date header.
    pub date: u64,
}

/// Every scenario of the repository, by name.
pub fn scenarios() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    entries(&folder).iter().filter(|path| path.is_dir()).map(|path| scenario(path)).collect()
}

/// One scenario of the repository.
pub fn scenario_named(name: &str) -> Scenario {
    scenario(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name))
}

fn scenario(folder: &Path) -> Scenario {
    let exchanges = entries(folder).iter().map(|path| read(path)).collect();
    Scenario { name: stem(folder), exchanges }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

fn read(path: &Path) -> Exchange {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    parse(stem(path), &text).unwrap_or_else(|reason| panic!("{}: {reason}", path.display()))
}

fn parse(name: String, text: &str) -> Result<Exchange, String> {
    let (command, rest) = text.split_once('\n').ok_or("no line break")?;
    let command = command.strip_prefix("$ ").ok_or("does not begin with `$ `")?;
    let (head, body) = rest.split_once("\n\n").ok_or("no empty line behind the headers")?;
    let mut lines = head.lines();
    let status_line = lines.next().ok_or("no status line")?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or("no status code")?;
    let headers = lines
        .map(|line| line.split_once(": ").ok_or_else(|| format!("{line:?} is no header")))
        .map(|header| header.map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect::<Result<Vec<_>, _>>()?;
    let response = Answer { status, headers, body: body.to_owned() };
    let date =
        httpdate::parse_http_date(response.header("Date").ok_or("no Date")?).map_err(|e| e.to_string())?;
    let date = date.duration_since(std::time::UNIX_EPOCH).map_err(|e| e.to_string())?.as_secs();
    Ok(Exchange { name, request: curl(command)?, response, date })
}

/// The request that a curl line sends.
pub fn curl(command: &str) -> Result<Ask, String> {
    let mut words = words(command)?.into_iter();
    if words.next().as_deref() != Some("curl") {
        return Err("no curl".into());
    }
    let mut ask = Ask::new(Method::Get, "");
    let mut method = None;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} without a value"));
        match word.as_str() {
            "-i" => {}
            "-X" => method = Some(value()?.parse().map_err(|_| "unknown method")?),
            "-d" => ask.body = Some(value()?.into_bytes()),
            "-H" => {
                let header = value()?;
                let (name, value) = header.split_once(": ").ok_or("header without a value")?;
                ask = ask.header(name, value);
            }
            url => {
                let rest = url.strip_prefix("http://").ok_or_else(|| format!("unexpected {url:?}"))?;
                let slash = rest.find('/').ok_or("address without a path")?;
                ask.path = rest[slash..].to_owned();
                ask = ask.header("Host", &rest[..slash]);
            }
        }
    }
    if ask.body.is_some() && !ask.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        ask = ask.header("Content-Type", "application/x-www-form-urlencoded");
    }
    ask.method = method.unwrap_or(if ask.body.is_some() { Method::Post } else { Method::Get });
    Ok(ask)
}

/// The words of a shell command without expansions.
fn words(command: &str) -> Result<Vec<String>, String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in command.chars() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (None, ' ') => words.push(String::new()),
            (_, other) => words.last_mut().unwrap().push(other),
        }
    }
    if quote.is_some() {
        return Err("a quotation is not closed".into());
    }
    words.retain(|word| !word.is_empty());
    Ok(words)
}

impl Scenario {
    /// The ids of the tokens that the recorded server issued, in order.
    pub fn issued_ids(&self) -> Vec<Uuid> {
        let bodies = self
            .exchanges
            .iter()
            .filter_map(|exchange| serde_json::from_str::<Value>(&exchange.response.body).ok());
        bodies
            .flat_map(|body| ["access_token", "refresh_token"].map(|name| body[name].as_str().map(jti)))
            .flatten()
            .collect()
    }
}

fn jti(token: &str) -> Uuid {
    claims(token)["jti"].as_str().unwrap().parse().unwrap()
}

/// What a token says; nothing is verified.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
