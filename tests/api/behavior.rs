//! Behavior of the API beyond the recorded exchanges.

use rocket::http::Method;
use rocket::local::blocking::Client;
use rocket::log::LogLevel;
use serde_json::json;
use shipyard::api::base_url::BaseUrl;
use shipyard::api::openapi;
use shipyard::auth::clock::{Clock, TokenIds};
use shipyard::auth::keys::{Key, KeyId, KeySet};
use shipyard::auth::password::{Cost, Passwords};
use shipyard::auth::rate_limit::{Operation, RateLimiter};
use shipyard::auth::secret::Secret;
use shipyard::auth::token::Lifetimes;
use shipyard::auth::token::{Kind, Tokens};
use shipyard::config::Settings;
use shipyard::json::Style;
use shipyard::model::auth::{Credentials, RefreshedToken, TokenPair};
use shipyard::model::id::Id;
use shipyard::model::password::Password;
use shipyard::store::seed::{Data, EXAMPLE};
use shipyard::AppConfig;

use test_support::server::{settings, Ask, Server, NOW, SECRET};

const SHIP: &str = r#"{"affiliation":"a","category":"b","crew":1,"length":1,"manufacturer":"c","model":"d","roles":[],"ship_class":"e"}"#;

fn client(settings: Settings) -> Client {
    let parts = AppConfig {
        settings,
        data: Data::parse("the example", EXAMPLE.as_bytes()).unwrap(),
        keys: Secret::new(SECRET).unwrap().into(),
        clock: Clock::manual(NOW),
        token_ids: TokenIds::Random,
    };
    Client::untracked(shipyard::build(parts).unwrap()).unwrap()
}

#[test]
fn head_responds_as_get_without_the_body() {
    let server = Server::start();
    for path in ["/api/ships", "/api/ships/1", "/api/ships/99", "/openapi.json", "/nothing"] {
        let get = server.get(path);
        let head = server.send(Ask::new(Method::Head, path));
        assert_eq!((head.status, &head.headers), (get.status, &get.headers), "{path}");
        assert_eq!(head.body, "", "{path}");
    }
}

#[test]
fn unknown_parameters_change_nothing() {
    let server = Server::start();
    for path in ["/api/ships", "/api/ships/1", "/api/users"] {
        assert_eq!(server.get(&format!("{path}?Id=2&offset=1&x")), server.get(path));
    }
}

#[test]
fn only_login_checks_the_content_type() {
    let server = Server::start();
    let (token, _) = server.log_in("user", "password").tokens();
    for label in ["text/plain", "application/x-www-form-urlencoded", "application/json", "nonsense"] {
        let ask = Ask::new(Method::Post, "/api/ships").bearer(&token).header("Content-Type", label);
        assert_eq!(server.send(ask.body(SHIP)).status, 201, "{label}");
    }
    assert_eq!(server.send(Ask::new(Method::Post, "/api/ships").bearer(&token).body(SHIP)).status, 201);
    let body = json!({"username": "user", "password": "password"}).to_string();
    let log_in = |label: &str| {
        let ask = Ask::new(Method::Post, "/auth/login").body(body.clone());
        server.send(if label.is_empty() { ask } else { ask.header("Content-Type", label) })
    };
    for label in
        ["application/json", "application/json; charset=utf-8", "application/JSON", "application/x+json"]
    {
        assert_eq!(log_in(label).status, 200, "{label}");
    }
    for label in ["", "text/json", "application/jsonx", "application/x-json", "nonsense", "json"] {
        let response = log_in(label);
        assert_eq!((response.status, response.json()), (400, json!({"error": "Bad Request"})), "{label}");
    }
}

