//! Intended differences from the original API. Each has a test, a snapshot that shows the original's response next to
//! this server's, and a section of docs/differences.md.

use std::sync::Arc;

use rocket::http::Method;
use rocket::local::asynchronous::Client;
use rocket::tokio::task::JoinSet;
use serde_json::{json, Value};
use shipyard::auth::rate_limit::Rates;
use shipyard::config::Settings;
use shipyard::store::memory::{Memory, MemoryConfig};
use shipyard::store::seed::{Data, EXAMPLE};
use shipyard::store::StoreLimits;

use test_support::forge::{claims, header, sign, with_claim, without_claim};
use test_support::server::{settings, unstarted, Answer, Ask, Server, CHEAP, NOW};
use test_support::transcript::scenario_named;
use test_support::{snapshots, unified_diff};

/// A difference that is being recorded: cases are added, then the snapshot is taken.
struct Difference {
    name: &'static str,
    text: String,
}

fn difference(name: &'static str) -> Difference {
    Difference { name, text: String::new() }
}

impl Difference {
    /// The original's response, as far as it is known, and this server's.
    fn case(mut self, what: &str, original: &str, ours: &str) -> Self {
        assert_ne!(original, ours, "{}: {what}: no difference", self.name);
        let diff =
            unified_diff("original", &format!("{original}\n"), "shipyard", &format!("{}\n", ours.trim_end()));
        self.text += &format!("# {what}\n{diff}\n");
        self
    }

    fn show(self) {
        snapshots().bind(|| insta::assert_snapshot!(format!("difference_{}", self.name), self.text));
    }
}

const SHIP: &str = r#"{"affiliation":"a","category":"b","crew":1,"length":1,"manufacturer":"c","model":"d","roles":[],"ship_class":"e"}"#;

/// The status, the contract's headers and the body.
fn essence(answer: &Answer) -> String {
    let mut text = answer.status.to_string();
    for name in ["Content-Type", "Location", "Allow", "WWW-Authenticate"] {
        if let Some(value) = answer.header(name) {
            text += &format!("\n{name}: {value}");
        }
    }
    format!("{text}\n\n{}", answer.body).trim_end().to_owned()
}

fn logged_in() -> (Server, String) {
    let server = Server::start();
    let (token, _) = server.log_in("user", "password").tokens();
    (server, token)
}

fn create(server: &Server, token: &str, body: impl Into<Vec<u8>>) -> Answer {
    server.send(Ask::new(Method::Post, "/api/ships").bearer(token).body(body))
}

