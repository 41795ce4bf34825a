//! Refresh rotation: a refresh token is used once. A second use ends the login, unless it is the client's retry.

use std::net::IpAddr;

use rocket::figment::providers::Serialized;
use rocket::http::Method;
use serde_json::{json, Value};
use shipyard::config::{self, Settings};

use crate::concurrent_clients::Racing;
use test_support::server::{settings, Answer, Ask, Server, NOW, SHIP};
use test_support::transcript::claims;

const GRACE: u64 = 10;

/// Two addresses of one network, and one of another.
const HOME: &str = "2001:db8::1";
const SAME_HOME: &str = "2001:db8::2";
const ELSEWHERE: &str = "192.0.2.1";

fn rotating(grace: u64) -> Settings {
    Settings { rotation_grace: Some(grace), ..settings() }
}

/// A server with refresh rotation, and the tokens of a login.
fn logged_in() -> (Server, String, String) {
    let server = Server::configured(rotating(GRACE));
    server.clock.set(NOW + 1);
    let (access, refresh) = server.log_in("user", "password").tokens();
    (server, access, refresh)
}

fn refresh_from(server: &Server, from: &str, token: &str) -> Answer {
    let from: IpAddr = from.parse().unwrap();
    server.send_from(Some(from), Ask::new(Method::Post, "/auth/refresh").bearer(token))
}

/// The refresh token that a refresh returns.
fn rotated(server: &Server, token: &str) -> String {
    let answer = refresh_from(server, HOME, token);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.tokens().1
}

fn assert_revoked(answer: &Answer) {
    assert_eq!((answer.status, answer.json()), (401, json!({"error": "Token has been revoked"})));
}

/// Whether the server accepts the access token.
fn is_accepted(server: &Server, access: &str) -> bool {
    server.send(Ask::new(Method::Put, "/api/ships/1").bearer(access).body(SHIP)).status == 200
}

#[test]
fn tokens_have_no_family_unless_rotation_is_on() {
    let server = Server::start();
    let (_, refresh) = server.log_in("user", "password").tokens();
    let body = refresh_from(&server, HOME, &refresh).json();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["access_token"]);
    assert_eq!((&claims(&refresh)["family"], &claims(&refresh)["generation"]), (&Value::Null, &Value::Null));
    assert_eq!(refresh_from(&server, ELSEWHERE, &refresh).status, 200);
}

#[test]
fn rotation_has_a_grace_of_10_seconds_by_default() {
    let read = |on: bool| {
        let figment = config::defaults().merge(Serialized::global("refresh_rotation", on));
        Settings::read(figment, Default::default()).unwrap().rotation_grace
    };
    assert_eq!((read(false), read(true)), (None, Some(10)));
}

#[test]
fn a_refresh_returns_the_next_token_of_the_login() {
    let (server, access, first) = logged_in();
    let of_login = claims(&first);
    assert_eq!((&of_login["family"], &of_login["generation"]), (&of_login["jti"], &json!(0)));
    assert_eq!(claims(&access)["family"], Value::Null);
    let mut token = first;
    for generation in 1..4 {
        server.clock.set(NOW + 1 + 100 * generation);
        token = rotated(&server, &token);
        let next = claims(&token);
        assert_eq!((&next["family"], &next["generation"]), (&of_login["jti"], &json!(generation)));
        assert_ne!(next["jti"], of_login["jti"]);
        // Rotation does not prolong a login.
        assert_eq!(next["exp"], of_login["exp"]);
        assert_eq!(next["iat"], NOW + 1 + 100 * generation);
    }
}

#[test]
fn a_second_use_ends_every_refresh_token_of_the_login() {
    let (server, access, first) = logged_in();
    let other_login = server.log_in("user", "password").tokens().1;
    let second = rotated(&server, &first);
    let third = rotated(&server, &second);
    server.clock.set(NOW + 1 + GRACE);
    assert_revoked(&refresh_from(&server, HOME, &second));
    for token in [&first, &second, &third] {
        assert_revoked(&refresh_from(&server, HOME, token));
        assert_revoked(&server.send(Ask::new(Method::Delete, "/auth/logout2").bearer(token)));
    }
    // Access tokens end by themselves, as after a logout of the refresh token. Other logins are not affected.
    assert!(is_accepted(&server, &access));
    rotated(&server, &other_login);
}

