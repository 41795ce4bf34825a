//! The recorded exchanges, answered from PostgreSQL.

use std::fs;

use test_support::program::{folder, free_port, here, run as run_program, shipyard};

use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Checks a node against every recorded exchange, byte for byte. Each scenario gets a node of its own, on a copy of the database.
fn every_recorded_exchange_matches_on(version: Version) {
    let work = folder(&format!("contract_{version:?}"));
    let cluster = Cluster::start(version, &[]);
    let seed = cluster.database();
    let data = here().join("data.json");
    let mut init = shipyard(&work, &["store", "init", "--data", &data.display().to_string()]);
    init.env("ROCKET_DATABASE_URL", cluster.url(&seed)).env("ROCKET_JWT_SECRET", KEY);
    let done = run_program(&mut init, None);
    assert_eq!(done.code, Some(0), "{done:?}");
    let (port, database) = (free_port(), cluster.port());
    let start = work.join("start");
    let program = env!("CARGO_BIN_EXE_shipyard");
    let script = format!(
        "copy=copy_$$\n\
         psql -qh 127.0.0.1 -p {database} -U postgres -c \"CREATE DATABASE $copy TEMPLATE {seed}\" postgres || exit\n\
         export ROCKET_DATABASE_URL=postgres://postgres@127.0.0.1:{database}/$copy\n\
         exec '{program}' serve --port {port}\n"
    );
    fs::write(&start, script).unwrap();
    let (start, url) = (format!("exec sh '{}'", start.display()), format!("http://localhost:{port}"));
    let fixtures = here().join("fixtures").display().to_string();
    let mut verify = shipyard(
        &work,
        &["verify", "--start", &start, "--url", &url, "--fixtures", &fixtures, "--format", "json"],
    );
    verify.env("ROCKET_JWT_SECRET", KEY).env("SHIPYARD_VERIFY_SECRET", KEY);
    let verified = run_program(&mut verify, None);
    let report: serde_json::Value = serde_json::from_str(&verified.stdout).expect("a report");
    let summary = &report["summary"];
    assert_eq!(verified.code, Some(0), "{summary} {}", verified.stderr);
    assert!(summary["exchanges"].as_u64() >= Some(283), "{summary}");
    assert_eq!(summary["matching"], summary["exchanges"], "none may be skipped: {summary}");
}

#[test]
fn every_recorded_exchange_matches_on_15() {
    every_recorded_exchange_matches_on(Version::V15);
}

#[test]
fn every_recorded_exchange_matches_on_18() {
    every_recorded_exchange_matches_on(Version::V18);
}
