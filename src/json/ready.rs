//! Text that is made once and sent as often as it is asked for.

use std::marker::PhantomData;

use hyper::body::Bytes;
use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;
use serde::Serialize;

use super::{lay_out, Style};

/// What a `T` is as JSON text. Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready<T> {
    /// Compact, with the newline that ends every answer. None if the value cannot be written as JSON, which is so for no
    /// type of this crate; then the answer is a 500.
    text: Option<Bytes>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize> Ready<T> {
    /// Writes that value.
    pub fn new(value: &T) -> Self {
        // No more memory than it takes: it may be kept for long.
        let text = Style::Compact.render(value).ok().map(|text| text.into_boxed_slice().into());
        Self { text, of: PhantomData }
    }
}

impl<T> Ready<T> {
    /// The text in that style.
    #[must_use]
    pub fn in_style(&self, style: Style) -> Option<Bytes> {
        let text = self.text.as_ref()?;
        Some(match style {
            Style::Compact => text.clone(),
            Style::Pretty => lay_out(text).into(),
        })
    }
}

impl<T> Ready<Vec<T>> {
    /// The list of those.
    pub fn list<'a>(items: impl Iterator<Item = &'a Ready<T>> + Clone) -> Self
    where
        T: 'a,
    {
        Self { text: joined(items.map(|item| item.text.as_deref())), of: PhantomData }
    }
}

/// Texts, each with its newline at the end, as the text of a list.
fn joined<'a>(texts: impl Iterator<Item = Option<&'a [u8]>> + Clone) -> Option<Bytes> {
    let length: usize = texts.clone().flatten().map(<[u8]>::len).sum();
    // A comma takes the place of each newline but the last.
    let mut list = Vec::with_capacity(length + b"[]\n".len());
    list.push(b'[');
    for text in texts {
        if list.len() > 1 {
            list.push(b',');
        }
        let text = text?;
        list.extend_from_slice(text.strip_suffix(b"\n").unwrap_or(text));
    }
    list.extend(b"]\n");
    Some(list.into())
}

impl<T: JsonSchema> JsonSchema for Ready<T> {
    fn schema_name() -> String {
        T::schema_name()
    }

    fn is_referenceable() -> bool {
        T::is_referenceable()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, Value};

    use super::*;

    #[test]
    fn a_list_of_texts_is_the_text_of_the_list() {
        let values = [json!({"a": ["b, c", "]\"}", {}], "d": []}), json!(1), json!("\\")];
        for count in 0..=values.len() {
            let values: Vec<Value> = values.iter().take(count).cloned().collect();
            let items: Vec<Ready<Value>> = values.iter().map(Ready::new).collect();
            for style in [Style::Compact, Style::Pretty] {
                let text = Ready::list(items.iter()).in_style(style);
                assert_eq!(text.expect("JSON"), style.render(&values).expect("JSON"), "{values:?} {style:?}");
            }
        }
    }
}
