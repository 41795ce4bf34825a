//! The built program, as a person or a script runs it. Every wait has a limit.

use std::env::consts::EXE_EXTENSION;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rocket::http::Method;
use shipyard::contract::client::response_reader::ResponseReader;

use crate::server::{Answer, Ask};

pub const LIMIT: Duration = Duration::from_secs(30);

/// A request that is sent in part.
pub struct PartialRequest {
    reader: ResponseReader,
    method: Method,
    rest: Vec<u8>,
}

impl PartialRequest {
    /// Gives the guards time to let the request in. Nothing tells when they have; were they slower than this,
    /// the request would be refused at its beginning already, and a test would prove less but not fail.
    pub fn wait_for_guards(self) -> Self {
        std::thread::sleep(Duration::from_millis(300));
        self
    }

    pub fn finish(mut self) -> Answer {
        self.reader.connection().write_all(&self.rest).unwrap();
        let response = self.reader.next(self.method, LIMIT).expect("an answer");
        let mut more = Vec::new();
        self.reader.read_to_end(&mut more).expect("the end of the connection");
        assert_eq!(String::from_utf8_lossy(&more), "", "nothing follows");
        let headers =
            response.headers.into_iter().map(|(name, value)| (as_specified(&name), value)).collect();
        let body = String::from_utf8(response.body).expect("the body is UTF-8");
        Answer { status: response.status, headers, body }
    }
}

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The program under test. Cargo tells its path only to the tests themselves, and builds it next to their folder:
/// `target/debug/shipyard`, `target/debug/deps/TEST`.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().expect("the path of this test");
    let built = test.ancestors().nth(2).expect("the test is in target/PROFILE/deps");
    built.join("shipyard").with_extension(EXE_EXTENSION)
});

/// An empty folder of that name in `CARGO_TARGET_TMPDIR`.
pub fn folder(name: &str) -> PathBuf {
    let target = PROGRAM.ancestors().nth(2).expect("the program is in target/PROFILE");
    let folder = target.join("tmp").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The program, in that folder, with none of the settings of the person who runs the tests.
pub fn shipyard(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(&*PROGRAM);
    command.args(arguments).current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ROCKET_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command to its end.
pub fn run(command: &mut Command, stdin: Option<&str>) -> Run {
    run_with(command, stdin.map(str::as_bytes))
}

/// The same with any bytes on standard input.
pub fn run_with_bytes(command: &mut Command, stdin: &[u8]) -> Run {
    run_with(command, Some(stdin))
}

fn run_with(command: &mut Command, stdin: Option<&[u8]>) -> Run {
    if stdin.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().expect("the program starts");
    if let (Some(text), Some(mut input)) = (stdin, child.stdin.take()) {
        // A program that refuses its settings ends without reading.
        let _ = input.write_all(text);
    }
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let code = wait(&mut child);
    Run { code, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// The root of the repository.
pub fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this crate is two folders below")
}

/// `shipyard verify` with those arguments, in the repository.
pub fn verify(arguments: &[&str]) -> Run {
    run(&mut shipyard(here(), &[&["verify"], arguments].concat()), None)
}

/// A port that no process listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The command that starts the server of this build, and its address.
pub fn own_server(variables: &str) -> (String, String) {
    let port = free_port();
    let program = PROGRAM.display();
    (format!("{variables} exec '{program}' --port {port}"), format!("http://localhost:{port}"))
}

/// Reads a stream while the program runs: one that is not read stops it when it is full.
fn collect(stream: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        stream.expect("a pipe").read_to_string(&mut text).expect("UTF-8");
        text
    })
}

/// Waits for the end of the program, and gives its exit code.
pub fn wait(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    panic!("the program did not end within {LIMIT:?}");
}

/// The program, serving; ended with the value.
pub struct Serving {
    child: Child,
    pub port: u16,
    pub announcement: String,
}

impl Serving {
    pub fn start(command: &mut Command) -> Self {
        Self::announced(command.spawn().expect("the program starts"))
    }

    /// What has been started serves by now, or soon.
    pub fn announced(mut child: Child) -> Self {
        let stdout = child.stdout.take().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(stdout);
            let mut line = String::new();
            let read = output.read_line(&mut line);
            // The announcement is written at once; what is there after the first line is all of it.
            let _ = sender.send(read.map(|_| (line, String::from_utf8_lossy(output.buffer()).into_owned())));
        });
        let Ok(Ok((first, rest))) = receiver.recv_timeout(LIMIT) else {
            let _ = child.kill();
            panic!("the program did not announce itself within {LIMIT:?}");
        };
        let announcement = first + &rest;
        let first = announcement.lines().next().unwrap_or_default();
        let port = first.rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port in {announcement:?}"));
        Self { child, port, announcement }
    }

    /// The same, with everything that the program writes going into that file.
    pub fn start_into(command: &mut Command, output: &Path) -> Self {
        let file = std::fs::File::create(output).expect("a file");
        command.stdout(file.try_clone().expect("a file")).stderr(file);
        let child = command.spawn().expect("the program starts");
        let mut serving = Self { child, port: 0, announcement: String::new() };
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            let written = std::fs::read_to_string(output).expect("UTF-8");
            let address = written.split(" listens on ").nth(1).and_then(|rest| rest.lines().next());
            let port = address.and_then(|address| address.rsplit(':').next()?.parse().ok());
            // The announcement is written at once.
            if let Some(port) = port.filter(|_| written.ends_with('\n')) {
                (serving.port, serving.announcement) = (port, written);
                return serving;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the program did not announce itself within {LIMIT:?}");
    }

    /// One request on a connection of its own.
    pub fn send(&self, ask: &Ask) -> Answer {
        self.begin(ask).finish()
    }

    /// The same with a method of any name.
    pub fn send_as(&self, method: &str, ask: &Ask) -> Answer {
        self.begin_as(method, ask).finish()
    }

    /// A request of which half the body is sent, or all but the last byte of the head if there is no body.
    pub fn begin(&self, ask: &Ask) -> PartialRequest {
        self.begin_as(ask.method.as_str(), ask)
    }

    fn begin_as(&self, method: &str, ask: &Ask) -> PartialRequest {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let body = ask.body.clone().unwrap_or_default();
        let mut head = format!("{method} {} HTTP/1.1\r\nConnection: close\r\n", ask.path);
        for (name, value) in &ask.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        let mut request = [head.into_bytes(), body.clone()].concat();
        let rest = request.split_off(request.len() - (body.len() / 2).max(1));
        connection.write_all(&request).unwrap();
        let method = if method == "HEAD" { Method::Head } else { Method::Get };
        PartialRequest { reader: ResponseReader::new(connection), method, rest }
    }

    /// Ends the program as Ctrl-C does, and gives its exit code.
    pub fn interrupt(self) -> Option<i32> {
        self.signal("INT");
        self.ended()
    }

    /// Sends the program that signal.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Waits until the program has ended, and gives its exit code.
    pub fn ended(mut self) -> Option<i32> {
        wait(&mut self.child)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// Sends a process that signal.
pub fn signal(pid: u32, name: &str) {
    let kill = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(kill.expect("kill").success());
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The name of a header as specifications write it: on the wire its case says nothing (RFC 9110, section 5.1).
fn as_specified(name: &str) -> String {
    let words = name.split('-').map(|word| match word.to_ascii_lowercase().as_str() {
        "www" => "WWW".to_owned(),
        "etag" => "ETag".to_owned(),
        lower => lower[..1].to_ascii_uppercase() + &lower[1..],
    });
    words.collect::<Vec<_>>().join("-")
}
