//! Models of the shared state. Each is a few threads, each with a few calls, run in every order in which the threads can
//! take the locks. A rule that a check and its write are one step, if it is broken, is broken in one of these orders.

#![cfg(shuttle)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use serde_json::Value;
use shipyard::auth::clock::{Clock, TokenIds};
use shipyard::auth::password::{Cost, Hash};
use shipyard::auth::rate_limit::Admission;
use shipyard::auth::revocation::ValidAfter;
use shipyard::auth::secret::Secret;
use shipyard::auth::token::Lifetimes;
use shipyard::auth::token::{Claims, Issued, Kind, Tokens};
use shipyard::internal_error::OperationError;
use shipyard::json::{JsonBody, Version};
use shipyard::model::id::Id;
use shipyard::model::ship::{Ship, ShipInput, ShipPatch};
use shipyard::model::{self, Input};
use shipyard::store::initial_rows::InitialRows;
use shipyard::store::memory::initial_data::InitialData;
use shipyard::store::memory::{Memory, MemoryConfig};
use shipyard::store::{
    AccessSessionError, CreateUserError, GetError, HashedUser, Precondition, PreconditionError,
    RefreshSessionError, Revisions, Rotation, StoredUser, UpdateShipError, UpdateUserError, UserChange,
};
use shuttle::scheduler::DfsScheduler;
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, Runner};

const ANN: Id = Id::new(1);
const BOB: Id = Id::new(2);

/// When every model begins.
const NOW: u64 = 1_795_395_000;

/// Runs a model in every order, and says how many there were; at least `orders`, or the threads do not meet.
fn in_every_order(orders: usize, model: impl Fn() + Send + Sync + 'static) {
    let tried = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&tried);
    Runner::new(DfsScheduler::new(None, false), Config::default()).run(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let tried = tried.load(Ordering::Relaxed);
    println!("{tried} orders");
    assert!(tried >= orders, "{tried} orders only");
}

fn join<T: 'static>(thread: JoinHandle<T>) -> T {
    thread.join().expect("no thread of a model panics")
}

/// A hash that needs no computing. Each number is another.
fn hash(number: u32) -> Hash {
    Hash::parse(&format!(
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhh{number:04}"
    ))
    .expect("a hash")
}

fn change(name: &str, number: u32) -> UserChange {
    UserChange { id: None, name: Some(name.to_owned()), hash: Some(hash(number)), token: None }
}

fn user(name: &str, number: u32) -> HashedUser {
    HashedUser { id: None, name: name.to_owned(), hash: hash(number) }
}

fn ship(crew: i32) -> ShipInput {
    ShipInput { crew, ..model::read(ShipInput::example()).expect("the example fits") }
}

/// Ann, with hash 1, and Bob, with hash 2; and a ship.
fn store() -> Memory {
    store_at(0)
}

/// The same, with a start at that time.
fn store_at(now: u64) -> Memory {
    let account = |name: &str, number| StoredUser { name: name.to_owned(), hash: hash(number) };
    let ships: BTreeMap<Id, Ship> = BTreeMap::from([(ANN, ship(1).with_id(ANN))]);
    let users = BTreeMap::from([(ANN, account("ann", 1)), (BOB, account("bob", 2))]);
    Memory::new(InitialRows { users, ships }, &MemoryConfig { now, ..MemoryConfig::default() })
}

fn admission() -> Admission {
    Admission::uncounted(None.into())
}

/// A list as it is answered.
fn list(body: Option<JsonBody>) -> Vec<Value> {
    let text = body.and_then(|body| body.into_bytes().ok()).expect("JSON");
    serde_json::from_slice(&text).expect("a list")
}

/// All ships as they are answered.
fn ships(store: &Memory) -> Vec<Value> {
    list(store.ships().to_body())
}

/// The ids and names of all users as they are answered.
fn users(store: &Memory) -> Vec<(Id, String)> {
    let user = |user: &Value| Some((Id::new(user["id"].as_u64()?), user["name"].as_str()?.to_owned()));
    list(store.users().to_body()).iter().map(|row| user(row).expect("a user")).collect()
}

/// A server that was started a second ago.
fn tokens(clock: &Clock) -> Tokens {
    let secret = Secret::new(*b"a key for models, of thirty-two bytes or more").expect("a key");
    let tokens = Tokens::new(&secret, Lifetimes::default(), clock.clone(), TokenIds::Random);
    clock.set(NOW + 1);
    tokens
}

