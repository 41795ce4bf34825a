//! Concurrent writes over the real HTTP server: the result must be that of some sequential order. `tools/model` tries
//! every small order.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Instant;

use rocket::http::Method;
use serde_json::{json, Value};

use crate::concurrent_clients::{Caller, Racing, LIMIT};
use test_support::server::{Ask, SHIP};

fn user(name: &str, password: &str) -> Value {
    json!({"name": name, "password": password})
}

fn create_user(caller: &mut Caller, name: &str, password: &str) -> (u16, Value) {
    let response = caller.send(&Ask::new(Method::Post, "/api/users").json(&user(name, password)));
    (response.status, response.json())
}

fn names(caller: &mut Caller) -> Vec<String> {
    let list = caller.send(&Ask::new(Method::Get, "/api/users")).json();
    list.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn one_of_100_concurrent_creates_of_a_name_succeeds() {
    let server = Racing::new();
    let answers =
        server.race(100, |number, caller| create_user(caller, "wanted", &format!("password {number}")));
    let created: Vec<usize> = (0..100).filter(|&number| answers[number].0 == 201).collect();
    let &[winner] = &created[..] else { panic!("created by {created:?}") };
    for (number, (status, body)) in answers.iter().enumerate().filter(|(number, _)| *number != winner) {
        let taken = json!({"error": "Bad Request", "message": "User already exists."});
        assert_eq!((*status, body), (400, &taken), "{number}");
    }
    let mut caller = server.caller();
    assert_eq!(names(&mut caller), ["user", "guest", "wanted"]);
    // The winner's password is stored, not a loser's.
    for number in 0..100 {
        let status = caller.log_in("wanted", &format!("password {number}")).status;
        assert_eq!(status, if number == winner { 200 } else { 401 }, "password {number}");
    }
    // The losers have used no id.
    assert_eq!(create_user(&mut caller, "next", "password").1["id"], 4);
}

/// The time at which the race ended.
struct End {
    began: Instant,
    over: OnceLock<Instant>,
}

impl End {
    fn ahead() -> Self {
        Self { began: Instant::now(), over: OnceLock::new() }
    }

    fn now(&self) {
        self.over.set(Instant::now()).unwrap();
    }

    /// Whether the race has ended. Panics if it does not end: then the request that ends it has failed.
    fn is_over(&self) -> bool {
        assert!(self.began.elapsed() < LIMIT, "the race does not end");
        self.over.get().is_some()
    }
}

/// Clients keep using a resource until `end` ends it in the middle of the race. `end` returns the status that ends it.
/// No request that begins after that response may succeed, and some must succeed before.
fn no_use_after_the_end(server: &Racing, use_it: &Ask, used: u16, end: &Ask, ended: u16, refused: u16) {
    let end_of_race = End::ahead();
    let uses = server.race(5, |number, caller| {
        if number == 0 {
            // Ends it while other requests run.
            for _ in 0..3 {
                caller.send(&Ask::new(Method::Get, "/api/ships/1"));
            }
            assert_eq!(caller.send(end).status, ended);
            end_of_race.now();
            return Vec::new();
        }
        let mut uses = Vec::new();
        let mut after = 0;
        while after < 3 {
            let began = Instant::now();
            after += usize::from(end_of_race.is_over());
            uses.push((began, caller.send(use_it).status));
        }
        uses
    });
    let over = *end_of_race.over.get().unwrap();
    for (began, status) in uses.concat() {
        assert!(status == used || status == refused, "{status}");
        assert!(began <= over || status == refused, "{status}, {:?} after the end", began - over);
    }
}

const ROUNDS: usize = 15;

#[test]
fn rejects_a_logged_out_token_in_every_later_request() {
    let server = Racing::new();
    for _ in 0..ROUNDS {
        let (access, refresh) = server.caller().log_in("user", "password").tokens();
        let ask = |method, path: &str, token: &str| Ask::new(method, path).bearer(token);
        let write = ask(Method::Put, "/api/ships/1", &access).body(SHIP);
        no_use_after_the_end(&server, &write, 200, &ask(Method::Delete, "/auth/logout", &access), 200, 401);
        let renew = ask(Method::Post, "/auth/refresh", &refresh);
        no_use_after_the_end(&server, &renew, 200, &ask(Method::Delete, "/auth/logout2", &refresh), 200, 401);
    }
}

#[test]
fn concurrent_logouts_revoke_the_token() {
    let server = Racing::new();
    for _ in 0..ROUNDS {
        let (access, _) = server.caller().log_in("user", "password").tokens();
        let logout = Ask::new(Method::Delete, "/auth/logout").bearer(&access);
        let statuses = server.race(8, |_, caller| caller.send(&logout).status);
        assert!(statuses.contains(&200), "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 401)), "{statuses:?}");
        assert_eq!(server.caller().send(&logout).status, 401);
    }
}

#[test]
fn a_concurrent_update_does_not_restore_a_deleted_ship() {
    let server = Racing::new();
    let (access, _) = server.caller().log_in("user", "password").tokens();
    for id in 1..=15 {
        let path = format!("/api/ships/{id}");
        let update = Ask::new(Method::Put, &path).bearer(&access).body(SHIP);
        let delete = Ask::new(Method::Delete, &path).bearer(&access);
        no_use_after_the_end(&server, &update, 200, &delete, 204, 404);
        assert_eq!(server.caller().send(&Ask::new(Method::Get, &path)).status, 404);
    }
    let ships = server.caller().send(&Ask::new(Method::Get, "/api/ships"));
    assert_eq!(ships.json(), json!([]));
}

#[test]
fn one_of_many_concurrent_deletes_of_a_ship_succeeds() {
    let server = Racing::new();
    let (access, _) = server.caller().log_in("user", "password").tokens();
    for id in 1..=15 {
        let delete = Ask::new(Method::Delete, &format!("/api/ships/{id}")).bearer(&access);
        let mut statuses = server.race(4, |_, caller| caller.send(&delete).status);
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 404, 404, 404]);
    }
}

