//! Base URL: the address at which clients reach the server.

use std::str::FromStr;

use rocket::http::uri::Absolute;
use rocket::Request;
use thiserror::Error;

/// The part of a URL before the path: scheme, host and port, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The configured URL; else the host of the request; else, for a request without one, the address on which the server
    /// listens.
    #[must_use]
    pub fn of(request: &Request<'_>) -> Self {
        if let Some(configured) = request.rocket().state::<Self>() {
            return configured.clone();
        }
        match request.host().filter(|host| !host.domain().is_empty()) {
            Some(host) => Self(format!("http://{host}")),
            None => {
                let config = request.rocket().config();
                Self(format!("http://{}", std::net::SocketAddr::new(config.address, config.port)))
            }
        }
    }

    /// The URL of an absolute path.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

/// The text is not a [`BaseUrl`].
#[derive(Debug, Error)]
#[error("{0:?} is not of the form http[s]://host[:port][/path]")]
pub struct InvalidBaseUrl(String);

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        let is_http = |url: &Absolute<'_>| {
            matches!(url.scheme(), "http" | "https")
                && url.query().is_none()
                && url.authority().is_some_and(|at| !at.host().is_empty() && at.user_info().is_none())
        };
        if Absolute::parse(text).is_ok_and(|url| is_http(&url)) {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err(InvalidBaseUrl(text.to_owned()))
        }
    }
}
