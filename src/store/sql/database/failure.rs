//! What an error of PostgreSQL means for an operation.
//!
//! The codes are in PostgreSQL's documentation, appendix A. No reason has text that may hold a value of a parameter or a name.

use thiserror::Error;

use super::connect::{StatementError, POOLER};
use crate::internal_error::chain;

/// What failed, for the log.
#[derive(Clone, Debug, Error)]
#[error("{text}")]
pub(super) struct Reason {
    pub(super) text: String,
    /// The SQLSTATE, if it came from the server.
    pub(super) code: Option<String>,
}

impl Reason {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: None }
    }
}

/// What follows from a failed statement.
#[derive(Debug)]
pub(super) enum Failure {
    /// The statement was not sent, or not run: this connection is of no use, another may be.
    TryAnother(Reason),
    /// Another transaction came first. Running the statement again may work.
    Conflict(Reason),
    /// A row with the same key exists already; the name of the constraint.
    Duplicate(String),
    /// The server cannot run it now, or it is not known whether it did.
    Unavailable(Reason),
    /// The same, on a server that refuses writes: no connection from before now is good.
    ReadOnly(Reason),
    /// A defect.
    Internal(Reason),
}

/// An error for the log: its code and its text, or only its code if the text may quote a value.
pub(super) fn describe(error: &tokio_postgres::Error) -> Reason {
    let Some(error) = error.as_db_error() else { return Reason::new(chain(error)) };
    let code = error.code().code();
    let text = match code.get(..2) {
        // The login: the text names the user.
        Some("28") => format!("the server refuses the login ({code})"),
        // A value that is out of range or malformed, or breaks a constraint: the text may quote it.
        Some("22" | "23") => format!("{} {code}", error.severity()),
        _ => format!("{} {code}: {}", error.severity(), error.message()),
    };
    Reason { text, code: Some(code.to_owned()) }
}

/// What follows from that error.
pub(super) fn classify(error: &StatementError) -> Failure {
    let (error, is_sent) = match error {
        StatementError::Preparing(error) => (error, false),
        StatementError::Running(error) => (error, true),
    };
    let reason = describe(error);
    let Some(database) = error.as_db_error() else {
        return broken(error, reason, is_sent);
    };
    let code = database.code().code();
    match code {
        "40001" | "40P01" => Failure::Conflict(reason),
        "23505" => Failure::Duplicate(database.constraint().unwrap_or_default().to_owned()),
        "25006" => Failure::ReadOnly(reason),
        // A plan of a statement from before the schema changed. The server refuses before it runs anything.
        "0A000" if database.message().contains("cached plan") => Failure::TryAnother(reason),
        // A pooler gave the statement a connection that does not know it.
        "26000" | "42P05" | "08P01" => {
            Failure::Unavailable(Reason { text: format!("{}; {POOLER}", reason.text), ..reason })
        }
        // Not known whether it ran; a cancelled one; no lock in time.
        "40003" | "57014" | "55P03" => Failure::Unavailable(reason),
        _ => match code.get(..2) {
            // Before the statement is sent, the end of a connection is no reason not to take another.
            Some("08" | "57") if !is_sent => Failure::TryAnother(reason),
            // Connection, login, resources, shut down, the system of the server; a session that the server ended.
            Some("08" | "28" | "53" | "57" | "58" | "25") => Failure::Unavailable(reason),
            _ => Failure::Internal(reason),
        },
    }
}

/// An error that the server did not send.
fn broken(error: &tokio_postgres::Error, reason: Reason, is_sent: bool) -> Failure {
    // A value that does not fit its type or a column that is read as another is a defect of this program.
    let of_connection = error.is_closed()
        || std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>());
    match (of_connection, is_sent) {
        (true, false) => Failure::TryAnother(reason),
        (true, true) => Failure::Unavailable(Reason::new(format!(
            "the connection broke while a statement ran, so that it is not known whether it did ({reason})"
        ))),
        (false, _) => Failure::Internal(reason),
    }
}
