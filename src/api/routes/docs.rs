//! The documentation page: Swagger UI, with one copy of its files in memory, and a form that logs in.

use std::io::Cursor;
use std::sync::Arc;

use hyper::body::Bytes;
use rocket::http::uri::Origin;
use rocket::http::{ContentType, Status};
use rocket::response::Redirect;
use rocket::route::{Handler, Outcome};
use rocket::{async_trait, get, Data, Request, Response, Route};
use rocket_okapi::swagger_ui::{make_swagger_ui, SwaggerUIConfig};
use tokio::sync::OnceCell;

const PAGE: &str = include_str!("pages/docs.html");
const SCRIPT: &str = include_str!("pages/docs.js");

/// The files of Swagger UI that the page loads.
const FILES: [&str; 2] = ["/swagger-ui-bundle.js", "/swagger-ui.css"];

/// The routes, below the path of the page.
pub(crate) fn routes() -> Vec<Route> {
    let files: Vec<Route> = make_swagger_ui(&SwaggerUIConfig::default()).into();
    let shared = |mut route: Route| {
        route.handler = Box::new(SharedContent { inner: route.handler, content: Arc::default() });
        route
    };
    let files = files.into_iter().filter(|route| FILES.contains(&route.uri.path())).map(shared);
    rocket::routes![start, page, script].into_iter().chain(files).collect()
}

/// Relative, as all links of the page are: a proxy may serve it below a path of its own.
#[get("/")]
fn start(path: &Origin<'_>) -> Redirect {
    let has_slash = path.path().ends_with("/");
    Redirect::to(if has_slash { "index.html" } else { "docs/index.html" })
}

#[get("/index.html")]
fn page() -> (ContentType, &'static str) {
    (ContentType::HTML, PAGE)
}

#[get("/docs.js")]
fn script() -> (ContentType, &'static str) {
    (ContentType::JavaScript, SCRIPT)
}

/// Repeats the first response of `inner`. rocket_okapi copies the file for each request, and each slow reader would hold a
/// copy of 1.4 MB.
#[derive(Clone)]
struct SharedContent {
    inner: Box<dyn Handler>,
    content: Arc<OnceCell<(ContentType, Bytes)>>,
}

#[async_trait]
impl Handler for SharedContent {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        if let Some(content) = self.content.get() {
            return respond(content);
        }
        let mut outcome = self.inner.handle(request, data).await;
        let Outcome::Success(response) = &mut outcome else { return outcome };
        // A redirect is short, and depends on the request.
        let label = response.content_type().filter(|_| response.status() == Status::Ok);
        let Some(label) = label else { return outcome };
        match response.body_mut().to_bytes().await {
            Ok(bytes) => respond(self.content.get_or_init(|| async { (label, bytes.into()) }).await),
            Err(_) => Outcome::Error(Status::InternalServerError),
        }
    }
}

fn respond<'r>((label, bytes): &(ContentType, Bytes)) -> Outcome<'r> {
    let mut response = Response::new();
    response.set_header(label.clone());
    response.set_sized_body(bytes.len(), Cursor::new(bytes.clone()));
    Outcome::Success(response)
}
