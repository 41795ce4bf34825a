//! Text of a statement and its parameters. It takes constant texts and values, and no other text: so no value that a client
//! sends can become a part of the statement.

use std::fmt::Write;

use tokio_postgres::types::{ToSql, Type};

use crate::store::sql::conditions::Parameter;

/// The values of the parameters.
#[derive(Default)]
pub(in crate::store::sql) struct Values(Vec<(Box<dyn ToSql + Sync + Send>, Type)>);

impl Values {
    pub(in crate::store::sql) fn parameters(&self) -> Vec<Parameter<'_>> {
        self.0.iter().map(|(value, kind)| (value.as_ref() as &(dyn ToSql + Sync), kind.clone())).collect()
    }
}

/// A statement, or a part of one, that is being put together.
#[derive(Default)]
pub(super) struct Text {
    text: String,
    values: Values,
}

/// A part that can be repeated, with the same values.
pub(super) struct Part(String);

impl Text {
    /// Adds a constant text.
    pub(super) fn push(&mut self, text: &'static str) {
        self.text.push_str(text);
    }

    /// Adds constant texts.
    pub(super) fn extend<const N: usize>(&mut self, texts: [&'static str; N]) {
        texts.into_iter().for_each(|text| self.push(text));
    }

    /// Adds the parameter for a value.
    pub(super) fn bind(&mut self, value: impl ToSql + Sync + Send + 'static, kind: Type) {
        self.values.0.push((Box::new(value), kind));
        // Writing to a String does not fail.
        let _ = write!(self.text, "${}", self.values.0.len());
    }

    /// What `write` adds, as a part of its own.
    pub(super) fn part(&mut self, write: impl FnOnce(&mut Self)) -> Part {
        let outer = std::mem::take(&mut self.text);
        write(self);
        Part(std::mem::replace(&mut self.text, outer))
    }

    /// Adds a part.
    pub(super) fn repeat(&mut self, part: &Part) {
        self.text.push_str(&part.0);
    }

    pub(super) fn finish(self) -> (String, Values) {
        (self.text, self.values)
    }
}
