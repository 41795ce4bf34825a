//! Encoded JSON: the text of a value, written once and sent many times.

use std::marker::PhantomData;

use bytes::Bytes;
use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Style, Version};

/// The JSON text of a `T`, in the style of the server. Clones share the text.
#[derive(Clone, Debug)]
pub struct EncodedJson<T> {
    /// The text, with the newline that ends every body. None if the value cannot be written as JSON, which no type of
    /// this crate causes; the response is then a 500.
    text: Option<Bytes>,
    /// The version of the value. None if it is not from the store.
    version: Option<Version>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize> EncodedJson<T> {
    /// Writes `value` in `style`.
    pub fn new(value: &T, style: Style) -> Self {
        // Without spare capacity: the store keeps the text for long.
        let text = style.render(value).ok().map(|text| text.into_boxed_slice().into());
        Self { text, version: None, of: PhantomData }
    }
}

impl<T> EncodedJson<T> {
    /// The text.
    #[must_use]
    pub fn text(&self) -> Option<&Bytes> {
        self.text.as_ref()
    }

    /// The version of the value; none if it is not from the store.
    #[must_use]
    pub fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// A text that was written before.
    pub(crate) fn from_text(text: Bytes) -> Self {
        Self { text: Some(text), version: None, of: PhantomData }
    }

    /// The same text, as that of a stored value.
    pub(crate) fn with_version(self, version: Version) -> Self {
        Self { version: Some(version), ..self }
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
