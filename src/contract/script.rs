//! A file of curl lines to be recorded, one exchange a line.
//!
//! A comment above a line names its exchange. A line that ends with a backslash goes on in the next. Outside
//! single quotes, `$name` stands for a member of the latest JSON answer that had one of that name, and
//! `${exchange.name}` for one of the answer to that exchange: `$access_token`, `${login.refresh_token}`, `$id`.
//! `$SHIPYARD_SECRET_NAME` stays as it is, and is filled in from the environment when the request is sent.

use std::collections::BTreeMap;

use serde_json::Value;

use super::placeholders;
use super::transcript::BYTE_ORDER_MARK;
use crate::printable::printable;

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
        let mut command = first.trim().to_owned();
        if let Some(comment) = command.strip_prefix('#') {
            name = Some(slug(comment)).filter(|name| !name.is_empty());
            continue;
        }
        while let Some(open) = command.strip_suffix('\\') {
            let (_, next) = numbered
                .next()
                .ok_or_else(|| format!("line {number}: nothing follows the last backslash"))?;
            command = format!("{}{}", open, next.trim());
        }
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
    pub fn learn(&mut self, exchange: &str, body: &Value) {
        for (name, value) in body.as_object().into_iter().flatten() {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
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
                    let value = self.0.get(name).ok_or_else(|| {
                        let name = printable(name);
                        format!("no answer so far had a {name}")
                    })?;
                    let text = shell_text(value, double).ok_or_else(|| {
                        let name = printable(name);
                        format!("the value of {name} has control characters; no curl line can hold it")
                    })?;
                    expanded += &text;
                    rest = after;
                    continue;
                }
                _ => {}
            }
            expanded.push(character);
        }
        Ok(expanded)
    }
}

/// A value as part of a shell word, inside double quotes or outside all: a server chose it, and whoever reads the
/// recording may paste the line. `None` where it cannot be on one line.
fn shell_text(value: &str, double: bool) -> Option<String> {
    if value.chars().any(char::is_control) {
        return None;
    }
    if !double && value.is_empty() {
        return Some("''".to_owned());
    }
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            // Interactive shells look for it in double quotes, where no backslash helps.
            '!' if double => text += "\"'!'\"",
            '"' | '\\' | '$' | '`' if double => text.extend(['\\', character]),
            other if double || other.is_alphanumeric() || "_-./:@%+=,".contains(other) => text.push(other),
            other => text.extend(['\\', other]),
        }
    }
    Some(text)
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
        assert_eq!(super::lines("# only\n"), Err("no curl line in it".to_owned()));
        assert_eq!(super::lines("curl a \\"), Err("line 1: nothing follows the last backslash".to_owned()));
        assert!(
            super::lines("\u{feff}curl http://a/").is_err_and(|reason| reason.contains("byte order mark"))
        );
        let reason = "line 2: expected a curl line, a comment (#) or nothing";
        assert_eq!(super::lines("curl a\nls\n"), Err(reason.to_owned()));
    }

    #[test]
    fn variables_are_members_of_earlier_answers() {
        let mut variables = Variables::default();
        variables.learn("login", &json!({"token": "t1", "id": 3, "list": []}));
        variables.learn("again", &json!({"token": "t2"}));
        let expand = |text: &str| variables.expand(text);
        assert_eq!(
            expand("curl /$id -H \"A: $token ${login.token}\""),
            Ok("curl /3 -H \"A: t2 t1\"".to_owned())
        );
        assert_eq!(expand("-d '$token \"$id' \\$id"), Ok("-d '$token \"$id' \\$id".to_owned()));
        variables.learn("odd", &json!({"odd": "`x` $(y) \"\\ 'z'!", "empty": "", "lines": "a\nb"}));
        let expand = |text: &str| variables.expand(text);
        assert_eq!(
            expand("-d \"$odd\" $odd$empty"),
            Ok(r#"-d "\`x\` \$(y) \"\\ 'z'"'!'"" \`x\`\ \$\(y\)\ \"\\\ \'z\'\!''"#.to_owned())
        );
        assert!(expand("$lines").is_err_and(|reason| reason.contains("lines has control characters")));
        assert_eq!(expand("$list"), Err("no answer so far had a list".to_owned()));
        assert_eq!(expand("a $ b"), Err("a $ without a name; \\$ is the character itself".to_owned()));
    }
}