/// Every name leads to its user, and every user is led to.
fn assert_names_lead_to_users(store: &Memory, names: &[&str]) {
    let users = users(store);
    for (id, name) in &users {
        assert_eq!(store.credentials(name).map(|(id, _)| id), Some(*id), "{name}");
    }
    for name in names {
        let owner = users.iter().find(|(_, of_user)| of_user == name).map(|(id, _)| *id);
        assert_eq!(store.credentials(name).map(|(id, _)| id), owner, "{name}");
    }
}

#[test]
fn of_creates_of_one_name_one_succeeds() {
    in_every_order(100, || {
        let store = store();
        let threads: Vec<_> = (0..3)
            .map(|number| {
                let store = store.clone();
                thread::spawn(move || store.create_user(user("new", number)))
            })
            .collect();
        let results: Vec<_> = threads.into_iter().map(join).collect();
        let created: Vec<_> = results.iter().flatten().collect();
        assert_eq!(created.len(), 1);
        assert_eq!(created[0].0, Id::new(3));
        assert!(results.iter().all(|result| result.is_ok() || *result == Err(CreateUserError::NameTaken)));
        assert_names_lead_to_users(&store, &["new"]);
    });
}

#[test]
fn ids_are_given_out_once_while_the_newest_are_deleted() {
    in_every_order(100, || {
        let store = store();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let store = store.clone();
                thread::spawn(move || {
                    let first = store.create_ship(ship(1)).expect("ids are left").0;
                    store.delete_ship(first, &Precondition::NONE).expect("it is there");
                    [first, store.create_ship(ship(1)).expect("ids are left").0]
                })
            })
            .collect();
        let mut ids: Vec<Id> = threads.into_iter().flat_map(join).collect();
        ids.sort();
        assert_eq!(ids, [2, 3, 4, 5].map(Id::new));
        assert_eq!(ships(&store).len(), 3);
    });
}

#[test]
fn a_list_is_of_the_ships_that_there_are() {
    in_every_order(100, || {
        let store = store();
        let (reading, writing) = (store.clone(), store.clone());
        let read = thread::spawn(move || [ships(&reading), ships(&reading)]);
        let written = thread::spawn(move || {
            writing.update_ship(ANN, ship(2), &Precondition::NONE).expect("it is there");
            writing.create_ship(ship(3)).expect("ids are left").0
        });
        let created = join(written);
        let crews =
            |ships: &[Value]| ships.iter().filter_map(|ship| ship["crew"].as_u64()).collect::<Vec<_>>();
        let [first, second] = join(read).map(|ships| crews(&ships));
        let states = [vec![1], vec![2], vec![2, 3]];
        let when = |crews| states.iter().position(|state| *state == crews).expect("one of the states");
        assert!(when(first) <= when(second));
        assert_eq!(crews(&ships(&store)), [2, 3]);
        store.delete_ship(created, &Precondition::NONE).expect("it is there");
        assert_eq!(crews(&ships(&store)), [2]);
    });
}

/// Cached crews, with the version of the value that they were read from.
type Cached = Option<(Vec<u64>, Version)>;

/// Answers as the HTTP server does: from the cache if that is valid, and otherwise from the store, which is then cached.
fn from_cache_or(cached: &mut Cached, read: impl FnOnce() -> Cached) -> Vec<u64> {
    if !cached.as_ref().is_some_and(|(_, version)| version.is_current()) {
        *cached = read();
    }
    cached.as_ref().map(|(crews, _)| crews.clone()).unwrap_or_default()
}

/// A worker of the HTTP server, with its cached responses.
struct Worker {
    store: Memory,
    ship: Cached,
    list: Cached,
}

impl Worker {
    /// Asks for a ship and for the list, when so many writes of `STATES` are known to have been acknowledged.
    fn check(&mut self, acknowledged: usize) {
        /// The crew of the ship, and those of all, before and after each write.
        const STATES: [(&[u64], &[u64]); 4] = [(&[1], &[1]), (&[2], &[2]), (&[2], &[2, 3]), (&[], &[3])];
        let crew = |ship: &Value| ship["crew"].as_u64().expect("a crew");
        let ship = from_cache_or(&mut self.ship, || {
            let ship = self.store.ship(ANN).ok()?;
            let value = serde_json::from_slice(ship.text().expect("JSON")).expect("JSON");
            Some((vec![crew(&value)], ship.version().cloned()?))
        });
        let all = from_cache_or(&mut self.list, || {
            let ships = self.store.ships();
            Some((list(ships.to_body()).iter().map(crew).collect(), ships.version().clone()))
        });
        let possible = &STATES[acknowledged..];
        assert!(possible.iter().any(|(of_ship, _)| *of_ship == ship), "{ship:?} after {acknowledged} writes");
        assert!(possible.iter().any(|(_, of_all)| *of_all == all), "{all:?} after {acknowledged} writes");
    }
}

