//! Security headers of every response (OWASP REST Security Cheat Sheet).

use std::borrow::Cow;

use hyper::header::{
    HeaderName, HeaderValue, CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::uri::Origin;
use rocket::http::{Header, RawStr};
use rocket::{async_trait, Request, Response};

use crate::dispatch_context::DispatchContext;

/// A header, as text and in hyper's types.
pub struct Field {
    /// The name and the value.
    pub text: (&'static str, &'static str),
    /// The name.
    pub name: HeaderName,
    /// The value.
    pub value: HeaderValue,
}

impl Field {
    const fn new(name: &'static str, standard: HeaderName, value: &'static str) -> Self {
        Self { text: (name, value), name: standard, value: HeaderValue::from_static(value) }
    }
}

/// For responses that are not pages: nothing may be loaded, run or framed.
static NO_PAGE: Field = policy("default-src 'none'; frame-ancestors 'none'");

/// For Swagger UI, which comes from this server as a whole: its scripts are files, its styles and icons are inline. It sends
/// requests to this server only.
static SWAGGER_UI: Field = policy(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// For the start page: its style is inline, its icon a file.
static START_PAGE: Field = policy(
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// For static files: an image may have inline styles and be shown anywhere, but no script runs, not even in an HTML file.
static FILE: Field = policy(
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'",
);

static NO_SNIFFING: Field = Field::new("X-Content-Type-Options", X_CONTENT_TYPE_OPTIONS, "nosniff");

/// For tokens, 401 and 403: they must not be cached (RFC 6749, section 5.1).
static NO_STORE: Field = Field::new("Cache-Control", CACHE_CONTROL, "no-store");

const fn policy(text: &'static str) -> Field {
    Field::new("Content-Security-Policy", CONTENT_SECURITY_POLICY, text)
}

/// The headers of responses that the server makes without routing.
pub fn for_server_responses() -> impl Iterator<Item = &'static Field> {
    [&NO_SNIFFING, &NO_PAGE, &NO_STORE].into_iter()
}

/// The area of a path, which decides its headers.
#[derive(Clone, Copy)]
pub struct Place {
    policy: &'static Field,
    private: bool,
}

impl Place {
    /// The area of a path. Percent-encoding is decoded: `/%61uth/login` is the login too.
    #[must_use]
    pub fn of(uri: &Origin<'_>) -> Self {
        let path = uri.path().raw().as_str();
        let path = if path.as_bytes().contains(&b'%') {
            RawStr::new(path).percent_decode_lossy()
        } else {
            Cow::Borrowed(path)
        };
        let below =
            |folder| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let policy = if below("/docs") {
            &SWAGGER_UI
        } else if below("/static") {
            &FILE
        } else if path == "/" {
            &START_PAGE
        } else {
            &NO_PAGE
        };
        Self { policy, private: below("/auth") }
    }

    /// The headers of a response with that status.
    pub fn headers(self, status: u16) -> impl Iterator<Item = &'static Field> {
        let private = self.private || matches!(status, 401 | 403);
        [&NO_SNIFFING, self.policy].into_iter().chain(private.then_some(&NO_STORE))
    }
}

/// A fairing that adds the headers to Rocket's responses in process. The HTTP server adds them itself, at less cost.
pub struct SecurityHeaders;

#[async_trait]
impl Fairing for SecurityHeaders {
    fn info(&self) -> Info {
        Info { name: "security headers", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if DispatchContext::response_slot(request).is_some() {
            return;
        }
        for Field { text: (name, value), .. } in Place::of(request.uri()).headers(response.status().code) {
            response.set_header(Header::new(*name, *value));
        }
    }
}
