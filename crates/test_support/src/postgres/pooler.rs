//! PgBouncer in transaction mode, in front of a server.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use super::folder::{give_to_server, new_folder, not_as_root};
use super::{free_port, supervise, Cluster};

/// A pooler. It ends when it is dropped.
pub struct Pooler {
    port: u16,
    folder: PathBuf,
    supervisor: Option<Child>,
}

impl Pooler {
    /// A pooler with two connections to each database of that server, and these further settings (`name = value`).
    pub fn start(cluster: &Cluster, settings: &[&str]) -> Self {
        let (folder, port) = (new_folder(), free_port());
        let file = folder.join("pgbouncer.ini");
        let own = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n{}\n",
            cluster.port(),
            settings.join("\n")
        );
        fs::write(&file, own).expect("a file");
        give_to_server(&file);
        let mut pooler = Self { port, folder, supervisor: None };
        pooler.restart();
        pooler
    }

    /// Starts it again, on the same port.
    pub fn restart(&mut self) {
        self.end("KILL keep");
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].map(Path::new);
        let program = program.into_iter().find(|path| path.exists());
        let mut command = not_as_root(program.expect("PgBouncer is not installed: tools/postgres/install"));
        command.push(self.folder.join("pgbouncer.ini").display().to_string());
        self.supervisor = Some(supervise(&self.folder, &command));
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "PgBouncer does not start: {}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The URL of a database through it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn end(&mut self, how: &str) {
        let Some(mut supervisor) = self.supervisor.take() else { return };
        if let Some(mut orders) = supervisor.stdin.take() {
            let _ = writeln!(orders, "{how}");
        }
        let _ = supervisor.wait();
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.end("KILL");
        let _ = fs::remove_dir_all(&self.folder);
    }
}