/// A client that knows of an acknowledged write never gets a cached response from before it.
#[test]
fn no_cached_response_is_older_than_an_acknowledged_write() {
    in_every_order(100, || {
        let store = store();
        let acknowledged = Arc::new(shuttle::sync::atomic::AtomicUsize::new(0));
        let mut worker = Worker { store: store.clone(), ship: None, list: None };
        worker.check(0);
        let known = Arc::clone(&acknowledged);
        let reads = thread::spawn(move || {
            worker.check(known.load(Ordering::SeqCst));
            worker
        });
        store.update_ship(ANN, ship(2), &Precondition::NONE).expect("it is there");
        acknowledged.store(1, Ordering::SeqCst);
        store.create_ship(ship(3)).expect("ids are left");
        let mut worker = join(reads);
        worker.check(2);
        store.delete_ship(ANN, &Precondition::NONE).expect("it is there");
        worker.check(3);
    });
}

/// Two clients have read the same version. One replaces it, and the other is refused.
#[test]
fn a_version_is_replaced_once() {
    in_every_order(6, || {
        let store = store();
        let read = store.ship(ANN).expect("it is there").version().expect("it is stored").revision();
        let precondition =
            Precondition { if_match: Some(Revisions::These(vec![read])), ..Precondition::NONE };
        let (other, others) = (store.clone(), precondition.clone());
        let replaced = thread::spawn(move || other.update_ship(ANN, ship(2), &others).map(drop));
        let mut patch = ShipPatch::from(ship(3));
        patch.model = None;
        let changed = store.patch_ship(ANN, patch, &precondition).map(drop);
        let replaced = join(replaced);
        assert_ne!(replaced.is_ok(), changed.is_ok());
        let refused = UpdateShipError::Precondition(PreconditionError::Failed);
        assert!(replaced.is_ok() || replaced == Err(refused));
        assert!(
            changed.is_ok() || matches!(changed, Err(OperationError::Rejected(error)) if error == refused)
        );
        let crews: Vec<_> = list(store.ships().to_body()).iter().map(|ship| ship["crew"].as_u64()).collect();
        assert_eq!(crews, [Some(if replaced.is_ok() { 2 } else { 3 })]);
    });
}

#[test]
fn a_deleted_ship_stays_deleted() {
    in_every_order(20, || {
        let store = store();
        let (updating, deleting) = (store.clone(), store.clone());
        let updated = thread::spawn(move || {
            [2, 3].map(|crew| updating.update_ship(ANN, ship(crew), &Precondition::NONE).map(drop))
        });
        let deleted = thread::spawn(move || deleting.delete_ship(ANN, &Precondition::NONE));
        let [first, second] = join(updated);
        assert_eq!(join(deleted), Ok(()));
        assert!(first.is_ok() || second == Err(UpdateShipError::NotFound));
        assert_eq!(store.ship(ANN).err(), Some(GetError::NotFound));
        assert_eq!(
            store.update_ship(ANN, ship(4), &Precondition::NONE).err(),
            Some(UpdateShipError::NotFound)
        );
    });
}

#[test]
fn a_deleted_user_stays_deleted_and_leaves_both_names_free() {
    in_every_order(100, || {
        let store = store();
        let (renaming, deleting, creating) = (store.clone(), store.clone(), store.clone());
        let renamed = thread::spawn(move || {
            renaming.update_user(ANN, change("eve", 3), &Precondition::NONE, &admission(), NOW)
        });
        let deleted = thread::spawn(move || deleting.delete_user(ANN, &Precondition::NONE));
        let created = thread::spawn(move || creating.create_user(user("eve", 4)));
        let renamed = join(renamed);
        assert_eq!(join(deleted), Ok(()));
        let created = join(created);
        let possible = matches!(
            (&renamed, &created),
            (Ok(_) | Err(UpdateUserError::NotFound | UpdateUserError::NameTaken), Ok(_))
                | (Ok(_), Err(CreateUserError::NameTaken))
        );
        assert!(possible, "{renamed:?}, {created:?}");
        assert_eq!(store.user(ANN), Err(GetError::NotFound));
        assert_names_lead_to_users(&store, &["ann", "bob", "eve"]);
        assert!(store.create_user(user("ann", 5)).is_ok());
        assert_eq!(store.create_user(user("eve", 5)).is_ok(), created.is_err());
    });
}

