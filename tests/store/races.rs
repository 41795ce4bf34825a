//! Races between nodes: each node has a runtime of its own.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use serde_json::json;
use shipyard::auth::rate_limit::Operation;
use shipyard::auth::token::Claims;
use shipyard::internal_error::OperationError;
use shipyard::json::EncodedJson;
use shipyard::model::id::Id;
use shipyard::model::ship::{Ship, ShipInput};
use shipyard::model::{self, parse_patch};
use shipyard::store::{
    AccessSessionError, CreateUserError, Precondition, RefreshSessionError, Rotation, Store, StoreLimits,
    UpdateShipError,
};

use crate::fixture::{
    admitted, any_ship, change_password, first_of_family, hash, if_match, log_in, network, next_of_family,
    outcome, rates, renamed, token, user, Backend, Config, Maker, Node, ANN,
};

const BACKENDS: [Backend; 4] = [
    Backend::READ_COMMITTED_15,
    Backend::READ_COMMITTED_18,
    Backend::REPEATABLE_READ_15,
    Backend::SERIALIZABLE_18,
];

/// Runs as many tasks on each of the nodes, all at once. Returns what they return.
fn on_nodes<T, F>(
    url: &str,
    config: &Config,
    nodes: usize,
    tasks: usize,
    task: impl Fn(Store, usize) -> F + Send + Sync + 'static,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let task = Arc::new(task);
    let node = |node: usize| {
        let (url, config, task) = (url.to_owned(), config.clone(), Arc::clone(&task));
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let store = Node::with_pool(&url, &config, 8).await;
                let started: Vec<_> =
                    (0..tasks).map(|at| tokio::spawn(task(store.clone(), node * tasks + at))).collect();
                let mut results = Vec::new();
                for task in started {
                    results.push(task.await.expect("no panic"));
                }
                results
            })
        })
    };
    let nodes: Vec<_> = (0..nodes).map(node).collect();
    nodes.into_iter().flat_map(|node| node.join().expect("no panic")).collect()
}

fn database(backend: Backend, config: &Config) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(Maker(backend).database(&config.rows))
}

/// Runs on one more node.
fn on_node<T>(url: &str, work: impl AsyncFnOnce(Store) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { work(Node::open(url, &Config::default()).await).await })
}

/// Runs again what was given up because others were faster, as a client does after a 503.
async fn again<T, E, F: Future<Output = Result<T, OperationError<E>>>>(run: impl Fn() -> F) -> Result<T, E>
where
    E: std::fmt::Debug,
{
    loop {
        match run().await {
            Err(OperationError::Unavailable(_)) => {}
            Err(OperationError::Internal(error)) => panic!("{error:?}"),
            Ok(value) => return Ok(value),
            Err(OperationError::Rejected(error)) => return Err(error),
        }
    }
}

#[test]
fn racing_creates_leave_no_gaps() {
    for backend in BACKENDS {
        let limits = StoreLimits { users: 9, ships: 150, ..StoreLimits::default() };
        let config = Config { limits, ..Config::default() };
        let url = database(backend, &config);
        let created = on_nodes(&url, &config, 2, 200, |store, at| async move {
            let name = format!("user {}", at % 10);
            let made = again(|| store.create_user(user(&name))).await.map(|(id, _)| id.number());
            let ship = again(|| store.create_ship(any_ship())).await.map(|(id, _)| id.number());
            (made, ship)
        });
        let users: BTreeSet<u64> = created.iter().filter_map(|(made, _)| made.ok()).collect();
        assert!(users.into_iter().eq(2..=9), "{backend:?}");
        // 8 names are taken; the other two find the table full.
        let full = created.iter().filter(|(made, _)| *made == Err(CreateUserError::Full)).count();
        let taken = created.iter().filter(|(made, _)| *made == Err(CreateUserError::NameTaken)).count();
        assert_eq!(full + taken, 392, "{backend:?}");
        assert!((80..=392).contains(&full), "{full}");
        let ships: BTreeSet<u64> = created.iter().filter_map(|(_, ship)| ship.ok()).collect();
        assert!(ships.into_iter().eq(1..=150), "{backend:?}");
        assert_eq!(created.iter().filter(|(_, ship)| ship.is_ok()).count(), 150);
    }
}

