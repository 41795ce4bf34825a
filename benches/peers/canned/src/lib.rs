//! Answers that are written down beforehand: the file `BENCH_CANNED`, a JSON list of
//! `{"method", "target", "status", "headers": [[name, value], ..], "body"}`.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::error::Error;
use std::fs;

use serde::Deserialize;

/// The result of reading the file.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// One answer. It lives as long as the process, so that nothing counts who uses it.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names and values; without `Date` and `Content-Length`, which are for the server to say.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The body.
    pub body: &'static str,
}

/// All answers, each made into what its server wants.
pub struct Canned<T> {
    by_target: HashMap<String, Vec<(String, T)>>,
    otherwise: T,
}

#[derive(Deserialize)]
struct Entry {
    method: String,
    target: String,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl<T> Canned<T> {
    /// Reads the file that `BENCH_CANNED` names.
    ///
    /// # Errors
    /// If there is no such file, if it is something else, if no entry has the method `*`, or if `prepare` fails.
    pub fn read(prepare: impl Fn(Answer) -> Result<T>) -> Result<Self> {
        let entries: Vec<Entry> = serde_json::from_str(&fs::read_to_string(std::env::var("BENCH_CANNED")?)?)?;
        let mut by_target: HashMap<_, Vec<_>> = HashMap::new();
        let mut otherwise = None;
        for Entry { method, target, status, headers, body } in entries {
            let headers = headers
                .into_iter()
                .filter(|(name, _)| {
                    !["content-length", "date"].iter().any(|own| name.eq_ignore_ascii_case(own))
                })
                .map(|(name, value)| (&*name.leak(), &*value.leak()))
                .collect();
            let answer = prepare(Answer { status, headers, body: body.leak() })?;
            if method == "*" {
                otherwise = Some(answer);
            } else {
                by_target.entry(target).or_default().push((method, answer));
            }
        }
        Ok(Self { by_target, otherwise: otherwise.ok_or("no answer for everything else (method *)")? })
    }

    /// The answer to a request.
    #[must_use]
    pub fn find(&self, method: &str, target: &str) -> &T {
        let answers = self.by_target.get(target).map_or(&[][..], Vec::as_slice);
        answers.iter().find(|(of, _)| of == method).map_or(&self.otherwise, |(_, answer)| answer)
    }
}

/// The port that `BENCH_PORT` names.
///
/// # Errors
/// If it names none.
pub fn port() -> Result<u16> {
    Ok(std::env::var("BENCH_PORT")?.parse()?)
}
