//! Path parameters.

use rocket::request::FromParam;

use crate::model::id::{Id, NotAnId};

impl<'r> FromParam<'r> for Id {
    type Error = NotAnId;

    fn from_param(segment: &'r str) -> Result<Self, NotAnId> {
        segment.parse()
    }
}
