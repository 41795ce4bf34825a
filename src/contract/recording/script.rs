//! File of curl lines to record, one exchange a line.
//!
//! A comment above a line names its exchange. A line that ends with a backslash continues in the next, as in a shell.
//! Outside single quotes, `$name` stands for a member of the latest JSON response that has one with that name, and
//! `${exchange.name}` for a member of the response to that exchange: `$access_token`, `${login.refresh_token}`, `$id`.
//! `$SHIPYARD_SECRET_NAME` stays as it is; the environment fills it in when the request is sent.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::contract::compare::lossless::Json;
use crate::contract::recording::placeholders;
use crate::contract::recording::shell;
use crate::contract::recording::shell::continuation::{Extent, Scanner};
use crate::contract::recording::transcript::BYTE_ORDER_MARK;
use crate::escape::escape_invisible;

/// One curl line, before its variables have values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line number in the file, from 1, where it begins.
    pub number: usize,
    /// The name of the exchange, without its number.
    pub name: String,
    /// From `curl` on.
    pub command: String,
}

/// The most bytes of a name.
const LONGEST_NAME: usize = 60;

/// Why a file is not a list of curl lines.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScriptError {
    /// A byte order mark at its start.
    #[error("line 1: {BYTE_ORDER_MARK}")]
    ByteOrderMark,
    /// A quotation that does not end in its line.
    #[error("line {0}: a quotation is not closed; a line break in one is written $'\\n'")]
    UnclosedQuote(usize),
    /// A backslash at the end of the file.
    #[error("line {0}: nothing follows the last backslash")]
    TrailingBackslash(usize),
    /// A line that is neither curl nor comment.
    #[error("line {0}: expected a curl line, a comment (#) or nothing")]
    NotCurl(usize),
    /// No curl line.
    #[error("no curl line in it")]
    Empty,
}

/// Why a variable has no value that can be inserted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VariableError {
    /// A `$` without a name.
    #[error("a $ without a name; \\$ is the character itself")]
    NoName,
    /// No response so far has such a member.
    #[error("no response so far had a {0}")]
    Unknown(String),
    /// The value has a control character.
    #[error("{name} has a control character in it: {value:?}")]
    ControlCharacter {
        /// The variable.
        name: String,
        /// Its value, with escapes.
        value: String,
    },
    /// The value names a secret: the server would choose which secret it is sent.
    #[error("{name} names a secret: {secret}")]
    NamesSecret {
        /// The variable.
        name: String,
        /// The secret.
        secret: String,
    },
}

/// Reads the curl lines of a file.
///
/// # Errors
/// [`ScriptError`].
pub fn lines(text: &str) -> Result<Vec<Line>, ScriptError> {
    if text.starts_with('\u{feff}') {
        return Err(ScriptError::ByteOrderMark);
    }
    let mut lines: Vec<Line> = Vec::new();
    let mut name = None;
    let mut numbered = (1..).zip(text.lines());
    while let Some((number, first)) = numbered.next() {
        let mut command = first.trim_start().to_owned();
        if let Some(comment) = command.strip_prefix('#') {
            name = Some(slug(comment)).filter(|name| !name.is_empty());
            continue;
        }
        let mut scanner = Scanner::default();
        let mut extent = scanner.scan(&command);
        loop {
            let in_quotes = match extent {
                Extent::Complete => break,
                Extent::Quoted => return Err(ScriptError::UnclosedQuote(number)),
                Extent::Continued { in_quotes } => in_quotes,
            };
            let (_, next) = numbered.next().ok_or(ScriptError::TrailingBackslash(number))?;
            command.pop();
            // Outside quotes, the amount of white space between two words means nothing.
            let (text, is_spaced) = (next.trim_start(), next.starts_with([' ', '\t']));
            if in_quotes {
                command.push_str(next);
                extent = scanner.scan(next);
            } else {
                let is_parted = command.ends_with(' ') && !command.ends_with("\\ ");
                let space = if is_spaced && !is_parted && !text.is_empty() { " " } else { "" };
                command.extend([space, text]);
                scanner.scan(space);
                extent = scanner.scan(text);
            }
        }
        let command = command.trim_end_matches([' ', '\t']).to_owned();
        if command.is_empty() {
            continue;
        }
        let command = command.strip_prefix("$ ").unwrap_or(&command).to_owned();
        if !command.starts_with("curl ") {
            return Err(ScriptError::NotCurl(number));
        }
        let name = name.take().unwrap_or_else(|| format!("exchange-{}", lines.len() + 1));
        lines.push(Line { number, name, command });
    }
    if lines.is_empty() {
        return Err(ScriptError::Empty);
    }
    Ok(lines)
}

fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(LONGEST_NAME);
    slug.trim_end_matches('-').to_owned()
}

/// Values from earlier responses, by name.
#[derive(Debug, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Captures the members of a response.
    pub fn capture(&mut self, exchange: &str, body: &Json) {
        let Json::Object(members) = body else { return };
        for (name, value) in members {
            let text = match value {
                Json::Text(text) => text.clone(),
                Json::Number(number) => number.text().to_owned(),
                _ => continue,
            };
            self.0.insert(format!("{exchange}.{name}"), text.clone());
            self.0.insert(name.clone(), text);
        }
    }

    /// Replaces the variables of a command by their values.
    ///
    /// # Errors
    /// [`VariableError`].
    pub fn expand(&self, command: &str) -> Result<String, VariableError> {
        let mut expanded = String::with_capacity(command.len());
        let mut quoted = false;
        let mut double = false;
        let mut rest = command;
        while let Some(character) = rest.chars().next() {
            let (_, after) = rest.split_at(character.len_utf8());
            rest = after;
            match character {
                '\'' if !double => quoted = !quoted,
                '"' if !quoted => double = !double,
                '\\' if !quoted => {
                    let escaped = rest.chars().next();
                    expanded.push('\\');
                    expanded.extend(escaped);
                    rest = rest.get(escaped.map_or(0, char::len_utf8)..).unwrap_or_default();
                    continue;
                }
                '$' if !quoted && !double && rest.starts_with('\'') => {
                    let (text, after) = ansi_c_quoted(rest);
                    expanded.push('$');
                    expanded.push_str(text);
                    rest = after;
                    continue;
                }
                '$' if !quoted => {
                    let (name, after) = variable(rest).ok_or(VariableError::NoName)?;
                    // The environment fills it in; the recording must not have it.
                    if name.starts_with(placeholders::PREFIX) {
                        expanded.push('$');
                        expanded.push_str(rest.strip_suffix(after).unwrap_or_default());
                        rest = after;
                        continue;
                    }
                    expanded.push_str(&self.value(name, double)?);
                    rest = after;
                    continue;
                }
                _ => {}
            }
            expanded.push(character);
        }
        Ok(expanded)
    }

    /// A value, quoted for the command.
    fn value(&self, name: &str, in_double_quotes: bool) -> Result<String, VariableError> {
        let value = self.0.get(name);
        let name = escape_invisible(name);
        let Some(value) = value else { return Err(VariableError::Unknown(name)) };
        if value.contains(char::is_control) {
            return Err(VariableError::ControlCharacter { name, value: escape_invisible(value) });
        }
        if let Some((_, secret)) = placeholders::placeholders(value).first() {
            return Err(VariableError::NamesSecret { name, secret: (*secret).to_owned() });
        }
        Ok(shell::escaped(value, in_double_quotes))
    }
}

/// `'...'` after a `$`, with its quotes, and the rest.
fn ansi_c_quoted(text: &str) -> (&str, &str) {
    let mut is_escaped = false;
    let end = text.char_indices().skip(1).find(|(_, character)| {
        let is_end = *character == '\'' && !is_escaped;
        is_escaped = *character == '\\' && !is_escaped;
        is_end
    });
    text.split_at(end.map_or(text.len(), |(at, quote)| at + quote.len_utf8()))
}

