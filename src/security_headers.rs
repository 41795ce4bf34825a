//! What every answer tells browsers and caches not to do (OWASP REST Security Cheat Sheet).

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Header;
use rocket::{async_trait, Request, Response};

/// Nothing that is answered here is a page, but for Swagger UI: nothing may be loaded, run or framed.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// The headers of an answer with that status to a request for that path.
pub fn of(path: &str, status: u16) -> impl Iterator<Item = (&'static str, &'static str)> {
    // Tokens, and who was refused what, must lie in no cache (RFC 6749, section 5.1).
    let private = path.starts_with("/auth/") || matches!(status, 401 | 403);
    [("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", POLICY)]
        .into_iter()
        .chain(private.then_some(("Cache-Control", "no-store")))
}

/// Adds the headers to everything that Rocket answers.
pub struct SecurityHeaders;

#[async_trait]
impl Fairing for SecurityHeaders {
    fn info(&self) -> Info {
        Info { name: "security headers", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        for (name, value) in of(request.uri().path().as_str(), response.status().code) {
            response.set_header(Header::new(name, value));
        }
    }
}
