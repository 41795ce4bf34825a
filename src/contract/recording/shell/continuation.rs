//! Continuation of a command over several lines.

/// Whether a command ends with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// It ends.
    Complete,
    /// A backslash before the line end joins the next line.
    Continued {
        /// Whether that is within double quotes: then white space at the start of the next line counts.
        in_quotes: bool,
    },
    /// The line ends within a quotation.
    Quoted,
}

/// Detects, line by line, whether a command continues. It reports no errors: the splitter does.
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
    /// Scans the text that follows what was scanned before.
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
                // A comment: quotes in it mean nothing.
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
