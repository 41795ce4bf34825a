//! List writer: the text of a list, item by item.

use super::Style;

/// The text around the items of a list.
struct Layout {
    before_item: &'static [u8],
    between: &'static [u8],
    before_end: &'static [u8],
}

const PRETTY: Layout = Layout { before_item: b"\n  ", between: b", ", before_end: b"\n" };
const COMPACT: Layout = Layout { before_item: b"", between: b",", before_end: b"" };

/// The indent that an item gets in addition to its own.
const INDENT: &[u8] = b"  ";
const BEGIN: &[u8] = b"[";
const END: &[u8] = b"]\n";

/// Writes a list of items, each rendered on its own in the same [`Style`].
#[derive(Debug)]
pub(crate) struct ListWriter {
    style: Style,
    is_empty: bool,
}

impl ListWriter {
    /// Begins a list at the end of `text`.
    pub(crate) fn begin(style: Style, text: &mut Vec<u8>) -> Self {
        text.extend_from_slice(BEGIN);
        Self { style, is_empty: true }
    }

    /// Adds an item.
    pub(crate) fn item(&mut self, text: &mut Vec<u8>, item: &[u8]) {
        let layout = self.style.list_layout();
        if !self.is_empty {
            text.extend_from_slice(layout.between);
        }
        self.is_empty = false;
        text.extend_from_slice(layout.before_item);
        match self.style {
            Style::Compact => text.extend_from_slice(bare(item)),
            // A JSON string has no line break, so each one is part of the layout.
            Style::Pretty => {
                for line in bare(item).split_inclusive(|&byte| byte == b'\n') {
                    text.extend_from_slice(line);
                    if line.ends_with(b"\n") {
                        text.extend_from_slice(INDENT);
                    }
                }
            }
        }
    }

    /// Ends the list.
    pub(crate) fn end(self, text: &mut Vec<u8>) {
        if !self.is_empty {
            text.extend_from_slice(self.style.list_layout().before_end);
        }
        text.extend_from_slice(END);
    }
}

/// The item without the newline that ends a text.
fn bare(item: &[u8]) -> &[u8] {
    item.strip_suffix(b"\n").unwrap_or(item)
}

impl Style {
    fn list_layout(self) -> &'static Layout {
        match self {
            Self::Pretty => &PRETTY,
            Self::Compact => &COMPACT,
        }
    }

    /// The number of bytes that `item` takes up in a list, with the separator after it.
    pub(crate) fn item_length(self, item: &[u8]) -> usize {
        let layout = self.list_layout();
        let item = bare(item);
        let breaks = match self {
            Self::Compact => 0,
            Self::Pretty => item.iter().filter(|&&byte| byte == b'\n').count(),
        };
        layout.before_item.len() + item.len() + breaks * INDENT.len() + layout.between.len()
    }

    /// The length in bytes of a list of `count` items whose [`Style::item_length`]s add up to `items`.
    pub(crate) fn list_length(self, count: usize, items: usize) -> usize {
        let layout = self.list_layout();
        let around = BEGIN.len() + END.len();
        match count {
            0 => around,
            _ => (around + items + layout.before_end.len()).saturating_sub(layout.between.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, Value};

    use super::*;

    #[test]
    fn a_list_of_texts_is_the_text_of_the_list() {
        let values =
            [json!({"a": ["b, c", "]\"}\n", {}], "d": []}), json!(1), json!("\\"), json!([[1, 2], {}])];
        for count in 0..=values.len() {
            let values: Vec<Value> = values.iter().take(count).cloned().collect();
            for style in [Style::Compact, Style::Pretty] {
                let items: Vec<Vec<u8>> =
                    values.iter().map(|value| style.render(value).expect("JSON")).collect();
                let mut text = Vec::new();
                let mut list = ListWriter::begin(style, &mut text);
                items.iter().for_each(|item| list.item(&mut text, item));
                list.end(&mut text);
                assert_eq!(text, style.render(&values).expect("JSON"), "{values:?} {style:?}");
                let items = items.iter().map(|item| style.item_length(item)).sum();
                assert_eq!(style.list_length(count, items), text.len(), "{values:?} {style:?}");
            }
        }
    }
}
