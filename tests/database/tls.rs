//! TLS to the database: certificates of several authorities, made by openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

fn openssl(here: &Path, arguments: &str) {
    let output =
        Command::new("openssl").args(arguments.split(' ')).current_dir(here).output().expect("openssl");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes an authority, `NAME.pem`.
fn authority(here: &Path, name: &str) {
    openssl(
        here,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.pem -days 2 \
             -subj /CN={name} -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign"
        ),
    );
}

/// A server whose certificate is signed by `ca.pem` in its folder, and is valid for those names.
fn server(names: &str) -> (Cluster, PathBuf) {
    let folder = test_support::postgres::with_data(Version::V15);
    authority(&folder, "ca");
    authority(&folder, "other");
    fs::write(folder.join("extensions"), format!("subjectAltName={names}\n")).unwrap();
    openssl(
        &folder,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=server",
    );
    openssl(
        &folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out server.pem",
    );
    for file in ["server.key", "server.pem"] {
        test_support::postgres::give_to_server(&folder.join(file));
    }
    let setting = |name: &str, file: &str| format!("{name}={}", folder.join(file).display());
    let files = [setting("ssl_cert_file", "server.pem"), setting("ssl_key_file", "server.key")];
    let cluster = Cluster::start_in(folder.clone(), Version::V15, &["ssl=on", &files[0], &files[1]]);
    (cluster, folder)
}

/// Whether the server says that the connection is encrypted, or why there is none.
fn connect(cluster: &Cluster, host: &str, parameters: &str) -> Result<bool, String> {
    let url = format!("postgres://postgres@{host}:{}/postgres?{parameters}", cluster.port());
    let url = url.parse().expect("a valid URL");
    let database = Database::new(&DatabaseSettings { url, pool_size: 1, pooler: false })
        .map_err(|error| error.to_string())?;
    on_worker(async {
        let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        match run(&database, encrypted, &[]).await {
            Ok(rows) => Ok(rows[0].get(0)),
            Err(error) => Err(unavailable::<()>(Err(error))),
        }
    })
}

#[test]
fn only_a_server_with_a_valid_certificate_is_used() {
    let (cluster, folder) = server("DNS:localhost,IP:127.0.0.1");
    let with = |mode: &str, ca: &str| format!("sslmode={mode}&sslrootcert={}", folder.join(ca).display());
    for mode in ["verify-full", "verify-ca", "require"] {
        assert_eq!(connect(&cluster, "localhost", &with(mode, "ca.pem")), Ok(true), "{mode}");
        assert_eq!(connect(&cluster, "127.0.0.1", &with(mode, "ca.pem")), Ok(true), "{mode}");
        let reason = connect(&cluster, "localhost", &with(mode, "other.pem")).unwrap_err();
        assert!(reason.contains("TLS") && reason.contains("certificate"), "{mode}: {reason}");
    }
    // The authorities of this machine have not signed it.
    let reason = connect(&cluster, "localhost", "sslmode=verify-full").unwrap_err();
    assert!(reason.contains("certificate"), "{reason}");
    // On this machine, and if the URL says so.
    assert_eq!(connect(&cluster, "localhost", ""), Ok(false));
    assert_eq!(connect(&cluster, "localhost", "sslmode=disable"), Ok(false));
    // Files that are no certificates.
    for (file, expected) in [("nowhere.pem", "nowhere.pem"), ("extensions", "expected certificates in PEM")] {
        let reason = connect(&cluster, "localhost", &with("verify-full", file)).unwrap_err();
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let (cluster, folder) = server("DNS:db.example");
    let parameters = format!("sslmode=verify-full&sslrootcert={}", folder.join("ca.pem").display());
    for host in ["localhost", "127.0.0.1"] {
        let reason = connect(&cluster, host, &parameters).unwrap_err();
        assert!(reason.contains("not valid for name"), "{reason}");
    }
}

#[test]
fn a_server_without_tls_is_refused() {
    let cluster = Cluster::shared(Version::V15);
    let reason = connect(cluster, "localhost", "sslmode=verify-full").unwrap_err();
    assert!(reason.contains("server does not support TLS"), "{reason}");
}
