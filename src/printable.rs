//! Text of unknown origin, shown to a person.

/// `text` without control characters: each is written as Rust would escape it. A line stays one line, and nothing in
/// it can tell a terminal what to do.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
