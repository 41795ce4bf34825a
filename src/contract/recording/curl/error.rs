//! Errors of curl lines.

use thiserror::Error;

use crate::contract::recording::curl::url::UrlError;
use crate::contract::recording::shell::ShellError;
use crate::escape::escape_invisible;

/// Why a curl line cannot be sent as curl sends it. The message holds no character that moves a terminal's cursor.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", escape_invisible(&.0.to_string()))]
pub struct CurlError(pub(super) Problem);

/// What is wrong with a curl line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Problem {
    #[error(transparent)]
    Shell(#[from] ShellError),
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error("expected a line that begins with `curl`")]
    NotCurl,
    #[error("no address")]
    NoUrl,
    #[error("a second address: {0:?}")]
    SecondUrl(String),
    #[error("an address that is only `-`")]
    Dash,
    #[error("{option} is not known here; known are {known}, and what only changes what curl shows")]
    UnknownOption { option: String, known: String },
    #[error("{0} without a value")]
    NoValue(String),
    #[error("{0} is no method that can be replayed")]
    Method(String),
    #[error("{option} {value}: give the data itself, not a file")]
    DataFile { option: String, value: String },
    #[error("{0} without a password, for which curl asks")]
    NoPassword(String),
    #[error("{0} without `=`, or with `@` first: give the cookie itself, not a file")]
    CookieFile(String),
    #[error("{0} with nothing, or with `;auto`, is not understood here")]
    EmptyOrAuto(String),
    #[error("-H {name:?}: {reason}")]
    Header { name: String, reason: &'static str },
    #[error("-I and -d in one line, which curl refuses")]
    HeadWithData,
    #[error("-H \"Content-Length: {stated}\": the body has {actual} bytes")]
    ContentLength { stated: String, actual: usize },
}
