//! The start page: what runs here, and where to go on.

use std::io::Cursor;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use quick_xml::escape::escape;
use rocket::http::{Accept, ContentType, MediaType, Status};
use rocket::response::{self, Responder};
use rocket::{get, Request, Response, State};
use serde_json::json;

use crate::api::base_url::BaseUrl;
use crate::api::json_response;

const PAGE: &str = include_str!("pages/index.html");
const ICON: &str = include_str!("../../../static/ship.svg");

/// Whether the initial data has the users of the example, whose passwords are public. Clones share it.
#[derive(Clone, Debug)]
pub struct HasExampleUsers(Arc<AtomicBool>);

impl HasExampleUsers {
    /// Whether it has.
    #[must_use]
    pub fn new(has: bool) -> Self {
        Self(Arc::new(AtomicBool::new(has)))
    }

    /// Whether it has.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Records that the initial data was replaced.
    pub fn set(&self, has: bool) {
        self.0.store(has, Ordering::Relaxed);
    }
}

/// The start page for browsers, links for programs.
pub struct Index {
    has_example_users: bool,
}

/// The start page.
#[get("/")]
pub fn index(has_example_users: &State<HasExampleUsers>) -> Index {
    Index { has_example_users: has_example_users.get() }
}

/// The icon of the pages, where browsers look for it.
#[get("/favicon.ico")]
pub fn icon() -> (ContentType, &'static str) {
    (ContentType::SVG, ICON)
}

impl<'r> Responder<'r, 'static> for Index {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let base = BaseUrl::of(request);
        let mut response = if accepts_html(request.accept()) {
            let page = page(&base, self.has_example_users);
            Response::build().header(ContentType::HTML).sized_body(page.len(), Cursor::new(page)).finalize()
        } else {
            let links = json!({
                "docs": base.join("/docs/"),
                "name": "Shipyard",
                "ships": base.join("/api/ships"),
                "specification": base.join("/openapi.json"),
                "users": base.join("/api/users"),
                "version": env!("CARGO_PKG_VERSION"),
            });
            json_response::json(request, Status::Ok, &links)?
        };
        response.adjoin_raw_header("Vary", "Accept");
        Ok(response)
    }
}

/// Whether HTML is named: `*/*` is what programs send.
fn accepts_html(accept: Option<&Accept>) -> bool {
    accept.is_some_and(|accept| {
        accept
            .iter()
            .any(|accepted| *accepted.media_type() == MediaType::HTML && accepted.weight_or(1.0) > 0.0)
    })
}

fn page(base: &BaseUrl, has_example_users: bool) -> String {
    let (logins, name, password) = match has_example_users {
        true => (
            "    <p>Example users: <code>user</code> / <code>password</code> and <code>guest</code> / \
                  <code>guest</code>.</p>\n",
            "user",
            "password",
        ),
        false => ("", "NAME", "PASSWORD"),
    };
    // The URL comes last: the Host header of a request decides it.
    PAGE.replace("VERSION", env!("CARGO_PKG_VERSION"))
        .replace("LOGINS", logins)
        .replace("USER_NAME", name)
        .replace("USER_PASSWORD", password)
        .replace("URL", &escape(base.join("")))
}