#[test]
fn within_the_grace_the_same_network_can_use_a_token_again() {
    let (server, _, first) = logged_in();
    let lost = rotated(&server, &first);
    server.clock.set(NOW + GRACE);
    let retry = refresh_from(&server, SAME_HOME, &first);
    assert_eq!(retry.status, 200);
    let second = retry.tokens().1;
    assert_ne!(second, lost);
    // Whichever of the two is used spends the other.
    server.clock.set(NOW + 100);
    let third = rotated(&server, &second);
    assert_eq!(refresh_from(&server, HOME, &lost).status, 200);
    server.clock.set(NOW + 100 + GRACE);
    assert_revoked(&refresh_from(&server, HOME, &lost));
    assert_revoked(&refresh_from(&server, HOME, &third));
}

#[test]
fn another_network_has_no_grace() {
    let (server, _, first) = logged_in();
    let second = rotated(&server, &first);
    assert_revoked(&refresh_from(&server, ELSEWHERE, &first));
    assert_revoked(&refresh_from(&server, HOME, &second));
}

#[test]
fn only_the_token_that_was_spent_last_has_a_grace() {
    let (server, _, first) = logged_in();
    let second = rotated(&server, &first);
    let third = rotated(&server, &second);
    assert_revoked(&refresh_from(&server, HOME, &first));
    assert_revoked(&refresh_from(&server, HOME, &third));
}

#[test]
fn a_clock_that_is_set_back_gives_no_more_grace() {
    let (server, _, first) = logged_in();
    server.clock.set(NOW + 2 * GRACE);
    rotated(&server, &first);
    server.clock.set(NOW + 1);
    assert_revoked(&refresh_from(&server, HOME, &first));
}

#[test]
fn a_logout_of_any_refresh_token_ends_the_login() {
    for spent in [false, true] {
        let (server, _, first) = logged_in();
        let second = rotated(&server, &first);
        let token = if spent { &first } else { &second };
        let logout = Ask::new(Method::Delete, "/auth/logout2").bearer(token);
        assert_eq!(server.send(logout).status, 200);
        for token in [&first, &second] {
            assert_revoked(&refresh_from(&server, HOME, token));
        }
    }
}

#[test]
fn a_password_change_ends_rotated_tokens_issued_before_it() {
    let (server, access, first) = logged_in();
    let second = rotated(&server, &first);
    let user = json!({"name": "user", "password": "other"});
    let change = Ask::new(Method::Put, "/api/users/1").bearer(&access).json(&user);
    assert_eq!(server.send(change).status, 200);
    for token in [&first, &second] {
        assert_revoked(&refresh_from(&server, HOME, token));
    }
    let (_, first) = server.log_in("user", "other").tokens();
    let second = rotated(&server, &first);
    rotated(&server, &second);
}

/// Memory has a bound: the newest 32 logins of a user have a family, and others are refused.
#[test]
fn a_user_has_32_logins_with_refresh_tokens() {
    const MOST: usize = 32;
    let (server, _, first) = logged_in();
    let log_in = || server.log_in("user", "password").tokens().1;
    let second = log_in();
    (2..MOST).for_each(|_| drop(log_in()));
    let first = rotated(&server, &first);
    log_in();
    // The second was used the longest ago.
    assert_revoked(&refresh_from(&server, HOME, &second));
    rotated(&server, &first);
}

/// In a race for one token, one client is first. Without a grace, the others show that it was stolen.
#[test]
fn of_concurrent_uses_of_a_refresh_token_one_is_the_first() {
    let server = Racing::configured(rotating(0));
    for _ in 0..15 {
        let (_, refresh) = server.caller().log_in("user", "password").tokens();
        let ask = Ask::new(Method::Post, "/auth/refresh").bearer(&refresh);
        let answers = server.race(8, |_, caller| caller.send(&ask));
        let first: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(first.len(), 1, "{answers:?}");
        answers.iter().filter(|answer| answer.status != 200).for_each(assert_revoked);
        let next = Ask::new(Method::Post, "/auth/refresh").bearer(&first[0].tokens().1);
        assert_revoked(&server.caller().send(&next));
    }
}

/// Two tabs of a browser refresh at the same time.
#[test]
fn within_the_grace_concurrent_uses_all_succeed() {
    let server = Racing::configured(rotating(GRACE));
    let (_, refresh) = server.caller().log_in("user", "password").tokens();
    let ask = Ask::new(Method::Post, "/auth/refresh").bearer(&refresh);
    let answers = server.race(8, |_, caller| caller.send(&ask));
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(claims(&answer.tokens().1)["generation"], 1);
    }
    let next = Ask::new(Method::Post, "/auth/refresh").bearer(&answers[0].tokens().1);
    assert_eq!(server.caller().send(&next).status, 200);
}
