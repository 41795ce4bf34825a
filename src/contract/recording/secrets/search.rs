//! The search for secrets in one request or response.

use std::collections::BTreeSet;

use rocket::http::RawStr;
use serde_json::Value;

use crate::contract::compare::lossless::Json;
use crate::contract::recording::message::{Request, Response};
use crate::contract::recording::placeholders::basic;
use crate::contract::recording::secrets::names::{is_password, is_secret_name, is_secret_parameter, plain};
use crate::contract::recording::secrets::random::{looks_random, words, LONG};
use crate::contract::recording::secrets::{is_harmless_token, is_public, Findings};
use crate::contract::session::jwt::Jwt;
use crate::json;
use crate::store::seed::EXAMPLE;

/// A search in progress.
pub(super) struct Search<'a> {
    pub(super) found: Findings,
    /// What earlier responses of the recording have.
    pub(super) earlier: &'a str,
    /// Whether this is a response.
    pub(super) is_response: bool,
}

impl Search<'_> {
    pub(super) fn secret(&mut self, place: &str, name: &str, value: &str) {
        let side = if self.is_response { "the response's" } else { "the request's" };
        let found = (format!("{side} {place}"), name.to_owned());
        // In a request, a token may be damaged on purpose.
        if self.is_response && words(value).filter_map(token_in).any(|jwt| !is_harmless_token(&jwt)) {
            self.found.signed.push(found.clone());
        }
        self.found.secrets.push(found);
    }

    fn is_known(&self, value: &str) -> bool {
        // A short value may be part of any text.
        let was_in_response = !self.is_response && value.len() >= LONG && self.earlier.contains(value);
        is_public(value) || was_in_response
    }

    pub(super) fn request(&mut self, request: &Request) {
        self.address(&request.path, "query");
        for (name, value) in &request.headers {
            if name.eq_ignore_ascii_case("Host") {
                if value.contains('@') {
                    self.secret("address", "user", value);
                }
                continue;
            }
            self.header(name, value);
        }
        if let Some(body) = &request.body {
            self.body(&String::from_utf8_lossy(body));
        }
    }

    pub(super) fn response(&mut self, response: &Response) {
        /// Headers that hold no secrets.
        const WITHOUT_SECRETS: [&str; 9] = [
            "Date",
            "ETag",
            "Server",
            "Last-Modified",
            "Content-Length",
            "Content-Type",
            "Content-Security-Policy",
            "Permissions-Policy",
            "WWW-Authenticate",
        ];
        for (name, value) in &response.headers {
            if name.eq_ignore_ascii_case("Location") {
                self.address(value, "Location");
            } else if !WITHOUT_SECRETS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                self.header(name, value);
                self.parameters(name, value);
            }
        }
        self.body(&String::from_utf8_lossy(&response.body));
    }

    fn header(&mut self, name: &str, value: &str) {
        let is_credential = plain(name).ends_with("authorization");
        // The credentials follow a scheme, where there is one.
        let secret = match value.split_once(' ') {
            Some((_, credentials)) if is_credential => credentials,
            _ => value,
        };
        let example = basic(name, value).is_some_and(|pair| {
            let (user, password) = pair.split_once(':').unwrap_or((pair.as_str(), ""));
            match (is_public(user), is_public(password)) {
                // Some APIs take a key as the user name, and no password.
                (false, true) if password.trim().is_empty() => example_values("username").contains(user),
                (_, true) => true,
                (_, false) => example_values("password").contains(password),
            }
        });
        let cookies = name.eq_ignore_ascii_case("Cookie").then(|| value.split(';'));
        let known = match cookies {
            Some(mut pairs) => {
                pairs.all(|pair| self.is_known(pair.split_once('=').map_or(pair, |(_, value)| value)))
            }
            None if name.eq_ignore_ascii_case("Set-Cookie") => true,
            None => example || self.is_known(secret),
        };
        if (is_secret_name(name) || is_password(name)) && !known {
            self.secret("header", name, value);
        } else if !example {
            self.value("header", name, value);
        }
    }

    /// Parameters in the value of a response header, and of URLs in it.
    fn parameters(&mut self, header: &str, text: &str) {
        if names_user(text) {
            self.secret(header, "user", text);
        }
        let is_secret = if text.contains(['?', '#']) { is_secret_parameter } else { is_secret_name };
        let is_between = |character: char| "?#&;,<>\"'".contains(character) || character.is_whitespace();
        for (name, value) in text.split(is_between).filter_map(|pair| pair.split_once('=')) {
            let decoded = |text: &str| RawStr::new(text).url_decode_lossy().into_owned();
            let (name, value) = (decoded(name), decoded(value));
            if is_secret(&name) && !self.is_known(&value) {
                self.secret(header, &name, &value);
            }
        }
    }

    /// The parameters of a URL, in its query and its fragment.
    fn address(&mut self, address: &str, place: &str) {
        if names_user(address) {
            self.secret(place, "user", address);
        }
        let (path, parameters) = address.split_at(address.find(['?', '#']).unwrap_or(address.len()));
        self.value("address", "path", path);
        self.pairs(parameters, place);
    }

    fn pairs(&mut self, text: &str, place: &str) {
        let is_between = |character: char| "?#&;".contains(character) || character.is_whitespace();
        for pair in text.split(is_between).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or(("", pair));
            let decoded = |text: &str| RawStr::new(text).url_decode_lossy().into_owned();
            let (name, value) = (decoded(name), decoded(value));
            if place == "body" && is_password(&name) {
                self.password(&name, &value);
            } else if is_secret_parameter(&name) && !self.is_known(&value) {
                self.secret(place, &name, &value);
            } else {
                self.value(place, &name, &value);
            }
        }
    }

    fn body(&mut self, text: &str) {
        match Json::parse(text.as_bytes()) {
            Ok(value) => self.json("", &value),
            Err(_) => {
                if text.contains('=') {
                    self.pairs(text, "body");
                } else {
                    self.value("body", "", text);
                }
                // Invalid JSON still has names and strings in quotation marks.
                let parts: Vec<&str> = text.split('"').skip(1).collect();
                for part in parts.windows(3) {
                    if let [name, between, value] = part {
                        if between.trim() == ":" && is_secret_name(name) && !self.is_known(value) {
                            self.secret("body", name, value);
                        }
                    }
                }
            }
        }
    }

    fn json(&mut self, name: &str, value: &Json) {
        match value {
            // A member of a secret is a secret, whatever its name.
            Json::Object(members) => members.iter().for_each(|(member, value)| {
                self.value("body", "", member);
                self.json(if is_secret_name(name) { name } else { member }, value);
            }),
            Json::List(items) => items.iter().for_each(|item| self.json(name, item)),
            Json::Text(text) if is_password(name) => self.password(name, text),
            Json::Text(text) if is_secret_name(name) && !self.is_known(text) => {
                self.secret("body", name, text)
            }
            Json::Text(text) => self.value("body", name, text),
            Json::Number(number) if is_password(name) => self.password(name, number.text()),
            Json::Number(number) if is_secret_name(name) => self.secret("body", name, number.text()),
            _ => {}
        }
    }

    /// Passwords are part of recorded logins, but of no response.
    fn password(&mut self, name: &str, value: &str) {
        if value.is_empty() || is_public(value) {
            return;
        }
        if self.is_response {
            self.secret("body", name, value);
        } else if !example_values("password").contains(value) {
            self.found.notes.push(format!(
                "{name}: the password is recorded as it is, for logins need it; it must open nothing but example data \
                 (or write $SHIPYARD_SECRET_PASSWORD)"
            ));
        }
    }

    /// A value in a field that may hold anything: a token is recognized by its form, a random value gets a note.
    fn value(&mut self, place: &str, name: &str, text: &str) {
        for word in words(text) {
            let name = if name.is_empty() { place } else { name };
            let jwt = token_in(word);
            let is_known = self.is_known(word);
            match jwt {
                Some(jwt) if is_harmless_token(&jwt) || is_known => {}
                Some(_) => self.secret(place, name, word),
                None if !is_known && looks_random(word, place == "address") => {
                    let side = if self.is_response { "response" } else { "request" };
                    self.found.notes.push(format!(
                        "{name} in the {side} has a random value of {} characters, which is recorded as it is",
                        word.len()
                    ));
                }
                None => {}
            }
        }
    }
}

/// Whether a URL in a text has user information: `http://user@host` or `//user:password@host`.
fn names_user(text: &str) -> bool {
    text.match_indices("//").any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let begins = before.chars().next_back().is_none_or(|last| ":=<\"', \t".contains(last));
        let authority = rest.get(2..).and_then(|rest| rest.split(['/', '?', '#', ' ', '>']).next());
        begins && authority.is_some_and(|authority| authority.contains('@'))
    })
}

fn token_in(word: &str) -> Option<Jwt> {
    word.split(['/', '=', '+']).find_map(|part| Jwt::parse(part.trim_matches('.')))
}

/// The values of a member of the example data's users, which are public.
fn example_values(member: &str) -> BTreeSet<String> {
    let example: Value = json::parse(EXAMPLE.as_bytes()).unwrap_or_default();
    let users = example.get("users").and_then(Value::as_array).into_iter().flatten();
    users.filter_map(|user| Some(user.get(member)?.as_str()?.to_owned())).collect()
}
