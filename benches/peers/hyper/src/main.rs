//! As little as hyper can do: reads a request to its end, looks up its answer, sends it. No tokens, no store.

#![forbid(unsafe_code)]

use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use canned::{Canned, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};

struct Prepared {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Prepared {
    fn new(answer: canned::Answer) -> Result<Self> {
        let mut headers = HeaderMap::new();
        for (name, value) in answer.headers {
            let value = HeaderValue::from_maybe_shared(Bytes::from_static(value.as_bytes()))?;
            headers.append(HeaderName::from_bytes(name.as_bytes())?, value);
        }
        let body = Bytes::from_static(answer.body.as_bytes());
        Ok(Self { status: StatusCode::from_u16(answer.status)?, headers, body })
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

async fn answer(
    canned: &Canned<Prepared>,
    request: Request<Incoming>,
) -> hyper::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    body.collect().await?;
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    Ok(canned.find(head.method.as_str(), target).response())
}

async fn serve(canned: &'static Canned<Prepared>, stream: std::net::TcpStream) {
    // Registered here and not where it was accepted: only this thread is to be woken.
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let service = service_fn(|request| answer(canned, request));
    // An error is a client that left, or one that speaks something else.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// A thread that serves the connections it is given.
fn worker() -> Result<Handle> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(handle)
}

fn main() -> Result<()> {
    let canned: &'static _ = Box::leak(Box::new(Canned::read(Prepared::new)?));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, canned::port()?))?;
    let count = thread::available_parallelism()?.get();
    let workers = (0..count).map(|_| worker()).collect::<Result<Vec<_>>>()?;
    // In turn, so that each has its share however few connections there are.
    for worker in workers.iter().cycle() {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        worker.spawn(serve(canned, stream));
    }
    Ok(())
}
