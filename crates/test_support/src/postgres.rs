//! PostgreSQL servers for tests, and a new database for each test.
//!
//! A server belongs to the test process: a shell waits for the end of that process, however it ends, and then stops the
//! server and removes its folder. A server that is not installed is a failure: `.ci/run` says what to install.

mod folder;
mod pooler;

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{kill_process, Pid, Signal};
use tokio_postgres::{NoTls, SimpleQueryMessage};

pub use self::folder::{give_to_server, with_data, Version};
pub use self::pooler::Pooler;

/// Starts the server that its arguments are, and stops it when standard input ends, or as a line there says: a signal, and
/// `keep` if the folder stays. A process that a test has stopped (SIGSTOP) takes no signal but SIGKILL until it goes on.
const SUPERVISOR: &str = r#"
folder=$1; shift
"$@" >>"$folder/log" 2>&1 </dev/null &
server=$!
read -r signal keep
all="$server $(cat "/proc/$server/task/$server/children" 2>/dev/null)"
kill -CONT $all 2>/dev/null
kill "-${signal:-QUIT}" "$server" 2>/dev/null
[ "$signal" != KILL ] || kill -KILL $all 2>/dev/null
for _ in $(seq 200); do
  case $(cut -d " " -f 3 "/proc/$server/stat" 2>/dev/null) in Z | "") break ;; esac
  sleep 0.02
done
kill -KILL $all 2>/dev/null
wait "$server"
[ -n "$keep" ] || rm -rf "$folder"
"#;

/// A server.
pub struct Cluster {
    version: Version,
    port: u16,
    folder: PathBuf,
    options: Vec<String>,
    supervisor: Mutex<Option<Child>>,
    databases: AtomicUsize,
}

