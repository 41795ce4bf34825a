//! Rate limits, the password queue and storage limits.

use std::net::IpAddr;
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rocket::http::{ContentType, Method};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::tokio::task::JoinSet;
use rocket::tokio::time::sleep;
use serde_json::json;
use shipyard::auth::clock::{Clock, TokenIds};
use shipyard::auth::password::{Cost, Passwords};
use shipyard::auth::rate_limit::{Rate, Rates};
use shipyard::auth::secret::Secret;
use shipyard::config::Settings;
use shipyard::store::seed::{Data, EXAMPLE};
use shipyard::store::{Store, StoreLimits};
use shipyard::AppConfig;

use test_support::contract::{conforms, operations};
use test_support::program::{folder, run, shipyard, Serving, LIMIT};
use test_support::server::{settings, unstarted, Answer, Ask, Server};

fn login(name: &str, password: &str) -> Ask {
    Ask::new(Method::Post, "/auth/login").json(&json!({"username": name, "password": password}))
}

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

/// A response of the program.
fn send(serving: &Serving, ask: Ask) -> Answer {
    serving.send(&ask.header("Host", "localhost"))
}

/// Limits of which only those by address can be reached.
fn by_address(text: &str) -> Option<Rates> {
    Some(Rates { by_address: rate(text), by_user: rate("1000000/second"), overall: rate("1000000/second") })
}

fn address(last: u8) -> Option<IpAddr> {
    Some([192, 0, 2, last].into())
}

/// Checks a response against the specification of the operation.
fn is_specified(operation: &str, answer: &Answer) {
    let operation = operations().into_iter().find(|known| known.id() == operation).unwrap();
    assert_eq!(conforms(&operation, answer), Ok(()));
    for name in operation.value["responses"][answer.status.to_string()]["headers"].as_object().unwrap().keys()
    {
        assert!(answer.header(name).is_some(), "{name} is missing");
    }
}

