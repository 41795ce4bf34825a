//! Layouts of JSON text.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::ser::{Formatter, PrettyFormatter};
use serde_json::Serializer;

/// The layout of response bodies. In both, keys are sorted and one newline ends the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// Two spaces of indent, and a space after each comma, as in the recorded exchanges.
    Pretty,
    /// No white space.
    #[default]
    Compact,
}

impl Style {
    /// Writes `value` as JSON text.
    ///
    /// # Errors
    /// Only what the `Serialize` implementation of `T` itself reports; the types of this crate report none.
    pub fn render<T: Serialize + ?Sized>(self, value: &T) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = Vec::with_capacity(256);
        match self {
            Self::Pretty => {
                value.serialize(&mut Serializer::with_formatter(&mut text, Recorded::default()))?;
            }
            Self::Compact => serde_json::to_writer(&mut text, value)?,
        }
        text.push(b'\n');
        Ok(text)
    }
}

/// The layout of the recorded exchanges: that of [`PrettyFormatter`], except that `", "` stands before a line break. The
/// original let Python's `json.dumps` put its default separator before the indent.
#[derive(Default)]
struct Recorded(PrettyFormatter<'static>);

fn separate<W: Write + ?Sized>(writer: &mut W, is_first: bool) -> io::Result<()> {
    writer.write_all(if is_first { b"" } else { b", " })
}

impl Formatter for Recorded {
    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        separate(writer, first)?;
        // As the first value, without the comma.
        self.0.begin_array_value(writer, true)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        separate(writer, first)?;
        self.0.begin_object_key(writer, true)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_as_recorded() {
        let text = r#"{"a":[],"b":{},"c":[{"d":[1,-2.5],"e":null},[[]],{"f":{}}],"g":"h: [i, {\"j, k\": \\","k\\":true}"#;
        let value = crate::json::parse(text.as_bytes()).expect("JSON");
        let render = |style: Style| String::from_utf8(style.render(&value).expect("JSON")).expect("text");
        assert_eq!(render(Style::Compact), format!("{text}\n"));
        let pretty = [
            r#"{"#,
            r#"  "a": [], "#,
            r#"  "b": {}, "#,
            r#"  "c": ["#,
            r#"    {"#,
            r#"      "d": ["#,
            r#"        1, "#,
            r#"        -2.5"#,
            r#"      ], "#,
            r#"      "e": null"#,
            r#"    }, "#,
            r#"    ["#,
            r#"      []"#,
            r#"    ], "#,
            r#"    {"#,
            r#"      "f": {}"#,
            r#"    }"#,
            r#"  ], "#,
            r#"  "g": "h: [i, {\"j, k\": \\", "#,
            r#"  "k\\": true"#,
            r#"}"#,
            "",
        ];
        assert_eq!(render(Style::Pretty), pretty.join("\n"));
        assert_eq!(Style::Pretty.render(&[0; 0]).expect("JSON"), b"[]\n");
    }
}
