//! Parser of curl lines: the request that curl sends, or the name of what is not supported.

mod error;
mod url;

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use rocket::http::Method;

use crate::contract::compare::media_type::is_token;
pub use crate::contract::recording::curl::error::CurlError;
use crate::contract::recording::curl::error::Problem;
use crate::contract::recording::message::{header, Request};
use crate::contract::recording::shell;

/// What curl 7.88 offers for `--compressed`.
const CODINGS: &str = "deflate, gzip, br, zstd";

/// Options with a value that change the request.
const WITH_VALUE: [&str; 12] = [
    "--request",
    "--header",
    "--data",
    "--data-ascii",
    "--data-raw",
    "--data-binary",
    "--json",
    "--user",
    "--cookie",
    "--user-agent",
    "--referer",
    "--url",
];

/// Options without a value that change the request.
const WITHOUT_VALUE: [&str; 5] = ["--head", "--get", "--compressed", "--globoff", "--path-as-is"];

/// Options that change only what curl shows, or ask for what holds here anyway.
const IGNORED: [&str; 9] = [
    "--include",
    "--silent",
    "--show-error",
    "--verbose",
    "--insecure",
    "--no-buffer",
    "--progress-bar",
    "--no-progress-meter",
    "--http1.1",
];

/// Short options and the long ones that they stand for.
const SHORT: [(char, &str); 18] = [
    ('X', "--request"),
    ('H', "--header"),
    ('d', "--data"),
    ('u', "--user"),
    ('b', "--cookie"),
    ('A', "--user-agent"),
    ('e', "--referer"),
    ('I', "--head"),
    ('G', "--get"),
    ('g', "--globoff"),
    ('i', "--include"),
    ('s', "--silent"),
    ('S', "--show-error"),
    ('v', "--verbose"),
    ('k', "--insecure"),
    ('N', "--no-buffer"),
    ('#', "--progress-bar"),
    ('o', "--output"),
];

/// Parses a curl line into the request that it sends.
///
/// # Errors
/// [`CurlError`]: what is not supported. An option must not be ignored, or the request would differ from curl's.
pub fn parse(line: &str) -> Result<Request, CurlError> {
    request(line).map_err(CurlError)
}

fn request(line: &str) -> Result<Request, Problem> {
    let mut words = shell::words(line)?.into_iter();
    if words.next().as_deref() != Some("curl") {
        return Err(Problem::NotCurl);
    }
    let mut options = Options::default();
    let mut in_options = true;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--" if in_options => in_options = false,
            option if in_options && option.starts_with("--") => options.long(option, option, &mut words)?,
            option if in_options && option.starts_with('-') => options.short(option, &mut words)?,
            _ => options.url(word)?,
        }
    }
    options.request()
}

/// The options of a line.
#[derive(Default)]
struct Options {
    url: Option<String>,
    method: Option<Method>,
    is_head: bool,
    is_get: bool,
    is_json: bool,
    compressed: bool,
    globoff: bool,
    path_as_is: bool,
    data: Option<String>,
    user: Option<String>,
    cookies: Vec<String>,
    user_agent: Option<String>,
    referer: Option<String>,
    headers: Vec<(String, String)>,
    /// Headers without a value: curl does not send them, not even those that it adds itself.
    removed: Vec<String>,
}

impl Options {
    fn url(&mut self, word: String) -> Result<(), Problem> {
        if self.url.is_some() {
            return Err(Problem::SecondUrl(url::shown(&word).to_owned()));
        }
        self.url = Some(word);
        Ok(())
    }

    /// One or more short options in one word. The value of the last may be in it as well.
    fn short(&mut self, word: &str, words: &mut impl Iterator<Item = String>) -> Result<(), Problem> {
        let mut rest = word.chars();
        rest.next();
        if rest.as_str().is_empty() {
            return Err(Problem::Dash);
        }
        while let Some(letter) = rest.next() {
            let shown = format!("-{letter}");
            let long = SHORT.iter().find(|(known, _)| *known == letter).map(|(_, long)| *long);
            let long = long.ok_or_else(|| unknown(&shown))?;
            if long == "--output" || WITH_VALUE.contains(&long) {
                let value = Some(rest.as_str().to_owned()).filter(|value| !value.is_empty());
                let value = value.or_else(|| words.next());
                let value = value.ok_or_else(|| Problem::NoValue(shown.clone()))?;
                return self.valued(long, &shown, value);
            }
            self.flag(long, &shown)?;
        }
        Ok(())
    }

    fn long(
        &mut self,
        option: &str,
        shown: &str,
        words: &mut impl Iterator<Item = String>,
    ) -> Result<(), Problem> {
        if option == "--output" || WITH_VALUE.contains(&option) {
            let value = words.next().ok_or_else(|| Problem::NoValue(shown.to_owned()))?;
            return self.valued(option, shown, value);
        }
        self.flag(option, shown)
    }

    fn flag(&mut self, option: &str, shown: &str) -> Result<(), Problem> {
        match option {
            "--head" => self.is_head = true,
            "--get" => self.is_get = true,
            "--compressed" => self.compressed = true,
            "--globoff" => self.globoff = true,
            "--path-as-is" => self.path_as_is = true,
            ignored if IGNORED.contains(&ignored) => {}
            _ => return Err(unknown(shown)),
        }
        Ok(())
    }

