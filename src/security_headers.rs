//! What every answer tells browsers and caches not to do (OWASP REST Security Cheat Sheet).

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::uri::Origin;
use rocket::http::{Header, RawStr};
use rocket::{async_trait, Request, Response};

use crate::routing::Handed;

/// For what is no page: nothing may be loaded, run or framed.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";

/// For Swagger UI, all of which comes from this server: its scripts are files, its styles and icons stand in
/// what they make. It asks this server and nobody else.
const SWAGGER_UI: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// For files, whoever put them there: an image may have styles of its own, and be shown anywhere, but no script
/// runs, not even in a page that is opened as one.
const FILE: &str = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; sandbox; \
     frame-ancestors 'none'";

const NO_SNIFFING: (&str, &str) = ("X-Content-Type-Options", "nosniff");
const POLICY: &str = "Content-Security-Policy";

/// Tokens, and who was refused what, must lie in no cache (RFC 6749, section 5.1).
const NO_STORE: (&str, &str) = ("Cache-Control", "no-store");

/// The headers of what the front answers without looking for a path.
pub const OF_THE_FRONT: [(&str, &str); 3] = [NO_SNIFFING, (POLICY, NO_PAGE), NO_STORE];

/// What lies under a path, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    policy: &'static str,
    private: bool,
}

impl Place {
    /// That of the path, free of percent-encoding: `/%61uth/login` is the login as well.
    #[must_use]
    pub fn of(uri: &Origin<'_>) -> Self {
        let path = RawStr::new(uri.path().raw().as_str()).percent_decode_lossy();
        let below =
            |folder| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let policy = if below("/docs") {
            SWAGGER_UI
        } else if below("/static") {
            FILE
        } else {
            NO_PAGE
        };
        Self { policy, private: below("/auth") }
    }

    /// The headers of an answer with that status.
    pub fn headers(self, status: u16) -> impl Iterator<Item = (&'static str, &'static str)> {
        let private = self.private || matches!(status, 401 | 403);
        [NO_SNIFFING, (POLICY, self.policy)].into_iter().chain(private.then_some(NO_STORE))
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
        if Handed::with(request).is_some_and(|handed| handed.by_the_front) {
            return;
        }
        for (name, value) in Place::of(request.uri()).headers(response.status().code) {
            response.set_header(Header::new(name, value));
        }
    }
}
