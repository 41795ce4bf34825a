//! Log context of a request: what guards and routing record for the access log and the metrics.

use std::sync::{Arc, OnceLock};

use rocket::Request;

use super::requests_are_logged;
use crate::metrics;
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
    /// The context of a request, if requests are logged or counted.
    #[must_use]
    pub fn of<'r>(request: &'r Request<'_>) -> Option<&'r Self> {
        if !requests_are_logged() && !metrics::is_counting() {
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

    /// Records the route that matched. Recorded before its guards run: a request that is broken off has it too.
    pub fn record_route(request: &Request<'_>) {
        if let Some((context, route)) = Self::of(request).zip(request.route()) {
            // A request that waits for a 100 is routed twice.
            let _ = context.route.set(route.uri.path().to_owned());
        }
    }

    /// Records why the request was rejected: a text of this server, since the log has none of a client.
    pub fn record_reason(request: &Request<'_>, reason: &'static str) {
        if let Some(context) = Self::of(request) {
            let _ = context.reason.set(reason);
        }
    }
}
