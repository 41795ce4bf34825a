//! Word splitting of one shell command, as bash does it: quotes and backslashes, no expansions.
//!
//! A construct that is not supported (a variable, a pipe, a pattern, a comment) is an error that names it. Taken for
//! plain text, it would change the command.

pub mod continuation;

use std::str::Chars;

use thiserror::Error;

use crate::contract::recording::placeholders;
use crate::contract::recording::shell::continuation::Extent;

/// Why a command is not split into words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShellError {
    /// A backslash with nothing after it.
    #[error("a backslash at the end")]
    TrailingBackslash,
    /// A quotation without its end.
    #[error("a quotation is not closed")]
    UnclosedQuote,
    /// A character that is syntax outside quotes.
    #[error("{character:?} outside quotes is {meaning} to a shell; quote it")]
    Syntax {
        /// The character.
        character: char,
        /// What a shell takes it for.
        meaning: &'static str,
    },
    /// A backquote within double quotes.
    #[error("'`' is a command to run to a shell; quote it")]
    Command,
    /// `$(` or `$[`.
    #[error("`${0}` is an expansion of the shell; write what it gives")]
    Expansion(char),
    /// A variable that is not a secret's.
    #[error("`${0}` is a variable of the shell; write its value")]
    Variable(String),
    /// An escape in `$'...'` that is not supported.
    #[error("`\\{0}` in $'...' is not understood here")]
    UnsupportedEscape(&'static str),
    /// An escape in `$'...'` that stands for no character of a text.
    #[error("`\\{escape}` in $'...' gives no character: {number:#x}")]
    NoCharacter {
        /// The letter or digit after the backslash.
        escape: char,
        /// The number that it gives.
        number: u32,
    },
}

/// Splits a command into words.
///
/// # Errors
/// [`ShellError`]: the construct that is not supported, by name.
pub fn words(command: &str) -> Result<Vec<String>, ShellError> {
    let mut splitter = Splitter::new(command);
    match splitter.run()? {
        Extent::Complete => Ok(splitter.words),
        Extent::Continued { .. } => Err(ShellError::TrailingBackslash),
        Extent::Quoted => Err(ShellError::UnclosedQuote),
    }
}

/// Quotes a text as part of a word, outside quotes or within double quotes. A shell reads the same text back.
#[must_use]
pub fn escaped(text: &str, in_double_quotes: bool) -> String {
    if text.is_empty() && !in_double_quotes {
        return "''".to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            // Interactive shells expand it in double quotes, where no backslash helps.
            '!' if in_double_quotes => escaped += "\"'!'\"",
            '"' | '\\' | '$' | '`' if in_double_quotes => escaped.extend(['\\', character]),
            plain if in_double_quotes || plain.is_alphanumeric() || "_-./:@%+=,".contains(plain) => {
                escaped.push(plain)
            }
            special => escaped.extend(['\\', special]),
        }
    }
    escaped
}

/// Whether a `$` before this character begins an expansion. (Before a quote it does so outside quotes only.)
#[must_use]
pub fn is_expanded(next: char) -> bool {
    next.is_ascii_alphanumeric() || "_{([*@#?-$!".contains(next)
}

struct Splitter<'a> {
    rest: Chars<'a>,
    words: Vec<String>,
    word: Option<String>,
}

impl<'a> Splitter<'a> {
    fn new(command: &'a str) -> Self {
        Self { rest: command.chars(), words: Vec::new(), word: None }
    }

