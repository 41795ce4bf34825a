//! Lists of either store.

use std::fmt::Debug;
use std::sync::Arc;

use parking_lot::Mutex;
use schemars::gen::SchemaGenerator;
use schemars::schema::Schema;
use schemars::JsonSchema;

use super::memory::list::List as Snapshot;
use crate::json::{JsonBody, Version};

/// Rows at one moment.
#[derive(Clone, Debug)]
pub enum List<T> {
    /// Rows in the memory of this process.
    Snapshot(Snapshot<T>),
    /// A text from a database.
    Prepared(PreparedList),
}

/// A text that is sent once.
#[derive(Clone, Debug)]
pub struct PreparedList {
    body: Arc<Mutex<Option<JsonBody>>>,
    version: Version,
}

impl PreparedList {
    pub(super) fn new(body: JsonBody, version: Version) -> Self {
        Self { body: Arc::new(Mutex::new(Some(body))), version }
    }
}

impl<T> From<PreparedList> for List<T> {
    fn from(list: PreparedList) -> Self {
        Self::Prepared(list)
    }
}

impl<T> From<Snapshot<T>> for List<T> {
    fn from(list: Snapshot<T>) -> Self {
        Self::Snapshot(list)
    }
}

impl<T: Debug + 'static> List<T> {
    /// The version of the list.
    #[must_use]
    pub fn version(&self) -> &Version {
        match self {
            Self::Snapshot(list) => list.version(),
            Self::Prepared(list) => &list.version,
        }
    }

    /// The text of the list. None if a row cannot be written as JSON, which no type of this crate causes, or if the text from a
    /// database has been taken before.
    #[must_use]
    pub fn to_body(&self) -> Option<JsonBody> {
        match self {
            Self::Snapshot(list) => list.to_body(),
            Self::Prepared(list) => list.body.lock().take(),
        }
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn schema_name() -> String {
        Vec::<T>::schema_name()
    }

    fn is_referenceable() -> bool {
        Vec::<T>::is_referenceable()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}
