//! Servers that freeze, die, or refuse.

use super::*;

#[test]
fn a_frozen_server_fails_statements_at_the_deadline() {
    let cluster = Cluster::start(Version::V15, &[]);
    on_worker(async {
        let database = database(&cluster.new_url());
        run(&database, "SELECT 1", &[]).await.unwrap();
        cluster.pause();
        let start = Instant::now();
        let reason = unavailable(run(&database, "SELECT 1", &[]).await);
        assert!(reason.contains(&format!("127.0.0.1:{}", cluster.port())), "{reason}");
        assert!(start.elapsed() >= seconds(1.9) && start.elapsed() < seconds(2.5), "{:?}", start.elapsed());
        // The second finds no connection, and a server that accepts none.
        unavailable(run(&database, "SELECT 1", &[]).await);
        assert!(start.elapsed() < seconds(5.0), "{:?}", start.elapsed());
        cluster.resume();
        assert!(recovery(&database).await < seconds(1.0));
    });
}

#[test]
fn a_server_that_was_killed_is_used_again_when_it_is_back() {
    for version in Version::ALL {
        let cluster = Cluster::start(version, &[]);
        on_worker(async {
            let database = database(&cluster.new_url());
            run(&database, "SELECT 1", &[]).await.unwrap();
            cluster.kill();
            let start = Instant::now();
            unavailable(run(&database, "SELECT 1", &[]).await);
            assert!(start.elapsed() < seconds(1.0), "a closed port takes no time to find");
            cluster.restart();
            assert!(recovery(&database).await < seconds(1.0));
        });
    }
}

#[test]
fn a_connection_found_closed_costs_no_statement() {
    let cluster = Cluster::start(Version::V15, &[]);
    on_worker(async {
        let database = database(&cluster.new_url());
        run(&database, "SELECT 1", &[]).await.unwrap();
        cluster.stop();
        cluster.restart();
        // The runtime sees the end of the connection.
        tokio::time::sleep(seconds(0.1)).await;
        run(&database, "SELECT 1", &[]).await.unwrap();
    });
}

#[test]
fn a_server_that_turns_read_only_loses_all_connections() {
    let cluster = Cluster::start(Version::V15, &[]);
    let name = cluster.database();
    cluster.execute(&name, "CREATE TABLE t (n int)");
    on_worker(async {
        let database = database(&cluster.url(&name));
        // Both connections of the pool are open.
        let (one, two) = (
            run(&database, "SELECT pg_sleep(0.1)::text", &[]),
            run(&database, "SELECT pg_sleep(0.1)::text", &[]),
        );
        let (one, two) = rocket::futures::future::join(one, two).await;
        assert!(one.is_ok() && two.is_ok());
        cluster.execute("postgres", "ALTER SYSTEM SET default_transaction_read_only = on");
        cluster.reload();
        tokio::time::sleep(seconds(0.3)).await;
        let reason = unavailable(run(&database, "INSERT INTO t VALUES (1)", &[]).await);
        assert!(reason.contains("25006"), "{reason}");
        // A read would work on an old connection; it might be stale.
        let reason = unavailable(run(&database, "SELECT n FROM t", &[]).await);
        assert!(reason.contains("no writes"), "{reason}");
        let writable = "?options=-c%20default_transaction_read_only%3Doff";
        let url = cluster.url("postgres") + writable;
        test_support::postgres::execute(&url, "ALTER SYSTEM RESET default_transaction_read_only");
        cluster.reload();
        assert!(recovery(&database).await < seconds(2.0));
        run(&database, "INSERT INTO t VALUES (1)", &[]).await.unwrap();
    });
}

