//! Conditional requests (RFC 9110, section 13) and changes (RFC 7396).

use proptest::prelude::*;
use rocket::http::Method;
use serde_json::{json, Value};
use shipyard::config::Settings;

use test_support::server::{settings, Answer, Ask, Server, SHIP, USER};

const READS: [&str; 4] = ["/api/ships", "/api/ships/1", "/api/users", "/api/users/1"];

fn etag(answer: &Answer) -> String {
    answer.header("ETag").unwrap_or_else(|| panic!("an ETag: {answer:?}")).to_owned()
}

/// A server, and the access token of user 1.
fn scene(settings: Settings) -> (Server, String) {
    let server = Server::configured(settings);
    let (token, _) = server.log_in("user", "password").tokens();
    (server, token)
}

/// Every way to write ship 1 and user 1. The body is valid for the operations that have one.
fn writes() -> Vec<Ask> {
    let ask = |method, path: &str, body: &str| {
        let ask = Ask::new(method, path);
        if body.is_empty() {
            ask
        } else {
            ask.body(body)
        }
    };
    vec![
        ask(Method::Put, "/api/ships/1", SHIP),
        ask(Method::Patch, "/api/ships/1", r#"{"crew":7}"#),
        ask(Method::Delete, "/api/ships/1", ""),
        ask(Method::Put, "/api/users/1", USER),
        ask(Method::Patch, "/api/users/1", r#"{"name":"renamed"}"#),
        ask(Method::Patch, "/api/users/1", r#"{"password":"changed"}"#),
        ask(Method::Delete, "/api/users/1", ""),
    ]
}

#[test]
fn a_client_that_has_the_current_version_gets_304() {
    let server = Server::start();
    for path in READS {
        let response = server.get(path);
        let etag = etag(&response);
        for known in [etag.clone(), format!("\"0\", {etag}"), format!("W/{etag}"), "*".to_owned()] {
            for method in [Method::Get, Method::Head] {
                let again = server.send(Ask::new(method, path).header("If-None-Match", &known));
                assert_eq!((again.status, again.body.as_str()), (304, ""), "{method} {path} {known}");
                assert_eq!(again.header("ETag"), Some(etag.as_str()));
                assert_eq!(again.header("Content-Type"), None);
            }
        }
        let digits = etag.trim_matches('"');
        for other in
            ["\"0\"", "", digits, &format!("\"0{digits}\""), &etag.to_uppercase().replace('"', "\"+")]
        {
            let again = server.send(Ask::new(Method::Get, path).header("If-None-Match", other));
            assert_eq!((again.status, again.body), (200, response.body.clone()), "{path} {other:?}");
        }
    }
}

#[test]
fn a_read_of_another_version_is_refused() {
    let server = Server::start();
    for path in READS {
        let etag = etag(&server.get(path));
        let read = |tags: &str| server.send(Ask::new(Method::Get, path).header("If-Match", tags)).status;
        assert_eq!((read(&etag), read("*")), (200, 200), "{path}");
        assert_eq!((read("\"0\""), read(&format!("W/{etag}"))), (412, 412), "{path}");
        // If-Match is checked first (RFC 9110, section 13.2.2).
        let both = Ask::new(Method::Get, path).header("If-None-Match", &etag).header("If-Match", "\"0\"");
        assert_eq!(server.send(both).status, 412, "{path}");
    }
}

#[test]
fn each_write_makes_a_new_version() {
    for write in writes() {
        let (server, token) = scene(settings());
        let (path, method) = (write.path.clone(), write.method);
        let list = path.trim_end_matches("/1").to_owned();
        let other = if path.contains("ships") { "/api/users/1" } else { "/api/ships/1" };
        let before = [&path, &list, other].map(|path| etag(&server.get(path)));
        let written = server.send(write.bearer(&token));
        assert!(written.status < 300, "{written:?}");
        assert_ne!(etag(&server.get(&list)), before[1], "{method} {path}");
        assert_eq!(etag(&server.get(other)), before[2], "{method} {path}");
        if method != Method::Delete {
            assert_ne!(etag(&written), before[0], "{method} {path}");
            assert_eq!(etag(&server.get(&path)), etag(&written), "{method} {path}");
        }
    }
    let (server, token) = scene(settings());
    for (path, body) in [("/api/ships", SHIP), ("/api/users", USER)] {
        let created = server.send(Ask::new(Method::Post, path).bearer(&token).body(body));
        let location = format!("{path}/{}", created.json()["id"]);
        assert_eq!(etag(&created), etag(&server.get(&location)));
    }
}

/// A client must not take a version from before a restart for a current one.
#[test]
fn no_version_is_one_of_another_run() {
    let (one, other) = (Server::start(), Server::start());
    for path in READS {
        assert_ne!(etag(&one.get(path)), etag(&other.get(path)), "{path}");
    }
}

#[test]
fn a_write_of_another_version_changes_nothing() {
    for write in writes() {
        let (server, token) = scene(settings());
        let current = etag(&server.get(&write.path));
        let state = server.state();
        let place = format!("{} {}", write.method, write.path);
        let with = |name, tags: &str| server.send(write.clone().bearer(&token).header(name, tags));
        for other in ["\"0\"", "", current.trim_matches('"'), &format!("W/{current}"), "\"0\", \"1\""] {
            assert_eq!(with("If-Match", other).status, 412, "{place} {other:?}");
        }
        for known in [current.as_str(), "*", &format!("W/{current}")] {
            assert_eq!(with("If-None-Match", known).status, 412, "{place} {known}");
        }
        assert_eq!(server.state(), state, "{place}");
        assert_eq!(server.log_in("user", "password").status, 200, "{place}");
        let written = with("If-Match", &format!("\"0\" , {current}"));
        assert!(written.status < 300, "{place}: {written:?}");
    }
    for write in writes() {
        let (server, token) = scene(settings());
        let written = server.send(write.bearer(&token).header("If-Match", "*"));
        assert!(written.status < 300, "{written:?}");
    }
}

/// Other errors come first (RFC 9110, section 13.2.1).
#[test]
fn a_precondition_hides_no_other_error() {
    let (server, token) = scene(settings());
    let send = |method, path, body: &str, token: &str| {
        let ask = Ask::new(method, path).header("If-Match", "\"0\"").body(body);
        server.send(if token.is_empty() { ask } else { ask.bearer(token) }).status
    };
    assert_eq!(send(Method::Put, "/api/ships/99", SHIP, &token), 404);
    assert_eq!(send(Method::Patch, "/api/ships/99", "{}", &token), 404);
    assert_eq!(send(Method::Delete, "/api/ships/99", "", &token), 404);
    assert_eq!(send(Method::Patch, "/api/ships/1", "{}", ""), 401);
    assert_eq!(send(Method::Patch, "/api/ships/1", "{", &token), 400);
    assert_eq!(send(Method::Patch, "/api/ships/1", r#"{"id":2}"#, &token), 400);
    assert_eq!(send(Method::Patch, "/api/users/2", "{}", &token), 403);
    assert_eq!(send(Method::Patch, "/api/users/1", r#"{"name":"guest"}"#, &token), 400);
}

#[test]
fn a_server_can_require_if_match() {
    for write in writes() {
        let (server, token) = scene(Settings { require_if_match: true, ..settings() });
        let state = server.state();
        let refused = server.send(write.clone().bearer(&token));
        assert_eq!(refused.status, 428, "{refused:?}");
        assert_eq!(server.send(write.clone().bearer(&token).header("If-None-Match", "\"0\"")).status, 428);
        assert_eq!(server.state(), state);
        let current = etag(&server.get(&write.path));
        assert!(server.send(write.bearer(&token).header("If-Match", &current)).status < 300);
    }
    // What has no version yet needs none.
    let (server, token) = scene(Settings { require_if_match: true, ..settings() });
    assert_eq!(server.send(Ask::new(Method::Post, "/api/ships").bearer(&token).body(SHIP)).status, 201);
}

/// RFC 7396, section 2.
fn merged(target: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut target = target.as_object().cloned().unwrap_or_default();
    for (name, value) in patch {
        match value {
            Value::Null => drop(target.remove(name)),
            value => drop(target.insert(name.clone(), value.clone())),
        }
    }
    target.into()
}

fn patches() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        Just(json!(null)),
        any::<i32>().prop_map(|number| json!(number)),
        (1..5000_i32).prop_map(|number| json!(number)),
        ".{0,140}".prop_map(|text| json!(text)),
        prop::collection::vec("[a-z]{0,70}", 0..4).prop_map(|texts| json!(texts)),
    ];
    let name = prop::sample::select(vec![
        "affiliation",
        "category",
        "crew",
        "id",
        "length",
        "manufacturer",
        "model",
        "roles",
        "ship_class",
        "other",
    ]);
    let object = prop::collection::btree_map(name, value.clone(), 0..4);
    prop_oneof![9 => object.prop_map(|members| json!(members)), 1 => value]
}

proptest! {
    /// A change is what a PUT of the changed ship would be.
    #[test]
    fn a_patch_is_a_put_of_the_merged_ship(patch in patches()) {
        let (server, token) = scene(settings());
        let ship = server.get("/api/ships/1").json();
        let send = |method, body: &Value| {
            server.send(Ask::new(method, "/api/ships/1").bearer(&token).json(body))
        };
        let patched = send(Method::Patch, &patch);
        let after = server.get("/api/ships/1").json();
        let put = send(Method::Put, &merged(&ship, &patch));
        // An unknown field is refused also where the patch removes it.
        let names_other = patch.get("other").is_some();
        prop_assert_eq!(patched.status, if names_other { 400 } else { put.status }, "{} {:?}", patch, put);
        if patched.status == 200 {
            prop_assert_eq!(&patched.body, &put.body);
            prop_assert_eq!(after, put.json());
        } else {
            prop_assert_eq!(after, ship);
        }
    }
}

#[test]
fn a_patch_says_what_is_wrong_with_it() {
    let (server, token) = scene(settings());
    let errors = |path: &str, body: &str| {
        let response = server.send(Ask::new(Method::Patch, path).bearer(&token).body(body));
        assert_eq!(response.status, 400, "{response:?}");
        response.json()["message"].clone()
    };
    assert_eq!(
        errors("/api/ships/1", r#"{"crew":0,"model":null,"color":"red"}"#),
        json!({
            "color": ["Unknown field."],
            "crew": ["Must be greater than or equal to 1."],
            "model": ["Field may not be null."],
        })
    );
    // A JSON patch (RFC 6902) is another format.
    assert_eq!(
        errors("/api/ships/1", r#"[{"op":"replace","path":"/crew","value":1}]"#),
        json!({"_schema": ["Invalid input type."]})
    );
    assert_eq!(errors("/api/ships/1", r#"{"id":2}"#), "Request data id has to match resource id.");
    assert_eq!(errors("/api/users/1", r#"{"name":"guest"}"#), "User already exists.");
    assert_eq!(
        errors("/api/users/1", r#"{"password":null}"#),
        json!({"password": ["Field may not be null."]})
    );
}

#[test]
fn a_new_name_leaves_the_password_and_the_tokens() {
    let server = Server::start();
    let (token, refresh) = server.log_in("user", "password").tokens();
    let patch = |body: &str| server.send(Ask::new(Method::Patch, "/api/users/1").bearer(&token).body(body));
    let refreshes = || server.send(Ask::new(Method::Post, "/auth/refresh").bearer(&refresh)).status;
    assert_eq!(patch(r#"{"name":"renamed"}"#).json(), json!({"id": 1, "name": "renamed"}));
    assert_eq!(server.log_in("user", "password").status, 401);
    assert_eq!((server.log_in("renamed", "password").status, refreshes()), (200, 200));
    assert_eq!(patch(r#"{"password":"changed"}"#).json(), json!({"id": 1, "name": "renamed"}));
    assert_eq!(server.log_in("renamed", "password").status, 401);
    assert_eq!((server.log_in("renamed", "changed").status, refreshes()), (200, 401));
    // The old name is free again.
    let user = r#"{"name":"user","password":"password"}"#;
    assert_eq!(server.send(Ask::new(Method::Post, "/api/users").body(user)).status, 201);
}