/// A request to each operation with a rate limit, and its status when it is admitted.
fn limited(server: &Server) -> [(&'static str, Ask, u16); 5] {
    let (access, refresh) = server.log_in("guest", "guest").tokens();
    let user = |name: &str| json!({"name": name, "password": "secret"});
    [
        ("auth_login", login("user", "wrong"), 401),
        ("auth_refresh", Ask::new(Method::Post, "/auth/refresh").bearer(&refresh), 200),
        ("users_create", Ask::new(Method::Post, "/api/users").json(&user("user")), 400),
        ("users_update", Ask::new(Method::Put, "/api/users/2").bearer(&access).json(&user("guest")), 200),
        ("users_patch", Ask::new(Method::Patch, "/api/users/2").bearer(&access).json(&user("guest")), 200),
    ]
}

#[test]
fn a_429_has_retry_after() {
    let server = Server::configured(Settings { rates: by_address("1/second"), ..settings() });
    for (operation, ask, usual) in limited(&server) {
        // On a machine that is slower than the limit this loop would not end.
        let refused = (0..200).find_map(|_| {
            let answer = server.send_from(address(1), ask.clone());
            if answer.status == 429 {
                return Some(answer);
            }
            assert_eq!(answer.status, usual, "{operation}");
            None
        });
        let refused = refused.unwrap_or_else(|| panic!("{operation} is not limited"));
        assert_eq!(refused.header("Retry-After"), Some("1"), "{operation}");
        assert_eq!(refused.json()["error"], "Too Many Requests");
        is_specified(operation, &refused);
        // Other clients are not affected, nor is one that waits for Retry-After.
        assert_eq!(server.send_from(address(2), ask.clone()).status, usual, "{operation}");
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(server.send_from(address(1), ask).status, usual, "{operation}");
    }
}

/// The rate limit is checked after the path, method, token, owner and body, and before existence and ids.
#[test]
fn checks_rates_after_cheap_checks_and_before_expensive_work() {
    let server = Server::configured(Settings { rates: by_address("1/hour"), ..settings() });
    let (access, refresh) = server.log_in("user", "password").tokens();
    let (of_guest, _) = server.send_from(address(9), login("guest", "guest")).tokens();
    let status = |ask: Ask| server.send_from(address(1), ask).status;
    let user = json!({"name": "user", "password": "password"});
    let with_id = json!({"id": 7, "name": "user", "password": "password"});
    let update = |id: u32| Ask::new(Method::Put, &format!("/api/users/{id}"));
    let create = Ask::new(Method::Post, "/api/users");
    let renew = Ask::new(Method::Post, "/auth/refresh");
    // Each of these is the last request that is admitted.
    for (ask, first) in [
        (login("user", "wrong"), 401),
        (renew.clone().bearer(&refresh), 200),
        (create.clone().json(&with_id), 400),
        (update(1).bearer(&access).json(&with_id), 400),
    ] {
        assert_eq!(status(ask.clone()), first, "{ask:?}");
        assert_eq!(status(ask.clone()), 429, "{ask:?}");
    }
    for (ask, expected) in [
        (Ask::new(Method::Put, "/api/users/x"), 404),
        (Ask::new(Method::Patch, "/auth/login"), 405),
        (Ask::new(Method::Options, "/auth/login"), 204),
        (renew.clone(), 401),
        (renew.bearer("garbage"), 422),
        (update(1).json(&user), 401),
        (update(1).bearer(&of_guest).json(&user), 403),
        (update(1).bearer(&access).body("{"), 400),
        (create.clone().body("{"), 400),
        (create.body(vec![b' '; 65537]), 413),
        (Ask::new(Method::Post, "/auth/login"), 400),
    ] {
        assert_eq!(status(ask.clone()), expected, "{ask:?}");
    }
    // The token of a deleted user.
    assert_eq!(status(Ask::new(Method::Delete, "/api/users/1").bearer(&access)), 204);
    assert_eq!(status(update(1).bearer(&access).json(&user)), 429);
    // Cheap requests are not limited.
    for _ in 0..50 {
        assert_eq!(status(Ask::new(Method::Get, "/api/users")), 200);
        assert_eq!(status(Ask::new(Method::Delete, "/auth/logout")), 401);
    }
}

#[test]
fn limits_logins_by_name_for_all_clients_and_unknown_users() {
    let rates = Rates { by_user: rate("2/hour"), ..by_address("1000000/second").unwrap() };
    let server = Server::configured(Settings { rates: Some(rates), ..settings() });
    for name in ["user", "unknown"] {
        let statuses: Vec<u16> =
            (1..=4).map(|client| server.send_from(address(client), login(name, "wrong")).status).collect();
        assert_eq!(statuses, [401, 401, 429, 429], "{name}");
    }
    let refused = server.send_from(address(9), login("user", "password"));
    assert_eq!(refused.header("Retry-After"), Some("1800"));
    is_specified("auth_login", &refused);
    assert_eq!(server.send_from(address(9), login("guest", "guest")).status, 200);
}

/// The default limits affect neither the README's commands nor a classroom.
#[test]
fn default_limits_admit_a_class_behind_one_address() {
    let rates = Settings::defaults().unwrap().rates;
    assert_eq!(rates, Some(Rates::default()));
    let server = Server::configured(Settings { rates, ..settings() });
    let statuses = |count: usize, ask: &Ask| -> Vec<u16> {
        (0..count).map(|_| server.send_from(address(1), ask.clone()).status).collect()
    };
    assert_eq!(statuses(30, &login("user", "password")), [200; 30]);
    // An attacker who guesses is stopped soon.
    let guessed = statuses(300, &login("user", "wrong"));
    assert!(guessed.iter().filter(|status| **status == 401).count() < 40, "{guessed:?}");
}

#[test]
fn limits_the_client_address_that_a_trusted_proxy_names() {
    let started = |name: &str, proxies: &str| {
        let folder = folder(name);
        let mut command = shipyard(&folder, &["--port", "0"]);
        command.env("ROCKET_RATE_BY_ADDRESS", "1/hour").env("ROCKET_TRUSTED_PROXIES", proxies);
        Serving::start(&mut command)
    };
    let status = |serving: &Serving, client: &str| {
        send(serving, login("user", "wrong").header("X-Forwarded-For", client)).status
    };
    let behind = started("behind_a_proxy", "[\"127.0.0.1\"]");
    let clients = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "::ffff:192.0.2.2"];
    assert_eq!(clients.map(|client| status(&behind, client)), [401, 429, 401, 429]);
    let bare = started("without_a_proxy", "[]");
    assert_eq!(["192.0.2.1", "192.0.2.2"].map(|client| status(&bare, client)), [401, 429]);
}

