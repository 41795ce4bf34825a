//! Transcript of one exchange: the curl line, then what `curl -i` printed, with LF line ends.

use std::time::{Duration, UNIX_EPOCH};

use thiserror::Error;

use crate::contract::compare::difference::COMPARED;
use crate::contract::recording::curl::{self, CurlError};
use crate::contract::recording::message::{Headers, Request, Response};
use crate::escape::escape_invisible;

/// One request and its recorded response.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The name of its file, without `.txt`.
    pub name: String,
    /// The curl line, from `curl` on.
    pub command: String,
    /// What the curl line sends.
    pub request: Request,
    /// The recorded response.
    pub response: Response,
    /// When it was sent, in seconds since 1970: the Date header.
    pub date: u64,
}

/// Why a text is not a transcript, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}")]
pub struct TranscriptError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub problem: TranscriptProblem,
}

/// What is wrong with a line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TranscriptProblem {
    /// The curl line is not supported.
    #[error(transparent)]
    Curl(#[from] CurlError),
    /// The line has another form than it must have.
    #[error("{0}")]
    Form(&'static str),
    /// An interim response.
    #[error(
        "{0} is an interim response: take out its block, down to the empty line, so that only the final response is \
         left"
    )]
    Interim(u16),
    /// No Date header.
    #[error("no Date among the headers from here on: {0}")]
    NoDate(String),
}

/// The line where the response begins; the first is the curl line.
pub const STATUS_LINE: usize = 2;

impl Exchange {
    /// Reads a transcript. [`Exchange::text`] gives the same text again, byte for byte.
    ///
    /// # Errors
    /// [`TranscriptError`].
    pub fn parse(name: &str, text: &str) -> Result<Self, TranscriptError> {
        let fail = |line, form| TranscriptError { line, problem: TranscriptProblem::Form(form) };
        if let Some(error) = foreign_form(text) {
            return Err(error);
        }
        let (command, rest) = text.split_once('\n').unwrap_or((text, ""));
        let command = command.strip_prefix("$ ").ok_or_else(|| fail(1, "expected `$ curl ...`"))?;
        let request = curl::parse(command)
            .map_err(|error| TranscriptError { line: 1, problem: TranscriptProblem::Curl(error) })?;
        let (head, body) = rest
            .split_once("\n\n")
            .ok_or_else(|| fail(text.lines().count().max(1), "no empty line behind the headers"))?;
        let mut lines = head.split('\n');
        let status_line = lines.next().unwrap_or_default();
        let status = status(status_line).ok_or_else(|| fail(STATUS_LINE, "expected `HTTP/1.1 200 OK`"))?;
        if (100..200).contains(&status) && status != 101 {
            let problem = TranscriptProblem::Interim(status);
            return Err(TranscriptError { line: STATUS_LINE, problem });
        }
        let mut headers = Headers::new();
        let mut date = None;
        for (number, line) in (STATUS_LINE + 1..).zip(lines) {
            if line.starts_with([' ', '\t']) {
                let reason = "a header that goes on in a second line (obs-fold; RFC 9112, section 5.2): write it in one";
                return Err(fail(number, reason));
            }
            let (name, value) =
                line.split_once(": ").ok_or_else(|| fail(number, "expected `Name: value`"))?;
            if name.eq_ignore_ascii_case("Date") {
                let seconds = seconds(value)
                    .ok_or_else(|| fail(number, "expected a date such as `Mon, 23 Nov 2026 18:26:45 GMT`"))?;
                date = Some(seconds);
            }
            headers.push((name.to_owned(), value.to_owned()));
        }
        let date = date.ok_or_else(|| {
            let names: Vec<String> = headers.iter().map(|(name, _)| escape_invisible(name)).collect();
            let problem = TranscriptProblem::NoDate(names.join(", "));
            TranscriptError { line: STATUS_LINE + 1, problem }
        })?;
        let response =
            Response { status_line: status_line.to_owned(), status, headers, body: body.as_bytes().to_vec() };
        Ok(Self { name: name.to_owned(), command: command.to_owned(), request, response, date })
    }

    /// The transcript.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let mut text = format!("$ {}\n{}\n", self.command, self.response.status_line);
        for (name, value) in &self.response.headers {
            text += &format!("{name}: {value}\n");
        }
        text.push('\n');
        [text.as_bytes(), &self.response.body].concat()
    }

    /// The lines above the body that are not compared; `None` for those that are.
    #[must_use]
    pub fn uncompared_lines(&self) -> Vec<Option<String>> {
        let headers = self.response.headers.iter().map(|(name, value)| {
            let compared = COMPARED.iter().any(|known| known.eq_ignore_ascii_case(name));
            (!compared).then(|| format!("{name}: {value}"))
        });
        let first = [Some(format!("$ {}", self.command)), Some(self.response.status_line.clone())];
        first.into_iter().chain(headers).collect()
    }

    /// The line on which the body begins.
    #[must_use]
    pub fn body_line(&self) -> usize {
        STATUS_LINE + self.response.headers.len() + 2
    }
}