#[test]
fn a_concurrent_rename_does_not_restore_a_deleted_user() {
    let server = Racing::new();
    for round in 0..ROUNDS {
        let (old, new) = (format!("old {round}"), format!("new {round}"));
        let mut caller = server.caller();
        let (_, created) = create_user(&mut caller, &old, "password");
        let path = format!("/api/users/{}", created["id"]);
        let (access, _) = caller.log_in(&old, "password").tokens();
        let rename = Ask::new(Method::Put, &path).bearer(&access).json(&user(&new, "password"));
        let delete = Ask::new(Method::Delete, &path).bearer(&access);
        no_use_after_the_end(&server, &rename, 200, &delete, 204, 404);
        assert_eq!(caller.send(&Ask::new(Method::Get, &path)).status, 404);
        assert_eq!(names(&mut caller), ["user", "guest"]);
        for name in [old, new] {
            assert_eq!(caller.log_in(&name, "password").status, 401);
            // No deleted user keeps a name.
            let (status, user) = create_user(&mut caller, &name, "password");
            assert_eq!(status, 201, "{user}");
            let (access, _) = caller.log_in(&name, "password").tokens();
            let delete = Ask::new(Method::Delete, &format!("/api/users/{}", user["id"])).bearer(&access);
            assert_eq!(caller.send(&delete).status, 204);
        }
    }
}

#[test]
fn never_assigns_an_id_twice() {
    const CLIENTS: usize = 8;
    const EACH: usize = 40;
    let server = Racing::new();
    let (access, _) = server.caller().log_in("user", "password").tokens();
    let results: Vec<Vec<(u64, bool)>> = server.race(CLIENTS, |client, caller| {
        let create = |number| {
            let ship = caller.send(&Ask::new(Method::Post, "/api/ships").bearer(&access).body(SHIP));
            let id = ship.json()["id"].as_u64().unwrap();
            assert_eq!(ship.header("Location"), Some(&*format!("http://localhost/api/ships/{id}")));
            // Deletes the newest ship, whose id would be assigned next if ids were reused.
            let deleted = (client + number) % 2 == 0;
            if deleted {
                let path = format!("/api/ships/{id}");
                assert_eq!(caller.send(&Ask::new(Method::Delete, &path).bearer(&access)).status, 204);
            }
            (id, deleted)
        };
        (0..EACH).map(create).collect()
    });
    let results = results.concat();
    let ids: BTreeSet<u64> = results.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, (16..16 + (CLIENTS * EACH) as u64).collect());
    let left: Vec<u64> =
        (1..16).chain(ids.iter().copied().filter(|id| !results.contains(&(*id, true)))).collect();
    let ships = server.caller().send(&Ask::new(Method::Get, "/api/ships")).json();
    let listed: Vec<u64> =
        ships.as_array().unwrap().iter().map(|ship| ship["id"].as_u64().unwrap()).collect();
    assert_eq!(listed, left);
}

