//! Access rules: every operation, for every actor, on every kind of id.

use std::collections::BTreeSet;

use rocket::http::Method;

use test_support::contract::{operations, Operation};
use test_support::server::{Ask, Server, SHIP, USER};

/// In the order of the columns of [`RULES`].
#[derive(Clone, Copy, Debug)]
enum Actor {
    /// Sends no token.
    Anonymous,
    /// User 1, with an access token.
    Ann,
    /// User 2, with an access token.
    Bob,
    /// User 1, with the refresh token.
    Refresher,
    /// User 3, deleted, with an access token from before.
    Deleted,
}

const ACTORS: [Actor; 5] = [Actor::Anonymous, Actor::Ann, Actor::Bob, Actor::Refresher, Actor::Deleted];

/// The kind of an id in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// The operation has no id.
    NoId,
    /// User 1, or ship 1.
    First,
    /// User 2, or ship 2.
    Second,
    /// User 3, or ship 3, which was deleted.
    Gone,
    /// An id that was never assigned.
    Never,
    /// A malformed id: another spelling of an id, or text that a database might interpret.
    Malformed,
}

use Target::{First, Gone, Malformed, Never, NoId, Second};

/// The paths of each kind of id.
const IDS: &[(Target, &[&str])] = &[
    (NoId, &[""]),
    // RFC 3986, section 6.2.2.2: an encoded digit is that digit.
    (First, &["1", "%31"]),
    (Second, &["2", "%32"]),
    (Gone, &["3", "%33"]),
    (
        Never,
        &[
            "0",
            "16",
            "99",
            "2147483647",
            "2147483648",
            "4294967297",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "18446744073709551617",
            "99999999999999999999999999999999999999999",
        ],
    ),
    (
        Malformed,
        &[
            "01",
            "001",
            "+1",
            "%2B1",
            "-1",
            "-0",
            "00",
            "1/",
            "1//",
            "/1",
            "1%2F",
            "1.0",
            "1.",
            ".1",
            "1e0",
            "0x1",
            "0b1",
            "1_0",
            "1,2",
            "1;2",
            "1|2",
            "1%20",
            "%201",
            "1%00",
            "1%09",
            "1%0A",
            "1%0D%0A",
            "%EF%BC%91",
            "%D9%A1",
            "%C2%B9",
            "%2531",
            "1'--",
            "1%20OR%201=1",
            "me",
            "self",
            "null",
            "true",
            "NaN",
            "*",
            "%2A",
            "a",
            "[1]",
            "%7B1%7D",
            "1/2",
            "1/../2",
            "..%2F2",
            "%2e%2e",
        ],
    ),
];