impl Cluster {
    /// The server of this version that all tests of this process share. Tests that stop it or change its settings start
    /// their own.
    pub fn shared(version: Version) -> &'static Self {
        static SHARED: [OnceLock<Cluster>; 2] = [OnceLock::new(), OnceLock::new()];
        SHARED[version as usize].get_or_init(|| Self::start(version, &[]))
    }

    /// A server for one test, with these settings (`name=value`). It ends when it is dropped.
    pub fn start(version: Version, settings: &[&str]) -> Self {
        Self::start_in(folder::with_data(version), version, settings)
    }

    /// A server on the data in `folder/data`, for example a copy of another one's.
    pub fn start_in(folder: PathBuf, version: Version, settings: &[&str]) -> Self {
        let mut cluster = Self {
            version,
            port: 0,
            folder,
            options: settings.iter().map(|setting| (*setting).to_owned()).collect(),
            supervisor: Mutex::new(None),
            databases: AtomicUsize::new(0),
        };
        // Another process may take the port that was free a moment ago.
        for _ in 0..5 {
            cluster.port = free_port();
            cluster.spawn();
            if cluster.wait_until_ready() {
                return cluster;
            }
            cluster.end("QUIT keep");
        }
        panic!("PostgreSQL {version:?} does not start: {}", cluster.log());
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder with the data (`data`), the Unix socket and the log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// A new, empty database. Its name.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.execute("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// The URL of a database, as the superuser, who needs no password.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of a new, empty database.
    pub fn new_url(&self) -> String {
        self.url(&self.database())
    }

    /// Runs SQL as the superuser. Returns the rows of all statements, each value as text.
    pub fn execute(&self, database: &str, sql: &str) -> Vec<Vec<Option<String>>> {
        execute(&self.url(database), sql)
    }

    /// Stops each process of the server for a while, so that it answers nothing.
    pub fn pause(&self) {
        self.signal_all(Signal::STOP);
    }

    /// The opposite of [`Cluster::pause`].
    pub fn resume(&self) {
        self.signal_all(Signal::CONT);
    }

    /// Kills the server as a loss of power would.
    pub fn kill(&self) {
        let children = self.pid().map(children).unwrap_or_default();
        self.end("KILL keep");
        // They hold the shared memory until they are gone, and a new server would not start.
        children.into_iter().for_each(wait_for_end);
    }

    /// Stops the server as an administrator does: its clients are sent away.
    pub fn stop(&self) {
        self.end("INT keep");
    }

    /// Starts the server again, on the same port.
    pub fn restart(&self) {
        // A server that was killed leaves this; the next one may find another process with that number.
        let _ = fs::remove_file(self.folder.join("data/postmaster.pid"));
        self.spawn();
        assert!(self.wait_until_ready(), "PostgreSQL does not start again: {}", self.log());
    }

    /// Makes the server read its settings again.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        let _ = kill_process(self.pid().expect("the server runs"), signal);
    }

    fn signal_all(&self, signal: Signal) {
        let server = self.pid().expect("the server runs");
        // It first, so that it starts no other.
        let _ = kill_process(server, signal);
        for child in children(server) {
            let _ = kill_process(child, signal);
        }
    }

    fn pid(&self) -> Option<Pid> {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).ok()?;
        Pid::from_raw(file.lines().next()?.trim().parse().ok()?)
    }

    fn spawn(&self) {
        let mut command = self.version.command("postgres");
        command.extend(["-D".to_owned(), self.folder.join("data").display().to_string()]);
        let folder = self.folder.display();
        let own = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            format!("unix_socket_directories={folder}"),
            "fsync=off".to_owned(),
            "full_page_writes=off".to_owned(),
            "shared_buffers=32MB".to_owned(),
        ];
        for setting in own.iter().chain(&self.options) {
            command.extend(["-c".to_owned(), setting.clone()]);
        }
        *self.supervisor.lock().unwrap() = Some(supervise(&self.folder, &command));
    }

    fn wait_until_ready(&self) -> bool {
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
            let mine = file.lines().nth(3).is_some_and(|port| port.trim() == self.port.to_string());
            if mine && file.lines().nth(7).is_some_and(|status| status.trim() == "ready") {
                return true;
            }
            if self.log().contains("Address already in use") {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Stops the server in that way, and waits for it.
    fn end(&self, how: &str) {
        let Some(mut supervisor) = self.supervisor.lock().unwrap().take() else { return };
        if let Some(mut orders) = supervisor.stdin.take() {
            let _ = writeln!(orders, "{how}");
        }
        let _ = supervisor.wait();
    }
}

/// Starts a server under a shell that ends it with this process.
fn supervise(folder: &Path, server: &[String]) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", SUPERVISOR, "supervisor"]).arg(folder).args(server);
    // A group of its own: a signal to that of the test must not end the shell that cleans up.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.current_dir(folder).env("LC_ALL", "C");
    command.spawn().expect("there is a shell")
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end("QUIT");
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs SQL over that URL. Returns the rows of all statements, each value as text.
pub fn execute(url: &str, sql: &str) -> Vec<Vec<Option<String>>> {
    let (url, sql) = (url.to_owned(), sql.to_owned());
    let work = async move {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        let driver = tokio::spawn(connection);
        let messages = client.simple_query(&sql).await?;
        drop(client);
        let _ = driver.await;
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            }
            _ => None,
        };
        Ok::<_, tokio_postgres::Error>(messages.into_iter().filter_map(row).collect())
    };
    // The caller may be on a runtime, where this one must not block.
    let done = thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(work)
    });
    done.join().expect("no panic").unwrap_or_else(|error| panic!("SQL fails: {error:?}"))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// Waits until a process is gone, or is only remembered for its parent.
fn wait_for_end(process: Pid) {
    let file = format!("/proc/{}/stat", process.as_raw_nonzero());
    let runs = || fs::read_to_string(&file).is_ok_and(|stat| !stat.contains(") Z"));
    let start = Instant::now();
    while runs() && start.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(5));
    }
}

fn children(of: Pid) -> Vec<Pid> {
    let pid = of.as_raw_nonzero();
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}
