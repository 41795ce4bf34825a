//! Steps from one schema to the next, with nodes of two versions.

use shipyard::auth::keys::KeySet;
use shipyard::auth::secret::Secret;
use shipyard::store::sql::database::session::Session;
use shipyard::store::sql::key_checks;
use shipyard::store::sql::monitor::Monitor;
use shipyard::store::sql::schema::{Schema, SchemaState, Step, SCHEMA};

use super::*;

/// A later version that has one more column, which the present one does not miss.
static EXPANDED: [Step; 2] =
    [SCHEMA.0[0], Step { number: 2, oldest: 1, sql: "ALTER TABLE ships ADD COLUMN name text" }];

/// One after that, which has no use for a column that the present version reads.
static CONTRACTED: [Step; 3] =
    [EXPANDED[0], EXPANDED[1], Step { number: 3, oldest: 2, sql: "ALTER TABLE ships DROP COLUMN crew" }];

fn settings(url: &str) -> DatabaseSettings {
    DatabaseSettings { url: url.parse().expect("a valid URL"), pool_size: 2, pooler: false }
}

async fn make(url: &str, keys: &KeySet) -> Session {
    let mut session = Session::open(&settings(url)).await.unwrap();
    let transaction = session.client().transaction().await.unwrap();
    SCHEMA.create(&transaction).await.unwrap();
    key_checks::replace(&transaction, keys.checks()).await.unwrap();
    transaction.commit().await.unwrap();
    session
}

fn keys() -> KeySet {
    KeySet::from(Secret::for_replay("a key of at least thirty-two bytes, for tests"))
}

#[test]
fn nodes_of_two_versions_run_together_between_two_steps() {
    for version in Version::ALL {
        let url = Cluster::shared(version).new_url();
        on_worker(async {
            let (old, new, newest) = (SCHEMA, Schema(&EXPANDED), Schema(&CONTRACTED));
            let mut session = make(&url, &keys()).await;
            let database = database(&url);
            let states = async || {
                let mut states = Vec::new();
                for schema in [old, new, newest] {
                    states.push(schema.state(&database).await.unwrap());
                }
                states
            };
            use SchemaState::{Newer, Older, Usable};
            assert_eq!(states().await, [Usable(1), Older(1), Older(1)]);
            assert_eq!(new.migrate(session.client()).await.unwrap(), [2]);
            assert_eq!(states().await, [Usable(2), Usable(2), Older(2)]);
            // Once more changes nothing.
            assert_eq!(new.migrate(session.client()).await.unwrap(), [0; 0]);
            assert_eq!(newest.migrate(session.client()).await.unwrap(), [3]);
            assert_eq!(states().await, [Newer(3), Usable(3), Usable(3)]);
            // The older version does not go back.
            let back = old.migrate(session.client()).await.unwrap_err().to_string();
            assert!(back.contains("schema 3, which this version does not know"), "{back}");
            // A node of the old version finds it out.
            let monitor = Monitor::new(database.clone(), old);
            assert!(monitor.is_ready());
            monitor.look(keys().checks()).await;
            assert!(monitor.problem().unwrap().contains("schema 3"), "{monitor:?}");
        });
    }
}

#[test]
fn a_step_that_fails_changes_nothing() {
    static BROKEN: [Step; 2] = [
        EXPANDED[0],
        Step {
            number: 2,
            oldest: 1,
            sql: "ALTER TABLE ships ADD COLUMN name text; SELECT nothing FROM nowhere",
        },
    ];
    let cluster = Cluster::shared(Version::V15);
    let name = cluster.database();
    on_worker(async {
        let mut session = make(&cluster.url(&name), &keys()).await;
        Schema(&BROKEN).migrate(session.client()).await.unwrap_err();
        let columns =
            "SELECT (SELECT schema FROM service)::text, count(*)::text FROM information_schema.columns \
                       WHERE table_name = 'ships' AND column_name = 'name'";
        assert_eq!(cluster.execute(&name, columns), [[Some("1".to_owned()), Some("0".to_owned())]]);
        // A table in use: the step gives way.
        let mut other = Session::open(&settings(&cluster.url(&name))).await.unwrap();
        let reader = other.client().transaction().await.unwrap();
        reader.batch_execute("SELECT id FROM ships").await.unwrap();
        let busy = Schema(&EXPANDED).migrate(session.client()).await.unwrap_err().to_string();
        assert!(busy.contains("in use for too long"), "{busy}");
        drop(reader);
        drop(other);
        tokio::time::sleep(seconds(0.2)).await;
        assert_eq!(Schema(&EXPANDED).migrate(session.client()).await.unwrap(), [2]);
    });
}

#[test]
fn migrations_at_the_same_time_run_each_step_once() {
    let url = Cluster::shared(Version::V18).new_url();
    on_worker(async {
        make(&url, &keys()).await;
        let one = |_| async {
            let mut session = Session::open(&settings(&url)).await.unwrap();
            Schema(&CONTRACTED).migrate(session.client()).await.unwrap()
        };
        let mut done = rocket::futures::future::join_all((0..4).map(one)).await.concat();
        done.sort_unstable();
        assert_eq!(done, [2, 3]);
    });
}

#[test]
fn a_node_with_another_key_or_clock_is_not_ready() {
    let url = Cluster::shared(Version::V15).new_url();
    on_worker(async {
        make(&url, &keys()).await;
        let monitor = Monitor::new(database(&url), SCHEMA);
        monitor.look(keys().checks()).await;
        assert_eq!(monitor.problem(), None);
        let other = KeySet::from(Secret::for_replay("another key of at least thirty-two bytes"));
        monitor.look(other.checks()).await;
        assert!(monitor.problem().unwrap().contains("do not know the key"), "{monitor:?}");
        monitor.look(keys().checks()).await;
        assert!(monitor.is_ready());
    });
}
