//! Allowed differences: the sections of docs/differences.md that two responses to one request can show.
//!
//! A difference is allowed only if the section applies to the request, the recorded response is as one server gives it,
//! and the live response as the other does. The caller names the server that the live one may respond like: what the
//! original server may do differently is a mismatch for a server that is checked as Shipyard, and the reverse.

mod conditions;
mod sections;

use std::fmt;

use crate::contract::compare::allowed_difference::conditions::{
    differs_only_in_id, is_creation, is_from_original,
};
pub use crate::contract::compare::allowed_difference::sections::ALL;
use crate::contract::compare::difference::CompareMode;
use crate::contract::compare::lossless::Json;
use crate::contract::recording::history::History;
use crate::contract::recording::message::Response;
use crate::contract::recording::transcript::Exchange;

/// The server whose responses a live server may give where the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The original, where the recording has a response of this server.
    Original,
    /// This server, where the recording has a response of the original.
    Shipyard,
}

/// An exchange in its scenario.
pub struct Case<'a> {
    /// The exchange.
    pub exchange: &'a Exchange,
    /// When the scenario's server started, in seconds since 1970.
    pub start: u64,
    /// What happened before it.
    pub history: &'a History,
    /// How bodies are compared.
    pub mode: CompareMode,
}

/// One section of docs/differences.md.
pub struct AllowedDifference {
    /// Its name there.
    pub name: &'static str,
    applies_to: fn(&Case<'_>) -> bool,
    original: fn(&Case<'_>, &Response) -> bool,
    shipyard: fn(&Case<'_>, &Response) -> bool,
}

/// The condition of sections that no single response to a recorded request can show.
const NOT_OBSERVABLE: fn(&Case<'_>) -> bool = |_| false;

/// The section with this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static AllowedDifference> {
    ALL.iter().find(|allowed| allowed.name == name)
}

impl fmt::Debug for AllowedDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl AllowedDifference {
    /// Whether this section explains the difference between the recorded and the live response, if the live server may
    /// respond like `side`.
    #[must_use]
    pub fn explains(&self, case: &Case<'_>, live: &Response, side: Side) -> bool {
        let recorded = &case.exchange.response;
        let (other, own) = match side {
            Side::Original => (self.shipyard, self.original),
            Side::Shipyard => (self.original, self.shipyard),
        };
        // A response that the original gave is not a difference from the original.
        let is_itself = side == Side::Original && is_from_original(recorded);
        let in_this = other(case, recorded) && !own(case, recorded) && own(case, live);
        (self.applies_to)(case) && !is_itself && in_this && {
            // These sections are about one part of the response; the rest must be as recorded.
            match self.name {
                "json_errors" => live.status == recorded.status,
                "no_content_type_on_204" => {
                    let others = ["Content-Length", "Location"];
                    live.body == recorded.body
                        && others.iter().all(|name| live.header(name) == recorded.header(name))
                }
                "ids_are_never_reused" => !is_creation(case) || differs_only_in_id(case, live),
                "utf8_text" => {
                    live.status == recorded.status
                        && Json::parse(&live.body).ok() == Json::parse(&recorded.body).ok()
                }
                _ => true,
            }
        }
    }
}
