//! The body that an answer must have: text, and in it tokens, which are different each time.

use std::fmt;

use serde::Deserialize;

/// A piece of a body.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Segment {
    /// This text.
    Literal(String),
    /// Any JWT: three parts of base64url with a dot between them.
    Jwt,
}

/// The pieces of a body, in order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Segment>")]
pub struct Template(Vec<Segment>);

impl TryFrom<Vec<Segment>> for Template {
    type Error = String;

    /// Where a token ends must be plain from the first byte behind it.
    fn try_from(segments: Vec<Segment>) -> Result<Self, String> {
        for pair in segments.windows(2) {
            match pair {
                [Segment::Jwt, Segment::Literal(text)] if !text.bytes().next().is_some_and(in_token) => {}
                [Segment::Jwt, _] => return Err(format!("a token ends nowhere before {:?}", pair[1])),
                _ => {}
            }
        }
        if segments.iter().any(|segment| matches!(segment, Segment::Literal(text) if text.is_empty())) {
            return Err("an empty literal".into());
        }
        Ok(Self(segments))
    }
}

fn in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

/// Where a body is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    at: u64,
    expected: String,
    found: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "body, byte {}: expected {}, found {}", self.at, self.expected, self.found)
    }
}

/// How far a body has been compared. Takes it in pieces of any size, and keeps none.
#[derive(Debug, Default)]
pub struct Matcher {
    segment: usize,
    /// In a literal: bytes that have come.
    offset: usize,
    /// In a token: dots that have come, and bytes since the last.
    dots: usize,
    part: usize,
    /// Bytes of the body that have come.
    at: u64,
}

impl Matcher {
    /// Compares the next bytes of the body.
    ///
    /// # Errors
    /// They are not those of the template.
    pub fn feed(&mut self, template: &Template, mut bytes: &[u8]) -> Result<(), Mismatch> {
        while !bytes.is_empty() {
            let taken = match template.0.get(self.segment) {
                Some(Segment::Literal(text)) => self.literal(text.as_bytes(), bytes)?,
                Some(Segment::Jwt) => self.token(bytes)?,
                None => return Err(self.mismatch("the end".into(), bytes)),
            };
            self.at += taken as u64;
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// The body is over.
    ///
    /// # Errors
    /// It is not complete.
    pub fn finish(&mut self, template: &Template) -> Result<(), Mismatch> {
        match template.0.get(self.segment) {
            None => Ok(()),
            Some(Segment::Literal(text)) => Err(self.mismatch(excerpt(&text.as_bytes()[self.offset..]), b"")),
            Some(Segment::Jwt) => self.token_ends(b"").and_then(|()| self.finish(template)),
        }
    }

    fn literal(&mut self, text: &[u8], bytes: &[u8]) -> Result<usize, Mismatch> {
        let wanted = &text[self.offset..];
        let count = wanted.len().min(bytes.len());
        if wanted[..count] != bytes[..count] {
            let same = wanted.iter().zip(bytes).take_while(|(wanted, found)| wanted == found).count();
            self.at += same as u64;
            return Err(self.mismatch(excerpt(&wanted[same..]), &bytes[same..]));
        }
        self.offset += count;
        if self.offset == text.len() {
            self.next();
        }
        Ok(count)
    }

    fn token(&mut self, bytes: &[u8]) -> Result<usize, Mismatch> {
        for (position, &byte) in bytes.iter().enumerate() {
            if !in_token(byte) {
                self.token_ends(&bytes[position..])?;
                return Ok(position);
            }
            if byte != b'.' {
                self.part += 1;
            } else if self.part == 0 || self.dots == 2 {
                return Err(self.mismatch("a token".into(), &bytes[position..]));
            } else {
                self.dots += 1;
                self.part = 0;
            }
        }
        Ok(bytes.len())
    }

    fn token_ends(&mut self, rest: &[u8]) -> Result<(), Mismatch> {
        if self.dots != 2 || self.part == 0 {
            return Err(self.mismatch("a token of three parts".into(), rest));
        }
        self.next();
        Ok(())
    }

    fn next(&mut self) {
        *self = Self { segment: self.segment + 1, at: self.at, ..Self::default() };
    }

    fn mismatch(&self, expected: String, found: &[u8]) -> Mismatch {
        let found = if found.is_empty() { "the end".into() } else { excerpt(found) };
        Mismatch { at: self.at, expected, found }
    }
}

fn excerpt(bytes: &[u8]) -> String {
    const MOST: usize = 60;
    format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(MOST)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"a":"aa-_.B9.c","b":"x.y.z"}"#;

    fn template() -> Template {
        let literal = |text: &str| Segment::Literal(text.into());
        Template::try_from(vec![
            literal(r#"{"a":""#),
            Segment::Jwt,
            literal(r#"","b":""#),
            Segment::Jwt,
            literal(r#""}"#),
        ])
        .unwrap()
    }

    fn compare(template: &Template, pieces: &[&str]) -> Result<(), Mismatch> {
        let mut matcher = Matcher::default();
        pieces.iter().try_for_each(|piece| matcher.feed(template, piece.as_bytes()))?;
        matcher.finish(template)
    }

    #[test]
    fn a_body_is_the_same_however_it_is_cut() {
        for at in 0..=BODY.len() {
            let (one, two) = BODY.split_at(at);
            assert_eq!(compare(&template(), &[one, two]), Ok(()), "cut at {at}");
        }
    }

    #[test]
    fn every_byte_that_is_changed_or_left_out_is_noticed() {
        for at in 0..BODY.len() {
            let (one, two) = (&BODY[..at], &BODY[at + 1..]);
            assert!(compare(&template(), &[one, "!", two]).is_err(), "changed at {at}");
            let in_long_part = (6..10).contains(&at) || (11..13).contains(&at);
            assert_eq!(compare(&template(), &[one, two]).is_ok(), in_long_part, "left out at {at}");
            assert!(compare(&template(), &[one]).is_err(), "cut off at {at}");
        }
        assert!(compare(&template(), &[BODY, "\n"]).is_err());
    }

    #[test]
    fn a_token_has_three_parts() {
        let template = Template::try_from(vec![Segment::Jwt]).unwrap();
        for token in ["a.b.c", "a-b.c_d.E0"] {
            assert_eq!(compare(&template, &[token]), Ok(()), "{token}");
        }
        for text in ["", "abc", "a.b", "a.b.", "a..c", ".b.c", "a.b.c.d", "a.b.c=", "a.b c.d"] {
            assert!(compare(&template, &[text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_difference_is_told_with_its_place() {
        let template = Template::try_from(vec![Segment::Literal("abcdef".into())]).unwrap();
        let error = compare(&template, &["ab", "cXef"]).unwrap_err().to_string();
        assert_eq!(error, r#"body, byte 3: expected "def", found "Xef""#);
    }

    #[test]
    fn a_template_says_where_a_token_ends() {
        let literal = |text: &str| Segment::Literal(text.into());
        for segments in [
            vec![Segment::Jwt, Segment::Jwt],
            vec![Segment::Jwt, literal("a\"")],
            vec![Segment::Jwt, literal(".")],
            vec![literal("")],
        ] {
            assert!(Template::try_from(segments.clone()).is_err(), "{segments:?}");
        }
    }
}