#[test]
fn names_that_are_swapped_stay_unique() {
    in_every_order(100, || {
        let store = store();
        let (ann, bob) = (store.clone(), store.clone());
        let ann = thread::spawn(move || {
            ["bob", "eve"].map(|name| {
                ann.update_user(ANN, change(name, 1), &Precondition::NONE, &admission(), NOW).is_ok()
            })
        });
        let bob = thread::spawn(move || {
            ["ann", "eve"].map(|name| {
                bob.update_user(BOB, change(name, 2), &Precondition::NONE, &admission(), NOW).is_ok()
            })
        });
        let (ann, bob) = (join(ann), join(bob));
        assert!(ann[1] || bob[1], "somebody is eve");
        let users = users(&store);
        assert_ne!(users[0].1, users[1].1);
        assert_names_lead_to_users(&store, &["ann", "bob", "eve"]);
    });
}

/// A login as `Accounts::log_in` makes it: look up, verify (which takes time), issue, admit.
fn log_in(store: &Memory, tokens: &Tokens, password: &Hash) -> Option<Issued> {
    let (id, hash) = store.credentials("ann").filter(|(_, hash)| hash == password)?;
    let access = tokens.issue(Kind::Access, id).expect("it is signed");
    let refresh = tokens.issue(Kind::Refresh, id).expect("it is signed");
    store.complete_login(&hash, &access.claims, &refresh.claims, &admission()).then_some(refresh)
}

#[test]
fn no_login_with_the_old_password_survives_a_password_change() {
    in_every_order(200, || {
        let (store, clock) = (store(), Clock::manual(NOW));
        let tokens = tokens(&clock);
        let (other, others) = (store.clone(), tokens.clone());
        let login = thread::spawn(move || log_in(&other, &others, &hash(1)));
        let (other, others) = (store.clone(), tokens.clone());
        let change = thread::spawn(move || {
            other.update_user(ANN, change("ann", 9), &Precondition::NONE, &admission(), others.now()).is_ok()
        });
        // The second may end anywhere.
        let tick = thread::spawn(move || clock.set(NOW + 2));
        let old = join(login);
        assert!(join(change));
        join(tick);
        if let Some(Issued { claims, .. }) = old {
            assert_eq!(store.check_refresh(&claims), Err(RefreshSessionError::PasswordChanged));
        }
        let new = log_in(&store, &tokens, &hash(9)).expect("the new password");
        assert_eq!(store.check_refresh(&new.claims), Ok(()));
        assert!(log_in(&store, &tokens, &hash(1)).is_none());
    });
}

/// Two changes, and a login with the password in between: whichever it verified, it has it no longer.
#[test]
fn the_last_of_two_changes_ends_what_the_first_let_in() {
    in_every_order(200, || {
        let (store, clock) = (store(), Clock::manual(NOW));
        let tokens = tokens(&clock);
        let (other, others) = (store.clone(), tokens.clone());
        let login = thread::spawn(move || log_in(&other, &others, &hash(8)));
        let (other, others) = (store.clone(), tokens.clone());
        let changes = thread::spawn(move || {
            for number in [8, 9] {
                other
                    .update_user(ANN, change("ann", number), &Precondition::NONE, &admission(), others.now())
                    .expect("ann is there");
            }
        });
        let between = join(login);
        join(changes);
        if let Some(Issued { claims, .. }) = between {
            assert_eq!(store.check_refresh(&claims), Err(RefreshSessionError::PasswordChanged));
        }
    });
}

#[test]
fn a_login_of_a_user_who_is_being_deleted_gets_nothing_that_counts() {
    in_every_order(50, || {
        let (store, clock) = (store(), Clock::manual(NOW));
        let tokens = tokens(&clock);
        let (other, others) = (store.clone(), tokens.clone());
        let login = thread::spawn(move || log_in(&other, &others, &hash(1)));
        let other = store.clone();
        let deleted = thread::spawn(move || other.delete_user(ANN, &Precondition::NONE));
        let issued = join(login);
        assert_eq!(join(deleted), Ok(()));
        if let Some(Issued { claims, .. }) = issued {
            assert_eq!(store.check_refresh(&claims), Err(RefreshSessionError::UnknownUser));
        }
        assert_eq!(store.user(ANN), Err(GetError::NotFound));
    });
}

