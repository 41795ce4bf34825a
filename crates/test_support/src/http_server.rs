//! The HTTP server in process, and a client that sends raw bytes. Every wait has a limit.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown as Direction, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rocket::http::Method;
use rocket::{Build, Rocket};
use serde_json::Value;
use shipyard::auth::clock::{Clock, TokenIds};
use shipyard::auth::secret::Secret;
use shipyard::config::Settings;
use shipyard::contract::client::response_reader::ResponseReader;
use shipyard::contract::client::wire::WireError;
use shipyard::http::listen::Address;
use shipyard::http::shutdown::ShutdownHandle;
use shipyard::http::{serve, HttpLimits, Shutdown};
use shipyard::store::seed::{Data, EXAMPLE};
use shipyard::AppConfig;
#[cfg(target_os = "linux")]
use socket2::{Domain, Socket, Type};
use tokio::runtime::Builder;

use crate::server::{settings, unstarted, NOW, SECRET};

/// The longest that any step of a test waits.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A request whose response is a 200 that leaves the connection open.
pub const GOOD: &str = "GET /api/ships/2 HTTP/1.1\r\nHost: a\r\n\r\n";

/// Short limits, far enough apart to tell which of them it was.
pub fn short() -> HttpLimits {
    HttpLimits {
        header_timeout: Duration::from_millis(600),
        body_timeout: Duration::from_millis(900),
        request_timeout: Duration::from_millis(1500),
        keep_alive: Duration::from_millis(400),
        workers: 2,
        ..HttpLimits::default()
    }
}

/// What to start.
pub struct Setup {
    pub rocket: Rocket<Build>,
    pub limits: HttpLimits,
    pub grace: Duration,
    pub mercy: Duration,
}

impl Setup {
    pub fn new(limits: HttpLimits) -> Self {
        let (grace, mercy) = (Duration::from_secs(2), Duration::from_secs(1));
        Self { rocket: unstarted(), limits, grace, mercy }
    }

    /// With that folder behind `/static/`.
    pub fn with_files(limits: HttpLimits, folder: PathBuf) -> Self {
        Self::with_settings(limits, Settings { static_dir: folder.into(), ..settings() })
    }

    /// With those settings.
    pub fn with_settings(limits: HttpLimits, settings: Settings) -> Self {
        let parts = AppConfig {
            settings,
            data: Data::parse("example", EXAMPLE.as_bytes()).unwrap(),
            keys: (&Secret::new(SECRET).unwrap()).into(),
            clock: Clock::manual(NOW),
            token_ids: TokenIds::Random,
        };
        Self { rocket: shipyard::build(parts).unwrap(), ..Self::new(limits) }
    }

    pub fn start(self) -> HttpServer {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (shutdown_handle, shutdown) = Shutdown::new(self.grace, self.mercy);
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listeners = Address::Ip([127, 0, 0, 1].into()).listen(0).expect("a free port");
                sender.send(listeners[0].local_addr().unwrap()).unwrap();
                serve(self.rocket, listeners, self.limits, shutdown).await.expect("the server starts");
            });
        });
        let address = receiver.recv_timeout(LIMIT).expect("the server listens");
        HttpServer { address, shutdown_handle: Some(shutdown_handle), thread: Some(thread) }
    }
}

/// A server; ended with the value.
pub struct HttpServer {
    pub address: SocketAddr,
    shutdown_handle: Option<ShutdownHandle>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    pub fn start(limits: HttpLimits) -> Self {
        Setup::new(limits).start()
    }

    pub fn connect(&self) -> RawClient {
        RawClient::connect(self.address)
    }

    /// A connection from another address of this machine.
    #[cfg(target_os = "linux")]
    pub fn connect_from(&self, client: [u8; 4]) -> RawClient {
        self.connect_with(client, None)
    }

    /// The same with a receive buffer of that size.
    #[cfg(target_os = "linux")]
    pub fn connect_with(&self, client: [u8; 4], room: Option<usize>) -> RawClient {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        if let Some(room) = room {
            socket.set_recv_buffer_size(room).unwrap();
        }
        socket.bind(&SocketAddr::from((client, 0)).into()).expect("an address of this machine");
        socket.connect(&self.address.into()).expect("the server listens");
        RawClient::over(TcpStream::from(socket))
    }

    /// Asks the server to end.
    pub fn ask_to_end(&self) {
        self.shutdown_handle.as_ref().unwrap().end();
    }

    /// Ends the server. Returns how long it took.
    pub fn end(mut self) -> Duration {
        let start = Instant::now();
        self.ask_to_end();
        self.thread.take().unwrap().join().expect("the server ends well");
        start.elapsed()
    }