/// Each operation with each kind of id, and the status for each actor: anonymous, Ann, Bob, Ann with a refresh token,
/// and the deleted user. The order of checks is: malformed id 404, token 401 or 422, ownership 403, existence 404. A
/// deleted user gets a 404 if the path names that user.
const RULES: &[(&str, Target, [u16; 5])] = &[
    ("auth_login", NoId, [200, 200, 200, 200, 200]),
    ("auth_refresh", NoId, [401, 422, 422, 200, 422]),
    ("auth_logout_access_token", NoId, [401, 200, 200, 422, 401]),
    ("auth_logout_refresh_token", NoId, [401, 422, 422, 200, 422]),
    ("ships_list", NoId, [200, 200, 200, 200, 200]),
    ("ships_create", NoId, [401, 201, 201, 422, 401]),
    ("ships_get", First, [200, 200, 200, 200, 200]),
    ("ships_get", Second, [200, 200, 200, 200, 200]),
    ("ships_get", Gone, [404, 404, 404, 404, 404]),
    ("ships_get", Never, [404, 404, 404, 404, 404]),
    ("ships_get", Malformed, [404, 404, 404, 404, 404]),
    ("ships_update", First, [401, 200, 200, 422, 401]),
    ("ships_update", Second, [401, 200, 200, 422, 401]),
    ("ships_update", Gone, [401, 404, 404, 422, 401]),
    ("ships_update", Never, [401, 404, 404, 422, 401]),
    ("ships_update", Malformed, [404, 404, 404, 404, 404]),
    ("ships_patch", First, [401, 200, 200, 422, 401]),
    ("ships_patch", Second, [401, 200, 200, 422, 401]),
    ("ships_patch", Gone, [401, 404, 404, 422, 401]),
    ("ships_patch", Never, [401, 404, 404, 422, 401]),
    ("ships_patch", Malformed, [404, 404, 404, 404, 404]),
    ("ships_delete", First, [401, 204, 204, 422, 401]),
    ("ships_delete", Second, [401, 204, 204, 422, 401]),
    ("ships_delete", Gone, [401, 404, 404, 422, 401]),
    ("ships_delete", Never, [401, 404, 404, 422, 401]),
    ("ships_delete", Malformed, [404, 404, 404, 404, 404]),
    ("users_list", NoId, [200, 200, 200, 200, 200]),
    ("users_create", NoId, [201, 201, 201, 201, 201]),
    ("users_get", First, [200, 200, 200, 200, 200]),
    ("users_get", Second, [200, 200, 200, 200, 200]),
    ("users_get", Gone, [404, 404, 404, 404, 404]),
    ("users_get", Never, [404, 404, 404, 404, 404]),
    ("users_get", Malformed, [404, 404, 404, 404, 404]),
    ("users_update", First, [401, 200, 403, 422, 401]),
    ("users_update", Second, [401, 403, 200, 422, 401]),
    ("users_update", Gone, [401, 403, 403, 422, 404]),
    ("users_update", Never, [401, 403, 403, 422, 401]),
    ("users_update", Malformed, [404, 404, 404, 404, 404]),
    ("users_patch", First, [401, 200, 403, 422, 401]),
    ("users_patch", Second, [401, 403, 200, 422, 401]),
    ("users_patch", Gone, [401, 403, 403, 422, 404]),
    ("users_patch", Never, [401, 403, 403, 422, 401]),
    ("users_patch", Malformed, [404, 404, 404, 404, 404]),
    ("users_delete", First, [401, 204, 403, 422, 401]),
    ("users_delete", Second, [401, 403, 204, 422, 401]),
    ("users_delete", Gone, [401, 403, 403, 422, 404]),
    ("users_delete", Never, [401, 403, 403, 422, 401]),
    ("users_delete", Malformed, [404, 404, 404, 404, 404]),
];

/// A server on which user 3 and ship 3 are deleted, and the tokens of the actors.
struct Scene {
    server: Server,
    tokens: [Option<String>; 5],
    /// The visible data before any request has succeeded.
    state: String,
}

impl Scene {
    fn new() -> Self {
        let server = Server::start();
        let created = server.send(Ask::new(Method::Post, "/api/users").body(USER));
        assert_eq!(created.json()["id"], 3);
        let (ann, refresh) = server.log_in("user", "password").tokens();
        let (bob, _) = server.log_in("guest", "guest").tokens();
        let (deleted, _) = server.log_in("changed", "changed").tokens();
        for (path, token) in [("/api/users/3", &deleted), ("/api/ships/3", &ann)] {
            assert_eq!(server.send(Ask::new(Method::Delete, path).bearer(token)).status, 204);
        }
        let state = server.state();
        Self { server, tokens: [None, Some(ann), Some(bob), Some(refresh), Some(deleted)], state }
    }

