//! HTTP messages as they are recorded, replayed and sent: names and bytes, not interpreted.

use rocket::http::Method;
use serde_json::Value;

/// Headers in order. Names are case-insensitive (RFC 9110, section 5.1).
pub type Headers = Vec<(String, String)>;

/// The first header with this name.
#[must_use]
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, with its query if it has one.
    pub path: String,
    /// Every header but Content-Length.
    pub headers: Headers,
    /// The body; `None` is no body, which differs from an empty one.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: Method, path: &str) -> Self {
        Self { method, path: path.to_owned(), headers: Headers::new(), body: None }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this value in the place of all headers with this name.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.header(name, value)
    }

    /// With a bearer token (RFC 6750, section 2.1).
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// With a JSON body and its Content-Type.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    /// The bearer token, if it has one.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        header(&self.headers, "Authorization")?.strip_prefix("Bearer ").filter(|token| !token.is_empty())
    }

    /// The path without its query.
    #[must_use]
    pub fn target(&self) -> &str {
        self.path.split_once('?').map_or(self.path.as_str(), |(path, _)| path)
    }

    /// Method and path, for messages.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP version, status code and reason phrase, as sent.
    pub status_line: String,
    /// The status code.
    pub status: u16,
    /// Every header.
    pub headers: Headers,
    /// The body without its transfer coding.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header with this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body as JSON, read strictly.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        crate::json::parse(&self.body).ok()
    }
}