/// Changes by other programs: a byte order mark, other line ends, or more than one response.
fn foreign_form(text: &str) -> Option<TranscriptError> {
    let fail = |line, form| Some(TranscriptError { line, problem: TranscriptProblem::Form(form) });
    if text.starts_with('\u{feff}') {
        return fail(1, BYTE_ORDER_MARK);
    }
    if text.contains('\r') && !text.contains('\n') {
        return fail(1, "the line ends with CR alone; a transcript has LF");
    }
    // A body may have a CR.
    let head = text.find("\n\n").map_or(text, |end| text.get(..end).unwrap_or(text));
    for (number, line) in (1..).zip(head.split('\n')) {
        if line.ends_with('\r') {
            return fail(
                number,
                "the line ends with CR LF; a transcript has LF alone (curl -i prints the CR of the headers, and git or an \
                 editor may put one into every line): `tr -d '\\r'` takes them out",
            );
        }
        if line.is_empty() {
            break;
        }
    }
    let body = text.split_once("\n\n").map_or("", |(_, body)| body);
    let first = body.lines().next().unwrap_or_default();
    if status(text.lines().nth(1).unwrap_or_default()).is_some_and(|status| status >= 200)
        && status(first).is_some()
    {
        let number = head.split('\n').count() + 2;
        return fail(number, "a second response; a transcript has one, so leave out -L and the like");
    }
    None
}

/// The message for a file that begins with a byte order mark.
pub(crate) const BYTE_ORDER_MARK: &str =
    "a byte order mark at the beginning; save the file as UTF-8 without one";

fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/")?;
    let code = rest.split(' ').nth(1)?;
    code.parse().ok().filter(|code| (100..=599).contains(code) && line.split(' ').count() > 2)
}

/// Reads a date in the one format that servers send (RFC 9110, section 5.6.7). The day of the week must be right.
fn seconds(value: &str) -> Option<u64> {
    let time = httpdate::parse_http_date(value).ok()?;
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    (http_date(seconds) == value).then_some(seconds)
}

/// `seconds` since 1970 as a Date header.
#[must_use]
pub fn http_date(seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "$ curl -i http://localhost:5000/api/ships/1\nHTTP/1.0 200 OK\nDate: Mon, 23 Nov 2026 18:26:45 GMT\n\n{}\n";

    #[test]
    fn a_transcript_is_written_as_it_was_read() {
        let exchange = Exchange::parse("01-get", TEXT).expect("a transcript");
        assert_eq!((exchange.response.status, exchange.date), (200, 1_795_458_405));
        assert_eq!((exchange.text(), exchange.body_line()), (TEXT.as_bytes().to_vec(), 5));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (from, to, line) in [
            ("$ curl", "curl", 1),
            ("ships/1", "ships/1 -Z", 1),
            ("HTTP/1.0 200 OK", "HTTP/1.0 2OO OK", 2),
            ("HTTP/1.0 200 OK", "HTTP/1.0 200", 2),
            ("HTTP/1.0 200 OK", "HTTP/1.0 999 OK", 2),
            ("Date: ", "Date ", 3),
            ("Mon, 23", "Tue, 23", 3),
            ("Date: ", "Data: ", 3),
            ("\n\n", "\n", 4),
        ] {
            let error = Exchange::parse("01-get", &TEXT.replacen(from, to, 1)).expect_err(to);
            assert_eq!(error.line, line, "{to}: {error:?}");
        }
        assert_eq!(Exchange::parse("01-get", "").expect_err("nothing").line, 1);
    }

    #[test]
    fn what_another_program_has_made_of_it_is_named() {
        let crlf = TEXT.replace('\n', "\r\n");
        let headers = TEXT.replacen(" OK\n", " OK\r\n", 1).replacen("GMT\n\n", "GMT\r\n\r\n", 1);
        let interim = TEXT.replacen("HTTP/1.0", "HTTP/1.1 100 Continue\n\nHTTP/1.0", 1);
        let twice = TEXT.replacen("{}\n", "HTTP/1.1 200 OK\n\n{}\n", 1);
        for (text, line, reason) in [
            (crlf.clone(), 1, "CR LF"),
            (format!("\u{feff}{TEXT}"), 1, "byte order mark"),
            (format!("\u{feff}{crlf}"), 1, "byte order mark"),
            (headers, 2, "CR LF"),
            (TEXT.replacen("GMT\n", "GMT\r\n", 1), 3, "CR LF"),
            (TEXT.replace('\n', "\r"), 1, "CR alone"),
            (interim.clone(), 2, "100 is an interim response"),
            (interim.replace('\n', "\r\n"), 1, "CR LF"),
            (
                interim.replacen("100 Continue\n", "103 Early Hints\nLink: a\n", 1),
                2,
                "103 is an interim response",
            ),
            (twice, 5, "a second response"),
            (TEXT.replacen("Date:", "X-A: b\n c\nDate:", 1), 4, "obs-fold"),
        ] {
            let error = Exchange::parse("01-get", &text).expect_err(reason);
            assert!(error.line == line && error.problem.to_string().contains(reason), "{text:?}: {error:?}");
        }
        // A body is what it is.
        let body = TEXT.replacen("{}\n", "a\r\nHTTP/1.1 200 OK\r\n", 1);
        let exchange = Exchange::parse("01-get", &body).expect("a transcript");
        assert_eq!(exchange.text(), body.as_bytes());
    }
}
