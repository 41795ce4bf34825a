//! The deliberate differences of docs/differences.md, as far as two answers to one request can show them.
//!
//! A difference is tolerated only where the request is of the kind that its section speaks of, the recorded answer
//! is as the one side gives it, and the live one as the other. The side that a server is held to be is given: what
//! the original allows is no excuse for a server that claims to be like this one, nor the other way round.

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

/// Whose answers a live server may give where the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The original's, in the place of what this server was recorded to answer.
    Original,
    /// This server's, in the place of what the original was recorded to answer.
    Shipyard,
}

/// A request in its place in the scenario.
pub struct Case<'a> {
    /// The exchange.
    pub exchange: &'a Exchange,
    /// When the scenario's server was started.
    pub start: u64,
    /// What has happened before it.
    pub history: &'a History,
    /// How its answers are compared.
    pub measure: CompareMode,
}

/// One section of docs/differences.md.
pub struct AllowedDifference {
    /// The name of the section.
    pub name: &'static str,
    applies_to: fn(&Case<'_>) -> bool,
    original: fn(&Case<'_>, &Response) -> bool,
    shipyard: fn(&Case<'_>, &Response) -> bool,
}

/// The condition of sections that no single response to a recorded request can show.
const NOT_OBSERVABLE: fn(&Case<'_>) -> bool = |_| false;

/// The section of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static AllowedDifference> {
    ALL.iter().find(|deviation| deviation.name == name)
}

impl fmt::Debug for AllowedDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl AllowedDifference {
    /// Whether this section speaks of what differs between these two answers, and the live one is that side's.
    #[must_use]
    pub fn explains(&self, case: &Case<'_>, live: &Response, side: Side) -> bool {
        let recorded = &case.exchange.response;
        let (other, own) = match side {
            Side::Original => (self.shipyard, self.original),
            Side::Shipyard => (self.original, self.shipyard),
        };
        // What the original was recorded to answer is what the original answers.
        let is_itself = side == Side::Original && is_from_original(recorded);
        let in_this = other(case, recorded) && !own(case, recorded) && own(case, live);
        (self.applies_to)(case) && !is_itself && in_this && {
            // The sections below speak of one thing only; all else must be as recorded.
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