    /// Checks that a good client gets its response.
    pub fn is_well(&self) {
        let mut client = self.connect();
        client.send(GOOD);
        let response = client.response().unwrap_or_else(|problem| panic!("a good client: {problem}"));
        assert_eq!(response.status, 200);
        assert_eq!(client.state(), State::Open);
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        drop(self.shutdown_handle.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// One more request got its response on it.
    Open,
    /// The server has ended it; nothing came before the end.
    Closed,
    /// The server has reset it.
    Reset,
}

/// A response as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawResponse {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl RawResponse {
    /// The one field of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice: {self:?}");
        value
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that it has the form of every error. Returns its `message`.
    pub fn error(&self) -> String {
        assert_eq!(self.header("Content-Type"), Some("application/json"), "{self:?}");
        assert_eq!(self.header("X-Content-Type-Options"), Some("nosniff"), "{self:?}");
        let body = self.json();
        assert!(body["error"].is_string(), "{body}");
        body["message"].as_str().unwrap_or_default().to_owned()
    }
}

/// A connection.
pub struct RawClient(ResponseReader);

impl RawClient {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, LIMIT).expect("the server listens");
        Self::over(stream)
    }

    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(ResponseReader::new(stream))
    }

    pub fn stream(&self) -> &TcpStream {
        self.0.connection()
    }

    /// Sends. Ignores that the server may have closed meanwhile: its response can still be read.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream().write_all(bytes.as_ref());
    }

    /// Closes the sending direction.
    pub fn finish(&mut self) {
        let _ = self.stream().shutdown(Direction::Write);
    }

    fn next(&mut self, method: Method) -> Result<RawResponse, WireError> {
        let response = self.0.next(method, LIMIT);
        if let Err(problem @ WireError::Garbage { .. }) = response {
            panic!("{problem}");
        }
        let response = response?;
        assert!(
            response.status_line.split(' ').nth(2).is_some_and(|reason| !reason.is_empty()),
            "{response:?}"
        );
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        assert!(response.headers.iter().all(|(name, _)| name.bytes().all(is_token)), "{response:?}");
        Ok(RawResponse { status: response.status, headers: response.headers, body: response.body })
    }

    /// The head of the next response.
    pub fn head(&mut self) -> Result<RawResponse, String> {
        self.next(Method::Head).map_err(|problem| text(&problem))
    }

    /// The next response, which has a length or is chunked. An interim response counts as one.
    pub fn response(&mut self) -> Result<RawResponse, String> {
        let sent = self.next(Method::Get).map_err(|problem| text(&problem))?;
        let has_end = ["Content-Length", "Transfer-Encoding"].iter().any(|name| sent.header(name).is_some());
        if !has_end && !matches!(sent.status, 100 | 204 | 304) {
            return Err(format!("no length: {sent:?}"));
        }
        Ok(sent)
    }

    /// Reads that many bytes and drops them.
    pub fn skip(&mut self, length: usize) {
        let mut rest = (&mut self.0).take(length as u64);
        let read = std::io::copy(&mut rest, &mut std::io::sink()).expect("all of it");
        assert_eq!(read, length as u64, "cut off");
    }

    /// The state of the connection after the last response.
    pub fn state(&mut self) -> State {
        self.send(GOOD);
        match self.next(Method::Get) {
            Ok(response) if response.status == 200 && self.0.buffer().is_empty() => State::Open,
            Ok(response) => panic!("more than one response: {response:?} and {:?}", self.0.buffer()),
            Err(WireError::Closed { got: 0, reason }) if reason.kind() == ErrorKind::UnexpectedEof => {
                State::Closed
            }
            Err(WireError::Closed { reason, .. }) if reason.kind() == ErrorKind::ConnectionReset => {
                State::Reset
            }
            Err(problem) => panic!("{}", text(&problem)),
        }
    }

    /// How the server ends the connection, and after how long. Sends nothing.
    pub fn end(&mut self) -> (State, Duration) {
        let start = Instant::now();
        let mut more = [0; 1024];
        let state = match self.0.read(&mut more) {
            Ok(0) => State::Closed,
            Ok(count) => panic!("{:?}", String::from_utf8_lossy(&more[..count])),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => State::Reset,
            Err(error) => panic!("{error}"),
        };
        (state, start.elapsed())
    }
}

/// What is wrong, with its reason.
fn text(problem: &WireError) -> String {
    problem.source().map_or_else(|| problem.to_string(), |reason| format!("{problem}: {reason}"))
}