/// `SHIP` with another value of `crew`.
fn ship_with_crew(crew: &str) -> String {
    SHIP.replace(r#""crew":1"#, &format!(r#""crew":{crew}"#))
}

#[test]
fn json_errors() {
    let server = Server::start();
    let unknown = server.get("/api/nothing");
    let wrong = server.send(Ask::new(Method::Post, "/api/ships/1"));
    assert_eq!((unknown.status, unknown.json()), (404, json!({"error": "Not Found"})));
    assert_eq!((wrong.status, wrong.json()), (405, json!({"error": "Method Not Allowed"})));
    assert_eq!(wrong.header("Allow"), Some("DELETE, GET, HEAD, OPTIONS, PATCH, PUT"));
    // An unknown path is a 404 with every method, and so is a malformed id; both come before the token.
    for (method, path) in
        [(Method::Patch, "/api/nothing"), (Method::Patch, "/api/ships/x"), (Method::Delete, "/api/ships/x")]
    {
        assert_eq!(server.send(Ask::new(method, path)).status, 404, "{method} {path}");
    }
    difference("json_errors")
        .case("GET /api/nothing", "404\nContent-Type: text/html", &essence(&unknown))
        .case("POST /api/ships/1", "405\nContent-Type: text/html", &essence(&wrong))
        .show();
}

#[test]
fn options() {
    let server = Server::start();
    let answer = server.send(Ask::new(Method::Options, "/api/ships"));
    assert_eq!((answer.status, answer.header("Allow")), (204, Some("GET, HEAD, OPTIONS, POST")));
    assert_eq!(server.send(Ask::new(Method::Options, "/api/nothing")).status, 404);
    difference("options").case("OPTIONS /api/ships", "200", &essence(&answer)).show();
}

#[test]
fn malformed_json() {
    let (server, token) = logged_in();
    let before = server.state();
    let mut shown = difference("malformed_json");
    let cases: [(&str, Vec<u8>); 8] = [
        ("a syntax error", b"{\"crew\":\n 1,}".to_vec()),
        ("nothing", Vec::new()),
        ("white space", b" \n".to_vec()),
        ("bad UTF-8", b"{\n\"model\": \"\xff\"}".to_vec()),
        ("a byte order mark", [b"\xef\xbb\xbf", SHIP.as_bytes()].concat()),
        ("trailing data", [SHIP.as_bytes(), b" {}"].concat()),
        ("a name twice", br#"{"crew":1,"roles":[{"a":1,"a":2}]}"#.to_vec()),
        ("a form", b"crew=1".to_vec()),
    ];
    for (what, body) in cases {
        for path in ["/api/ships", "/api/users"] {
            let answer = server.send(Ask::new(Method::Post, path).bearer(&token).body(body.clone()));
            assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("Bad Request")), "{what}");
            let message = answer.json()["message"].as_str().unwrap().to_owned();
            assert!(message.starts_with("Malformed JSON: ") && message.contains("line"), "{what}: {message}");
        }
        let answer = create(&server, &token, body);
        shown = shown.case(
            &format!("POST /api/ships with {what}"),
            "500, or 400\nContent-Type: text/html",
            &essence(&answer),
        );
    }
    for body in ["[]", "1", "\"user\"", "null", "true"] {
        let answer = server.send(
            Ask::new(Method::Post, "/auth/login").header("Content-Type", "application/json").body(body),
        );
        assert_eq!(answer.status, 400, "{body}");
        shown = shown.case(
            &format!("POST /auth/login with {body}"),
            "500, or 400\nContent-Type: text/html",
            &essence(&answer),
        );
    }
    assert_eq!(server.state(), before);
    shown.show();
}

#[test]
fn strict_integers() {
    let (server, token) = logged_in();
    let mut shown = difference("strict_integers");
    for (crew, original) in [("\"1\"", "201, crew 1"), ("1.5", "201, crew 1"), ("\" 7 \"", "201, crew 7")] {
        let answer = create(&server, &token, ship_with_crew(crew));
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["message"], json!({"crew": ["Not a valid integer."]}));
        shown = shown.case(&format!("POST /api/ships with \"crew\": {crew}"), original, &essence(&answer));
    }
    for crew in ["1.0", "1e0", "10e-1"] {
        let answer = create(&server, &token, ship_with_crew(crew));
        assert_eq!((answer.status, &answer.json()["crew"]), (201, &json!(1)), "{crew}");
    }
    shown.show();
}

#[test]
fn greatest_integer() {
    let (server, token) = logged_in();
    let mut shown = difference("greatest_integer");
    for crew in ["2147483648", "18446744073709551616", "1e300"] {
        let answer = create(&server, &token, ship_with_crew(crew));
        assert_eq!(answer.status, 400, "{crew}");
        assert_eq!(answer.json()["message"], json!({"crew": ["Must be less than or equal to 2147483647."]}));
        shown = shown.case(&format!("POST /api/ships with \"crew\": {crew}"), "201", &essence(&answer));
    }
    assert_eq!(create(&server, &token, ship_with_crew("2147483647")).status, 201);
    shown.show();
}

#[test]
fn one_address() {
    let server = Server::start();
    let mut shown = difference("one_address");
    for path in
        ["/api/ships/01", "/api/ships/+1", "/api/ships/1/", "/api/ships/", "//api/ships/1", "/api//ships"]
    {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        if path == "/api/ships/01" {
            shown = shown.case(&format!("GET {path}"), "200, the ship 1", &essence(&answer));
        }
    }
    assert_eq!(server.get("/api/ships/1").status, 200);
    shown.show();
}