#[test]
fn login_accepts_the_values_that_the_original_accepts() {
    let server = Server::start();
    let log_in = |body: &str| {
        let ask = Ask::new(Method::Post, "/auth/login").header("Content-Type", "application/json");
        let response = server.send(ask.body(body));
        (response.status, response.json()["message"].as_str().map(str::to_owned))
    };
    let missing = (400, Some("Username or password missing.".to_owned()));
    let invalid = (401, Some("Username or password invalid.".to_owned()));
    for nothing in ["null", "\"\"", "0", "0.0", "false", "[]", "{}"] {
        assert_eq!(
            log_in(&format!(r#"{{"username":{nothing},"password":"password"}}"#)),
            missing,
            "{nothing}"
        );
        assert_eq!(log_in(&format!(r#"{{"username":"user","password":{nothing}}}"#)), missing, "{nothing}");
    }
    for something in ["1", "true", "[1]", r#"{"a":1}"#, "\" \""] {
        assert_eq!(
            log_in(&format!(r#"{{"username":{something},"password":"password"}}"#)),
            invalid,
            "{something}"
        );
        assert_eq!(
            log_in(&format!(r#"{{"username":"user","password":{something}}}"#)),
            invalid,
            "{something}"
        );
    }
    assert_eq!(log_in(r#"{"username":"user","password":"password","remember":true}"#).0, 200);
}

/// Unknown path or malformed id, wrong method, token, ownership, body, existence, id mismatch: each request has
/// everything wrong from its place on. (Where the rate comes: `tests/hostile/limits.rs`.)
#[test]
fn the_order_of_checks() {
    let server = Server::start();
    let (token, _) = server.log_in("user", "password").tokens();
    let ship = |id: u64| SHIP.replacen('{', &format!("{{\"id\":{id},"), 1);
    let cases = [
        (Ask::new(Method::Post, "/api/users/x").body("{"), 404),
        (Ask::new(Method::Put, "/api/users/x").body("{"), 404),
        (Ask::new(Method::Delete, "/api/ships/01"), 404),
        (Ask::new(Method::Post, "/api/users/2").body("{"), 405),
        (Ask::new(Method::Put, "/api/users/2").body("{"), 401),
        (Ask::new(Method::Put, "/api/users/2").bearer("garbage").body("{"), 422),
        (Ask::new(Method::Put, "/api/users/2").bearer(&token).body("{"), 403),
        (Ask::new(Method::Put, "/api/users/99").bearer(&token).body("{"), 403),
        (Ask::new(Method::Put, "/api/users/1").bearer(&token).body("{"), 400),
        (Ask::new(Method::Put, "/api/ships/99").body("{"), 401),
        (Ask::new(Method::Put, "/api/ships/99").bearer(&token).body("{"), 400),
        (Ask::new(Method::Put, "/api/ships/99").bearer(&token).body(ship(1)), 404),
        (Ask::new(Method::Put, "/api/ships/2").bearer(&token).body(ship(1)), 400),
        (Ask::new(Method::Put, "/api/ships/2").bearer(&token).body(ship(2)), 200),
        (Ask::new(Method::Delete, "/api/ships/0"), 401),
        (Ask::new(Method::Delete, "/api/ships/99999999999999999999"), 401),
        (Ask::new(Method::Delete, "/api/ships/99999999999999999999").bearer(&token), 404),
    ];
    for (ask, status) in cases {
        let place = format!("{ask:?}");
        assert_eq!(server.send(ask).status, status, "{place}");
    }
}

#[test]
fn a_form_cannot_change_the_method() {
    let server = Server::start();
    let (token, _) = server.log_in("user", "password").tokens();
    for body in ["_method=delete", "%5Fmethod=delete", "_method=delete&a=b", "_method=DELETE"] {
        let ask = Ask::new(Method::Post, "/api/ships/1").bearer(&token).body(body);
        let response = server.send(ask.header("Content-Type", "application/x-www-form-urlencoded"));
        assert_eq!(response.status, 405, "{body}: {response:?}");
    }
    assert_eq!(server.get("/api/ships/1").status, 200);
}

#[test]
fn location_uses_the_request_host_or_the_configured_url() {
    let server = Server::start();
    let create = |host: &str| {
        let body = json!({"name": host, "password": "password"});
        let response = server.send(Ask::new(Method::Post, "/api/users").header("Host", host).json(&body));
        response.header("Location").unwrap().to_owned()
    };
    assert_eq!(create("ships.example:8080"), "http://ships.example:8080/api/users/3");
    assert_eq!(create("[::1]:5000"), "http://[::1]:5000/api/users/4");
    let body = json!({"name": "stranger", "password": "password"});
    let without = server.send(Ask::new(Method::Post, "/api/users").json(&body));
    assert_eq!(without.header("Location"), Some("http://127.0.0.1:5000/api/users/5"));
    let public_url = Some("https://ships.example/base/".parse::<BaseUrl>().unwrap());
    let client = client(Settings { public_url, ..settings() });
    let response = client.post("/api/users").body(r#"{"name":"new","password":"password"}"#).dispatch();
    assert_eq!(response.headers().get_one("Location"), Some("https://ships.example/base/api/users/3"));
}

#[test]
fn compact_json_has_only_a_final_line_break() {
    let client = client(Settings { json: Style::Compact, ..settings() });
    let body = client.get("/api/users").dispatch().into_string().unwrap();
    assert_eq!(body, "[{\"id\":1,\"name\":\"user\"},{\"id\":2,\"name\":\"guest\"}]\n");
    assert_eq!(client.get("/x").dispatch().into_string().unwrap(), "{\"error\":\"Not Found\"}\n");
}

#[test]
fn rejects_a_creation_after_the_last_id() {
    let last = i32::MAX;
    let user = json!({"id": last, "name": "last", "password": "password"});
    let mut ship: serde_json::Value = serde_json::from_str(SHIP).unwrap();
    ship["id"] = json!(last);
    let server = Server::started_with(&json!({"users": [user], "ships": [ship]}).to_string());
    let (token, _) = server.log_in("last", "password").tokens();
    let create_ship = Ask::new(Method::Post, "/api/ships").bearer(&token).body(SHIP);
    let create_user = Ask::new(Method::Post, "/api/users").body(r#"{"name":"new","password":"password"}"#);
    for ask in [create_ship.clone(), create_user] {
        let response = server.send(ask);
        let expected = json!({"error": "Insufficient Storage", "message": "No ids are left."});
        assert_eq!((response.status, response.json()), (507, expected));
    }
    assert_eq!(
        server.send(Ask::new(Method::Delete, &format!("/api/ships/{last}")).bearer(&token)).status,
        204
    );
    assert_eq!(server.send(create_ship).status, 507, "nor is it given out again");
    assert_eq!(server.log_in("new", "password").status, 401);
}

#[test]
fn every_response_has_sorted_keys() {
    let server = Server::start();
    let (token, _) = server.log_in("user", "password").tokens();
    let responses = [
        server.log_in("user", "password"),
        server.log_in("user", "wrong"),
        server.get("/api/ships"),
        server.get("/api/users"),
        server.send(Ask::new(Method::Post, "/api/ships").bearer(&token).body("{}")),
    ];
    for response in responses {
        let mut sorted = serde_json::to_string(&response.json()).unwrap();
        sorted.retain(|character| !character.is_whitespace());
        let mut actual = response.body;
        actual.retain(|character| !character.is_whitespace());
        assert_eq!(actual, sorted);
    }
}

#[test]
fn serves_only_the_files_of_the_static_folder() {
    let server = Server::start();
    let file = server.get("/static/ship.svg");
    assert_eq!((file.status, file.header("Content-Type")), (200, Some("image/svg+xml")));
    assert_eq!(file.body, include_str!("../../static/ship.svg"));
    for path in [
        "/static/nothing.svg",
        "/static/",
        "/static",
        "/static/.",
        "/static/../Cargo.toml",
        "/static/%2e%2e/Cargo.toml",
        "/static/..%2fCargo.toml",
        "/static/.hidden",
        "/static/%00",
    ] {
        let response = server.get(path);
        assert_eq!(response.status, 404, "{path}: {response:?}");
        assert_eq!(response.json(), json!({"error": "Not Found"}), "{path}");
    }
}

#[cfg(unix)]
#[test]
fn does_not_follow_links_out_of_the_static_folder() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("static_links");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("inner")).unwrap();
    std::fs::write(folder.join("file.txt"), "inside").unwrap();
    std::os::unix::fs::symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), folder.join("out.txt"))
        .unwrap();
    std::os::unix::fs::symlink("file.txt", folder.join("in.txt")).unwrap();
    let client = client(Settings { static_dir: folder.into(), ..settings() });
    assert_eq!(client.get("/static/out.txt").dispatch().status().code, 404);
    assert_eq!(client.get("/static/inner").dispatch().status().code, 404);
    assert_eq!(client.get("/static/in.txt").dispatch().into_string().as_deref(), Some("inside"));
}

#[test]
fn serves_the_checked_in_specification_with_an_etag() {
    let server = Server::start();
    let response = server.get("/openapi.json");
    assert_eq!((response.status, response.body.as_str()), (200, shipyard::api::routes::spec::TEXT));
    assert_eq!(response.header("Content-Type"), Some("application/json"));
    let etag = response.header("ETag").unwrap();
    for known in [etag.to_owned(), format!("\"other\", {etag}"), format!("W/{etag}"), "*".to_owned()] {
        let again = server.send(Ask::new(Method::Get, "/openapi.json").header("If-None-Match", &known));
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{known}");
        assert_eq!((again.header("ETag"), again.header("Content-Length")), (Some(etag), None));
    }
    let other = server.send(Ask::new(Method::Get, "/openapi.json").header("If-None-Match", "\"other\""));
    assert_eq!(other.status, 200);
}

/// The addresses that a page loads or links to.
fn addresses(page: &str) -> Vec<&str> {
    let after = |attribute| page.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap());
    ["src=\"", "href=\""].into_iter().flat_map(after).collect()
}

/// Relative addresses, so that the pages also work where a proxy adds a path.
#[test]
fn pages_load_only_from_this_server_and_by_relative_addresses() {
    let server = Server::start();
    assert_eq!(server.get("/docs").header("Location"), Some("docs/index.html"));
    assert_eq!(server.get("/docs/").header("Location"), Some("index.html"));
    let index = server.send(Ask::new(Method::Get, "/").header("Accept", "text/html")).body;
    let docs = server.get("/docs/index.html").body;
    assert!(docs.contains("<title>Shipyard API</title>"), "{docs}");
    for (folder, page) in [("/", index), ("/docs/", docs)] {
        let loaded = addresses(&page);
        assert!(loaded.len() >= 4, "{loaded:?}");
        for address in loaded {
            assert!(!address.contains(':') && !address.starts_with('/'), "{address} is not relative");
            let path = match address.strip_prefix("../") {
                Some(rest) => format!("/{rest}"),
                None => format!("{folder}{address}"),
            };
            let status = server.get(&path).status;
            assert!([200, 303].contains(&status), "{path}: {status}");
        }
    }
    assert!(server.get("/docs/docs.js").body.contains("url: \"../openapi.json\""));
}

#[test]
fn the_start_page_is_html_for_browsers_and_links_for_programs() {
    let server = Server::start();
    let index = |accept: &str| {
        server.send(Ask::new(Method::Get, "/").header("Host", "localhost:5000").header("Accept", accept))
    };
    for accept in ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html;q=0.1"] {
        let page = index(accept);
        assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html; charset=utf-8")));
        assert_eq!(page.header("Vary"), Some("Accept"), "{accept}");
        for part in
            [env!("CARGO_PKG_VERSION"), "<code>guest</code>", "curl http://localhost:5000/api/ships/1"]
        {
            assert!(page.body.contains(part), "{part}: {}", page.body);
        }
    }
    for accept in ["*/*", "application/json", "text/html;q=0", "nonsense", ""] {
        let links = index(accept);
        assert_eq!((links.status, links.header("Content-Type")), (200, Some("application/json")), "{accept}");
        for name in ["docs", "ships", "specification", "users"] {
            let url = links.json()[name].as_str().unwrap().to_owned();
            let path = url.strip_prefix("http://localhost:5000").unwrap();
            assert!([200, 303].contains(&server.get(path).status), "{url}");
        }
    }
    assert_eq!(server.get("/favicon.ico").header("Content-Type"), Some("image/svg+xml"));
    assert_eq!(server.send(Ask::new(Method::Post, "/")).status, 405);
}

/// Every row of the route table has an operation: none is a 404 for an unknown path.
#[test]
fn every_listed_route_is_served() {
    let server = Server::start();
    for endpoint in openapi::endpoints() {
        let path = endpoint.path.replace("<id>", "1").replace("<path..>", "ship.svg");
        let method: Method = endpoint.method.parse().unwrap();
        let status = server.send(Ask::new(method, &path)).status;
        assert!(status != 404 && status != 405, "{path}: {status}");
    }
}

#[test]
fn the_defaults_are_those_of_the_settings_page() {
    let settings = Settings::read(shipyard::config::defaults(), Default::default()).unwrap();
    assert_eq!((settings.rocket.address.to_string().as_str(), settings.rocket.port), ("127.0.0.1", 5000));
    assert_eq!(settings.rocket.limits.get("json"), Some(rocket::data::ByteUnit::Kibibyte(64)));
    // Rocket's own log is off.
    assert_eq!(settings.rocket.log_level, LogLevel::Off);
    assert_eq!(settings.log.level, LogLevel::Normal);
    assert_eq!(settings.rocket.ident.as_str(), Some("Shipyard"));
    assert_eq!((settings.lifetimes.access, settings.lifetimes.refresh), (900, 2_592_000));
    assert_eq!((settings.data, settings.static_dir.path.to_str()), (None, Some("static")));
    assert!(settings.jwt_secret.is_none() && settings.public_url.is_none());
    assert_eq!(format!("{:?}", settings.hasher), "Hasher(m=19456, t=2, p=1)");
    assert_eq!(settings.json, Style::Pretty);
}

/// A server that cannot sign must not issue tokens that any client can forge.
#[test]
fn does_not_sign_with_an_empty_key() {
    let tokens =
        Tokens::new(Secret::for_replay(""), Lifetimes::default(), Clock::manual(NOW), TokenIds::Random);
    assert!(tokens.issue(Kind::Access, Id::new(1)).is_err());
    let forged = test_support::forge::hs256("e30.e30", b"");
    assert!(tokens.verify(&format!("e30.e30.{forged}"), Kind::Access).is_err());
}

#[test]
fn secrets_cannot_be_printed() {
    let password = Password::new("hunter2 hunter2".to_owned());
    let hash = Cost { memory: 8, iterations: 1, parallelism: 1 }.hasher().unwrap().hash(&password).unwrap();
    let secret = Secret::new(SECRET).unwrap();
    let key = Key { id: KeyId::new("shown"), secret: secret.clone() };
    let keys = || KeySet::new(std::slice::from_ref(&key)).unwrap();
    let tokens = Tokens::new(keys(), Lifetimes::default(), Clock::manual(NOW), TokenIds::Random);
    let issued = tokens.issue(Kind::Access, Id::new(1)).unwrap();
    let pair = TokenPair { access_token: issued.text.clone(), refresh_token: issued.text.clone() };
    let refreshed =
        RefreshedToken { access_token: issued.text.clone(), refresh_token: Some(issued.text.clone()) };
    let credentials = Credentials { username: "user".into(), password: password.clone() };
    let parts = AppConfig {
        settings: Settings { jwt_secret: Some(secret.clone()), ..settings() },
        data: Data::parse("the example", EXAMPLE.as_bytes()).unwrap(),
        keys: keys(),
        clock: Clock::System,
        token_ids: TokenIds::Random,
    };
    let printed = [
        format!("{password:?} {hash:?} {credentials:?} {parts:?}"),
        format!("{secret:?} {key:?} {:?} {} {tokens:?}", keys(), keys()),
        format!("{issued:?} {pair:?} {refreshed:?}"),
    ]
    .concat();
    let signature = issued.text.rsplit('.').next().unwrap();
    for part in ["hunter2", "$argon2", "a key for tests", "password\"", "guest\"}", "eyJ0", signature] {
        assert!(!printed.contains(part), "{part} in {printed}");
    }
    // A key as an array of numbers is a key as well.
    let numbers = format!("{SECRET:?}");
    assert!(!printed.contains(&numbers[1..20]), "{printed}");
    assert!(printed.contains("shown"), "{printed}");
}

/// The memory of a costly hash is reused for a cheap one: its content does not affect the result.
#[test]
fn verifies_hashes_of_any_cost_in_reused_memory() {
    let costs = [64, 8, 32, 16, 8, 128, 64];
    let usual = Cost { memory: 64, iterations: 1, parallelism: 1 }.hasher().unwrap();
    let password = Password::new("password".to_owned());
    let admission = RateLimiter::new(None).admit(Operation::LogIn, None.into()).unwrap();
    rocket::execute(async {
        let passwords = Passwords::new(usual, 0).unwrap();
        for memory in costs {
            let hash =
                Cost { memory, iterations: 2, parallelism: 1 }.hasher().unwrap().hash(&password).unwrap();
            assert!(
                passwords.verify(&admission, password.clone(), Some(hash.clone())).await.unwrap(),
                "{memory}"
            );
            assert!(
                !passwords.verify(&admission, Password::new("x".into()), Some(hash)).await.unwrap(),
                "{memory}"
            );
        }
    });
}

#[test]
fn hashes_and_verifies_many_passwords_concurrently() {
    let hasher = Cost { memory: 8, iterations: 1, parallelism: 1 }.hasher().unwrap();
    let done = rocket::execute(async {
        let passwords = Passwords::new(hasher, 128).unwrap();
        let rate_limiter = RateLimiter::new(None);
        let mut jobs = rocket::tokio::task::JoinSet::new();
        for number in 0..64 {
            let passwords = passwords.clone();
            let admission = rate_limiter.admit(Operation::LogIn, None.into()).unwrap();
            jobs.spawn(async move {
                let password = Password::new(number.to_string());
                let hash = passwords.hash(&admission, password.clone()).await.unwrap();
                let right = passwords.verify(&admission, password, Some(hash.clone())).await.unwrap();
                let wrong =
                    passwords.verify(&admission, Password::new("x".into()), Some(hash)).await.unwrap();
                right
                    && !wrong
                    && !passwords.verify(&admission, Password::new(String::new()), None).await.unwrap()
            });
        }
        jobs.join_all().await
    });
    assert_eq!(done, vec![true; 64]);
}