    /// The request of an actor, with a valid body.
    fn ask(&self, operation: &Operation, id: &str, actor: Actor) -> Ask {
        let method: Method = operation.method.parse().unwrap();
        let mut ask = Ask::new(method, &operation.path.replace("{id}", id));
        let body = match operation.id() {
            "auth_login" => Some(r#"{"username":"user","password":"password"}"#),
            "ships_create" | "ships_update" => Some(SHIP),
            "ships_patch" => Some(r#"{"crew":2}"#),
            "users_create" | "users_update" => Some(USER),
            "users_patch" => Some(r#"{"password":"changed"}"#),
            _ => None,
        };
        if let Some(body) = body {
            ask = ask.header("Content-Type", "application/json").body(body);
        }
        match &self.tokens[actor as usize] {
            Some(token) => ask.bearer(token),
            None => ask,
        }
    }
}

fn has_id(operation: &Operation) -> bool {
    operation.path.contains("{id}")
}

/// An operation that is added or removed must change the table.
#[test]
fn the_rules_cover_every_operation_and_actor() {
    let mut wanted = BTreeSet::new();
    for operation in operations() {
        let targets: &[Target] =
            if has_id(&operation) { &[First, Second, Gone, Never, Malformed] } else { &[NoId] };
        wanted.extend(targets.iter().map(|&target| (operation.id(), target)));
    }
    let ruled: BTreeSet<_> = RULES.iter().map(|&(operation, target, _)| (operation, target)).collect();
    assert_eq!(ruled, wanted);
    assert_eq!(ruled.len(), RULES.len(), "a rule is there twice");
}

/// The specification requires a token for the same operations.
#[test]
fn the_rules_require_a_token_where_the_specification_does() {
    for operation in operations() {
        let rules = RULES.iter().filter(|(id, target, _)| *id == operation.id() && *target != Malformed);
        for (id, target, statuses) in rules {
            assert_eq!(statuses[0] == 401, operation.is_secured(), "{id} {target:?}");
        }
    }
}

#[test]
fn every_actor_gets_the_expected_status_for_every_id() {
    let operations = operations();
    let mut scene = Scene::new();
    let mut sent = 0;
    for (id, target, statuses) in RULES {
        let operation = operations.iter().find(|operation| operation.id() == *id).unwrap();
        let (_, paths) = IDS.iter().find(|(known, _)| known == target).unwrap();
        for path in *paths {
            for (actor, status) in ACTORS.into_iter().zip(statuses) {
                let ask = scene.ask(operation, path, actor);
                let place = format!("{actor:?}: {} {}", ask.method, ask.path);
                let response = scene.server.send(ask);
                assert_eq!(response.status, *status, "{place}: {response:?}");
                sent += 1;
                if response.status < 300 {
                    // A success must not affect the next request.
                    scene = if operation.method == "GET" { scene } else { Scene::new() };
                } else {
                    assert_eq!(scene.server.state(), scene.state, "{place}");
                }
            }
        }
    }
    assert!(sent > 2500, "{sent} requests");
}

/// A rejected request changes no session either: a rejected logout revokes nothing, and a password that another user
/// tried to set does not log in.
#[test]
fn rejected_requests_change_no_token_or_password() {
    let scene = Scene::new();
    let operations = operations();
    for (id, target, statuses) in RULES {
        let operation = operations.iter().find(|operation| operation.id() == *id).unwrap();
        let (_, paths) = IDS.iter().find(|(known, _)| known == target).unwrap();
        for (actor, _) in ACTORS.into_iter().zip(statuses).filter(|(_, &status)| status >= 400) {
            scene.server.send(scene.ask(operation, paths[0], actor));
        }
    }
    let [_, ann, bob, refresh, _] = &scene.tokens;
    let uses = |method, path: &str, token: &Option<String>| {
        scene.server.send(Ask::new(method, path).bearer(token.as_ref().unwrap())).status
    };
    assert_eq!(scene.server.log_in("user", "password").status, 200);
    assert_eq!(scene.server.log_in("guest", "guest").status, 200);
    assert_eq!(scene.server.log_in("changed", "changed").status, 401);
    assert_eq!(uses(Method::Post, "/auth/refresh", refresh), 200);
    assert_eq!(uses(Method::Delete, "/auth/logout", ann), 200);
    assert_eq!(uses(Method::Delete, "/auth/logout", bob), 200);
}
