//! Text of unknown origin, for people: what cannot be seen can be seen, and nothing in it moves a terminal's cursor.

/// The text with everything that cannot be seen, but for spaces, written as an escape.
#[must_use]
pub fn escape_invisible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else if is_invisible(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// White space other than the space; what Unicode calls default-ignorable (joiners, marks of direction, the byte order
/// mark, variation selectors, tags); and the few signs that are blank.
pub(crate) fn is_invisible(character: char) -> bool {
    (character.is_whitespace() && character != ' ')
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{13441}'..='\u{13442}' | '\u{16fe4}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_cannot_be_seen_is_written_as_an_escape() {
        let text = "a \u{feff}b\u{1b}[2J\u{a0}\u{200b}é\t";
        assert_eq!(super::escape_invisible(text), "a \\u{feff}b\\u{1b}[2J\\u{a0}\\u{200b}é\\t");
    }
}