#[test]
fn no_create_waits_for_a_delete_that_waits_for_it() {
    let config = Config::default();
    let url = database(Backend::READ_COMMITTED_15, &config);
    let began = std::time::Instant::now();
    on_nodes(&url, &config, 2, 100, |store, at| async move {
        let name = format!("user {}", at % 3);
        if let Ok((id, _)) = again(|| store.create_user(user(&name))).await {
            again(|| store.delete_user(id, &Precondition::NONE)).await.expect("it is there");
        }
    });
    let rows = test_support::postgres::execute(
        &url,
        "SELECT rows = (SELECT count(*) FROM users) FROM counters WHERE kind = 'users';
         SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
    );
    assert_eq!(rows, [[Some("t".to_owned())], [Some("0".to_owned())]]);
    assert!(began.elapsed().as_secs() < 60);
}

#[test]
fn a_logout_is_seen_at_once_by_the_other_node() {
    let config = Config::default();
    let url = database(Backend::READ_COMMITTED_18, &config);
    on_node(&url, async |other| {
        let store = Node::open(&url, &config).await;
        for at in 0..500 {
            let (a, r) = (token(10), token(10));
            assert!(log_in(&store, &hash(), &a, &r).await);
            assert_eq!(outcome(other.check_access(&a).await), Ok(()), "{at}");
            store.log_out(&a, 10).await.expect("a database");
            assert_eq!(outcome(other.check_access(&a).await), Err(AccessSessionError::Revoked), "{at}");
            assert_eq!(outcome(other.check_refresh(&r).await), Ok(()));
        }
        let old = token(10);
        assert!(log_in(&store, &hash(), &token(10), &old).await);
        let new = change_password(&store, 10).await;
        assert!(!log_in(&other, &hash(), &token(11), &token(11)).await);
        assert_eq!(outcome(other.check_refresh(&old).await), Err(RefreshSessionError::PasswordChanged));
        assert!(log_in(&other, &new, &token(10), &token(10)).await);
    });
}

fn crew(ship: &EncodedJson<Ship>) -> (ShipInput, u64) {
    let input = model::parse(ship.text().expect("JSON")).expect("a ship");
    (ShipInput { id: None, ..input }, ship.version().expect("a version").revision())
}

#[test]
fn concurrent_changes_with_if_match_lose_none() {
    for backend in BACKENDS {
        let config = Config::default();
        let url = database(backend, &config);
        // A thousand, by 16 clients at once; fewer where most statements run several times.
        let rounds = if matches!(backend, Backend::Sql { isolation: "read committed", .. }) { 63 } else { 6 };
        let first = on_node(&url, async |store| store.create_ship(any_ship()).await.expect("there is room"));
        let (before, _) = crew(&first.1);
        on_nodes(&url, &config, 2, 8, move |store, _| async move {
            for _ in 0..rounds {
                add_one(&store).await;
            }
        });
        let after = on_node(&url, async |store| store.ship(id(1)).await.expect("it is there"));
        assert_eq!(crew(&after).0.crew, before.crew + 16 * rounds, "{backend:?}");
    }
}

