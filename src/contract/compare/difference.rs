//! Comparison of a live response with the recorded one. A difference is shown as a diff with line numbers of the
//! transcript.

use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest, Sha256};
use similar::{ChangeTag, TextDiff};

use crate::contract::compare::lossless::Json;
use crate::contract::compare::media_type;
use crate::contract::recording::message::Response;
use crate::contract::recording::transcript::{Exchange, STATUS_LINE};
use crate::escape::escape_invisible;
use crate::json::Style;

/// The headers that are compared. Others (Server, Date) may differ between servers.
pub const COMPARED: [&str; 3] = ["Content-Type", "Content-Length", "Location"];

/// The maximum number of lines of a diff.
const MAX_LINES: usize = 200;

/// The maximum number of characters shown of a line; a line with a token is shorter.
const MAX_LINE_LENGTH: usize = 2000;

/// How bodies are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareMode {
    /// Byte for byte.
    Exact,
    /// As JSON, where they are JSON: layout and the order of members do not matter.
    Json,
}

/// A line of a response. Lines are compared by value: two different ones may look the same.
struct Line {
    value: String,
    shown: String,
}

impl Line {
    fn new(value: String) -> Self {
        Self { shown: escape_invisible(&value), value }
    }
}

/// The compared parts of a response, as numbered lines of its transcript.
struct Document {
    lines: Vec<Line>,
    /// The line number in the transcript for each of them.
    numbers: Vec<usize>,
}

/// The difference; `None` if there is none. `shown` is the name of the transcript in the message.
#[must_use]
pub fn difference(exchange: &Exchange, live: &Response, mode: CompareMode, shown: &str) -> Option<String> {
    let (was, is) = bodies(&exchange.response, live, mode)
        .map_or_else(|| (None, None), |(was, is)| (Some(was), Some(is)));
    let are_other_bodies = was.is_some();
    let text = String::from_utf8_lossy(&exchange.response.body);
    let (was, is) = (was.as_deref().unwrap_or(&text), is.as_deref().unwrap_or(&text));
    let (document, other) = documents(exchange, live, mode, was, is);
    let is_other = are_other_bodies || !document.lines.iter().map(value).eq(other.iter().map(value));
    is_other
        .then(|| rendered(&document, &other, shown) + alike(&document, &other) + &not_json(exchange, live))
}

/// A hint for lines that differ but look the same.
fn alike(recorded: &Document, live: &[Line]) -> &'static str {
    let shown = |line: &Line| line.shown.clone();
    if recorded.lines.iter().map(shown).eq(live.iter().map(shown)) {
        "  one has as text what stands for an invisible character or a missing line end in the other\n"
    } else {
        ""
    }
}

fn value(line: &Line) -> &str {
    &line.value
}

/// A hint for a body that is not JSON, where the recorded one is: that may be the only difference.
fn not_json(exchange: &Exchange, live: &Response) -> String {
    match Json::parse(&live.body) {
        Err(reason) if Json::parse(&exchange.response.body).is_ok() && !live.body.is_empty() => {
            format!("  the body is not JSON as it must be: {reason}\n")
        }
        _ => String::new(),
    }
}

/// Whether two header values are the same. White space around a value is not part of it (RFC 9110, section 5.5). Without
/// `--exact`, equivalent values are the same.
fn same_value(name: &str, recorded: &str, live: &str, mode: CompareMode) -> bool {
    let (recorded, live) = (trimmed(recorded), trimmed(live));
    recorded == live
        || (mode == CompareMode::Json
            && match name.to_ascii_lowercase().as_str() {
                "content-type" => media_type::same(recorded, live),
                "location" => same_address(recorded, live),
                _ => false,
            })
}

fn trimmed(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// Whether two URLs are the same: scheme and host are case-insensitive (RFC 3986, section 6.2.2.1), paths are not.
fn same_address(a: &str, b: &str) -> bool {
    let parts = |address: &str| {
        let scheme = address.find("://").map_or(0, |at| at + 3);
        let path = address.get(scheme..).and_then(|rest| rest.find(['/', '?', '#']));
        let path = path.map_or(address.len(), |at| scheme + at);
        // A URL without a scheme is all path.
        let path = if scheme == 0 { 0 } else { path };
        let (base, path) = address.split_at(path);
        (base.to_ascii_lowercase(), path.to_owned())
    };
    parts(a) == parts(b)
}

/// Whether a header is not compared: lengths differ with the layout of a body, and a chunked body has none. The reader
/// checks that a length is right. Only a 204 must have none (RFC 9110, section 8.6).
fn is_free(name: &str, recorded: &Response, live: &Response, mode: CompareMode) -> bool {
    let is_length = mode == CompareMode::Json && name.eq_ignore_ascii_case("Content-Length");
    is_length && (live.status != 204 || recorded.header(name).is_some())
}

/// The compared headers, as lines of both documents.
fn headers(recorded: &Response, live: &Response, mode: CompareMode) -> (Document, Vec<Line>) {
    let mut document = Document { lines: Vec::new(), numbers: Vec::new() };
    let mut other = Vec::new();
    let compared = |name: &str| {
        COMPARED.iter().any(|known| name.eq_ignore_ascii_case(known)) && !is_free(name, recorded, live, mode)
    };
    for known in COMPARED.iter().filter(|known| compared(known)) {
        let is_known = |(_, (name, _)): &(usize, &(String, String))| name.eq_ignore_ascii_case(known);
        let mut actual = live.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(known));
        for (number, (name, value)) in (STATUS_LINE + 1..).zip(&recorded.headers).filter(is_known) {
            document.lines.push(Line::new(format!("{name}: {value}")));
            document.numbers.push(number);
            if let Some((_, actual)) = actual.next() {
                let actual = if same_value(name, value, actual, mode) { value } else { actual };
                other.push(Line::new(format!("{name}: {actual}")));
            }
        }
        // A header that occurs more often than recorded is a difference.
        other.extend(actual.map(|(_, value)| Line::new(format!("{known}: {value}"))));
    }
    (document, other)
}