#[test]
fn the_limits_can_be_switched_off() {
    let folder = folder("limits_off");
    let mut command = shipyard(&folder, &["--port", "0"]);
    command.env("ROCKET_RATE_LIMITS", "false").env("ROCKET_RATE_BY_ADDRESS", "1/hour");
    command.env("ROCKET_RATE_BY_USER", "1/hour").env("ROCKET_RATE_OVERALL", "1/hour");
    command.env("ROCKET_PASSWORD_MEMORY", "8").env("ROCKET_PASSWORD_ITERATIONS", "1");
    let serving = Serving::start(&mut command);
    for _ in 0..50 {
        assert_eq!(send(&serving, login("user", "wrong")).status, 401);
    }
}

/// 200 concurrent logins over 200 connections.
#[test]
fn a_flood_of_logins_is_bounded_by_cores_and_queue() {
    const QUEUE: usize = 16;
    let folder = folder("flood");
    let mut command = shipyard(&folder, &["--port", "0"]);
    // A cost that makes a login take at least a tenth of a second.
    command.env("ROCKET_RATE_LIMITS", "false").env("ROCKET_PASSWORD_ITERATIONS", "8");
    let serving = Serving::start(&mut command);
    let answers: Vec<(Answer, Duration)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..200)
            .map(|_| {
                scope.spawn(|| {
                    let begun = Instant::now();
                    (send(&serving, login("user", "password")), begun.elapsed())
                })
            })
            .collect();
        // Other requests are answered meanwhile.
        assert_eq!(send(&serving, Ask::new(Method::Get, "/api/ships/2")).status, 200);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let (served, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|(answer, _)| answer.status == 200);
    assert!(answers.iter().all(|(_, took)| *took < LIMIT));
    for (answer, _) in &refused {
        assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("1")));
        is_specified("auth_login", answer);
    }
    // The exact number is for a test without a network: some logins are done before the last ones arrive.
    // All are from one network, which gets half of the permits to wait.
    assert!(served.len() >= Passwords::cores() + QUEUE / 2, "only {} were served", served.len());
    assert!(refused.len() >= 50, "only {} were refused", refused.len());
    let slowest_refusal = refused.iter().map(|(_, took)| *took).max().unwrap();
    let slowest = served.iter().map(|(_, took)| *took).max().unwrap();
    assert!(slowest_refusal < slowest, "to be refused took {slowest_refusal:?}, to be served {slowest:?}");
}

async fn answer(response: LocalResponse<'_>) -> Answer {
    let mut headers: Vec<(String, String)> = Vec::new();
    for header in response.headers().iter() {
        headers.push((header.name.to_string(), header.value.to_string()));
    }
    Answer { status: response.status().code, headers, body: response.into_string().await.unwrap_or_default() }
}