/// The name after a `$`, and the rest.
fn variable(text: &str) -> Option<(&str, &str)> {
    if let Some(braced) = text.strip_prefix('{') {
        return braced.split_once('}').filter(|(name, _)| !name.is_empty());
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_is_read_line_by_line() {
        let text = "\n# Log in (first)\n$ curl http://a/ \\\n  -X POST\n\ncurl http://b/\n";
        let lines = lines(text).expect("curl lines");
        let found: Vec<_> =
            lines.iter().map(|line| (line.number, line.name.as_str(), line.command.as_str())).collect();
        assert_eq!(
            found,
            [(3, "log-in-first", "curl http://a/ -X POST"), (6, "exchange-2", "curl http://b/")]
        );
        let joined = |text: &str| -> Result<String, String> {
            let lines = super::lines(text).map_err(|error| error.to_string())?;
            Ok(lines.into_iter().map(|line| line.command).collect::<String>())
        };
        for (text, expected) in [
            ("curl a \\\n  -s \\\n\t-i", "curl a -s -i"),
            ("curl a\\\n  -s", "curl a -s"),
            ("curl a\\\nb", "curl ab"),
            ("curl -d \"a \\\n  b\"", "curl -d \"a   b\""),
            ("curl -d 'a\\' \\\n -s", "curl -d 'a\\' -s"),
            ("curl a\\ \\\n -s", "curl a\\  -s"),
            ("curl a \\\\\n", "curl a \\\\"),
            ("curl /$id \\\n -H \"A: $token\" \\\n -s", "curl /$id -H \"A: $token\" -s"),
            ("curl \"a\\\nb' \" \\\n'c'\\\nd", "curl \"ab' \" 'c'd"),
            ("curl a\\\n#b \\\n -s", "curl a#b -s"),
        ] {
            assert_eq!(joined(text).as_deref(), Ok(expected), "{text}");
        }
        let reason = "line 1: a quotation is not closed; a line break in one is written $'\\n'";
        assert_eq!(joined("curl -d '{\n}'"), Err(reason.to_owned()));
        assert_eq!(joined("# only\n"), Err("no curl line in it".to_owned()));
        assert_eq!(joined("curl a \\"), Err("line 1: nothing follows the last backslash".to_owned()));
        assert!(joined("\u{feff}curl http://a/").is_err_and(|reason| reason.contains("byte order mark")));
        let reason = "line 2: expected a curl line, a comment (#) or nothing";
        assert_eq!(joined("curl a\nls\n"), Err(reason.to_owned()));
    }

    /// Reading all of a command again for each of its lines would take minutes.
    #[test]
    fn a_command_of_many_lines_is_joined_at_once() {
        let started = std::time::Instant::now();
        let text = format!("curl a{}", " \\\n b".repeat(200_000));
        let joined = lines(&text).expect("a curl line");
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
        let commands: Vec<_> = joined.into_iter().map(|line| line.command).collect();
        assert_eq!(commands, [format!("curl a{}", " b".repeat(200_000))]);
    }

    #[test]
    fn variables_are_members_of_earlier_responses() {
        let json = |value: serde_json::Value| Json::parse(value.to_string().as_bytes()).expect("JSON");
        let mut variables = Variables::default();
        variables.capture("big", &Json::parse(b"{\"n\": 18446744073709551617}").expect("JSON"));
        assert_eq!(variables.expand("$n"), Ok("18446744073709551617".to_owned()));
        variables.capture("login", &json(json!({"token": "t1", "id": 3, "list": []})));
        variables.capture("again", &json(json!({"token": "t2"})));
        variables.capture("odd", &json(json!({"name": "a\"b`c$d e", "lines": "a\nb"})));
        let expand = |text: &str| variables.expand(text);
        assert_eq!(
            expand("curl /$id -H \"A: $token ${login.token}\""),
            Ok("curl /3 -H \"A: t2 t1\"".to_owned())
        );
        assert_eq!(expand("-d '$token \"$id' \\$id"), Ok("-d '$token \"$id' \\$id".to_owned()));
        assert_eq!(expand("-d $'$id \\'$id' $id"), Ok("-d $'$id \\'$id' 3".to_owned()));
        // A value is that text to a shell, whatever is in it.
        assert_eq!(expand("\"$name\""), Ok("\"a\\\"b\\`c\\$d e\"".to_owned()));
        assert_eq!(expand("$name"), Ok("a\\\"b\\`c\\$d\\ e".to_owned()));
        assert!(expand("$lines").is_err_and(|error| error.to_string().contains("a control character")));
        variables.capture("odd", &json(json!({"odd": "`x` $(y) \"\\ 'z'!", "empty": ""})));
        assert_eq!(
            variables.expand("-d \"$odd\" $odd$empty"),
            Ok(r#"-d "\`x\` \$(y) \"\\ 'z'"'!'"" \`x\`\ \$\(y\)\ \"\\\ \'z\'\!''"#.to_owned())
        );
        let expand = |text: &str| variables.expand(text).map_err(|error| error.to_string());
        assert_eq!(expand("$list"), Err("no response so far had a list".to_owned()));
        assert_eq!(expand("a $ b"), Err("a $ without a name; \\$ is the character itself".to_owned()));
    }
}
