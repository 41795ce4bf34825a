//! Lockout: clients that other clients must not be able to lock out.

use std::net::{IpAddr, Ipv6Addr};

use rocket::http::Method;
use serde_json::json;
use shipyard::auth::rate_limit::{Rate, Rates};
use shipyard::config::Settings;

use test_support::forge::{claims, header, sign, with_claim};
use test_support::server::{settings, Ask, Server, NOW, USER};

/// The well-behaved client: an address that has logged in.
const GOOD: Option<IpAddr> = Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1)));

/// The number of the attackers' networks, each a /64.
const NETWORKS: u16 = 256;

fn attacker(number: u16) -> Option<IpAddr> {
    Some(Ipv6Addr::new(0x2001, 0xdb8, 0, number, 0, 0, 0, 1).into())
}

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

/// A server with those limits.
fn limited(rates: Rates) -> Server {
    Server::configured(Settings { rates: Some(rates), ..settings() })
}

fn login(name: &str, password: &str) -> Ask {
    Ask::new(Method::Post, "/auth/login").json(&json!({"username": name, "password": password}))
}

fn create(name: &str) -> Ask {
    Ask::new(Method::Post, "/api/users").json(&json!({"name": name, "password": "secret"}))
}

fn refresh(token: &str) -> Ask {
    Ask::new(Method::Post, "/auth/refresh").bearer(token)
}

fn log_in_as_good(server: &Server) -> (String, String) {
    let response = server.send_from(GOOD, login("user", "password"));
    assert_eq!(response.status, 200, "{response:?}");
    response.tokens()
}

/// The well-behaved client uses every limited operation ten times.
fn good_client_is_served(server: &Server, (access, token): &(String, String), place: &str) {
    for round in 0..10 {
        let status = |ask: Ask| server.send_from(GOOD, ask).status;
        assert_eq!(status(refresh(token)), 200, "{place}: refresh {round}");
        assert_eq!(status(login("guest", "guest")), 200, "{place}: login {round}");
        assert_eq!(status(create(&format!("{place} {round}"))), 201, "{place}: creation {round}");
        // The name of another user: rejected after the password has been hashed.
        let update = Ask::new(Method::Put, "/api/users/1").bearer(access);
        let update = update.json(&json!({"name": "guest", "password": "guest"}));
        assert_eq!(status(update), 400, "{place}: update {round}");
    }
}

