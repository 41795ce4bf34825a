//! What only the store in a database has: expired rows that are removed, and rows that cannot be read.

use std::time::{SystemTime, UNIX_EPOCH};

use shipyard::auth::token::Claims;
use shipyard::internal_error::{chain, OperationError};
use shipyard::json::Style;
use shipyard::model::id::Id;
use shipyard::model::parse_patch;
use shipyard::model::ship::ShipInput;
use shipyard::store::sql::database::{Database, DatabaseSettings};
use shipyard::store::sql::prune::prune;
use shipyard::store::{AccessSessionError, Precondition};
use test_support::postgres::execute;

use crate::fixture::{any_ship, network, outcome, token, Backend, Config, Maker, Node};

fn on_database(test: impl AsyncFnOnce(String)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let url = Maker(Backend::READ_COMMITTED_15).database(&Config::default().rows).await;
        test(url).await;
    });
}

fn number_of_rows(url: &str, table: &str) -> String {
    execute(url, &format!("SELECT count(*) FROM {table}"))[0][0].clone().expect("a number")
}

/// The database of a node.
fn database(url: &str) -> Database {
    let url = url.parse().expect("a valid URL");
    Database::new(&DatabaseSettings { url, pool_size: 1, pooler: false }).expect("no certificates are needed")
}

#[test]
fn expired_tokens_are_removed_and_stay_revoked() {
    on_database(async |url| {
        let store = Node::open(&url, &Config::default()).await;
        let database = database(&url);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        let with_exp = |exp| Claims { exp, ..token(10) };
        let (early, late, other) = (with_exp(now - 120), with_exp(now + 1000), with_exp(now - 120));
        for token in [&early, &late] {
            store.log_out(token, 10).await.expect("a database");
        }
        assert_eq!(outcome(store.check_access(&other).await), Ok(()));
        assert_eq!(prune(&database).await.expect("a database"), (1, 0));
        assert_eq!(number_of_rows(&url, "revoked"), "1");
        // An expired token counts as revoked from then on: a clock may be behind.
        for token in [&early, &late, &other] {
            assert_eq!(outcome(store.check_access(token).await), Err(AccessSessionError::Revoked));
        }
        assert_eq!(prune(&database).await.expect("a database"), (0, 0));
        store.log_out(&early, 10).await.expect("a database");
        assert_eq!(number_of_rows(&url, "revoked"), "1");
    });
}

#[test]
fn more_expired_tokens_than_one_statement_removes() {
    on_database(async |url| {
        execute(&url, "INSERT INTO revoked SELECT gen_random_uuid(), n FROM generate_series(1, 2500) AS n");
        assert_eq!(prune(&database(&url)).await.expect("a database"), (2500, 0));
        assert_eq!(number_of_rows(&url, "revoked"), "0");
    });
}

/// The internal error of an operation, with its causes.
fn internal<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, OperationError<E>>) -> String {
    match result {
        Err(OperationError::Internal(error)) => chain(&error),
        other => panic!("expected an internal error, not {other:?}"),
    }
}

#[test]
fn a_row_that_cannot_be_read_is_an_error_that_names_it() {
    on_database(async |url| {
        let store = Node::open(&url, &Config::default()).await;
        let pretty = Node::open(&url, &Config { style: Style::Pretty, ..Config::default() }).await;
        let (id, _) = store.create_ship(any_ship()).await.expect("there is room");
        execute(&url, "UPDATE ships SET body = 'nonsense'; UPDATE users SET hash = 'secret'");
        for store in [&store, &pretty] {
            assert!(internal(store.ship(id).await).contains("row 1"));
        }
        let patch = parse_patch::<ShipInput>(b"{}").expect("a change");
        assert!(internal(store.patch_ship(id, patch, &Precondition::NONE).await).contains("row 1"));
        let said = internal(store.begin_login("ann", network(1)).await);
        assert!(said.contains("row 1") && !said.contains("secret"), "{said}");
        // A list that does not have its length must not be sent.
        execute(&url, "UPDATE ships SET body = '{}', pretty_length = 8");
        assert!(internal(pretty.ships().await).contains("instead of"));
        execute(&url, "DELETE FROM counters");
        internal(store.create_ship(any_ship()).await);
        assert!(store.user(Id::new(1)).await.is_ok(), "the others can be read");
    });
}
