//! Malformed and unusual requests as raw bytes, each with its expected responses and the state of the connection
//! afterwards. The tables follow RFC 9110 and RFC 9112.

mod fields;
mod framing;
mod lines;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rocket::data::ToByteUnit;
use rocket::{Data, Route};
use shipyard::http::HttpLimits;

use test_support::http_server::{HttpServer, RawClient, RawResponse, Setup, State};

/// The time for a row: the longest deadline that a row waits for, and a margin for a busy machine.
const MOST: Duration = Duration::from_secs(10);

/// The number of connections at a time.
const CLIENTS: usize = 8;

/// Bytes to send, and the expected result.
pub struct Row {
    name: String,
    bytes: Vec<u8>,
    answers: Vec<u16>,
    then: State,
    says: &'static str,
    is_finished: bool,
    waits: bool,
    is_head: bool,
}

impl Row {
    /// Expects these statuses, in order, and then this state of the connection.
    pub fn new(name: impl Into<String>, answers: &[u16], then: State, bytes: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.as_ref().to_vec(),
            answers: answers.to_vec(),
            then,
            says: "",
            is_finished: false,
            waits: false,
            is_head: false,
        }
    }

    /// Expects this text in the body of the last response.
    pub fn says(mut self, word: &'static str) -> Self {
        self.says = word;
        self
    }

    /// The client closes its side after the bytes.
    pub fn finished(mut self) -> Self {
        self.is_finished = true;
        self
    }

    /// The client sends no more, and waits.
    pub fn waits(mut self) -> Self {
        self.waits = true;
        self
    }

    /// The first response is to HEAD.
    pub fn head(mut self) -> Self {
        self.is_head = true;
        self
    }

    fn run(&self, client: &mut RawClient) -> Result<(), String> {
        client.send(&self.bytes);
        if self.is_finished {
            client.finish();
        }
        let mut last = None;
        for (at, &status) in self.answers.iter().enumerate() {
            let response = if at == 0 && self.is_head { client.head() } else { client.response() };
            let response = response.map_err(|reason| format!("instead of {status}: {reason}"))?;
            if response.status != status {
                return Err(format!("{} instead of {status}: {:.200?}", response.status, body(&response)));
            }
            if status > 100 {
                assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"), "{response:?}");
            }
            if status >= 400 && !(at == 0 && self.is_head) {
                response.error();
            }
            last = Some(response);
        }
        let last = last.map(|response| body(&response)).unwrap_or_default();
        if !last.contains(self.says) {
            return Err(format!("{:?} is not in {last:.200?}", self.says));
        }
        let state = if self.is_finished || self.waits { client.end().0 } else { client.state() };
        if state == self.then {
            Ok(())
        } else {
            Err(format!("{state:?} instead of {:?}", self.then))
        }
    }
}

fn body(response: &RawResponse) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

/// One response, and the next request is answered as well.
pub fn served(name: impl Into<String>, status: u16, bytes: impl AsRef<[u8]>) -> Row {
    Row::new(name, &[status], State::Open, bytes)
}

/// One response, the last on its connection.
pub fn last(name: impl Into<String>, status: u16, bytes: impl AsRef<[u8]>) -> Row {
    Row::new(name, &[status], State::Closed, bytes)
}

/// Closed without a response: nothing was requested.
pub fn silent(name: impl Into<String>, bytes: impl AsRef<[u8]>) -> Row {
    Row::new(name, &[], State::Closed, bytes)
}

/// A request that gets a 404: to see whether it is served after another one.
pub const SECOND: &str = "GET /api/ships/9999 HTTP/1.1\r\nHost: a\r\n\r\n";

/// The body as received.
#[rocket::post("/echo", data = "<data>")]
async fn echo(data: Data<'_>) -> String {
    data.open(1.mebibytes()).into_string().await.expect("text").into_inner()
}

fn echoing() -> Vec<Route> {
    rocket::routes![echo]
}

fn run(server: &HttpServer, row: &Row) -> Result<(), String> {
    let start = Instant::now();
    let mut client = server.connect();
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| row.run(&mut client)));
    let done = done.unwrap_or_else(|_| Err("no strict response; see above".to_owned()));
    done.and_then(|()| match start.elapsed() {
        took if took > MOST => Err(format!("took {took:?}")),
        _ => Ok(()),
    })
    .map_err(|reason| format!("{}: {reason}", row.name))
}

#[test]
fn every_raw_request_gets_the_listed_response() {
    let rows: Vec<Row> = [framing::rows(), lines::rows(), fields::rows()].into_iter().flatten().collect();
    assert!(rows.len() >= 200, "{} rows", rows.len());
    for row in &rows {
        let expected = row.answers.iter().all(|status| *status < 500 || [501, 505].contains(status));
        assert!(expected, "{}: the server is never broken by what comes", row.name);
        let namesakes = rows.iter().filter(|other| other.name == row.name).count();
        assert_eq!(namesakes, 1, "{}", row.name);
    }
    let limits = HttpLimits {
        header_timeout: Duration::from_secs(1),
        body_timeout: Duration::from_secs(1),
        keep_alive: Duration::from_secs(2),
        ..HttpLimits::default()
    };
    let mut setup = Setup::new(limits);
    setup.rocket = setup.rocket.mount("/", echoing());
    let server = setup.start();
    let next = AtomicUsize::new(0);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let client = || {
            let mine = std::iter::from_fn(|| rows.get(next.fetch_add(1, Ordering::Relaxed)));
            mine.filter_map(|row| run(&server, row).err()).collect::<Vec<_>>()
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    server.is_well();
}
