//! Errors of recordings.

use thiserror::Error;

use crate::contract::client::wire::WireError;
use crate::contract::recording::curl::CurlError;
use crate::contract::recording::placeholders::PlaceholderError;
use crate::contract::recording::script::VariableError;
use crate::contract::recording::secrets::SecretsFound;
use crate::contract::recording::transcript::{TranscriptError, TranscriptProblem};
use crate::contract::session::live::NotSent;
use crate::internal_error::InternalError;
use crate::json::Malformed;

/// Why nothing is recorded: the place, and as the source the reason.
#[derive(Debug, Error)]
#[error("{place}")]
pub struct RecordError {
    place: String,
    source: ExchangeError,
}

impl RecordError {
    /// An error at a place: a line of the file, or an exchange.
    pub(super) fn at<E: Into<ExchangeError>>(place: &str) -> impl FnOnce(E) -> Self {
        let place = place.to_owned();
        |error| Self { place, source: error.into() }
    }
}

/// Why an exchange is not recorded.
#[derive(Debug, Error)]
pub enum ExchangeError {
    /// A variable has no value.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// The curl line is not supported.
    #[error(transparent)]
    Curl(#[from] CurlError),
    /// A value of a response names a secret.
    #[error("with the values of earlier responses it names {0}, which the line does not")]
    OtherSecret(String),
    /// The request or the response holds secrets.
    #[error(transparent)]
    Secrets(#[from] SecretsFound),
    /// A secret of the request is not filled in.
    #[error(transparent)]
    Placeholder(#[from] PlaceholderError),
    /// The layout of the recordings changes the length of a body that a response to HEAD does not have.
    #[error(
        "how long the response to a HEAD would be in the layout of the recordings cannot be known; record it without --url"
    )]
    Head,
    /// There is no response.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// There is no live request for the recorded one.
    #[error(transparent)]
    NotSent(#[from] NotSent),
    /// The body cannot be part of a transcript.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// The body has JSON that this program does not read.
    #[error("the body cannot be recorded")]
    Body(#[source] Malformed),
    /// A token in the response cannot be signed again.
    #[error("{0}: only tokens that are signed by HS256 can be recorded")]
    NotHs256(String),
    /// The response cannot be written as a transcript.
    #[error("the response cannot be recorded: line {line} of it")]
    Transcript {
        /// The line of the transcript.
        line: usize,
        /// What is wrong with it.
        source: TranscriptProblem,
    },
    /// This program failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl From<TranscriptError> for ExchangeError {
    fn from(TranscriptError { line, problem }: TranscriptError) -> Self {
        Self::Transcript { line, source: problem }
    }
}