#[test]
fn too_many_connections_are_an_outage() {
    let cluster = Cluster::start(Version::V15, &["max_connections=4", "superuser_reserved_connections=0"]);
    let url = cluster.new_url();
    on_worker(async {
        // The server process that made the database counts until it has ended.
        tokio::time::sleep(seconds(0.3)).await;
        let (many, one) = (with_pool(&url, 4), with_pool(&url, 1));
        let hold = (0..4).map(|_| run(&many, "SELECT pg_sleep(1)::text", &[]));
        let held = rocket::futures::future::join_all(hold);
        let refused = async {
            // A connection is in the pool before it is open.
            tokio::time::sleep(seconds(0.7)).await;
            assert_eq!(many.counts().open, 4);
            unavailable(run(&one, "SELECT 1", &[]).await)
        };
        let (held, reason) = rocket::futures::future::join(held, refused).await;
        assert!(held.iter().all(Result::is_ok), "{held:?}");
        assert!(reason.contains("53300"), "{reason}");
    });
}

#[test]
fn more_statements_than_connections_wait() {
    let url = Cluster::shared(Version::V15).new_url();
    on_worker(async {
        let database = with_pool(&url, 1);
        let sleeps = (0..5).map(|_| run(&database, "SELECT pg_sleep(0.1)::text", &[]));
        let done = rocket::futures::future::join_all(sleeps).await;
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        // And no longer than the deadline.
        let sleeps = (0..2).map(|_| run(&database, "SELECT pg_sleep(1.5)::text", &[]));
        let done = rocket::futures::future::join_all(sleeps).await;
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
    });
}

/// A client that goes away cancels its request, and with it the statement. Its connection must not keep others waiting.
#[test]
fn a_statement_that_was_given_up_does_not_keep_a_frozen_connection() {
    let (frozen, other) = (Cluster::start(Version::V15, &[]), Cluster::start(Version::V15, &[]));
    on_worker(async {
        let hosts = format!("127.0.0.1:{},127.0.0.1:{}", frozen.port(), other.port());
        let database = with_pool(&format!("postgres://postgres@{hosts}/postgres"), 1);
        run(&database, "SELECT 1", &[]).await.unwrap();
        frozen.pause();
        for _ in 0..3 {
            let given_up = tokio::time::timeout(seconds(0.2), run(&database, "SELECT 1", &[])).await;
            assert!(given_up.is_err(), "{given_up:?}");
        }
        assert!(run(&database, "SELECT 1", &[]).await.is_ok(), "the other host answers");
        frozen.resume();
    });
}

#[test]
fn a_statement_that_was_given_up_keeps_a_connection_that_works() {
    let cluster = Cluster::start(Version::V15, &[]);
    on_worker(async {
        let database = with_pool(&cluster.new_url(), 1);
        let process = async || {
            let rows = run(&database, "SELECT pg_backend_pid()", &[]).await.unwrap();
            rows[0].get::<_, i32>(0)
        };
        let first = process().await;
        let given_up =
            tokio::time::timeout(seconds(0.1), run(&database, "SELECT pg_sleep(0.2)::text", &[])).await;
        assert!(given_up.is_err());
        assert_eq!(process().await, first);
    });
}

#[test]
fn a_host_that_does_not_answer_leaves_time_for_the_next() {
    let cluster = Cluster::shared(Version::V15);
    let name = cluster.database();
    // It accepts connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().port();
    let holder = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mute = holder.local_addr().unwrap().port();
    let url = format!(
        "postgres://postgres@127.0.0.1:{silent},127.0.0.1:{mute},127.0.0.1:{}/{name}",
        cluster.port()
    );
    on_worker(async {
        let database = database(&url);
        let start = Instant::now();
        run(&database, "SELECT 1", &[]).await.unwrap();
        assert!(start.elapsed() < seconds(1.5), "{:?}", start.elapsed());
        // The next connection begins with the host that works.
        let sleep = || run(&database, "SELECT pg_sleep(0.05)::text", &[]);
        let start = Instant::now();
        let (one, two) = rocket::futures::future::join(sleep(), sleep()).await;
        assert!(one.is_ok() && two.is_ok() && start.elapsed() < seconds(0.5), "{:?}", start.elapsed());
    });
}