fn documents(
    exchange: &Exchange,
    live: &Response,
    mode: CompareMode,
    was: &str,
    is: &str,
) -> (Document, Vec<Line>) {
    let recorded = &exchange.response;
    let status = if recorded.status == live.status { &recorded.status_line } else { &live.status_line };
    let mut document =
        Document { lines: vec![Line::new(recorded.status_line.clone())], numbers: vec![STATUS_LINE] };
    let mut other = vec![Line::new(status.clone())];
    let (named, actual) = headers(recorded, live, mode);
    document.lines.extend(named.lines);
    document.numbers.extend(named.numbers);
    other.extend(actual);
    let body_line = exchange.body_line();
    document.lines.push(Line::new(String::new()));
    document.numbers.push(body_line.saturating_sub(1));
    other.push(Line::new(String::new()));
    let is = shortened(is.to_owned(), was.len());
    for (number, line) in (body_line..).zip(was.split_inclusive('\n')) {
        document.lines.push(body_line_of(line));
        document.numbers.push(number);
    }
    other.extend(is.split_inclusive('\n').map(body_line_of));
    (document, other)
}

/// A body without the end of it that is far beyond the length of the recorded one.
fn shortened(mut text: String, recorded: usize) -> String {
    let most = recorded * 2 + 16 * 1024;
    if text.len() > most {
        let excess = text.len() - most;
        let end = (0..=most).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
        text.truncate(end);
        text += &format!("\n... and {excess} bytes more");
    }
    text
}

/// Two bodies that differ, as texts; `None` if they are the same.
fn bodies(recorded: &Response, live: &Response, mode: CompareMode) -> Option<(String, String)> {
    if recorded.body == live.body {
        return None;
    }
    let text = |body: &[u8]| match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("{} (in hexadecimal, for it is not UTF-8)\n", hexadecimal(body)),
    };
    let plain = || Some((text(&recorded.body), text(&live.body)));
    if mode == CompareMode::Exact {
        return plain();
    }
    let (Ok(was), Ok(is)) = (Json::parse(&recorded.body), Json::parse(&live.body)) else { return plain() };
    let pretty = |value: Json| {
        Style::Pretty
            .render(&value.with_plain_numbers())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    };
    (was != is).then(|| (pretty(was), pretty(is)))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A line of a body, with a missing line end and invisible characters made visible.
fn body_line_of(line: &str) -> Line {
    let (text, end) = match line.strip_suffix('\n') {
        Some(text) => (text, ""),
        None => (line, " (no line end)"),
    };
    let mut shown = escape_invisible(text);
    if let Some((at, _)) = shown.char_indices().nth(MAX_LINE_LENGTH) {
        let excess = shown.len() - at;
        // Two lines that differ only in the part that is cut must not look the same.
        let sum = Sha256::digest(text.as_bytes());
        let sum: String = sum.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        shown.truncate(at);
        shown += &format!("... ({excess} bytes more; SHA-256 of the line {sum}...)");
    }
    Line { value: line.to_owned(), shown: shown + end }
}

/// The lines that differ, and two on each side of them.
fn rendered(recorded: &Document, live: &[Line], shown: &str) -> String {
    let was: Vec<&str> = recorded.lines.iter().map(value).collect();
    let is: Vec<&str> = live.iter().map(value).collect();
    // After a second, a diff that is not the shortest is good enough.
    let diff = TextDiff::configure().timeout(Duration::from_secs(1)).diff_slices(&was, &is);
    let first = diff.ops().iter().find(|op| op.tag() != similar::DiffTag::Equal);
    let line = first.and_then(|op| recorded.numbers.get(op.old_range().start).or(recorded.numbers.last()));
    let mut shown_lines = 0;
    let mut text = format!("{shown}:{}\n", line.copied().unwrap_or(STATUS_LINE));
    for (index, group) in diff.grouped_ops(2).iter().enumerate() {
        if index > 0 {
            text += "          ...\n";
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (sign, number) = match change.tag() {
                ChangeTag::Equal => (' ', change.old_index()),
                ChangeTag::Delete => ('-', change.old_index()),
                ChangeTag::Insert => ('+', None),
            };
            let line = number.map_or_else(
                || change.new_index().and_then(|index| live.get(index)),
                |index| recorded.lines.get(index),
            );
            let number = number.and_then(|index| recorded.numbers.get(index));
            let number = number.map_or(String::new(), usize::to_string);
            let value = line.map_or("", |line| line.shown.as_str());
            // The recorded layout has spaces at line ends, which are hard to see.
            let value = match value.strip_suffix(' ') {
                Some(value) if sign != ' ' => format!("{value}\u{2420}"),
                _ => value.to_owned(),
            };
            shown_lines += 1;
            if shown_lines > MAX_LINES {
                text += "  ... and more\n";
                return text;
            }
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {sign} {number:>4} | {value}");
        }
    }
    text
}