    fn next_is(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn push(&mut self, character: char) {
        self.word.get_or_insert_default().push(character);
    }

    fn run(&mut self) -> Result<Extent, ShellError> {
        while let Some(character) = self.rest.next() {
            let ended = match character {
                ' ' | '\t' => {
                    self.words.extend(self.word.take());
                    None
                }
                '\'' => self.single_quoted(),
                '"' => self.double_quoted()?,
                '\\' => self.backslash(),
                '$' if self.next_is() == Some('\'') => self.ansi_c_quoted()?,
                _ => {
                    self.plain(character)?;
                    None
                }
            };
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
        self.words.extend(self.word.take());
        Ok(Extent::Complete)
    }

    /// A character outside quotes.
    fn plain(&mut self, character: char) -> Result<(), ShellError> {
        let at_start = self.word.is_none();
        // No file has such a name, so the shell leaves such a pattern as it is.
        let in_address = self.word.as_deref().is_some_and(|word| word.contains("://"));
        let meaning = match character {
            '$' if self.placeholder() => return Ok(()),
            '$' => self.dollar(self.next_is() == Some('"'))?,
            '`' => Some("a command to run"),
            '|' => Some("a pipe"),
            '&' => Some("the end of a command that runs in the background"),
            ';' => Some("the end of a command"),
            '<' | '>' => Some("a redirection"),
            '(' | ')' => Some("a group of commands"),
            '{' => Some("the beginning of a list of words"),
            '*' | '?' | '[' if !in_address => Some("a pattern of file names"),
            '#' if at_start => Some("the beginning of a comment"),
            // Also after the `=` of an assignment and after each `:` in its value: bash expands those in every word.
            '~' if self.word.as_deref().is_none_or(|word| word.ends_with(['=', ':'])) => {
                Some("a home folder")
            }
            '\n' | '\r' => Some("the end of a command"),
            _ => None,
        };
        match meaning {
            Some(meaning) => Err(ShellError::Syntax { character, meaning }),
            None => {
                self.push(character);
                Ok(())
            }
        }
    }

    /// Takes the name of a secret after a `$`, if there is one. It stays in the word: the environment fills it in when
    /// the request is sent.
    fn placeholder(&mut self) -> bool {
        let rest = self.rest.as_str();
        let name = rest.strip_prefix('{').unwrap_or(rest);
        if !name.starts_with(placeholders::PREFIX) {
            return false;
        }
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = rest.len() - name.trim_start_matches(is_part).len();
        let (taken, after) = rest.split_at(end);
        let (closing, after) = match after.strip_prefix('}').filter(|_| name.len() < rest.len()) {
            Some(after) => ("}", after),
            None if name.len() < rest.len() => return false,
            None => ("", after),
        };
        self.word.get_or_insert_default().extend(["$", taken, closing]);
        self.rest = after.chars();
        true
    }

    /// The meaning of a `$`; `None` for the character itself.
    fn dollar(&self, before_quote: bool) -> Result<Option<&'static str>, ShellError> {
        if before_quote {
            return Ok(Some("the beginning of a text to be translated"));
        }
        let Some(next) = self.next_is().filter(|next| is_expanded(*next)) else { return Ok(None) };
        if matches!(next, '(' | '[') {
            return Err(ShellError::Expansion(next));
        }
        let end =
            |character: char| !(character.is_ascii_alphanumeric() || matches!(character, '_' | '{' | '}'));
        let name = self.rest.as_str().split(end).next().filter(|name| !name.is_empty());
        let name = name.map_or_else(|| next.to_string(), str::to_owned);
        Err(ShellError::Variable(name))
    }

    fn single_quoted(&mut self) -> Option<Extent> {
        self.word.get_or_insert_default();
        loop {
            match self.rest.next() {
                None => return Some(Extent::Quoted),
                Some('\'') => return None,
                Some(character) => self.push(character),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<Option<Extent>, ShellError> {
        self.word.get_or_insert_default();
        loop {
            match self.rest.next() {
                None => return Ok(Some(Extent::Quoted)),
                Some('"') => return Ok(None),
                // A backslash stands for itself, except before these.
                Some('\\') => match self.next_is() {
                    None => return Ok(Some(Extent::Continued { in_quotes: true })),
                    Some(escaped @ ('"' | '\\' | '$' | '`')) => {
                        self.rest.next();
                        self.push(escaped);
                    }
                    Some('\n') => drop(self.rest.next()),
                    Some(_) => self.push('\\'),
                },
                Some('`') => return Err(ShellError::Command),
                Some('$') if self.placeholder() => {}
                Some('$') => {
                    self.dollar(false)?;
                    self.push('$');
                }
                Some(character) => self.push(character),
            }
        }
    }

    fn backslash(&mut self) -> Option<Extent> {
        match self.rest.next() {
            None => return Some(Extent::Continued { in_quotes: false }),
            Some('\n') => {}
            Some(character) => self.push(character),
        }
        None
    }

    /// `$'...'`, in which browsers copy text with a quote or a character beyond ASCII.
    fn ansi_c_quoted(&mut self) -> Result<Option<Extent>, ShellError> {
        self.rest.next();
        self.word.get_or_insert_default();
        loop {
            match self.rest.next() {
                None => return Ok(Some(Extent::Quoted)),
                Some('\'') => return Ok(None),
                Some('\\') => {
                    let Some(escape) = self.rest.next() else { return Ok(Some(Extent::Quoted)) };
                    self.escape(escape)?;
                }
                Some(character) => self.push(character),
            }
        }
    }

    /// An escape in `$'...'`, after its backslash.
    fn escape(&mut self, escape: char) -> Result<(), ShellError> {
        let character = match escape {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'e' | 'E' => '\u{1b}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '\'' | '"' | '?' => escape,
            'x' if self.next_is() == Some('{') => {
                return Err(ShellError::UnsupportedEscape("x{"));
            }
            'x' => return self.numbered(escape, 16, 2, 0),
            'u' => return self.numbered(escape, 16, 4, 0),
            'U' => return self.numbered(escape, 16, 8, 0),
            '0'..='7' => return self.numbered(escape, 8, 2, escape.to_digit(8).unwrap_or_default()),
            'c' => return Err(ShellError::UnsupportedEscape("c")),
            other => {
                self.push('\\');
                other
            }
        };
        self.push(character);
        Ok(())
    }

    /// A character by its number, with at most `most` more digits.
    fn numbered(&mut self, escape: char, radix: u32, most: usize, first: u32) -> Result<(), ShellError> {
        let mut number = first;
        let mut digits = usize::from(radix == 8);
        for _ in 0..most {
            let Some(digit) = self.next_is().and_then(|next| next.to_digit(radix)) else { break };
            self.rest.next();
            digits += 1;
            number = number.wrapping_mul(radix).wrapping_add(digit);
        }
        if digits == 0 {
            // Without digits it is not an escape.
            self.push('\\');
            self.push(escape);
            return Ok(());
        }
        // `\x` and octal escapes give a byte; a word is text.
        let is_byte = radix == 8 || escape == 'x';
        let character = char::from_u32(number).filter(|_| number != 0 && !(is_byte && number > 0x7f));
        self.push(character.ok_or(ShellError::NoCharacter { escape, number })?);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
