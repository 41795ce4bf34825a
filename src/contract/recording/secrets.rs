//! Secrets in recordings: recordings are checked in, so they must open nothing.
//!
//! A secret of a request is written as a placeholder ([`crate::contract::recording::placeholders`]). Values of cookies and of headers that hold secrets are not recorded, for no answer is held to them.
//! Any other value that is recognized ends the recording. What is a secret is decided by the name of its field, and by
//! the form of the value where that is a JSON Web Token.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rocket::http::RawStr;
use serde_json::Value;

use crate::contract::compare::lossless::Json;
use crate::contract::recording::message::{Request, Response};
use crate::contract::recording::placeholders::{basic, placeholders, value_of};
use crate::contract::replay::demo_key;
use crate::contract::session::jwt::Jwt;
use crate::json;
use crate::store::seed::EXAMPLE;

/// What is written in the place of a value that no answer is held to.
const REDACTED: &str = "REDACTED";

/// How names of fields that hold secrets end, without regard to case, `-` and `_`.
const SECRET_NAMES: [&str; 21] = [
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "signingkey",
    "authkey",
    "subscriptionkey",
    "functionskey",
    "token",
    "secret",
    "signature",
    "session",
    "sessionid",
    "sid",
    "jwt",
    "cookie",
    "authorization",
    "credential",
    "bearer",
    "auth",
    "otp",
];

/// The whole names of parameters in addresses that do, besides.
const SECRET_PARAMETERS: [&str; 4] = ["key", "sig", "code", "ticket"];

const PASSWORDS: [&str; 6] = ["password", "passwd", "pwd", "passphrase", "passcode", "pass"];

/// The fewest characters of a value that looks like a secret whatever its name.
const LONG: usize = 20;

/// What was found in one exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// The fields with secrets: where, and the name.
    pub(crate) secrets: Vec<(String, String)>,
    /// Of these, the ones in which a server has signed a token that is still good: they open something, whatever they
    /// are called.
    pub(crate) signed: Vec<(String, String)>,
    /// What is to be said besides.
    pub(crate) notes: Vec<String>,
}

impl Findings {
    /// What is to be said, where there is no secret but in fields of these names.
    ///
    /// # Errors
    /// The secrets, and what to do.
    pub(crate) fn but_for(mut self, not_secret: &[String]) -> Result<Vec<String>, String> {
        if let Some((place, name)) = self.signed.first() {
            return Err(format!(
                "a secret in {place}: {name}, a token that is signed and still good\n{SIGNED}"
            ));
        }
        self.secrets.retain(|(_, name)| !not_secret.iter().any(|known| known.eq_ignore_ascii_case(name)));
        self.secrets.sort();
        self.secrets.dedup();
        self.notes.sort();
        self.notes.dedup();
        if self.secrets.is_empty() {
            return Ok(self.notes);
        }
        let found = self.secrets.iter().map(|(place, name)| format!("a secret in {place}: {name}"));
        Err(format!("{}\n{WHAT_TO_DO}", found.collect::<Vec<_>>().join("\n")))
    }
}

const WHAT_TO_DO: &str = "\
nothing is recorded, for recordings are checked in. In a request, write $SHIPYARD_SECRET_<NAME> for the secret, and set \
that variable; if a value opens nothing, add --not-secret with the name of its field";

const SIGNED: &str = "\
nothing is recorded, for recordings are checked in, and --not-secret is not for such tokens. Tokens that are members of an \
answer themselves are signed again when their scenario is recorded from its curl lines: give the file";

/// A name without what is a matter of taste: case, marks between words, the plural.
fn plain(name: &str) -> String {
    // In forms, `user[password]` is a member of `user`.
    let name = name.to_ascii_lowercase().replace(['-', '_', '.', '[', ']'], "");
    name.trim_end_matches('s').to_owned()
}

fn is_password(name: &str) -> bool {
    PASSWORDS.iter().any(|known| plain(name).ends_with(known))
}

fn is_secret_name(name: &str) -> bool {
    SECRET_NAMES.iter().any(|known| plain(name).ends_with(known))
}

fn is_secret_parameter(name: &str) -> bool {
    is_secret_name(name) || is_password(name) || SECRET_PARAMETERS.contains(&plain(name).as_str())
}

/// Takes out of an answer what it is not held to: the values of cookies, and of headers that hold secrets. Gives the
/// names.
pub(crate) fn redact(response: &mut Response) -> Vec<String> {
    let mut redacted = Vec::new();
    for (name, value) in &mut response.headers {
        if name.eq_ignore_ascii_case("Set-Cookie") || name.eq_ignore_ascii_case("Set-Cookie2") {
            let (pair, attributes) = value.split_at(value.find(';').unwrap_or(value.len()));
            let (cookie, secret) = pair.split_once('=').unwrap_or(("", pair));
            if !secret.is_empty() {
                redacted.push(format!("{name} {cookie}").trim_end().to_owned());
                *value = format!("{cookie}={REDACTED}{attributes}");
            }
        } else if is_secret_name(name) && !value.is_empty() && !is_public(value) {
            redacted.push(name.clone());
            REDACTED.clone_into(value);
        }
    }
    redacted
}