#[test]
fn rename_to_a_taken_name() {
    let (server, token) = logged_in();
    let rename = |name: &str| {
        let body = json!({"name": name, "password": "password"});
        server.send(Ask::new(Method::Put, "/api/users/1").bearer(&token).json(&body))
    };
    let answer = rename("guest");
    assert_eq!((answer.status, &answer.json()["message"]), (400, &json!("User already exists.")));
    assert_eq!(server.log_in("guest", "guest").status, 200);
    assert_eq!(rename("user").status, 200, "one's own name is not taken");
    difference("rename_to_a_taken_name")
        .case("PUT /api/users/1 with the name of user 2", "200; then neither can log in", &essence(&answer))
        .show();
}

#[test]
fn ids_are_never_reused() {
    let (server, token) = logged_in();
    let newest = || create(&server, &token, SHIP).json()["id"].clone();
    assert_eq!(newest(), 16);
    assert_eq!(server.send(Ask::new(Method::Delete, "/api/ships/16").bearer(&token)).status, 204);
    let answer = create(&server, &token, SHIP);
    assert_eq!(answer.json()["id"], 17);
    difference("ids_are_never_reused")
        .case("POST /api/ships after the newest, 16, was deleted", "201, id 16", &essence(&answer))
        .show();
}

#[test]
fn incomplete_tokens() {
    let server = Server::start();
    server.clock.set(NOW + 1);
    let mut header_with_crit = header();
    header_with_crit["crit"] = json!(["exp"]);
    let mut header_with_kid = header();
    header_with_kid["kid"] = json!("a");
    let tokens = [
        ("without exp", without_claim("access", "exp")),
        ("without jti", without_claim("access", "jti")),
        ("without type", without_claim("access", "type")),
        ("without iat", without_claim("access", "iat")),
        ("with a text for an identity", with_claim("access", "identity", json!("1"))),
        ("with a text for exp", with_claim("access", "exp", json!((NOW + 900).to_string()))),
        ("with a fraction of a second in exp", with_claim("access", "exp", json!(NOW as f64 + 900.5))),
        (
            "with a whole number of seconds as 1.0 in exp",
            with_claim("access", "exp", json!((NOW + 900) as f64)),
        ),
        ("with a fraction of a second in nbf", with_claim("access", "nbf", json!(NOW as f64 + 0.5))),
        ("with a fraction of a second in iat", with_claim("access", "iat", json!(NOW as f64 + 0.5))),
        ("with 1.0 for an identity", with_claim("access", "identity", json!(1.0))),
        ("with a jti that is no UUID", with_claim("access", "jti", json!("1"))),
        ("issued in the future", with_claim("access", "iat", json!(NOW + 2))),
        ("with crit", sign(&header_with_crit, &claims("access"))),
        ("with the kid of no key", sign(&header_with_kid, &claims("access"))),
    ];
    let mut shown = difference("incomplete_tokens");
    for (what, token) in tokens {
        let answer = server.send(Ask::new(Method::Delete, "/api/ships/1").bearer(&token));
        assert_eq!(answer.status, 422, "{what}");
        shown = shown.case(&format!("DELETE /api/ships/1 with a token {what}"), "204", &essence(&answer));
    }
    assert_eq!(server.get("/api/ships/1").status, 200);
    shown.show();
}

#[test]
fn last_second_of_a_token() {
    let (server, token) = logged_in();
    server.clock.set(NOW + 900);
    let answer = server.send(Ask::new(Method::Delete, "/api/ships/1").bearer(&token));
    assert_eq!((answer.status, answer.json()), (401, json!({"error": "Token has expired"})));
    difference("last_second_of_a_token")
        .case("DELETE /api/ships/1 in the second that exp names", "204", &essence(&answer))
        .show();
}

#[test]
fn tokens_of_deleted_users() {
    let (server, token) = logged_in();
    assert_eq!(server.send(Ask::new(Method::Delete, "/api/users/1").bearer(&token)).status, 204);
    let answer = create(&server, &token, SHIP);
    assert_eq!((answer.status, &answer.json()["message"]), (401, &json!("Unknown user.")));
    difference("tokens_of_deleted_users")
        .case("POST /api/ships with the token of a user who was deleted", "201", &essence(&answer))
        .show();
}

