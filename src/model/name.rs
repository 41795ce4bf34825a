//! User names: normal form and allowed characters.
//!
//! Names follow RFC 8265, section 3. They are compared in Unicode's normal form C, and may not have invisible characters,
//! so that two names that look the same are not two users. Case is kept, and compared. Letters of different scripts that
//! look alike are different.

use unicode_normalization::{is_nfc, UnicodeNormalization};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::escape::is_invisible;

/// The name in Unicode's normal form C.
#[must_use]
pub fn normalized(name: &str) -> String {
    if is_nfc(name) {
        name.to_owned()
    } else {
        name.nfc().collect()
    }
}

/// The message about a character that a name may not have, if there is one.
pub(super) fn fault(name: &str) -> Option<String> {
    if let Some(character) = name.chars().find(|character| is_refused(*character)) {
        return Some(format!("May not contain U+{:04X}.", u32::from(character)));
    }
    let is_padded = name.starts_with(' ') || name.ends_with(' ');
    is_padded.then(|| "May not begin or end with a space.".to_owned())
}

/// Whether a name may not have that character: it is invisible, or Unicode does not define what it is.
fn is_refused(character: char) -> bool {
    use GeneralCategory::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, Surrogate, Unassigned,
    };

    if character.is_ascii() {
        return character.is_ascii_control();
    }
    let refused = [Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, Surrogate, Unassigned];
    is_invisible(character) || refused.contains(&character.general_category())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_the_same_are_equal_or_refused() {
        // Composed, decomposed, and characters that normal form replaces.
        assert_eq!(normalized("Andre\u{301}"), "Andr\u{e9}");
        assert_eq!(normalized("\u{212b}"), "\u{c5}");
        assert_eq!(normalized("\u{1112}\u{1161}\u{11ab}"), "\u{d55c}");
        // Marks in either order.
        assert_eq!(normalized("a\u{323}\u{302}"), normalized("a\u{302}\u{323}"));
        for name in [
            "user",
            "fancy new name",
            "two  spaces",
            "Andr\u{e9}",
            "\u{d55c}\u{ad6d}",
            "\u{1f680}",
            "o'neil",
            "a-b_c.d@e",
        ] {
            assert_eq!(fault(name), None, "{name:?}");
            assert_eq!(normalized(name), name);
        }
        for space in [" user", "user ", " "] {
            assert_eq!(fault(space).as_deref(), Some("May not begin or end with a space."), "{space:?}");
        }
        let wrong = "\0\u{1b}\n\t\r\u{7f}\u{80}\u{85}\u{9b}\u{a0}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{1680}\u{17b4}\
            \u{180b}\u{180e}\u{2003}\u{200a}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\
            \u{202f}\u{205f}\u{2060}\u{2064}\u{2066}\u{2069}\u{206f}\u{2800}\u{3000}\u{3164}\u{e000}\u{fdd0}\u{fe00}\
            \u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{fffe}\u{13430}\u{16fe4}\u{1bca0}\u{1d159}\u{1d173}\u{e0001}\u{e0020}\
            \u{e007f}\u{e0100}\u{e01ef}\u{f0000}\u{10ffff}";
        for character in wrong.chars() {
            let said = format!("May not contain U+{:04X}.", u32::from(character));
            for name in [format!("{character}user"), format!("us{character}er"), format!("user{character}")] {
                assert_eq!(fault(&normalized(&name)), Some(said.clone()), "{name:?}");
            }
        }
    }
}