/// Whether a value opens nothing: there is none, it is filled in later, or it is a token that no server accepts but one
/// that has the public key of the recordings.
fn is_public(value: &str) -> bool {
    let mut rest = value.to_owned();
    for (range, _) in placeholders(value).into_iter().rev() {
        rest.replace_range(range, "");
    }
    let rest = rest.trim();
    rest.is_empty() || rest == REDACTED || Jwt::parse(rest).is_some_and(|jwt| opens_nothing(&jwt))
}

fn opens_nothing(jwt: &Jwt) -> bool {
    let expired = jwt.number("exp").is_some_and(|exp| exp <= crate::auth::clock::Clock::System.now());
    let unsigned =
        jwt.header.get("alg").and_then(Value::as_str).is_some_and(|alg| alg.eq_ignore_ascii_case("none"));
    expired || unsigned || jwt.is_signed_with(&demo_key())
}

/// Looks for secrets in a request. What `earlier` answers have is in the recording already.
#[must_use]
pub(crate) fn in_request(request: &Request, earlier: &str) -> Findings {
    let mut look = Look { found: Findings::default(), earlier, answered: false };
    look.request(request);
    look.found
}

/// Looks for secrets in an answer. `sent` are the variables of the secrets that its server has been sent.
#[must_use]
pub(crate) fn in_answer(sent: &BTreeSet<String>, response: &Response) -> Findings {
    let mut look = Look { found: Findings::default(), earlier: "", answered: true };
    look.response(response);
    let texts = response.headers.iter().map(|(_, value)| Cow::Borrowed(value.as_str()));
    let texts: Vec<_> = texts.chain([String::from_utf8_lossy(&response.body)]).flat_map(spellings).collect();
    for name in sent {
        if value_of(name).is_some_and(|value| texts.iter().any(|text| text.contains(&value))) {
            look.secret("text", name, "");
        }
    }
    look.found
}

/// A text as it is, and as it is read where it is JSON, part of an address, or a form.
fn spellings(text: Cow<'_, str>) -> Vec<String> {
    let texts = [unescaped(&text), text.into_owned()];
    let read = |text: String| {
        let raw = RawStr::new(&text);
        [raw.percent_decode_lossy().into_owned(), raw.url_decode_lossy().into_owned(), text]
    };
    texts.into_iter().flat_map(read).collect()
}

/// A text without the escapes of JSON (RFC 8259, section 7), but for those of control characters: no secret has any.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut units: Vec<u16> = parts.next().unwrap_or_default().encode_utf16().collect();
    while let Some(part) = parts.next() {
        let code = part.strip_prefix('u').and_then(|code| Some((code.get(..4)?, code.get(4..)?)));
        match code.and_then(|(code, rest)| Some((u16::from_str_radix(code, 16).ok()?, rest))) {
            Some((unit, rest)) => units.extend(std::iter::once(unit).chain(rest.encode_utf16())),
            None if part.is_empty() => {
                units.push(u16::from(b'\\'));
                units.extend(parts.next().unwrap_or_default().encode_utf16());
            }
            None => units.extend(part.encode_utf16()),
        }
    }
    String::from_utf16_lossy(&units)
}

/// Whether an address in a text names a user, and perhaps a password: `http://user@host` or `//user:password@host`.
fn names_user(text: &str) -> bool {
    text.match_indices("//").any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let begins = before.chars().next_back().is_none_or(|last| ":=<\"', \t".contains(last));
        let authority = rest.get(2..).and_then(|rest| rest.split(['/', '?', '#', ' ', '>']).next());
        begins && authority.is_some_and(|authority| authority.contains('@'))
    })
}

struct Look<'a> {
    found: Findings,
    earlier: &'a str,
    answered: bool,
}

