//! What every answer tells browsers and caches not to do (OWASP REST Security Cheat Sheet).

use std::borrow::Cow;

use hyper::header::{
    HeaderName, HeaderValue, CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::uri::Origin;
use rocket::http::{Header, RawStr};
use rocket::{async_trait, Request, Response};

use crate::dispatch_context::DispatchContext;

/// A header: as text, and as hyper takes it.
pub struct Field {
    /// Its name and its value.
    pub text: (&'static str, &'static str),
    /// Its name.
    pub name: HeaderName,
    /// Its value.
    pub value: HeaderValue,
}

impl Field {
    const fn new(name: &'static str, standard: HeaderName, value: &'static str) -> Self {
        Self { text: (name, value), name: standard, value: HeaderValue::from_static(value) }
    }
}

/// For what is no page: nothing may be loaded, run or framed.
static NO_PAGE: Field = policy("default-src 'none'; frame-ancestors 'none'");

/// For Swagger UI, all of which comes from this server: its scripts are files, its styles and icons stand in
/// what they make. It sends requests to this server only.
static SWAGGER_UI: Field = policy(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// For static files of any origin: an image may have styles of its own, and be shown anywhere, but no script
/// runs, not even in a page that is opened as one.
static FILE: Field = policy(
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'",
);

static NO_SNIFFING: Field = Field::new("X-Content-Type-Options", X_CONTENT_TYPE_OPTIONS, "nosniff");

/// Tokens, and who was refused what, must lie in no cache (RFC 6749, section 5.1).
static NO_STORE: Field = Field::new("Cache-Control", CACHE_CONTROL, "no-store");

const fn policy(text: &'static str) -> Field {
    Field::new("Content-Security-Policy", CONTENT_SECURITY_POLICY, text)
}

/// The headers of what the front answers without looking for a path.
pub fn for_server_responses() -> impl Iterator<Item = &'static Field> {
    [&NO_SNIFFING, &NO_PAGE, &NO_STORE].into_iter()
}

/// What lies under a path, as far as it matters here.
#[derive(Clone, Copy)]
pub struct Place {
    policy: &'static Field,
    private: bool,
}

impl Place {
    /// That of the path, free of percent-encoding: `/%61uth/login` is the login as well.
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
        } else {
            &NO_PAGE
        };
        Self { policy, private: below("/auth") }
    }

    /// The headers of an answer with that status.
    pub fn headers(self, status: u16) -> impl Iterator<Item = &'static Field> {
        let private = self.private || matches!(status, 401 | 403);
        [&NO_SNIFFING, self.policy].into_iter().chain(private.then_some(&NO_STORE))
    }
}

/// Adds the headers to what Rocket answers in process. The front, which adds them to its own answers too, does so at
/// less cost.
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