/// A log-out forgets what has expired, and nothing else, whatever else is logged out and whenever the hour ends.
#[test]
fn a_logged_out_token_stays_out() {
    in_every_order(100, || {
        let clock = Clock::manual(NOW);
        let (store, tokens) = (store(), tokens(&clock));
        let issue = || tokens.issue(Kind::Access, ANN).expect("it is signed").claims;
        let issued = [issue(), issue()];
        let thread = |number: usize, now| {
            let (store, claims) = (store.clone(), issued[number]);
            thread::spawn(move || {
                store.log_out(&claims, now);
                // A request that begins now is refused.
                assert_eq!(store.check_access(&claims), Err(AccessSessionError::Revoked));
            })
        };
        // The latter is within the lifetime of the tokens, and in another bucket of the revocations.
        let threads = [thread(0, NOW + 2), thread(1, NOW + 890)];
        threads.into_iter().for_each(join);
        for claims in &issued {
            assert_eq!(store.check_access(claims), Err(AccessSessionError::Revoked));
        }
        assert_eq!(store.check_access(&issue()), Ok(()));
    });
}

/// One refresh of a token whose login has a family.
fn rotate(
    store: &Memory,
    tokens: &Tokens,
    spent: &Claims,
    grace: u64,
) -> Result<Claims, RefreshSessionError> {
    let access = tokens.issue(Kind::Access, ANN).expect("it is signed");
    let family = spent.family.expect("it has a family");
    let next = tokens.issue_next_of_family(spent, family).expect("it is signed");
    let rotation = Rotation { client: None.into(), now: tokens.now(), grace };
    store.rotate(spent, &access.claims, &next.claims, &rotation, &admission()).map(|()| next.claims)
}

/// Two clients use one refresh token. One of them is first. Without a grace the other ends the login, wherever it comes.
#[test]
fn of_two_uses_of_a_refresh_token_one_is_the_first() {
    for grace in [0, 10] {
        in_every_order(20, move || {
            let (store, clock) = (store(), Clock::manual(NOW));
            let tokens = tokens(&clock);
            let access = tokens.issue(Kind::Access, ANN).expect("it is signed");
            let first = tokens.issue_first_of_family(ANN).expect("it is signed").claims;
            assert!(store.complete_login(&hash(1), &access.claims, &first, &admission()));
            let uses: Vec<_> = (0..2)
                .map(|_| {
                    let (store, tokens) = (store.clone(), tokens.clone());
                    thread::spawn(move || rotate(&store, &tokens, &first, grace))
                })
                .collect();
            let results: Vec<_> = uses.into_iter().map(join).collect();
            let next: Vec<&Claims> = results.iter().flatten().collect();
            if grace == 0 {
                assert_eq!(next.len(), 1, "{results:?}");
                assert!(results.contains(&Err(RefreshSessionError::Reused)), "{results:?}");
                assert_eq!(store.check_refresh(next[0]), Err(RefreshSessionError::FamilyEnded));
            } else {
                assert_eq!(next.len(), 2, "{results:?}");
                assert!(rotate(&store, &tokens, next[0], grace).is_ok());
            }
        });
    }
}

/// A logout and a refresh of one login: whatever the refresh got has ended.
#[test]
fn a_log_out_ends_what_a_racing_rotation_has_got() {
    in_every_order(20, || {
        let (store, clock) = (store(), Clock::manual(NOW));
        let tokens = tokens(&clock);
        let access = tokens.issue(Kind::Access, ANN).expect("it is signed");
        let first = tokens.issue_first_of_family(ANN).expect("it is signed").claims;
        assert!(store.complete_login(&hash(1), &access.claims, &first, &admission()));
        let (other, others) = (store.clone(), tokens.clone());
        let refresh = thread::spawn(move || rotate(&other, &others, &first, 10));
        let other = store.clone();
        join(thread::spawn(move || other.log_out(&first, NOW + 1)));
        if let Ok(next) = join(refresh) {
            assert_eq!(store.check_refresh(&next), Err(RefreshSessionError::FamilyEnded));
        }
    });
}