#[test]
fn responds_503_when_the_password_queue_is_full() {
    // Half a second or more, in which the requests below are sent.
    let hasher = Cost { memory: 64 * 1024, iterations: 10, parallelism: 1 }.hasher().unwrap();
    let clock = Clock::System;
    let parts = AppConfig {
        settings: Settings { password_queue: 0, hasher, ..settings() },
        data: Data::parse("test data", EXAMPLE_OF_ONE.as_bytes()).unwrap(),
        keys: Secret::random().unwrap().into(),
        clock,
        token_ids: TokenIds::Random,
    };
    let rocket = shipyard::build(parts).unwrap();
    rocket::execute(async {
        let client = Arc::new(Client::untracked(rocket).await.unwrap());
        let good = json!({"username": "user", "password": "password"}).to_string();
        let log_in = |client: Arc<Client>, body: String| async move {
            answer(client.post("/auth/login").header(ContentType::JSON).body(body).dispatch().await).await
        };
        let (token, _) = log_in(Arc::clone(&client), good.clone()).await.tokens();
        let bearer = || rocket::http::Header::new("Authorization", format!("Bearer {token}"));
        let mut busy = JoinSet::new();
        for _ in 0..Passwords::cores() {
            busy.spawn(log_in(Arc::clone(&client), good.clone()));
        }
        sleep(Duration::from_millis(100)).await;
        let user = json!({"name": "ann", "password": "secret"}).to_string();
        let refused = [
            ("auth_login", log_in(Arc::clone(&client), good.clone()).await),
            ("users_create", answer(client.post("/api/users").body(&user).dispatch().await).await),
            (
                "users_update",
                answer(client.put("/api/users/1").header(bearer()).body(&user).dispatch().await).await,
            ),
            (
                "users_patch",
                answer(client.patch("/api/users/1").header(bearer()).body(&user).dispatch().await).await,
            ),
        ];
        for (operation, answer) in &refused {
            assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("1")), "{operation}");
            is_specified(operation, answer);
        }
        // The first requests are served, and then permits are free again.
        assert!(busy.join_all().await.iter().all(|answer| answer.status == 200));
        assert_eq!(log_in(client, good).await.status, 200);
    });
}

/// One user, because hashing is slow here.
const EXAMPLE_OF_ONE: &str = r#"{"users": [{"id": 1, "name": "user", "password": "password"}], "ships": []}"#;

#[test]
fn rejects_a_data_file_beyond_the_limits() {
    let folder = folder("caps");
    std::fs::write(folder.join("small.json"), EXAMPLE_OF_ONE).unwrap();
    let start = |data: &[&str], setting: &str, value: &str| {
        let mut command = shipyard(&folder, data);
        run(command.env(setting, value), None)
    };
    let users = start(&["--port", "0"], "ROCKET_MAX_USERS", "1");
    assert_eq!(users.stderr, "shipyard: the built-in data: users: 2 are more than max_users = 1\n");
    std::fs::write(folder.join("data.json"), EXAMPLE).unwrap();
    let ships = start(&["--port", "0"], "ROCKET_MAX_SHIPS", "14");
    assert_eq!(ships.stderr, "shipyard: data.json: ships: 15 are more than max_ships = 14\n");
    assert_eq!((users.code, ships.code), (Some(1), Some(1)));
    let mut command = shipyard(&folder, &["--port", "0", "--data", "small.json"]);
    let serving = Serving::start(command.env("ROCKET_MAX_USERS", "1"));
    let user = json!({"name": "ann", "password": "secret"});
    assert_eq!(send(&serving, Ask::new(Method::Post, "/api/users").json(&user)).status, 507);
}

/// Whether each of the two tokens is accepted by every operation for its kind.
fn stands(server: &Server, (access, refresh): &(String, String)) -> (bool, bool) {
    let status = |method, path: &str, token: &str| server.send(Ask::new(method, path).bearer(token)).status;
    // The requests change nothing: the ship does not exist, and the user is another one.
    let of_access = status(Method::Delete, "/api/ships/999", access);
    let of_owner = status(Method::Delete, "/api/users/999", access);
    let of_refresh = status(Method::Post, "/auth/refresh", refresh);
    assert!(matches!((of_access, of_owner), (404, 403) | (401, 401)), "{of_access} {of_owner}");
    assert!(matches!(of_refresh, 200 | 401), "{of_refresh}");
    (of_access == 404, of_refresh == 200)
}