/// Requests that fail before any expensive work.
fn cheap(server: &Server) -> Vec<(Ask, u16)> {
    let bare = |method, path| Ask::new(method, path);
    let json = |ask: Ask| ask.header("Content-Type", "application/json");
    let (of_guest, refresh_of_guest) = server.log_in("guest", "guest").tokens();
    let expired = |kind| with_claim(kind, "exp", json!(NOW));
    let forged = |kind| sign(&header(), &claims(kind)) + "A";
    let too_large = vec![b' '; 64 * 1024 + 1];
    vec![
        (bare(Method::Post, "/auth/login"), 400),
        (json(bare(Method::Post, "/auth/login")), 400),
        (json(bare(Method::Post, "/auth/login")).body("{"), 400),
        (json(bare(Method::Post, "/auth/login")).body("[]"), 400),
        (json(bare(Method::Post, "/auth/login")).body(r#"{"username":"user"}"#), 400),
        (bare(Method::Post, "/auth/login").body(r#"{"username":"user","password":"x"}"#), 400),
        (json(bare(Method::Post, "/auth/login")).body(too_large.clone()), 413),
        (login("user", &"x".repeat(129)), 401),
        (bare(Method::Post, "/auth/refresh"), 401),
        (refresh("garbage"), 422),
        (refresh(&of_guest), 422),
        (refresh(&expired("refresh")), 401),
        (refresh(&forged("refresh")), 422),
        (refresh(&refresh_of_guest).bearer(&refresh_of_guest), 422),
        (bare(Method::Post, "/api/users"), 400),
        (bare(Method::Post, "/api/users").body("{}"), 400),
        (bare(Method::Post, "/api/users").body(too_large.clone()), 413),
        (create(&"x".repeat(65)), 400),
        (bare(Method::Put, "/api/users/1").body(USER), 401),
        (bare(Method::Put, "/api/users/1").bearer(&expired("access")).body(USER), 401),
        (bare(Method::Put, "/api/users/1").bearer(&forged("access")).body(USER), 422),
        (bare(Method::Put, "/api/users/1").bearer(&of_guest).body(USER), 403),
        (bare(Method::Put, "/api/users/2").bearer(&of_guest).body("{}"), 400),
        (bare(Method::Put, "/api/users/2").bearer(&of_guest).body(too_large), 413),
    ]
}

#[test]
fn requests_that_fail_cheap_checks_use_no_limit() {
    // Exactly the logins of this test are admitted: if any other request were counted, the client would be rejected.
    let [by_address, by_user, overall] = [rate("12/hour"); 3];
    let server = limited(Rates { by_address, by_user, overall });
    // Forged tokens need this.
    server.clock.set(NOW + 1);
    let tokens = log_in_as_good(&server);
    for (ask, status) in cheap(&server) {
        for number in 0..NETWORKS / 4 {
            assert_eq!(server.send_from(attacker(number), ask.clone()).status, status, "{ask:?}");
        }
        // Also from the client's own address.
        assert_eq!(server.send_from(GOOD, ask.clone()).status, status, "{ask:?}");
    }
    good_client_is_served(&server, &tokens, "cheap");
}

/// Requests that cause expensive work: logins with a wrong password, taken names, new accounts.
#[test]
fn many_networks_do_not_lock_out_a_recently_successful_one() {
    let server = limited(Rates { by_user: rate("1000000/second"), ..Rates::default() });
    let tokens = log_in_as_good(&server);
    // Before the overall limit is used up.
    let (_, of_attackers) = server.log_in("guest", "guest").tokens();
    let refused = |ask: &dyn Fn(u16) -> Ask| {
        let requests = |round: u16| (0..NETWORKS).map(move |number| (round, number));
        let statuses = (0..12)
            .flat_map(requests)
            .map(|(round, number)| server.send_from(attacker(number), ask(round * NETWORKS + number)).status);
        statuses.filter(|status| *status == 429).count()
    };
    // More than the overall limit, and less than the limit of each network.
    assert!(refused(&|_| login("user", "wrong")) > 1000);
    assert!(refused(&|number| login(&format!("name {number}"), "wrong")) > 1000);
    assert!(refused(&|_| create("user")) > 1000);
    good_client_is_served(&server, &tokens, "costly");
    // A refresh with a valid token hashes nothing, so it has no overall limit.
    assert_eq!(refused(&|_| refresh(&of_attackers)), 0);
    good_client_is_served(&server, &tokens, "refreshes");
}

/// The response to an unknown network depends only on the name.
#[test]
fn guesses_do_not_lock_a_user_out_of_a_known_network() {
    let server = limited(Rates { by_user: rate("30/hour"), ..Rates::default() });
    log_in_as_good(&server);
    // The client's first login came from an unknown network.
    for (name, left) in [("user", 29), ("unknown", 30)] {
        for number in 0..60 {
            let response = server.send_from(attacker(number), login(name, "wrong"));
            assert_eq!(response.status, if number < left { 401 } else { 429 }, "{name} {number}");
        }
    }
    // From another network, even the right password is rejected.
    assert_eq!(server.send_from(attacker(99), login("user", "password")).status, 429);
    for round in 0..10 {
        assert_eq!(server.send_from(GOOD, login("user", "password")).status, 200, "{round}");
    }
    // From the same /64 it is accepted, but not without a limit.
    let neighbour = Some(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 9, 9, 9, 9).into());
    let statuses: Vec<u16> =
        (0..60).map(|_| server.send_from(neighbour, login("user", "wrong")).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 20, "{statuses:?}");
}

#[test]
fn a_password_change_ends_trust_in_all_other_networks() {
    let server = limited(Rates { by_user: rate("5/hour"), ..Rates::default() });
    let old = attacker(200);
    assert_eq!(server.send_from(old, login("user", "password")).status, 200);
    let (access, _) = log_in_as_good(&server);
    let change = Ask::new(Method::Put, "/api/users/1").bearer(&access);
    let change = change.json(&json!({"name": "renamed", "password": "changed"}));
    assert_eq!(server.send_from(GOOD, change).status, 200);
    // Three logins from unknown networks are left under the old name, and five under the new one.
    for name in ["user", "renamed"] {
        for number in 0..6 {
            server.send_from(attacker(number), login(name, "wrong"));
        }
        assert_eq!(server.send_from(old, login(name, "password")).status, 429, "{name}");
    }
    assert_eq!(server.send_from(GOOD, login("renamed", "changed")).status, 200);
    assert_eq!(server.send_from(GOOD, login("user", "password")).status, 429, "no user has that name");
}

/// A new account with the same name is not trusted.
#[test]
fn deleting_a_user_ends_trust_in_its_networks() {
    let server = limited(Rates { by_user: rate("5/hour"), ..Rates::default() });
    let (access, _) = log_in_as_good(&server);
    assert_eq!(server.send(Ask::new(Method::Delete, "/api/users/1").bearer(&access)).status, 204);
    assert_eq!(server.send_from(attacker(1), create("user")).status, 201);
    for number in 0..6 {
        server.send_from(attacker(number), login("user", "wrong"));
    }
    assert_eq!(server.send_from(GOOD, login("user", "secret")).status, 429);
}

/// An attacker's own logins do not admit more guesses: only a bounded number of networks is remembered for each user.
#[test]
fn the_latest_networks_of_a_user_are_remembered() {
    let server = limited(Rates { by_user: rate("100/hour"), ..Rates::default() });
    for number in 0..17 {
        assert_eq!(server.send_from(attacker(number), login("user", "password")).status, 200);
    }
    for _ in 0..100 {
        server.send_from(attacker(100), login("user", "wrong"));
    }
    let statuses =
        [0, 1, 16].map(|number| server.send_from(attacker(number), login("user", "password")).status);
    assert_eq!(statuses, [429, 200, 200]);
}
