//! Token lifetime: expiry, logout, password change and deletion of the user. `tests/hostile/tokens.rs` has forged
//! tokens.

use rocket::http::Method;

use test_support::server::{Ask, Server, NOW, SHIP, USER};

#[test]
fn rejects_a_token_from_the_second_of_its_expiry() {
    let server = Server::start();
    let (access, refresh) = server.log_in("user", "password").tokens();
    let uses = |token: &str, method, path| server.send(Ask::new(method, path).bearer(token)).status;
    server.clock.set(NOW + 15 * 60 - 1);
    assert_eq!(uses(&access, Method::Delete, "/api/ships/1"), 204);
    server.clock.set(NOW + 15 * 60);
    assert_eq!(uses(&access, Method::Delete, "/api/ships/2"), 401);
    server.clock.set(NOW + 30 * 24 * 3600 - 1);
    assert_eq!(uses(&refresh, Method::Post, "/auth/refresh"), 200);
    server.clock.set(NOW + 30 * 24 * 3600);
    assert_eq!(uses(&refresh, Method::Post, "/auth/refresh"), 401);
}

#[test]
fn a_logout_revokes_one_token_until_it_expires() {
    let server = Server::start();
    let (access, refresh) = server.log_in("user", "password").tokens();
    let (other_access, other_refresh) = server.log_in("user", "password").tokens();
    let send = |method, path: &str, token: &str| server.send(Ask::new(method, path).bearer(token)).status;
    assert_eq!(send(Method::Delete, "/auth/logout", &access), 200);
    assert_eq!(send(Method::Delete, "/auth/logout2", &refresh), 200);
    for now in [NOW, NOW + 15 * 60 - 1] {
        server.clock.set(now);
        assert_eq!(send(Method::Delete, "/auth/logout", &access), 401);
        assert_eq!(send(Method::Post, "/auth/refresh", &refresh), 401);
    }
    assert_eq!(send(Method::Delete, "/api/ships/1", &other_access), 204);
    server.clock.set(NOW + 30 * 24 * 3600 - 1);
    // Another logout a month later removes expired entries only.
    assert_eq!(send(Method::Post, "/auth/refresh", &other_refresh), 200);
    assert_eq!(send(Method::Delete, "/auth/logout2", &other_refresh), 200);
    assert_eq!(send(Method::Post, "/auth/refresh", &refresh), 401);
}

/// The clock stands still: all of this happens within one second, in which the age of tokens cannot be compared.
#[test]
fn a_password_change_revokes_the_users_refresh_tokens_at_once() {
    let server = Server::start();
    let refresh = |token: &str| server.send(Ask::new(Method::Post, "/auth/refresh").bearer(token)).status;
    let (access, before) = server.log_in("user", "password").tokens();
    let (_, guest) = server.log_in("guest", "guest").tokens();
    let change = Ask::new(Method::Put, "/api/users/1").bearer(&access).body(USER);
    assert_eq!(server.send(change).status, 200);
    assert_eq!(refresh(&before), 401);
    // Where no new token is issued, only the guard refuses it.
    assert_eq!(server.send(Ask::new(Method::Delete, "/auth/logout2").bearer(&before)).status, 401);
    assert_eq!(refresh(&guest), 200);
    let (_, after) = server.log_in("changed", "changed").tokens();
    assert_eq!(refresh(&after), 200);
    // The access token stays valid, as recorded.
    let again = Ask::new(Method::Put, "/api/users/1").bearer(&access).body(USER);
    assert_eq!(server.send(again).status, 200);
    assert_eq!(refresh(&after), 401);
}

#[test]
fn rejects_tokens_of_a_deleted_user_and_never_reuses_the_id() {
    let server = Server::start();
    let (access, refresh) = server.log_in("guest", "guest").tokens();
    let send = |ask: Ask, token: &str| server.send(ask.bearer(token));
    assert_eq!(send(Ask::new(Method::Delete, "/api/users/2"), &access).status, 204);
    assert_eq!(server.log_in("guest", "guest").status, 401);
    let created =
        server.send(Ask::new(Method::Post, "/api/users").body(r#"{"name":"guest","password":"guest"}"#));
    assert_eq!(created.json()["id"], 3);
    for (ask, token) in [
        (Ask::new(Method::Post, "/api/ships").body(SHIP), &access),
        (Ask::new(Method::Delete, "/api/users/1"), &access),
        (Ask::new(Method::Delete, "/auth/logout"), &access),
        (Ask::new(Method::Post, "/auth/refresh"), &refresh),
        (Ask::new(Method::Delete, "/auth/logout2"), &refresh),
    ] {
        let response = send(ask, token);
        assert_eq!((response.status, response.json()["message"].as_str()), (401, Some("Unknown user.")));
    }
    assert_eq!(send(Ask::new(Method::Put, "/api/users/2").body(USER), &access).status, 404);
    assert_eq!(send(Ask::new(Method::Delete, "/api/users/2"), &access).status, 404);
}
