//! Text that is made once and sent as often as it is asked for.

use std::marker::PhantomData;

use bytes::Bytes;
use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;
use serde::Serialize;

use super::Style;

/// What a `T` is as JSON text, in the style of the server. Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedJson<T> {
    /// The text, with the newline that ends every answer. None if the value cannot be written as JSON, which is so for no
    /// type of this crate; then the answer is a 500.
    text: Option<Bytes>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize> EncodedJson<T> {
    /// Writes that value.
    pub fn new(value: &T, style: Style) -> Self {
        // No more memory than it takes: it may be kept for long.
        let text = style.render(value).ok().map(|text| text.into_boxed_slice().into());
        Self { text, of: PhantomData }
    }
}

impl<T> EncodedJson<T> {
    /// The text.
    #[must_use]
    pub fn text(&self) -> Option<&Bytes> {
        self.text.as_ref()
    }
}

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
