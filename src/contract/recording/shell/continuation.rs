//! Continuation of a command over several lines.

/// How much of a command a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Complete,
    /// It ends with a backslash that takes the line end away; whether that is within double quotes.
    Continued {
        /// White space at the beginning of the next line counts, then.
        in_quotes: bool,
    },
    /// It ends within a quotation.
    Quoted,
}

/// Finds out whether a command goes on in the next line, line by line. What is wrong with it is found when it is split.
#[derive(Debug, Default)]
pub struct Scanner {
    quotation: Option<Quotation>,
    in_word: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quotation {
    Single,
    Double,
    AnsiC,
}

impl Scanner {
    /// How much of the command there is with this text, which follows what was given before.
    pub fn scan(&mut self, text: &str) -> Extent {
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            let was_in_word = std::mem::replace(&mut self.in_word, !matches!(character, ' ' | '\t'));
            self.quotation = match (self.quotation, character) {
                (None | Some(Quotation::Double | Quotation::AnsiC), '\\') => {
                    if rest.next().is_none() {
                        self.in_word = was_in_word;
                        return match self.quotation {
                            None => Extent::Continued { in_quotes: false },
                            Some(Quotation::Double) => Extent::Continued { in_quotes: true },
                            Some(_) => Extent::Quoted,
                        };
                    }
                    continue;
                }
                (None, '\'') => Some(Quotation::Single),
                (None, '"') => Some(Quotation::Double),
                (None, '$') if rest.as_str().starts_with('\'') => {
                    rest.next();
                    Some(Quotation::AnsiC)
                }
                // A comment, in which quotes are no quotes.
                (None, '#') if !was_in_word => return Extent::Complete,
                (Some(Quotation::Single | Quotation::AnsiC), '\'') | (Some(Quotation::Double), '"') => {
                    self.in_word = true;
                    None
                }
                (quotation, _) => quotation,
            };
        }
        if self.quotation.is_some() {
            Extent::Quoted
        } else {
            Extent::Complete
        }
    }
}
