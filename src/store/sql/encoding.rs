//! Rows as they are written: the JSON text, and the columns that repeat its values for queries.

use serde::Serialize;

use super::conditions::version;
use super::reading::unexpected;
use crate::internal_error::InternalError;
use crate::json::{self, EncodedJson, Style};
use crate::model::id::Id;
use crate::model::ship::Ship;
use crate::model::user::User;

/// Ends each text of the column `search`. No text in UTF-8 has it.
const END_OF_TEXT: u8 = 0xff;

/// The columns that every row has.
#[derive(Debug)]
pub(super) struct RowText {
    pub(super) version: i64,
    /// In the compact style, without the newline.
    pub(super) body: String,
    /// The length in a list in the pretty style, with what separates it from the next item.
    pub(super) pretty_length: i32,
    pub(super) search: Vec<u8>,
}

impl RowText {
    fn new<'a, T: Serialize>(
        value: &T,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InternalError> {
        const WHAT: &str = "writing a row as JSON";
        let render = |style: Style| style.render(value).map_err(|error| InternalError::new(WHAT, error));
        let (mut compact, pretty) = (render(Style::Compact)?, render(Style::Pretty)?);
        compact.truncate(compact.len().saturating_sub(1));
        let body = String::from_utf8(compact).map_err(|error| InternalError::new(WHAT, error))?;
        let pretty_length = Style::Pretty.item_length(&pretty);
        let pretty_length = i32::try_from(pretty_length).map_err(|error| InternalError::new(WHAT, error))?;
        let mut search = Vec::new();
        for text in texts {
            search.extend(text.bytes().map(|byte| byte.to_ascii_lowercase()));
            search.push(END_OF_TEXT);
        }
        Ok(Self { version: new_version()?, body, pretty_length, search })
    }

    pub(super) fn of_ship(ship: &Ship) -> Result<Self, InternalError> {
        let texts = [&ship.affiliation, &ship.category, &ship.manufacturer, &ship.model, &ship.ship_class];
        Self::new(ship, texts.into_iter().chain(&ship.roles).map(String::as_str))
    }

    pub(super) fn of_user(user: &User) -> Result<Self, InternalError> {
        Self::new(user, [user.name.as_str()])
    }
}

/// A row whose id the statement chooses.
#[derive(Debug)]
pub(super) struct NewRow {
    pub(super) text: RowText,
    before_id: usize,
}

impl NewRow {
    /// The row of a value with the id 0.
    pub(super) fn new(text: RowText) -> Result<Self, InternalError> {
        // Within a text of the value, quotation marks are escaped.
        const ID: &str = "\"id\":0";
        let at = text.body.find(ID);
        let at = at.ok_or_else(|| unexpected("writing a row as JSON", "it has no id".to_owned()))?;
        Ok(Self { text, before_id: at + ID.len() - 1 })
    }

    /// The body before the id and after it.
    pub(super) fn around_id(&self) -> (&str, &str) {
        let body = &self.text.body;
        (body.get(..self.before_id).unwrap_or_default(), body.get(self.before_id + 1..).unwrap_or_default())
    }

    /// The length in a pretty list without the id.
    pub(super) fn pretty_length(&self) -> i32 {
        self.text.pretty_length - 1
    }
}

/// A version that no other row has: random, so that no node needs to know of another's.
pub(super) fn new_version() -> Result<i64, InternalError> {
    let random = getrandom::u64().map_err(|error| InternalError::new("making a version", error))?;
    Ok((random >> 1).cast_signed())
}

/// The text of a stored row in that style.
pub(super) fn styled(body: &str, style: Style, what: &'static str, id: Id) -> Result<Vec<u8>, InternalError> {
    let unreadable = |error: String| unexpected(what, format!("the text of row {id}: {error}"));
    match style {
        Style::Compact if body.starts_with('{') && body.ends_with('}') => {
            let mut text = Vec::with_capacity(body.len() + 1);
            text.extend_from_slice(body.as_bytes());
            text.push(b'\n');
            Ok(text)
        }
        Style::Compact => Err(unreadable("no object".to_owned())),
        Style::Pretty => {
            let value = json::parse(body.as_bytes()).map_err(|error| unreadable(error.to_string()))?;
            style.render(&value).map_err(|error| unreadable(error.to_string()))
        }
    }
}

/// A stored row as it is answered.
pub(super) fn answered<T>(
    body: &str,
    number: i64,
    style: Style,
    what: &'static str,
    id: Id,
) -> Result<EncodedJson<T>, InternalError> {
    let text = styled(body, style, what, id)?;
    Ok(EncodedJson::from_text(text.into_boxed_slice().into()).with_version(version(number)))
}
