//! Statements that work, lose against another, or are wrong.

use super::*;

#[test]
fn statements_return_rows_on_both_versions() {
    for version in Version::ALL {
        let url = Cluster::shared(version).new_url();
        on_worker(async {
            let database = database(&url);
            let sum = "SELECT $1::int8 + $2, current_setting('server_version_num')";
            for _ in 0..3 {
                let rows = run(&database, sum, &[(&40_i64, Type::INT8), (&2_i64, Type::INT8)]).await.unwrap();
                assert_eq!(rows[0].get::<_, i64>(0), 42);
                let expected = if version == Version::V15 { "15" } else { "18" };
                assert!(rows[0].get::<_, &str>(1).starts_with(expected));
            }
            let counts = database.counts();
            assert_eq!((counts.open, counts.idle, counts.waiting), (1, 1, 0));
        });
    }
}

#[test]
fn a_duplicate_names_its_constraint_and_keeps_the_connection() {
    let url = Cluster::shared(Version::V15).new_url();
    test_support::postgres::execute(&url, "CREATE TABLE t (id int CONSTRAINT t_id PRIMARY KEY)");
    on_worker(async {
        let database = database(&url);
        const INSERT: &str = "INSERT INTO t VALUES ($1)";
        run(&database, INSERT, &[(&1_i32, Type::INT4)]).await.unwrap();
        let again = run(&database, INSERT, &[(&1_i32, Type::INT4)]).await;
        assert!(matches!(&again, Err(DatabaseError::Duplicate(name)) if name == "t_id"), "{again:?}");
        assert_eq!(database.counts().discarded, 0);
    });
}

#[test]
fn a_wrong_statement_is_a_defect_and_no_outage() {
    let url = Cluster::shared(Version::V15).new_url();
    on_worker(async {
        let database = database(&url);
        let wrong = run(&database, "SELECT * FROM nowhere", &[]).await;
        assert!(matches!(wrong, Err(DatabaseError::Internal(_))), "{wrong:?}");
        let text = run(&database, "SELECT ('x' || $1)::int8", &[(&"secret", Type::TEXT)]).await;
        let Err(DatabaseError::Internal(error)) = text else { panic!("{text:?}") };
        let shown = shipyard::internal_error::chain(&error);
        assert!(shown.contains("22P02") && !shown.contains("secret"), "{shown}");
    });
}

#[test]
fn serializable_statements_run_again_until_they_work() {
    let cluster = Cluster::shared(Version::V18);
    let name = cluster.database();
    cluster.execute(
        "postgres",
        &format!("ALTER DATABASE {name} SET default_transaction_isolation = serializable"),
    );
    cluster.execute(&name, "CREATE TABLE t (n int); INSERT INTO t VALUES (0)");
    let url = cluster.url(&name);
    on_worker(async {
        let database = with_pool(&url, 4);
        let one = |_| async {
            for _ in 0..5 {
                // Each sees the row as it was before it slept.
                let slow = "WITH pause AS (SELECT pg_sleep(0.01)) UPDATE t SET n = n + 1 FROM pause";
                run(&database, slow, &[]).await.unwrap();
            }
        };
        let all: Vec<_> = (0..4).map(one).collect();
        rocket::futures::future::join_all(all).await;
        let rows = run(&database, "SELECT n FROM t", &[]).await.unwrap();
        assert_eq!(rows[0].get::<_, i32>(0), 20);
        assert!(database.counts().retries > 0, "the test has no conflicts");
    });
}

#[test]
fn a_changed_schema_does_not_fail_a_prepared_statement() {
    let cluster = Cluster::shared(Version::V15);
    let name = cluster.database();
    cluster.execute(&name, "CREATE TABLE t (n int4); INSERT INTO t VALUES (7)");
    on_worker(async {
        let database = with_pool(&cluster.url(&name), 1);
        let rows = run(&database, "SELECT n FROM t", &[]).await.unwrap();
        assert_eq!(rows[0].get::<_, i32>(0), 7);
        cluster.execute(&name, "ALTER TABLE t ALTER COLUMN n TYPE int8");
        let rows = run(&database, "SELECT n FROM t", &[]).await.unwrap();
        assert_eq!(rows[0].get::<_, i64>(0), 7);
    });
}
