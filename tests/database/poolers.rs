//! A pooler that gives each transaction another connection.

use test_support::postgres::Pooler;

use super::*;

fn behind(url: &str, pooler: bool) -> Database {
    let url = url.parse().expect("a valid URL");
    Database::new(&DatabaseSettings { url, pool_size: 4, pooler }).expect("no certificates are needed")
}

#[test]
fn a_pooler_that_no_setting_names_is_refused() {
    let cluster = Cluster::shared(Version::V15);
    // It refuses the parameter, or drops it.
    for settings in [&[][..], &["ignore_startup_parameters = options"]] {
        let pooler = Pooler::start(cluster, settings);
        on_worker(async {
            let database = behind(&pooler.url(&cluster.database()), false);
            let reason = unavailable(run(&database, "SELECT 1", &[]).await);
            assert!(reason.contains("set database_pooler = true"), "{settings:?}: {reason}");
        });
    }
}

#[test]
fn statements_without_a_name_work_behind_a_pooler() {
    let cluster = Cluster::shared(Version::V15);
    let mut pooler = Pooler::start(cluster, &[]);
    on_worker(async {
        let database = behind(&pooler.url(&cluster.database()), true);
        let one = |number: i64| {
            let database = &database;
            async move {
                for _ in 0..50 {
                    let add = "SELECT $1::int8 + 1, pg_sleep(0.001)::text";
                    let rows = run(database, add, &[(&number, Type::INT8)]).await.unwrap();
                    assert_eq!(rows[0].get::<_, i64>(0), number + 1);
                    let text = run(database, "SELECT $1::text", &[(&"x", Type::TEXT)]).await.unwrap();
                    assert_eq!(text[0].get::<_, &str>(0), "x");
                }
            }
        };
        rocket::futures::future::join_all((0..8).map(one)).await;
        pooler.restart();
        assert!(recovery(&database).await < seconds(1.0));
    });
}
