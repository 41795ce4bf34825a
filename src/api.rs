//! The API on Rocket: operations, guards, errors and the specification.

pub mod base_url;
pub mod catcher;
pub mod checks;
pub mod cors;
pub mod error;
pub mod etag;
pub mod guards;
mod json_response;
pub mod openapi;
pub mod response;
pub mod result;
pub mod routes;
pub mod routing;
pub mod security_headers;