    fn valued(&mut self, option: &str, shown: &str, value: String) -> Result<(), Problem> {
        match option {
            "--url" => return self.url(value),
            "--request" => {
                // Methods are case-sensitive: `delete` is not DELETE (RFC 9110, section 9.1).
                let known = value.parse::<Method>().ok().filter(|known| known.as_str() == value);
                self.method = Some(known.ok_or(Problem::Method(value))?);
            }
            "--data" | "--data-ascii" | "--data-binary" | "--json" if value.starts_with('@') => {
                return Err(Problem::DataFile { option: shown.to_owned(), value });
            }
            "--data" | "--data-ascii" | "--data-raw" | "--data-binary" => {
                self.data = Some(self.data.take().map_or(value.clone(), |data| format!("{data}&{value}")));
            }
            "--json" => {
                self.is_json = true;
                self.data = Some(self.data.take().unwrap_or_default() + &value);
            }
            "--header" => return self.header(&value),
            "--user" if !value.contains(':') => return Err(Problem::NoPassword(shown.to_owned())),
            "--user" => self.user = Some(value),
            "--cookie" if !value.contains('=') || value.starts_with('@') => {
                return Err(Problem::CookieFile(shown.to_owned()));
            }
            "--cookie" => self.cookies.push(value),
            "--user-agent" | "--referer" if value.is_empty() || value.ends_with(";auto") => {
                return Err(Problem::EmptyOrAuto(shown.to_owned()));
            }
            "--user-agent" => self.user_agent = Some(value),
            "--referer" => self.referer = Some(value),
            // Where curl writes the response does not change the request.
            "--output" => {}
            _ => return Err(unknown(shown)),
        }
        Ok(())
    }

    fn header(&mut self, text: &str) -> Result<(), Problem> {
        let refused = |reason| {
            // The value may be a secret.
            let name = text.split([':', ';', ' ', '=']).next().unwrap_or_default().to_owned();
            Err(Problem::Header { name, reason })
        };
        let (name, value) = match (text.split_once(':'), text.strip_suffix(';')) {
            (Some((name, value)), _) => (name, Some(value.trim_matches([' ', '\t']))),
            // A semicolon at the end sends a header without a value.
            (None, Some(name)) => (name, None),
            (None, None) => return refused("expected `Name: value`"),
        };
        if !is_token(name) {
            return refused("the name of a header has letters, digits and -");
        }
        if value
            .is_some_and(|value| value.chars().any(|character| character.is_control() && character != '\t'))
        {
            return refused("a control character in the value");
        }
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("Transfer-Encoding") {
            return refused("a body is sent whole here, with Content-Length");
        }
        match value {
            Some("") if ["Host", "User-Agent", "Accept", "Content-Length"].iter().any(|known| is(known)) => {
                refused("it takes a header out that is always sent here")
            }
            Some("") => {
                self.removed.push(name.to_owned());
                Ok(())
            }
            _ if is("Host") && value.is_none() => refused("it empties a header that is always sent here"),
            value => {
                self.headers.push((name.to_owned(), value.unwrap_or_default().to_owned()));
                Ok(())
            }
        }
    }

    /// Adds a header that curl sends unless the line has one with that name, or removes it.
    fn add(&self, request: &mut Request, name: &str, value: &str) {
        let is_removed = self.removed.iter().any(|removed| removed.eq_ignore_ascii_case(name));
        if !is_removed && header(&self.headers, name).is_none() {
            request.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    fn request(mut self) -> Result<Request, Problem> {
        let url = self.url.take().ok_or(Problem::NoUrl)?;
        let (query, body) = if self.is_get { (self.data.take(), None) } else { (None, self.data.take()) };
        let url = url::parse(&url, self.globoff, self.path_as_is, query.as_deref())?;
        let method = match (self.is_head, &body) {
            (true, Some(_)) => return Err(Problem::HeadWithData),
            (true, None) => Method::Head,
            (false, Some(_)) => Method::Post,
            (false, None) => Method::Get,
        };
        let mut request = Request::new(self.method.unwrap_or(method), &url.target);
        request.body = body.map(String::into_bytes);
        request.headers.extend(self.headers.iter().cloned());
        request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Content-Length"));
        self.add(&mut request, "Host", &url.host);
        if let Some(user) = &self.user {
            self.add(&mut request, "Authorization", &format!("Basic {}", STANDARD.encode(user)));
        }
        if !self.cookies.is_empty() {
            self.add(&mut request, "Cookie", &self.cookies.join(";"));
        }
        for (name, value) in [("User-Agent", &self.user_agent), ("Referer", &self.referer)] {
            if let Some(value) = value {
                self.add(&mut request, name, value);
            }
        }
        if self.compressed {
            self.add(&mut request, "Accept-Encoding", CODINGS);
        }
        if self.is_json {
            self.add(&mut request, "Content-Type", "application/json");
            self.add(&mut request, "Accept", "application/json");
        } else if request.body.is_some() {
            self.add(&mut request, "Content-Type", "application/x-www-form-urlencoded");
        }
        self.content_length(&mut request)?;
        Ok(request)
    }

    /// Checks a Content-Length of the line against the body: no other is sent here.
    fn content_length(&self, request: &mut Request) -> Result<(), Problem> {
        let mut lengths = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Content-Length"));
        let Some((_, length)) = lengths.next() else { return Ok(()) };
        let actual = request.body.as_ref().map_or(0, Vec::len);
        if *length != actual.to_string() || lengths.next().is_some() {
            return Err(Problem::ContentLength { stated: length.clone(), actual });
        }
        request.body.get_or_insert_default();
        Ok(())
    }
}

fn unknown(option: &str) -> Problem {
    let short = |long: &&str| {
        let letter = SHORT.iter().find(|(_, known)| known == long).map(|(letter, _)| format!("-{letter}"));
        letter.unwrap_or_else(|| (*long).to_owned())
    };
    let known: Vec<String> = WITH_VALUE.iter().chain(&WITHOUT_VALUE).map(short).collect();
    Problem::UnknownOption { option: option.to_owned(), known: known.join(", ") }
}

#[cfg(test)]
mod tests;
