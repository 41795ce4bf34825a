//! The curl lines of transcripts: the request that curl sends, or the name of what is not understood.

mod url;

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use rocket::http::Method;

use crate::contract::compare::media_type::is_token;
use crate::contract::recording::message::{header, Request};
use crate::contract::recording::shell;
use crate::escape::escape_invisible;

/// What curl 7.88 offers for `--compressed`.
const CODINGS: &str = "deflate, gzip, br, zstd";

/// The options that say what is sent, with a value.
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

/// Those without.
const WITHOUT_VALUE: [&str; 5] = ["--head", "--get", "--compressed", "--globoff", "--path-as-is"];

/// What says only what curl shows of the answer, or what is so here in any case.
const HARMLESS: [&str; 9] = [
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

/// The request that a curl line sends.
///
/// # Errors
/// What cannot be understood, in words. An option that would be ignored is an error: the request would be
/// another one than curl's.
pub fn parse(line: &str) -> Result<Request, String> {
    request(line).map_err(|reason| escape_invisible(&reason))
}

fn request(line: &str) -> Result<Request, String> {
    let mut words = shell::words(line)?.into_iter();
    if words.next().as_deref() != Some("curl") {
        return Err("expected a line that begins with `curl`".to_owned());
    }
    let mut given = Given::default();
    let mut options = true;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--" if options => options = false,
            option if options && option.starts_with("--") => given.long(option, option, &mut words)?,
            option if options && option.starts_with('-') => given.short(option, &mut words)?,
            _ => given.address(word)?,
        }
    }
    given.request()
}

/// What the options of a line say.
#[derive(Default)]
struct Given {
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
    /// Headers without a value: they are not sent, not even if curl would send them of its own accord.
    removed: Vec<String>,
}

impl Given {
    fn address(&mut self, word: String) -> Result<(), String> {
        if self.url.is_some() {
            return Err(format!("a second address: {:?}", url::shown(&word)));
        }
        self.url = Some(word);
        Ok(())
    }

    /// One or more short options in one word; the value of the last may be in it as well.
    fn short(&mut self, word: &str, words: &mut impl Iterator<Item = String>) -> Result<(), String> {
        let mut rest = word.chars();
        rest.next();
        if rest.as_str().is_empty() {
            return Err("an address that is only `-`".to_owned());
        }
        while let Some(letter) = rest.next() {
            let shown = format!("-{letter}");
            let long = SHORT.iter().find(|(known, _)| *known == letter).map(|(_, long)| *long);
            let long = long.ok_or_else(|| unknown(&shown))?;
            if long == "--output" || WITH_VALUE.contains(&long) {
                let value = Some(rest.as_str().to_owned()).filter(|value| !value.is_empty());
                let value =
                    value.or_else(|| words.next()).ok_or_else(|| format!("{shown} without a value"))?;
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
    ) -> Result<(), String> {
        if option == "--output" || WITH_VALUE.contains(&option) {
            let value = words.next().ok_or_else(|| format!("{shown} without a value"))?;
            return self.valued(option, shown, value);
        }
        self.flag(option, shown)
    }

    fn flag(&mut self, option: &str, shown: &str) -> Result<(), String> {
        match option {
            "--head" => self.is_head = true,
            "--get" => self.is_get = true,
            "--compressed" => self.compressed = true,
            "--globoff" => self.globoff = true,
            "--path-as-is" => self.path_as_is = true,
            harmless if HARMLESS.contains(&harmless) => {}
            _ => return Err(unknown(shown)),
        }
        Ok(())
    }

    fn valued(&mut self, option: &str, shown: &str, value: String) -> Result<(), String> {
        match option {
            "--url" => return self.address(value),
            "--request" => {
                // Methods have case: `delete` is not DELETE.
                let known = value.parse::<Method>().ok().filter(|known| known.as_str() == value);
                self.method =
                    Some(known.ok_or_else(|| format!("{value} is no method that can be replayed"))?);
            }
            "--data" | "--data-ascii" | "--data-binary" | "--json" if value.starts_with('@') => {
                return Err(format!("{shown} {value}: give the data itself, not a file"));
            }
            "--data" | "--data-ascii" | "--data-raw" | "--data-binary" => {
                self.data = Some(self.data.take().map_or(value.clone(), |data| format!("{data}&{value}")));
            }
            "--json" => {
                self.is_json = true;
                self.data = Some(self.data.take().unwrap_or_default() + &value);
            }
            "--header" => return self.header(&value),
            "--user" if !value.contains(':') => {
                return Err(format!("{shown} without a password, for which curl asks"))
            }
            "--user" => self.user = Some(value),
            "--cookie" if !value.contains('=') || value.starts_with('@') => {
                return Err(format!(
                    "{shown} without `=`, or with `@` first: give the cookie itself, not a file"
                ));
            }
            "--cookie" => self.cookies.push(value),
            "--user-agent" | "--referer" if value.is_empty() || value.ends_with(";auto") => {
                return Err(format!("{shown} with nothing, or with `;auto`, is not understood here"));
            }
            "--user-agent" => self.user_agent = Some(value),
            "--referer" => self.referer = Some(value),
            // Where the answer is written to says nothing of the request.
            "--output" => {}
            _ => return Err(unknown(shown)),
        }
        Ok(())
    }

    fn header(&mut self, given: &str) -> Result<(), String> {
        // A value may be a secret.
        let shown = given.split([':', ';', ' ', '=']).next().unwrap_or_default();
        let refused = |reason: &str| Err(format!("-H {shown:?}: {reason}"));
        let (name, value) = match (given.split_once(':'), given.strip_suffix(';')) {
            (Some((name, value)), _) => (name, Some(value.trim_matches([' ', '\t']))),
            // Nothing behind a semicolon is a header without a value.
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

    /// Adds a header that curl sends unless the line has one of that name, or takes it out.
    fn add(&self, request: &mut Request, name: &str, value: &str) {
        let is_removed = self.removed.iter().any(|removed| removed.eq_ignore_ascii_case(name));
        if !is_removed && header(&self.headers, name).is_none() {
            request.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    fn request(mut self) -> Result<Request, String> {
        let url = self.url.take().ok_or("no address")?;
        let (query, body) = if self.is_get { (self.data.take(), None) } else { (None, self.data.take()) };
        let url = url::parse(&url, self.globoff, self.path_as_is, query.as_deref())?;
        let method = match (self.is_head, &body) {
            (true, Some(_)) => return Err("-I and -d in one line, which curl refuses".to_owned()),
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

    /// A Content-Length that the line gives has to be that of the body: no other is sent here.
    fn content_length(&self, request: &mut Request) -> Result<(), String> {
        let mut lengths = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Content-Length"));
        let Some((_, length)) = lengths.next() else { return Ok(()) };
        let own = request.body.as_ref().map_or(0, Vec::len).to_string();
        if *length != own || lengths.next().is_some() {
            return Err(format!("-H \"Content-Length: {length}\": the body has {own} bytes"));
        }
        request.body.get_or_insert_default();
        Ok(())
    }
}

fn unknown(option: &str) -> String {
    let short = |long: &&str| {
        let letter = SHORT.iter().find(|(_, known)| known == long).map(|(letter, _)| format!("-{letter}"));
        letter.unwrap_or_else(|| (*long).to_owned())
    };
    let known: Vec<String> = WITH_VALUE.iter().chain(&WITHOUT_VALUE).map(short).collect();
    format!(
        "{option} is not known here; known are {}, and what only changes what curl shows",
        known.join(", ")
    )
}

#[cfg(test)]
mod tests;
