//! Log context of a request: what guards and routing record for the access log.

use std::sync::{Arc, OnceLock};

use rocket::fairing::{Fairing, Info, Kind};
use rocket::{async_trait, Request, Response};

use super::requests_are_logged;
use crate::model::id::Id;

/// The log context of a request. The HTTP server passes it to Rocket with each request, as
/// `Some(Arc<RequestLogContext>)`.
#[derive(Debug, Default)]
pub struct RequestLogContext {
    /// The user of the token, once the token is verified. A later check may still reject the request.
    pub user: OnceLock<Id>,
    /// The template of the route.
    pub route: OnceLock<String>,
    /// Why the request was rejected, where the response does not say so.
    pub reason: OnceLock<&'static str>,
}

impl RequestLogContext {
    /// The context of a request, if requests are logged.
    #[must_use]
    pub fn of<'r>(request: &'r Request<'_>) -> Option<&'r Self> {
        if !requests_are_logged() {
            return None;
        }
        request.local_cache(|| None::<Arc<Self>>).as_deref()
    }

    /// Records the user of the token.
    pub fn record_user(request: &Request<'_>, user: Id) {
        if let Some(context) = Self::of(request) {
            // A second guard verifies the same token.
            let _ = context.user.set(user);
        }
    }

    /// Records why the request was rejected: a text of this server, since the log has none of a client.
    pub fn record_reason(request: &Request<'_>, reason: &'static str) {
        if let Some(context) = Self::of(request) {
            let _ = context.reason.set(reason);
        }
    }
}

/// A fairing that records the route of every request.
pub struct RecordRoute;

#[async_trait]
impl Fairing for RecordRoute {
    fn info(&self) -> Info {
        Info { name: "route recorder for the access log", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, _: &mut Response<'r>) {
        if let Some((context, route)) = RequestLogContext::of(request).zip(request.route()) {
            // It is not set yet: a request has one response.
            let _ = context.route.set(route.uri.path().to_owned());
        }
    }
}
