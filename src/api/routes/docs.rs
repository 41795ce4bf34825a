//! Swagger UI, with one copy of its files in memory.

use std::io::Cursor;
use std::sync::Arc;

use hyper::body::Bytes;
use rocket::http::{ContentType, Status};
use rocket::route::{Handler, Outcome};
use rocket::{async_trait, Data, Request, Response, Route};
use rocket_okapi::swagger_ui::{make_swagger_ui, SwaggerUIConfig};
use tokio::sync::OnceCell;

/// The routes of Swagger UI for the specification at that URL.
pub(crate) fn routes(spec_url: &str) -> Vec<Route> {
    let config = SwaggerUIConfig { url: spec_url.to_owned(), ..SwaggerUIConfig::default() };
    let routes: Vec<Route> = make_swagger_ui(&config).into();
    let shared = |mut route: Route| {
        route.handler = Box::new(SharedContent { inner: route.handler, content: Arc::default() });
        route
    };
    routes.into_iter().map(shared).collect()
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
