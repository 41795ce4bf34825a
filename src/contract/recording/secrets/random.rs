//! Values that look random.

/// The minimum length of a value that may be a secret whatever its name.
pub(super) const LONG: usize = 20;

/// The words of a text with at least [`LONG`] characters.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "-_.+/=".contains(character);
    text.split(move |character| !is_part(character)).filter(|word| word.len() >= LONG)
}

/// Whether a word, or a part of it, looks random. Base64 has `/` in it, and so have paths; but paths seldom have both
/// upper-case and lower-case letters.
pub(super) fn looks_random(word: &str, is_path: bool) -> bool {
    let has = |kind: fn(&u8) -> bool| word.bytes().any(|byte| kind(&byte));
    let base64 = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && !is_path;
    word.split(['/', '.']).any(is_random) || (base64 && is_random(word))
}

/// Whether a word is long, of letters and digits, with few of them repeated. UUIDs are not: most are only names.
fn is_random(word: &str) -> bool {
    let counts: Vec<f64> = (0..=127_u8)
        .map(|byte| word.bytes().filter(|found| *found == byte).count())
        .filter(|count| *count > 0)
        .map(|count| count as f64 / word.len() as f64)
        .collect();
    let bits: f64 = counts.iter().map(|share| -share * share.log2()).sum();
    let has = |kind: fn(&u8) -> bool| word.bytes().any(|byte| kind(&byte));
    let mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    let is_uuid = word.contains('-') && uuid::Uuid::try_parse(word).is_ok();
    word.len() >= LONG && mixed && bits >= 3.0 && !is_uuid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_and_random_is_told_from_words() {
        for random in ["sk7f3a9b2c8d1e4f6a7b8c", "Zm9vYmFyYmF6cXV4MTIz", "5f4dcc3b5aa765d61d8327deb882cf99"] {
            assert!(is_random(random), "{random}");
        }
        for word in [
            "refresh-token-issued-first",
            "aaaaaaaaaaaaaaaaaaaaaaa1",
            "450580f5-bb38-4d70-bb62-e94ae9e67d4c",
            "2026",
        ] {
            assert!(!is_random(word), "{word}");
        }
        assert!(looks_random("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", false));
        assert!(!looks_random("/static/docs/2026/01/overview/index.html", true));
    }
}
