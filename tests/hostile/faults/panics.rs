//! Panics in handlers and response bodies.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder};
use rocket::tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use rocket::{async_trait, Request, Response, State};
use shipyard::http::HttpLimits;
use shipyard::store::Store;

use test_support::http_server::{HttpServer, Setup, State as Connection, GOOD};

#[rocket::get("/handler")]
fn handler() -> &'static str {
    panic!("in a handler")
}

#[rocket::get("/handler/later")]
async fn later() -> &'static str {
    rocket::tokio::task::yield_now().await;
    panic!("in a handler, later")
}

struct Guard;

#[async_trait]
impl<'r> FromRequest<'r> for Guard {
    type Error = ();

    async fn from_request(_: &'r Request<'_>) -> Outcome<Self, ()> {
        panic!("in a guard")
    }
}

#[rocket::get("/guard")]
fn guard(_guard: Guard) -> &'static str {
    "never"
}

struct Broken;

impl<'r> Responder<'r, 'static> for Broken {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        panic!("in a responder")
    }
}

#[rocket::get("/responder")]
fn responder() -> Broken {
    Broken
}

/// A body of this size whose reader panics.
struct Body(usize);

impl AsyncRead for Body {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        panic!("in a body")
    }
}

impl AsyncSeek for Body {
    fn start_seek(self: Pin<&mut Self>, _: io::SeekFrom) -> io::Result<()> {
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(0))
    }
}

impl<'r> Responder<'r, 'static> for Body {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Response::build().sized_body(self.0, self).ok()
    }
}

#[rocket::get("/body/<size>")]
fn body(size: usize) -> Body {
    Body(size)
}

#[rocket::get("/lock")]
fn lock(store: &State<Store>) -> &'static str {
    store
        .memory()
        .map_or("not in memory", |memory| memory.while_locked(|| panic!("while the store is locked")))
}

#[rocket::get("/catcher")]
fn catcher() -> Status {
    Status::ImATeapot
}

#[rocket::get("/fairing/request")]
fn never() -> &'static str {
    "never"
}

#[rocket::get("/fairing/response")]
fn nearly() -> &'static str {
    "nearly"
}

#[rocket::catch(418)]
fn broken_catcher() -> &'static str {
    panic!("in a catcher")
}

fn panicking() -> HttpServer {
    let setup = Setup::new(HttpLimits::default());
    let routes = rocket::routes![handler, later, guard, responder, body, lock, catcher, never, nearly];
    let before = AdHoc::on_request("panics", |request, _| {
        let path = request.uri().path().to_string();
        Box::pin(async move { assert_ne!(path, "/fairing/request", "in a request fairing") })
    });
    let behind = AdHoc::on_response("panics", |request, _| {
        let path = request.uri().path().to_string();
        Box::pin(async move { assert_ne!(path, "/fairing/response", "in a response fairing") })
    });
    let rocket = setup.rocket.mount("/", routes).register("/catcher", rocket::catchers![broken_catcher]);
    Setup { rocket: rocket.attach(before).attach(behind), ..setup }.start()
}

#[test]
fn a_panic_is_a_500_for_its_own_request_only() {
    let server = panicking();
    let paths = [
        "/handler",
        "/handler/later",
        "/guard",
        "/responder",
        "/body/10",
        "/lock",
        "/catcher",
        "/fairing/request",
        "/fairing/response",
    ];
    for path in paths {
        let mut client = server.connect();
        // Once for each thread, and once more.
        for _ in 0..3 {
            client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            let answer = client.response().unwrap_or_else(|reason| panic!("{path}: {reason}"));
            assert_eq!(answer.status, 500, "{path}");
            assert_eq!(answer.json(), serde_json::json!({"error": "Internal Server Error"}), "{path}");
            answer.error();
        }
        assert_eq!(client.state(), Connection::Open, "{path}");
        server.is_well();
    }
}

#[test]
fn a_panic_in_a_response_body_ends_the_response() {
    let server = panicking();
    let mut client = server.connect();
    client.send("GET /body/1000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    // Whatever part of it arrives, it cannot be taken for a complete response.
    client.response().expect_err("no end");
    server.is_well();
}

#[test]
fn locks_work_after_a_panic() {
    let server = panicking();
    let mut client = server.connect();
    client.send("GET /lock HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().unwrap().status, 500);
    let user = r#"{"name": "new user", "password": "secret"}"#;
    client.send(format!(
        "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{user}{GOOD}",
        user.len()
    ));
    assert_eq!(client.response().unwrap().status, 201);
    assert_eq!(client.response().unwrap().status, 200);
}