/// A reset and a refresh: whatever the refresh got has ended, although ids begin again.
#[test]
fn a_reset_ends_what_a_racing_refresh_has_got() {
    let hasher = Cost { memory: 8, iterations: 1, parallelism: 1 }.hasher().expect("a cheap cost");
    in_every_order(20, move || {
        let (store, clock) = (store(), Clock::manual(NOW));
        let tokens = tokens(&clock);
        let session = log_in(&store, &tokens, &hash(1)).expect("the password");
        let initial_data =
            InitialData::new(InitialRows::default(), store.clone(), tokens.clone(), hasher.clone());
        let (other, others, claims) = (store.clone(), tokens.clone(), session.claims);
        let refresh = thread::spawn(move || {
            // The reset may have read the time before.
            clock.set(NOW + 2);
            let access = others.issue(Kind::Access, ANN).expect("it is signed");
            other.refresh(&claims, &access.claims, &admission()).is_ok().then_some(access.claims)
        });
        let reset = thread::spawn(move || initial_data.reset());
        join(reset);
        assert_eq!(store.check_refresh(&session.claims), Err(RefreshSessionError::AllLoggedOut));
        if let Some(access) = join(refresh) {
            assert_eq!(store.check_access(&access), Err(AccessSessionError::AllLoggedOut));
        }
    });
}

/// Where a log-out cannot be remembered by itself, it ends all tokens of its user: that of the log-out, and whatever a
/// refresh that races with it has been let have by then. Who logs in afterwards is let in.
#[test]
fn a_log_out_of_all_ends_what_a_racing_refresh_has_got() {
    in_every_order(100, || {
        let (store, clock) = (store(), Clock::manual(NOW));
        let tokens = tokens(&clock);
        let session = log_in(&store, &tokens, &hash(1)).expect("the password");
        let (other, others, claims) = (store.clone(), tokens.clone(), session.claims);
        let refresh = thread::spawn(move || {
            let access = others.issue(Kind::Access, ANN).expect("it is signed");
            other.refresh(&claims, &access.claims, &admission()).is_ok().then_some(access.claims)
        });
        let (other, others) = (store.clone(), tokens.clone());
        let log_out = thread::spawn(move || other.log_out_everywhere(ANN, others.now()));
        // The second may end anywhere.
        let tick = thread::spawn(move || clock.set(NOW + 2));
        join(log_out);
        join(tick);
        let refreshed = join(refresh);
        assert_eq!(store.check_refresh(&session.claims), Err(RefreshSessionError::AllLoggedOut));
        if let Some(access) = refreshed {
            assert!(store.check_access(&access).is_err());
        }
        let again = log_in(&store, &tokens, &hash(1)).expect("the password");
        assert_eq!(store.check_refresh(&again.claims), Ok(()));
    });
}

/// In the second of a valid_after only what was issued after it counts, however many ask and issue.
#[test]
fn a_cutoff_admits_what_came_after_it_and_nothing_else() {
    in_every_order(100, || {
        let valid_after = Arc::new(ValidAfter::at(NOW, 10));
        let ids: Vec<_> = (0..3).map(|_| TokenIds::Random.next().expect("an id")).collect();
        let noting = |id| {
            let valid_after = Arc::clone(&valid_after);
            thread::spawn(move || {
                valid_after.record(NOW, id);
                assert!(valid_after.allows(NOW, id));
            })
        };
        let threads = [noting(ids[0]), noting(ids[1])];
        assert!(!valid_after.allows(NOW, ids[2]));
        assert!(!valid_after.allows(NOW - 1, ids[0]));
        assert!(valid_after.allows(NOW + 1, ids[2]));
        threads.into_iter().for_each(join);
        assert!(ids[..2].iter().all(|&id| valid_after.allows(NOW, id)));
        assert!(!valid_after.allows(NOW, ids[2]));
    });
}

/// The same with the tokens of a store that has just started: those of a login count at once, while another thread logs in, and
/// then those of both.
#[test]
fn a_token_counts_from_the_moment_of_its_login() {
    in_every_order(20, || {
        let clock = Clock::manual(NOW);
        let (store, tokens) = (store_at(NOW + 1), tokens(&clock));
        let issue = |kind| tokens.issue(kind, ANN).expect("it is signed").claims;
        let pair = || (issue(Kind::Access), issue(Kind::Refresh));
        let (own, others) = (pair(), pair());
        let log_in = |store: &Memory, (access, refresh): (Claims, Claims)| {
            store.complete_login(&hash(1), &access, &refresh, &admission())
        };
        let other = store.clone();
        let thread = thread::spawn(move || log_in(&other, others));
        assert!(log_in(&store, own));
        assert_eq!(store.check_access(&own.0), Ok(()));
        assert!(join(thread));
        for (access, refresh) in [own, others] {
            assert_eq!((store.check_access(&access), store.check_refresh(&refresh)), (Ok(()), Ok(())));
        }
    });
}
