//! What Rocket's own server loop and routing cost: the prepared answers behind them. No tokens, no store.

#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::io::Cursor;
use std::net::Ipv4Addr;

use canned::{Answer, Canned};
use rocket::config::{Config, Ident, LogLevel};
use rocket::data::{ByteUnit, Limits};
use rocket::http::Status;
use rocket::response::{self, Responder, Response};
use rocket::shield::Shield;
use rocket::{catch, catchers, delete, get, head, options, patch, post, put, routes, Request};

/// The prepared answer to the request.
struct Prepared;

impl<'r> Responder<'r, 'static> for Prepared {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let canned = request.rocket().state::<Canned<Answer>>().ok_or(Status::InternalServerError)?;
        let uri = request.uri();
        let target = match uri.query() {
            None => Cow::Borrowed(uri.path().as_str()),
            Some(_) => Cow::Owned(uri.to_string()),
        };
        let answer = canned.find(request.method().as_str(), &target);
        let mut response = Response::build();
        response.status(Status::new(answer.status));
        for &(name, value) in &answer.headers {
            response.raw_header_adjoin(name, value);
        }
        response.sized_body(answer.body.len(), Cursor::new(answer.body)).ok()
    }
}

#[get("/<_..>")]
fn get() -> Prepared {
    Prepared
}

#[head("/<_..>")]
fn head() -> Prepared {
    Prepared
}

#[post("/<_..>", data = "<_body>")]
fn post(_body: Vec<u8>) -> Prepared {
    Prepared
}

#[put("/<_..>", data = "<_body>")]
fn put(_body: Vec<u8>) -> Prepared {
    Prepared
}

#[patch("/<_..>", data = "<_body>")]
fn patch(_body: Vec<u8>) -> Prepared {
    Prepared
}

#[delete("/<_..>")]
fn delete() -> Prepared {
    Prepared
}

#[options("/<_..>")]
fn options() -> Prepared {
    Prepared
}

#[catch(default)]
fn otherwise() -> Prepared {
    Prepared
}

#[rocket::main]
async fn main() -> canned::Result<()> {
    let config = Config {
        address: Ipv4Addr::LOCALHOST.into(),
        port: canned::port()?,
        // The file says what the header `Server` is, if anything.
        ident: Ident::none(),
        limits: Limits::new().limit("bytes", ByteUnit::Kibibyte(64)),
        log_level: LogLevel::Off,
        ..Config::release_default()
    };
    rocket::custom(config)
        // Its headers are not in the file.
        .attach(Shield::new())
        .manage(Canned::read(Ok)?)
        .mount("/", routes![get, head, post, put, patch, delete, options])
        .register("/", catchers![otherwise])
        .launch()
        .await?;
    Ok(())
}