/// Two users rename themselves between three names while other clients read.
#[test]
fn swapped_names_stay_unique_and_find_their_users() {
    const NAMES: [&str; 3] = ["north", "south", "west"];
    let server = Racing::new();
    let mut caller = server.caller();
    let tokens = [("user", "password"), ("guest", "guest")].map(|(name, password)| {
        let response = caller.log_in(name, password);
        assert_eq!(response.status, 200);
        response.tokens().0
    });
    let end = End::ahead();
    let renamed: usize = server
        .race(4, |number, caller| {
            let mut renamed = 0;
            if let Some(token) = tokens.get(number) {
                let id = number + 1;
                for turn in 0..60 {
                    let name = NAMES[(turn * id + number) % 3];
                    let rename = Ask::new(Method::Put, &format!("/api/users/{id}"))
                        .bearer(token)
                        .json(&user(name, &format!("password {id}")));
                    let response = caller.send(&rename);
                    assert!(matches!(response.status, 200 | 400), "{response:?}");
                    renamed += usize::from(response.status == 200);
                }
                if number == 0 {
                    end.now();
                }
            } else {
                while !end.is_over() {
                    let names = names(caller);
                    assert_eq!(names.len(), 2);
                    assert_ne!(names[0], names[1]);
                }
            }
            renamed
        })
        .into_iter()
        .sum();
    assert!(renamed > 20, "{renamed}");
    let names = names(&mut caller);
    for (id, name) in (1..).zip(&names) {
        assert_eq!(caller.log_in(name, &format!("password {id}")).status, 200);
        assert_eq!(caller.log_in(name, &format!("password {}", 3 - id)).status, 401);
    }
    for free in NAMES.iter().filter(|name| !names.contains(&(**name).to_owned())) {
        assert_eq!(create_user(&mut caller, free, "password").0, 201);
    }
}

/// Whatever the order of a login and a password change: once the change is acknowledged, refresh tokens from the old
/// password are invalid, also those of logins that are acknowledged later.
#[test]
fn no_login_with_the_old_password_survives_a_password_change() {
    let server = Racing::new();
    let mut caller = server.caller();
    for round in 0..ROUNDS {
        let old = if round == 0 { "password".to_owned() } else { format!("password {}", round - 1) };
        let new = format!("password {round}");
        let (access, held) = caller.log_in("user", &old).tokens();
        let change = Ask::new(Method::Put, "/api/users/1").bearer(&access).json(&user("user", &new));
        let end_of_race = End::ahead();
        let refresh = |token: &str| Ask::new(Method::Post, "/auth/refresh").bearer(token);
        let got = server.race(6, |number, caller| {
            let mut tokens = Vec::new();
            match number {
                0 => {
                    assert_eq!(caller.send(&change).status, 200);
                    end_of_race.now();
                }
                1..=3 => loop {
                    let ended = end_of_race.is_over();
                    let response = caller.log_in("user", &old);
                    assert!(response.status == 401 || (response.status == 200 && !ended), "{response:?}");
                    if response.status == 200 {
                        tokens.push(response.tokens().1);
                    }
                    if ended {
                        break;
                    }
                },
                _ => loop {
                    let ended = end_of_race.is_over();
                    let status = caller.send(&refresh(&held)).status;
                    assert!(status == 401 || (status == 200 && !ended), "{status}");
                    if ended {
                        break;
                    }
                },
            }
            tokens
        });
        for token in got.concat().iter().chain([&held]) {
            assert_eq!(caller.send(&refresh(token)).status, 401);
        }
        let (_, fresh) = caller.log_in("user", &new).tokens();
        assert_eq!(caller.send(&refresh(&fresh)).status, 200);
    }
}

/// Clients that read a ship, add one to its crew, and write it back if it is still the version that they have read.
#[test]
fn of_1000_concurrent_read_modify_writes_none_is_lost() {
    const CLIENTS: usize = 20;
    const EACH: usize = 50;
    let server = Racing::new();
    let mut caller = server.caller();
    let (token, _) = caller.log_in("user", "password").tokens();
    let crew = |ship: &Value| ship["crew"].as_u64().expect("a number");
    let before = crew(&caller.send(&Ask::new(Method::Get, "/api/ships/1")).json());
    let refusals = server.race(CLIENTS, |number, caller| {
        let (mut done, mut refused) = (0, 0);
        while done < EACH {
            let read = caller.send(&Ask::new(Method::Get, "/api/ships/1"));
            let mut ship = read.json();
            let body = json!({"crew": crew(&ship) + 1});
            let write = if number % 2 == 0 {
                Ask::new(Method::Patch, "/api/ships/1").json(&body)
            } else {
                ship["crew"] = body["crew"].clone();
                Ask::new(Method::Put, "/api/ships/1").json(&ship)
            };
            let write = write.bearer(&token).header("If-Match", read.header("ETag").expect("an ETag"));
            match caller.send(&write).status {
                200 => done += 1,
                412 => refused += 1,
                status => panic!("{status}"),
            }
        }
        refused
    });
    // The first connection has been idle for long.
    let after = crew(&server.caller().send(&Ask::new(Method::Get, "/api/ships/1")).json());
    assert_eq!(after - before, (CLIENTS * EACH) as u64);
    assert!(refusals.iter().sum::<usize>() > 0, "the clients have not met");
}