#[test]
fn a_logout_with_a_full_deny_list_revokes_all_tokens_of_the_user() {
    let caps = StoreLimits { revocations: 1, ..StoreLimits::default() };
    let server = Server::configured(Settings { store_limits: caps, ..settings() });
    let log_out = |path: &str, token: &str| {
        let answer = server.send(Ask::new(Method::Delete, path).bearer(token));
        assert_eq!((answer.status, &answer.json()["message"]), (200, &json!("Successfully logged out.")));
    };
    let log_in = || server.log_in("user", "password").tokens();
    let (first, second, guests) = (log_in(), log_in(), server.log_in("guest", "guest").tokens());
    // The logout that fits into the list revokes one token only.
    log_out("/auth/logout", &first.0);
    assert_eq!(stands(&server, &first), (false, true));
    assert_eq!(stands(&server, &second), (true, true));
    for path in ["/auth/logout", "/auth/logout2"] {
        let (third, token) = (log_in(), log_in());
        log_out(path, if path == "/auth/logout" { &token.0 } else { &token.1 });
        for ended in [&first, &second, &third, &token] {
            assert_eq!(stands(&server, ended), (false, false), "{path}");
        }
        let own = server.send(Ask::new(Method::Delete, "/api/users/1").bearer(&token.0));
        assert_eq!((own.status, &own.json()["error"]), (401, &json!("Token has been revoked")));
        assert_eq!(stands(&server, &guests), (true, true), "{path}");
        // The clock stands still: even in the same second, tokens issued afterwards are valid.
        let next = log_in();
        assert_eq!(stands(&server, &next), (true, true), "{path}");
        let refreshed = server.send(Ask::new(Method::Post, "/auth/refresh").bearer(&next.1)).json();
        let refreshed = refreshed["access_token"].as_str().unwrap().to_owned();
        assert_eq!(stands(&server, &(refreshed, next.1)), (true, true), "{path}");
    }
    // Expired entries free space.
    server.clock.set(server.clock.now() + 2 * 3600);
    let (one, other) = (log_in(), log_in());
    log_out("/auth/logout", &one.0);
    assert_eq!((stands(&server, &one), stands(&server, &other)), ((false, true), (true, true)));
}

/// The places of one client are used up; another client still gets one.
#[test]
fn too_many_queries_at_a_time_are_refused() {
    /// One query is being selected, and half of the places are for those of one client that wait.
    const OF_ONE: usize = 1 + 32;
    rocket::execute(async {
        let client = Arc::new(Client::untracked(unstarted()).await.unwrap());
        let store = client.rocket().state::<Store>().and_then(Store::memory).unwrap().clone();
        let ask = |client: Arc<Client>, operation: &'static str, last: u8| async move {
            let path = if operation == "ships_list" { "/api/ships" } else { "/api/users" };
            let mut request = client.get(format!("{path}?limit=1"));
            request.inner_mut().set_remote(([192, 0, 2, last], 1).into());
            answer(request.dispatch().await).await
        };
        // No query gets on while the store is locked.
        let ((locked, is_locked), (release, is_released)) = (channel(), channel::<()>());
        let holder = std::thread::spawn(move || {
            store.while_locked(|| {
                locked.send(()).unwrap();
                let _ = is_released.recv();
            });
        });
        is_locked.recv().unwrap();
        let mut waiting = JoinSet::new();
        for _ in 0..OF_ONE {
            waiting.spawn(ask(Arc::clone(&client), "ships_list", 1));
        }
        sleep(Duration::from_millis(200)).await;
        for operation in ["ships_list", "users_list"] {
            let refused = ask(Arc::clone(&client), operation, 1).await;
            assert_eq!((refused.status, refused.header("Retry-After")), (503, Some("1")), "{operation}");
            is_specified(operation, &refused);
        }
        waiting.spawn(ask(Arc::clone(&client), "users_list", 2));
        sleep(Duration::from_millis(100)).await;
        drop(release);
        holder.join().unwrap();
        assert!(waiting.join_all().await.iter().all(|answer| answer.status == 200));
        assert_eq!(ask(client, "ships_list", 1).await.status, 200);
    });
}
