//! What is found out about a request between its coming and its answer, for its line in the log.

use std::sync::{Arc, OnceLock};

use rocket::fairing::{Fairing, Info, Kind};
use rocket::{async_trait, Request, Response};

use super::requests_are_logged;
use crate::model::id::Id;

/// What guards and routing find out about a request. The HTTP server passes one to Rocket with each request as
/// `Some(Arc<RequestLogContext>)`.
#[derive(Debug, Default)]
pub struct RequestLogContext {
    /// The user of its token, once that is verified: whether or not the request was let in.
    pub user: OnceLock<Id>,
    /// The template of the route that it came to.
    pub route: OnceLock<String>,
}

impl RequestLogContext {
    /// Those of the request, if requests are logged.
    #[must_use]
    pub fn of<'r>(request: &'r Request<'_>) -> Option<&'r Self> {
        if !requests_are_logged() {
            return None;
        }
        request.local_cache(|| None::<Arc<Self>>).as_deref()
    }

    /// The token of the request is this user's.
    pub fn record_user(request: &Request<'_>, user: Id) {
        if let Some(facts) = Self::of(request) {
            // A token that is looked at again is the same user's.
            let _ = facts.user.set(user);
        }
    }
}

/// Notes the route of every request.
pub struct RecordRoute;

#[async_trait]
impl Fairing for RecordRoute {
    fn info(&self) -> Info {
        Info { name: "the route of a request, for the log", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, _: &mut Response<'r>) {
        if let Some((facts, route)) = RequestLogContext::of(request).zip(request.route()) {
            // A request has one answer.
            let _ = facts.route.set(route.uri.path().to_owned());
        }
    }
}