impl Look<'_> {
    fn secret(&mut self, place: &str, name: &str, value: &str) {
        let side = if self.answered { "the answer's" } else { "the request's" };
        let found = (format!("{side} {place}"), name.to_owned());
        // Of a request, it may be one that is broken on purpose.
        if self.answered && words(value).filter_map(token_in).any(|jwt| !opens_nothing(&jwt)) {
            self.found.signed.push(found.clone());
        }
        self.found.secrets.push(found);
    }

    fn is_known(&self, value: &str) -> bool {
        // What is short may be part of anything.
        let was_answered = !self.answered && value.len() >= LONG && self.earlier.contains(value);
        is_public(value) || was_answered
    }

    fn request(&mut self, request: &Request) {
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

    fn response(&mut self, response: &Response) {
        /// What says nothing but what the answer is.
        const TOLD: [&str; 9] = [
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
            } else if !TOLD.iter().any(|told| name.eq_ignore_ascii_case(told)) {
                self.header(name, value);
                self.parameters(name, value);
            }
        }
        self.body(&String::from_utf8_lossy(&response.body));
    }

    fn header(&mut self, name: &str, value: &str) {
        let is_credential = plain(name).ends_with("authorization");
        // Behind a scheme, where there is one.
        let secret = match value.split_once(' ') {
            Some((_, credentials)) if is_credential => credentials,
            _ => value,
        };
        let example = basic(name, value).is_some_and(|pair| {
            let (user, password) = pair.split_once(':').unwrap_or((pair.as_str(), ""));
            match (is_public(user), is_public(password)) {
                // Some APIs take a key for the name of the user, and no password.
                (false, true) if password.trim().is_empty() => of_the_example("username").contains(user),
                (_, true) => true,
                (_, false) => of_the_example("password").contains(password),
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

    /// What a header of an answer names within its value: parameters of its own, and of addresses.
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

    /// The parameters of an address, in its query and its fragment.
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
                // JSON that does not parse has names and texts in quotation marks all the same.
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
            // What is in a secret is one, whatever it is called there.
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

    /// A password is part of a recorded login, but of no answer.
    fn password(&mut self, name: &str, value: &str) {
        if value.is_empty() || is_public(value) {
            return;
        }
        if self.answered {
            self.secret("body", name, value);
        } else if !of_the_example("password").contains(value) {
            self.found.notes.push(format!(
                "{name}: the password is recorded as it is, for logins need it; it must open nothing but example data \
                 (or write $SHIPYARD_SECRET_PASSWORD)"
            ));
        }
    }

    /// A value whose name says nothing: a token is known by its form, and what is long and random is said.
    fn value(&mut self, place: &str, name: &str, text: &str) {
        for word in words(text) {
            let name = if name.is_empty() { place } else { name };
            let jwt = token_in(word);
            let is_known = self.is_known(word);
            match jwt {
                Some(jwt) if opens_nothing(&jwt) || is_known => {}
                Some(_) => self.secret(place, name, word),
                None if !is_known && looks_random(word, place == "address") => {
                    let side = if self.answered { "answer" } else { "request" };
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

/// The words of a text that are long enough to be secrets.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "-_.+/=".contains(character);
    text.split(move |character| !is_part(character)).filter(|word| word.len() >= LONG)
}

fn token_in(word: &str) -> Option<Jwt> {
    word.split(['/', '=', '+']).find_map(|part| Jwt::parse(part.trim_matches('.')))
}

/// Whether a word, or a part of it, looks as if it had been drawn by lot. Base64 has `/` in it, and so have paths: but
/// these are seldom in capitals as well.
fn looks_random(word: &str, is_path: bool) -> bool {
    let has = |kind: fn(&u8) -> bool| word.bytes().any(|byte| kind(&byte));
    let base64 = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && !is_path;
    word.split(['/', '.']).any(is_random) || (base64 && is_random(word))
}

/// Whether a word looks as if it had been drawn by lot: long, of letters and digits, and few of them twice. An id in
/// the form of a UUID is none: most of them are just names.
fn is_random(word: &str) -> bool {
    let counts: Vec<f64> = (0..=127_u8)
        .map(|byte| word.bytes().filter(|found| *found == byte).count())
        .filter(|count| *count > 0)
        .map(|count| count as f64 / word.len() as f64)
        .collect();
    let bits: f64 = counts.iter().map(|share| -share * share.log2()).sum();
    let has = |kind: fn(&u8) -> bool| word.bytes().any(|byte| kind(&byte));
    let mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    let is_uuid = word.contains('-') && uuid::Uuid::try_parse(word).is_ok();
    word.len() >= LONG && mixed && bits >= 3.0 && !is_uuid
}

/// What the users of the example data have for that member, which everyone knows.
fn of_the_example(member: &str) -> BTreeSet<String> {
    let example: Value = json::parse(EXAMPLE.as_bytes()).unwrap_or_default();
    let users = example.get("users").and_then(Value::as_array).into_iter().flatten();
    users.filter_map(|user| Some(user.get(member)?.as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_and_random_is_told_from_words() {
        for random in ["sk7f3a9b2c8d1e4f6a7b8c", "Zm9vYmFyYmF6cXV4MTIz", "5f4dcc3b5aa765d61d8327deb882cf99"] {
            assert!(is_random(random), "{random}");
        }
        for word in [
            "refresh-token-issued-first",
            "aaaaaaaaaaaaaaaaaaaaaaa1",
            "450580f5-bb38-4d70-bb62-e94ae9e67d4c",
            "2026",
        ] {
            assert!(!is_random(word), "{word}");
        }
        assert!(looks_random("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", false));
        assert!(!looks_random("/static/docs/2026/01/overview/index.html", true));
    }
}