/// Adds one to the crew, as a client does: reads, and writes if nothing has changed since.
async fn add_one(store: &Store) {
    loop {
        let current = again(|| store.ship(id(1))).await.expect("it is there");
        let (mut ship, revision) = crew(&current);
        ship.crew += 1;
        let seen = if_match(&[revision]);
        match again(|| store.update_ship(id(1), ship.clone(), &seen)).await {
            Ok(_) => return,
            Err(UpdateShipError::Precondition(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn id(number: u64) -> Id {
    Id::new(number)
}

/// Each changes a field of its own: none takes back another's.
#[test]
fn concurrent_patches_keep_each_other() {
    for backend in BACKENDS {
        let config = Config::default();
        let url = database(backend, &config);
        on_node(&url, async |store| store.create_ship(any_ship()).await.expect("there is room"));
        let fields = ["affiliation", "category", "manufacturer", "model", "ship_class"];
        on_nodes(&url, &config, 2, 5, move |store, at| async move {
            for round in 0..20 {
                let (field, value) = (fields[at % 5], format!("{at} {round}"));
                if at < 5 {
                    let text = json!({ field: value }).to_string();
                    let patch = || parse_patch::<ShipInput>(text.as_bytes()).expect("a change");
                    again(|| store.patch_ship(id(1), patch(), &Precondition::NONE))
                        .await
                        .expect("it is there");
                    let ship = crew(&again(|| store.ship(id(1))).await.expect("it is there")).0;
                    let stored = [
                        &ship.affiliation,
                        &ship.category,
                        &ship.manufacturer,
                        &ship.model,
                        &ship.ship_class,
                    ];
                    assert_eq!(*stored[at % 5], value);
                } else {
                    let text = json!({"crew": 1 + round}).to_string();
                    let patch = || parse_patch::<ShipInput>(text.as_bytes()).expect("a change");
                    again(|| store.patch_ship(id(1), patch(), &Precondition::NONE))
                        .await
                        .expect("it is there");
                }
            }
        });
    }
}

#[test]
fn limits_over_three_nodes_admit_what_one_would() {
    for backend in BACKENDS {
        let config = rates("3/minute", "1/hour", "1000/second");
        let url = database(backend, &config);
        let admitted = on_nodes(&url, &config, 3, 30, |store, _| async move {
            let admission = again(|| store.admit(Operation::Refresh, network(1))).await;
            admission.map(drop).map_err(|limited| limited.retry_after)
        });
        let rejected: Vec<u32> = admitted.iter().filter_map(|result| result.err()).collect();
        assert_eq!(admitted.len() - rejected.len(), 3, "{backend:?}");
        assert!(rejected.iter().all(|seconds| (10..=20).contains(seconds)), "{rejected:?}");
    }
}

#[test]
fn of_two_clients_with_one_refresh_token_one_spends_it() {
    for backend in BACKENDS {
        let config = Config::default();
        let url = database(backend, &config);
        let firsts: Vec<Claims> = (0..20).map(|_| first_of_family(10)).collect();
        on_node(&url, async |store| {
            for first in &firsts {
                assert!(log_in(&store, &hash(), &token(10), first).await);
            }
        });
        let tokens = firsts.clone();
        let spent = on_nodes(&url, &config, 2, 20, move |store, at| {
            let first = tokens[at % 20];
            async move {
                let last = if at < 20 { 1 } else { 2 };
                let rotation = Rotation { client: network(last), now: 20, grace: 10 };
                let (access, next) = (token(20), next_of_family(&first, 20));
                let admission = admitted(&store, last).await;
                again(|| store.rotate(&first, &access, &next, &rotation, &admission)).await
            }
        });
        for at in 0..20 {
            let mut both = [spent[at], spent[at + 20]];
            both.sort_by_key(Result::is_err);
            assert_eq!(both, [Ok(()), Err(RefreshSessionError::Reused)], "{backend:?}");
        }
    }
}

/// Logins of one user at once: each family is kept, and each token is noted.
#[test]
fn concurrent_logins_of_one_user_keep_each_other() {
    for backend in BACKENDS {
        let config = Config::default();
        let url = database(backend, &config);
        let logins = on_nodes(&url, &config, 2, 15, |store, _| async move {
            let (a, first) = (token(crate::fixture::START), first_of_family(10));
            let admission = admitted(&store, 1).await;
            let verified = hash();
            assert!(again(|| store.complete_login(&verified, &a, &first, &admission))
                .await
                .expect("a database"));
            (a, first)
        });
        on_node(&url, async |store| {
            for (a, first) in &logins {
                assert_eq!(outcome(store.check_access(a).await), Ok(()));
                assert_eq!(outcome(store.check_refresh(first).await), Ok(()));
            }
        });
    }
}

/// Renames race with creates for one name: one of all gets it.
#[test]
fn one_of_many_gets_a_name() {
    for backend in BACKENDS {
        let config = Config::default();
        let url = database(backend, &config);
        let got = on_nodes(&url, &config, 2, 20, |store, at| async move {
            if at % 2 == 0 {
                return again(|| store.create_user(user("wanted"))).await.is_ok();
            }
            let name = format!("user {at}");
            let (id, _) = again(|| store.create_user(user(&name))).await.expect("the name is free");
            let admission = admitted(&store, 1).await;
            let none = Precondition::NONE;
            again(|| store.update_user(id, renamed(None, "wanted"), &none, &admission, 10)).await.is_ok()
        });
        assert_eq!(got.iter().filter(|got| **got).count(), 1, "{backend:?}");
    }
    assert_eq!(ANN, Id::new(1));
}
