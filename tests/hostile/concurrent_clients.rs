//! A server behind its real HTTP server, for many concurrent clients. Its clock stands still: concurrent requests fall
//! within one second, in which the age of tokens cannot be compared.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Barrier;
use std::time::Duration;

use shipyard::config::Settings;
use shipyard::contract::client::response_reader::ResponseReader;
use shipyard::http::listen::Address;
use shipyard::http::shutdown::ShutdownHandle;
use shipyard::http::{serve, Shutdown};
use tokio::runtime::{Builder, Runtime};

use test_support::http_server::Setup;
use test_support::server::{settings, Answer, Ask};

/// The maximum time of a response.
pub const LIMIT: Duration = Duration::from_secs(30);

pub struct Racing {
    port: u16,
    runtime: Option<Runtime>,
    /// Keeps the server running.
    _ender: ShutdownHandle,
}

/// A client with its own connection.
pub struct Caller(ResponseReader);

impl Racing {
    pub fn new() -> Self {
        Self::configured(settings())
    }

    pub fn configured(settings: Settings) -> Self {
        let limits = settings.limits.clone();
        let rocket = Setup::with_settings(limits.clone(), settings).rocket;
        let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        let (shutdown_handle, shutdown) = Shutdown::new(Duration::ZERO, Duration::ZERO);
        let port = runtime.block_on(async {
            let listeners = Address::Ip([127, 0, 0, 1].into()).listen(0).expect("a port");
            let port = listeners[0].local_addr().unwrap().port();
            tokio::spawn(serve(rocket, listeners, limits, shutdown));
            port
        });
        Self { port, runtime: Some(runtime), _ender: shutdown_handle }
    }

    pub fn caller(&self) -> Caller {
        let connection = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        connection.set_nodelay(true).unwrap();
        Caller(ResponseReader::new(connection))
    }

    /// Starts this number of clients at the same moment. Returns their results in order.
    pub fn race<T: Send>(&self, clients: usize, run: impl Fn(usize, &mut Caller) -> T + Sync) -> Vec<T> {
        let start = Barrier::new(clients);
        std::thread::scope(|scope| {
            let one = |number| {
                let (start, run) = (&start, &run);
                scope.spawn(move || {
                    let mut caller = self.caller();
                    start.wait();
                    run(number, &mut caller)
                })
            };
            let threads: Vec<_> = (0..clients).map(one).collect();
            threads.into_iter().map(|thread| thread.join().expect("no client panics")).collect()
        })
    }
}

impl Drop for Racing {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Caller {
    pub fn send(&mut self, ask: &Ask) -> Answer {
        let body = ask.body.as_deref().unwrap_or_default();
        let mut request = format!("{} {} HTTP/1.1\r\nHost: localhost\r\n", ask.method, ask.path);
        for (name, value) in &ask.headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n", body.len());
        self.0.connection().write_all(&[request.as_bytes(), body].concat()).unwrap();
        self.0.next(ask.method, LIMIT).expect("a response").into()
    }

    pub fn log_in(&mut self, name: &str, password: &str) -> Answer {
        let body = serde_json::json!({"username": name, "password": password});
        self.send(&Ask::new(rocket::http::Method::Post, "/auth/login").json(&body))
    }
}
