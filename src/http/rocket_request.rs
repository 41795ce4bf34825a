//! A request as Rocket sees it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::header::{CONTENT_LENGTH, HOST};
use hyper::http::request::Parts;
use rocket::http::uri::{Host, Origin};
use rocket::http::{Header, Method};
use rocket::local::asynchronous::LocalRequest;

use super::ServerState;
use crate::dispatch_context::{parse_method, DispatchContext, ResponseSlot};
use crate::log::RequestLogContext;

/// What is asked, by whom.
pub(super) struct RocketRequest {
    pub(super) origin: Origin<'static>,
    pub(super) host: Option<Host<'static>>,
    pub(super) body: Vec<u8>,
    pub(super) client: SocketAddr,
    pub(super) log_context: Option<Arc<RequestLogContext>>,
}

impl RocketRequest {
    /// The request, with which the front's shelf is left.
    pub(super) fn of(
        self,
        server: &'static ServerState,
        head: &Parts,
        response_slot: &Arc<ResponseSlot>,
    ) -> LocalRequest<'static> {
        // An unknown method is as wrong as one that no path has.
        let method = parse_method(head.method.as_str()).unwrap_or(Method::Trace);
        let mut local = server.rocket.req(method, ParsedOrigin(self.origin));
        // The host that is asked, and the body, Rocket has apart.
        for (name, value) in head.headers.iter().filter(|(name, _)| ![HOST, CONTENT_LENGTH].contains(name)) {
            let value = match std::str::from_utf8(value.as_bytes()) {
                Ok(text) => text.to_owned(),
                // Rocket's headers are texts. What is none fits nothing that a guard accepts.
                Err(_) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
            };
            local.add_header(Header::new(name.as_str().to_owned(), value));
        }
        local.set_body(self.body);
        let request = local.inner_mut();
        request.set_remote(self.client);
        if let Some(host) = self.host {
            request.set_host(host);
        }
        request
            .local_cache(|| Some(DispatchContext { method, response_slot: Some(Arc::clone(response_slot)) }));
        if self.log_context.is_some() {
            request.local_cache(|| self.log_context);
        }
        local
    }
}

/// A target that has been read. Rocket writes what it is given as text, for want of a target in what cannot be read;
/// this can.
struct ParsedOrigin(Origin<'static>);

impl fmt::Display for ParsedOrigin {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl From<ParsedOrigin> for Origin<'static> {
    fn from(ParsedOrigin(origin): ParsedOrigin) -> Self {
        origin
    }
}
