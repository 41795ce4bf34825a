//! A file of curl lines to be recorded, one exchange a line.
//!
//! A comment above a line names its exchange. A line that ends with a backslash goes on in the next, as in a shell. Outside
//! single quotes, `$name` stands for a member of the latest JSON answer that had one of that name, and
//! `${exchange.name}` for one of the answer to that exchange: `$access_token`, `${login.refresh_token}`, `$id`.
//! `$SHIPYARD_SECRET_NAME` stays as it is, and is filled in from the environment when the request is sent.

use std::collections::BTreeMap;

use crate::contract::compare::lossless::Json;
use crate::contract::recording::placeholders;
use crate::contract::recording::shell;
use crate::contract::recording::shell::continuation::{Extent, Scanner};
use crate::contract::recording::transcript::BYTE_ORDER_MARK;
use crate::escape::escape_invisible;

/// One curl line, before its variables have values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line in the file, from 1, on which it begins.
    pub number: usize,
    /// The name of the exchange, without its number.
    pub name: String,
    /// From `curl` on.
    pub command: String,
}

/// The most bytes of a name.
const LONGEST_NAME: usize = 60;

/// The curl lines of a file.
///
/// # Errors
/// The line that is none, and why.
pub fn lines(text: &str) -> Result<Vec<Line>, String> {
    if text.starts_with('\u{feff}') {
        return Err(format!("line 1: {BYTE_ORDER_MARK}"));
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
                Extent::Quoted => {
                    return Err(format!(
                        "line {number}: a quotation is not closed; a line break in one is written $'\\n'"
                    ));
                }
                Extent::Continued { in_quotes } => in_quotes,
            };
            let (_, next) = numbered
                .next()
                .ok_or_else(|| format!("line {number}: nothing follows the last backslash"))?;
            command.pop();
            // Outside quotes, how much white space there is between two words says nothing.
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
            return Err(format!("line {number}: expected a curl line, a comment (#) or nothing"));
        }
        let name = name.take().unwrap_or_else(|| format!("exchange-{}", lines.len() + 1));
        lines.push(Line { number, name, command });
    }
    if lines.is_empty() {
        return Err("no curl line in it".to_owned());
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

/// What earlier answers said.
#[derive(Debug, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Takes up the members of an answer.
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

    /// A command with values for its variables.
    ///
    /// # Errors
    /// A variable that has no value, or no name.
    pub fn expand(&self, command: &str) -> Result<String, String> {
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
                    let (name, after) =
                        variable(rest).ok_or("a $ without a name; \\$ is the character itself")?;
                    // The environment has it, and the recording has not.
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

    /// A value as it is written into a command: whatever is in it, it is that text to a shell.
    fn value(&self, name: &str, in_double_quotes: bool) -> Result<String, String> {
        let shown = escape_invisible(name);
        let value = self.0.get(name).ok_or_else(|| format!("no answer so far had a {shown}"))?;
        if value.contains(char::is_control) {
            return Err(format!("{shown} has a control character in it: {:?}", escape_invisible(value)));
        }
        // The server would choose which secret it is sent.
        if let Some((_, secret)) = placeholders::placeholders(value).first() {
            return Err(format!("{shown} names a secret: {secret}"));
        }
        Ok(shell::escaped(value, in_double_quotes))
    }
}

/// `'...'` behind a `$`, with its quotes, and what follows it.
fn ansi_c_quoted(text: &str) -> (&str, &str) {
    let mut is_escaped = false;
    let end = text.char_indices().skip(1).find(|(_, character)| {
        let is_end = *character == '\'' && !is_escaped;
        is_escaped = *character == '\\' && !is_escaped;
        is_end
    });
    text.split_at(end.map_or(text.len(), |(at, quote)| at + quote.len_utf8()))
}

/// The name behind a `$`, and what follows it.
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
        let joined = |text: &str| {
            super::lines(text).map(|lines| lines.into_iter().map(|line| line.command).collect::<String>())
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
        assert_eq!(super::lines("# only\n"), Err("no curl line in it".to_owned()));
        assert_eq!(super::lines("curl a \\"), Err("line 1: nothing follows the last backslash".to_owned()));
        assert!(
            super::lines("\u{feff}curl http://a/").is_err_and(|reason| reason.contains("byte order mark"))
        );
        let reason = "line 2: expected a curl line, a comment (#) or nothing";
        assert_eq!(super::lines("curl a\nls\n"), Err(reason.to_owned()));
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
    fn variables_are_members_of_earlier_answers() {
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
        assert!(expand("$lines").is_err_and(|reason| reason.contains("a control character")));
        variables.capture("odd", &json(json!({"odd": "`x` $(y) \"\\ 'z'!", "empty": ""})));
        assert_eq!(
            variables.expand("-d \"$odd\" $odd$empty"),
            Ok(r#"-d "\`x\` \$(y) \"\\ 'z'"'!'"" \`x\`\ \$\(y\)\ \"\\\ \'z\'\!''"#.to_owned())
        );
        let expand = |text: &str| variables.expand(text);
        assert_eq!(expand("$list"), Err("no answer so far had a list".to_owned()));
        assert_eq!(expand("a $ b"), Err("a $ without a name; \\$ is the character itself".to_owned()));
    }
}
