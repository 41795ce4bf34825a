//! The number of statements of each operation.

use std::future::Future;

use shipyard::auth::rate_limit::Operation;
use shipyard::model::parse_patch;
use shipyard::model::ship::ShipInput;
use shipyard::store::{Precondition, Rotation, Store, UserChange};

use crate::fixture::{
    admitted, any_ship, first_of_family, hash, if_match, network, next_of_family, other_hash, rates, token,
    user, Backend, Maker, ANN,
};

const NONE: &Precondition = &Precondition::NONE;

/// How many statements the work takes.
async fn counted<T, F: Future<Output = T>>(store: &Store, work: F) -> u64 {
    let Store::Sql(sql) = store else { panic!("memory has no statements") };
    let before = sql.counts().statements;
    work.await;
    sql.counts().statements - before
}

#[test]
fn operations_take_no_more_statements_than_the_documentation_says() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store =
            Maker(Backend::READ_COMMITTED_15).with(rates("1000/hour", "1000/hour", "1000/hour")).await;
        let client = network(1);
        let (a, r, first) = (token(10), token(10), first_of_family(10));
        let (id, ship) = store.create_ship(any_ship()).await.expect("there is room");
        let matching = if_match(&[ship.version().expect("a version").revision()]);
        let patch = || parse_patch::<ShipInput>(b"{}").expect("a change");
        let admission = admitted(&store, 1).await;
        let rotation = Rotation { client, now: 20, grace: 10 };
        let change = || UserChange { id: None, name: None, hash: Some(other_hash()), token: Some(a) };
        let (bob, _) = store.create_user(user("bob")).await.expect("the name is free");
        let steps = [
            ("ship", counted(&store, store.ship(id)).await, 1),
            ("ships", counted(&store, store.ships()).await, 1),
            ("user", counted(&store, store.user(ANN)).await, 1),
            ("users", counted(&store, store.users()).await, 1),
            ("check_access", counted(&store, store.check_access(&a)).await, 1),
            ("check_refresh", counted(&store, store.check_refresh(&r)).await, 1),
            ("create_ship", counted(&store, store.create_ship(any_ship())).await, 1),
            ("update_ship, If-Match", counted(&store, store.update_ship(id, any_ship(), &matching)).await, 1),
            ("update_ship, refused", counted(&store, store.update_ship(id, any_ship(), &matching)).await, 1),
            ("update_ship", counted(&store, store.update_ship(id, any_ship(), NONE)).await, 1),
            ("patch_ship", counted(&store, store.patch_ship(id, patch(), NONE)).await, 2),
            ("delete_ship", counted(&store, store.delete_ship(id, NONE)).await, 1),
            ("admit", counted(&store, store.admit(Operation::CreateUser, client)).await, 1),
            ("create_user", counted(&store, store.create_user(user("eve"))).await, 1),
            ("create_user, name taken", counted(&store, store.create_user(user("eve"))).await, 1),
            ("begin_login", counted(&store, store.begin_login("ann", client)).await, 1),
            (
                "complete_login",
                counted(&store, store.complete_login(&hash(), &a, &first, &admission)).await,
                1,
            ),
            ("refresh", counted(&store, store.refresh(&r, &token(11), &admission)).await, 1),
            (
                "rotate",
                counted(
                    &store,
                    store.rotate(&first, &token(11), &next_of_family(&first, 11), &rotation, &admission),
                )
                .await,
                1,
            ),
            ("log_out", counted(&store, store.log_out(&a, 20)).await, 1),
            ("update_user", counted(&store, store.update_user(ANN, change(), NONE, &admission, 10)).await, 1),
            ("delete_user", counted(&store, store.delete_user(bob, NONE)).await, 1),
        ];
        for (operation, statements, most) in steps {
            assert_eq!(statements, most, "{operation}");
        }
    });
}