#[test]
fn tokens_from_before_the_start() {
    let server = Server::start();
    server.clock.set(NOW + 1);
    let token = with_claim("access", "iat", json!(NOW - 1));
    let answer = server.send(Ask::new(Method::Delete, "/api/ships/1").bearer(&token));
    assert_eq!((answer.status, answer.json()), (401, json!({"error": "Token has been revoked"})));
    // Of the tokens from the second of the start, only this server's own are valid.
    let token = with_claim("access", "iat", json!(NOW));
    let same_second = server.send(Ask::new(Method::Delete, "/api/ships/1").bearer(&token));
    assert_eq!((same_second.status, same_second.json()), (401, json!({"error": "Token has been revoked"})));
    assert_eq!(server.get("/api/ships/1").status, 200);
    difference("tokens_from_before_the_start")
        .case("DELETE /api/ships/1 with a token of an earlier run", "204", &essence(&answer))
        .case("DELETE /api/ships/1 with one of the second of the start", "204", &essence(&same_second))
        .show();
}

#[test]
fn hashed_passwords() {
    let hash = shipyard::auth::password::Cost { memory: 16, ..CHEAP }
        .hasher()
        .unwrap()
        .hash(&shipyard::model::password::Password::new("a password".to_owned()))
        .unwrap();
    let data = json!({"users": [{"id": 1, "name": "hashed", "password_hash": hash.as_str()}], "ships": []});
    let server = Server::started_with(&data.to_string());
    assert!(hash.as_str().starts_with("$argon2id$v=19$m=16,t=1,p=1$"), "{}", hash.as_str());
    assert_eq!(server.log_in("hashed", "a password").status, 200);
    assert_eq!(server.log_in("hashed", hash.as_str()).status, 401);
    let answer = server.log_in("hashed", "another password");
    assert_eq!(answer.status, 401);
    // A plain-text password of the data file is not kept either. The store knows everything but the salt and the hash.
    let data = Data::parse("the example", EXAMPLE.as_bytes()).unwrap();
    let store = Memory::new(data.hashed(&CHEAP.hasher().unwrap()).unwrap(), &MemoryConfig::default());
    let (_, kept) = store.credentials("user").unwrap();
    let shape: Vec<&str> = kept.as_str().split('$').take(4).collect();
    let ours = format!("{}$<salt>$<hash>", shape.join("$"));
    difference("hashed_passwords").case("what is kept of a password", "the password", &ours).show();
}

#[test]
fn password_change_ends_refresh_tokens() {
    let server = Server::start();
    let (access, refresh) = server.log_in("user", "password").tokens();
    let body = json!({"name": "user", "password": "changed"});
    assert_eq!(server.send(Ask::new(Method::Put, "/api/users/1").bearer(&access).json(&body)).status, 200);
    let answer = server.send(Ask::new(Method::Post, "/auth/refresh").bearer(&refresh));
    assert_eq!((answer.status, answer.json()), (401, json!({"error": "Token has been revoked"})));
    difference("password_change_ends_refresh_tokens")
        .case("POST /auth/refresh with a token from before PUT /api/users/1", "200", &essence(&answer))
        .show();
}

#[test]
fn no_content_type_on_204() {
    let scenario = scenario_named("readme");
    let server = Server::recorded(&scenario);
    let mut shown = difference("no_content_type_on_204");
    for exchange in &scenario.exchanges {
        server.clock.set(exchange.date);
        let answer = server.send(exchange.request.clone());
        if answer.status == 204 {
            assert_eq!((answer.header("Content-Type"), answer.body.as_str()), (None, ""));
            shown = shown.case(
                &format!("fixtures/readme/{}", exchange.name),
                &essence(&exchange.response.clone().into()),
                &essence(&answer),
            );
        }
    }
    shown.show();
}

#[test]
fn challenge_on_401() {
    let scenario = scenario_named("token-errors");
    let server = Server::recorded(&scenario);
    let mut shown = difference("challenge_on_401");
    for exchange in &scenario.exchanges {
        server.clock.set(exchange.date);
        let answer = server.send(exchange.request.clone());
        let challenge = answer.header("WWW-Authenticate");
        assert_eq!(challenge.is_some(), answer.status == 401, "{}", exchange.name);
        if let Some(challenge) = challenge {
            assert!(challenge.starts_with("Bearer realm=\"shipyard\""), "{challenge}");
            shown = shown.case(
                &format!("fixtures/token-errors/{}", exchange.name),
                essence(&exchange.response.clone().into()).trim_end(),
                &essence(&answer),
            );
        }
    }
    shown.show();
}

