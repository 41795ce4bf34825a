//! Encoded JSON: the text of a value, written once and sent many times.

use std::marker::PhantomData;

use bytes::Bytes;
use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;
use serde::Serialize;

use super::{HasValidity, Style, Validity};

/// The JSON text of a `T`, in the style of the server. Clones share the text.
#[derive(Clone, Debug)]
pub struct EncodedJson<T> {
    /// The text, with the newline that ends every body. None if the value cannot be written as JSON, which no type of
    /// this crate causes; the response is then a 500.
    text: Option<Bytes>,
    /// Whether the store still has the value. None if the value is not from the store.
    validity: Option<Validity>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize> EncodedJson<T> {
    /// Writes `value` in `style`.
    pub fn new(value: &T, style: Style) -> Self {
        // Without spare capacity: the store keeps the text for long.
        let text = style.render(value).ok().map(|text| text.into_boxed_slice().into());
        Self { text, validity: None, of: PhantomData }
    }
}

impl<T> EncodedJson<T> {
    /// The text.
    #[must_use]
    pub fn text(&self) -> Option<&Bytes> {
        self.text.as_ref()
    }

    /// The same text, as that of a stored value with this flag.
    pub(crate) fn with_validity(self, validity: Validity) -> Self {
        Self { validity: Some(validity), ..self }
    }
}

impl<T> HasValidity for EncodedJson<T> {
    fn validity(&self) -> Option<&Validity> {
        self.validity.as_ref()
    }
}

/// Compares the texts.
impl<T> PartialEq for EncodedJson<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> Eq for EncodedJson<T> {}

impl<T: JsonSchema> JsonSchema for EncodedJson<T> {
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
