//! The address under which clients reach the server.

use std::fmt;

use rocket::http::uri::Absolute;
use rocket::Request;
use serde::Deserialize;

/// The part of an address before the path: scheme, host and port, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The configured address; else that of the request's Host header; else, for a request without one, that
    /// on which the server listens.
    #[must_use]
    pub fn of(request: &Request<'_>) -> Self {
        if let Some(configured) = request.rocket().state::<Self>() {
            return configured.clone();
        }
        match request.host() {
            Some(host) => Self(format!("http://{host}")),
            None => {
                let config = request.rocket().config();
                Self(format!("http://{}", std::net::SocketAddr::new(config.address, config.port)))
            }
        }
    }

    /// The address of an absolute path.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let expected = "expected http://host[:port] or https://host[:port], with a path or not";
        let url = Absolute::parse(&text).map_err(|error| format!("{error}; {expected}"))?;
        let web = matches!(url.scheme(), "http" | "https");
        if !web || url.authority().is_none() || url.query().is_some() {
            return Err(expected.to_owned());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