#[test]
fn utf8_text() {
    let (server, token) = logged_in();
    let answer =
        create(&server, &token, SHIP.replace(r#""model":"d""#, r#""model":"Á \u2014 \ud83d\ude80""#));
    assert_eq!(answer.json()["model"], "Á — 🚀");
    assert!(answer.body.contains("\"Á — 🚀\""), "{}", answer.body);
    difference("utf8_text")
        .case(
            "POST /api/ships with a model beyond ASCII",
            r#"  "model": "\u00c1 \u2014 \ud83d\ude80", "#,
            &essence(&answer),
        )
        .show();
}

#[test]
fn atomic_writes() {
    let statuses: Vec<u16> = rocket::execute(async {
        let client = Arc::new(Client::untracked(unstarted()).await.expect("the server starts"));
        let mut racers = JoinSet::new();
        for _ in 0..24 {
            let client = Arc::clone(&client);
            racers.spawn(async move {
                let body = r#"{"name": "wanted", "password": "password"}"#;
                client.post("/api/users").body(body).dispatch().await.status().code
            });
        }
        racers.join_all().await
    });
    let created = statuses.iter().filter(|status| **status == 201).count();
    assert_eq!(created, 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 201 | 400)), "{statuses:?}");
    let ours = format!("201 for {created} of them, 400 for {}", statuses.len() - created);
    difference("atomic_writes")
        .case("24 racing POST /api/users with one name", "201 for some of them", &ours)
        .show();
}

#[test]
fn limited_bodies() {
    let (server, token) = logged_in();
    let padded = |length: usize| format!("{SHIP}{}", " ".repeat(length - SHIP.len()));
    assert_eq!(create(&server, &token, padded(64 * 1024)).status, 201);
    let answer = create(&server, &token, padded(64 * 1024 + 1));
    assert_eq!(answer.status, 413);
    difference("limited_bodies").case("POST /api/ships with 65537 bytes", "201", &essence(&answer)).show();
}

#[test]
fn limited_lengths() {
    let (server, token) = logged_in();
    let before = server.state();
    let mut shown = difference("limited_lengths");
    let long = |length| "x".repeat(length);
    let roles = |count| format!(r#""roles":[{}]"#, vec![r#""x""#; count].join(","));
    let ships = [
        ("a model of 129 characters", r#""model":"d""#, format!(r#""model":"{}""#, long(129))),
        ("33 roles", r#""roles":[]"#, roles(33)),
        ("a role of 65 characters", r#""roles":[]"#, format!(r#""roles":["", "{}"]"#, long(65))),
    ];
    for (what, field, value) in ships {
        let answer = create(&server, &token, SHIP.replace(field, &value));
        assert_eq!(answer.status, 400, "{what}");
        shown = shown.case(&format!("POST /api/ships with {what}"), "201", &essence(&answer));
    }
    let user = |name: &str, password: &str| json!({"name": name, "password": password});
    let users = [
        ("a name of 65 characters", user(&long(65), "secret")),
        ("a password of 129 bytes", user("ann", &long(129))),
        ("a password of 65 characters and 130 bytes", user("ann", &"é".repeat(65))),
    ];
    for (what, body) in users {
        let answer = server.send(Ask::new(Method::Post, "/api/users").json(&body));
        assert_eq!(answer.status, 400, "{what}");
        shown = shown.case(&format!("POST /api/users with {what}"), "201", &essence(&answer));
    }
    for (name, password) in [("user", long(129)), (long(65).as_str(), "password".to_owned())] {
        assert_eq!(server.log_in(name, &password).body, server.log_in("user", "wrong").body);
    }
    assert_eq!(server.state(), before);
    let most = SHIP
        .replace(r#""model":"d""#, &format!(r#""model":"{}""#, "🚀".repeat(128)))
        .replace(r#""roles":[]"#, &roles(32));
    assert_eq!(create(&server, &token, most).status, 201);
    shown.show();
}

#[test]
fn visible_names() {
    let (server, token) = logged_in();
    let before = server.state();
    let mut shown = difference("visible_names");
    let user = |name: &str| json!({"name": name, "password": "secret"});
    let create = |name: &str| server.send(Ask::new(Method::Post, "/api/users").json(&user(name)));
    let rename =
        |name: &str| server.send(Ask::new(Method::Put, "/api/users/1").bearer(&token).json(&user(name)));
    for (what, name) in [
        ("NUL in the name", "user\0"),
        ("ESC in the name", "us\u{1b}er"),
        ("U+009B in the name", "us\u{9b}er"),
        ("a zero-width space in the name", "user\u{200b}"),
        ("a mark of direction in the name", "\u{202e}resu"),
        ("a space in front of the name", " user"),
        ("a space behind the name", "user "),
        ("another space than U+0020 in the name", "new\u{a0}user"),
    ] {
        let answer = create(name);
        assert_eq!((answer.status, rename(name).body), (400, answer.body.clone()), "{what}");
        shown = shown.case(&format!("POST /api/users with {what}"), "201", &essence(&answer));
        // An unknown user: the same response as for any other invalid login.
        assert_eq!(server.log_in(name, "password").body, server.log_in("user", "wrong").body);
    }
    assert_eq!(server.state(), before);
    let (composed, decomposed) = ("Andr\u{e9}", "Andre\u{301}");
    assert_eq!(create(decomposed).json()["name"], composed);
    for name in [composed, decomposed] {
        assert_eq!(server.log_in(name, "secret").status, 200);
        let taken = create(name);
        assert_eq!((taken.status, rename(name).body), (400, taken.body.clone()));
    }
    // The same in the data file.
    let user = |id: u32, name: &str| json!({"id": id, "name": name, "password": "secret"});
    let read = |users: Vec<Value>| {
        Data::parse("data", json!({"users": users, "ships": []}).to_string().as_bytes()).map(|_| ())
    };
    let refused = |users| read(users).expect_err("a name that cannot be").to_string();
    assert!(refused(vec![user(1, "user\u{200b}")]).ends_with("name: May not contain U+200B."));
    let twice = refused(vec![user(1, composed), user(2, decomposed)]);
    assert!(twice.ends_with("is the name of user 1 already"), "{twice}");
    let taken = create(decomposed);
    shown = shown.case("POST /api/users with a name that is taken in another form", "201", &essence(&taken));
    shown.show();
}

#[test]
fn limited_rates() {
    let by_address = "1/hour".parse().unwrap();
    let rates = Rates { by_address, ..Rates::default() };
    let server = Server::configured(Settings { rates: Some(rates), ..settings() });
    assert_eq!(server.log_in("user", "password").status, 200);
    let answer = server.log_in("user", "password");
    assert_eq!((answer.status, answer.header("Retry-After")), (429, Some("3600")));
    difference("limited_rates").case("POST /auth/login beyond the limit", "200", &essence(&answer)).show();
}

#[test]
fn limited_storage() {
    let caps = StoreLimits { users: 3, ships: 16, ..StoreLimits::default() };
    let server = Server::configured(Settings { store_limits: caps, ..settings() });
    let (token, _) = server.log_in("user", "password").tokens();
    let mut shown = difference("limited_storage");
    let user = |name: &str| {
        server.send(Ask::new(Method::Post, "/api/users").json(&json!({"name": name, "password": "secret"})))
    };
    assert_eq!(user("ann").status, 201);
    assert_eq!(create(&server, &token, SHIP).status, 201);
    let before = server.state();
    let answers = [("users", user("bob")), ("ships", create(&server, &token, SHIP))];
    for (things, answer) in answers {
        assert_eq!(answer.status, 507, "{things}");
        shown = shown.case(&format!("POST /api/{things} beyond the limit"), "201", &essence(&answer));
    }
    assert_eq!(server.state(), before);
    assert_eq!(server.send(Ask::new(Method::Delete, "/api/ships/1").bearer(&token)).status, 204);
    assert_eq!(create(&server, &token, SHIP).status, 201);
    shown.show();
}

#[test]
fn one_authorization_header() {
    let (server, token) = logged_in();
    let ask = Ask::new(Method::Delete, "/api/ships/1").bearer(&token).bearer("garbage");
    let answer = server.send(ask);
    assert_eq!(answer.status, 422);
    difference("one_authorization_header")
        .case("DELETE /api/ships/1 with two Authorization headers", "204", &essence(&answer))
        .show();
}
