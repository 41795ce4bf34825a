//! The program over the network: the commands of a newcomer and their output.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::UNIX_EPOCH;

use rocket::http::Method;
use shipyard::contract::client::wire::Target;
use shipyard::contract::session::live::Session;
use uuid::{Uuid, Variant};

use test_support::program::{folder, run, shipyard, Serving, LIMIT};
use test_support::server::Ask;
use test_support::snapshots;
use test_support::transcript::{claims, scenario_named};

/// The fourteen commands of docs/api.md, with live tokens: the lengths are those of the recording.
#[test]
fn readme_commands_print_what_the_readme_shows() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let serving = Serving::start(&mut shipyard(here, &["--port", "0", "--json", "pretty"]));
    let target = Target::parse(&format!("http://localhost:{}", serving.port)).unwrap();
    let scenario = scenario_named("readme");
    let mut session = Session::new(&target, &scenario, None, LIMIT, None);
    let mut lengths = Vec::new();
    for (index, exchange) in scenario.exchanges.iter().enumerate() {
        let name = &exchange.name;
        let request = session.request(index, exchange).unwrap();
        let live = session.send(&request).unwrap();
        assert_eq!(live.status, exchange.response.status, "{name}");
        assert_eq!(live.header("Content-Length"), exchange.response.header("Content-Length"), "{name}");
        assert_eq!(live.header("Transfer-Encoding"), None, "{name}");
        // docs/differences.md, `no_content_type_on_204`.
        let label = exchange.response.header("Content-Type").filter(|_| live.status != 204);
        assert_eq!(live.header("Content-Type"), label, "{name}");
        let location = exchange.response.header("Location");
        let location = location.map(|at| at.replace("5000", &serving.port.to_string()));
        assert_eq!(live.header("Location"), location.as_deref(), "{name}");
        let answered = session.map_response(exchange, &live, true);
        assert_eq!(
            (answered.faults.as_slice(), answered.response.body),
            ([].as_slice(), exchange.response.body.clone()),
            "{name}"
        );
        lengths.push(live.header("Content-Length").unwrap_or("-").to_owned());
    }
    assert_eq!(lengths.join(" "), "568 293 89 33 37 43 - 4984 267 332 333 - 44 44");
}

#[test]
fn announces_the_address_and_the_data() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let serving = Serving::start(&mut shipyard(here, &["--port", "0"]));
    let output = serving.announcement.replace(&format!(":{}", serving.port), ":PORT");
    assert_ne!(output, serving.announcement);
    snapshots().bind(|| insta::assert_snapshot!("announcement", output));
}

#[test]
fn serves_the_example_data_from_any_folder() {
    let serving = Serving::start(&mut shipyard(&folder("no_data_file"), &["--port", "0"]));
    assert!(serving.announcement.contains("the built-in example"), "{}", serving.announcement);
    let ships = serving.send(&Ask::new(Method::Get, "/api/ships").header("Host", "localhost"));
    assert_eq!(ships.json().as_array().map(Vec::len), Some(15));
}

#[test]
fn serves_the_example_files_from_any_folder() {
    let here = folder("no_static_folder");
    let file = here.join("output");
    let serving = Serving::start_into(&mut shipyard(&here, &["--port", "0"]), &file);
    let get = |path: &str| serving.send(&Ask::new(Method::Get, path).header("Host", "localhost"));
    // All files of the folder in the repository.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = format!("/static/{}", entry.file_name().display());
        let answer = get(&path);
        assert_eq!(
            (answer.status, answer.body),
            (200, std::fs::read_to_string(entry.path()).unwrap()),
            "{path}"
        );
    }
    let ship = get("/static/ship.svg");
    assert_eq!(ship.header("Content-Type"), Some("image/svg+xml"));
    let known = Ask::new(Method::Get, "/static/ship.svg").header("Host", "localhost");
    let again = serving.send(&known.header("If-None-Match", ship.header("ETag").unwrap()));
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    for path in ["/static/nothing.svg", "/static/", "/static/..%2fCargo.toml", "/static/ship.svg/a"] {
        assert_eq!(get(path).status, 404, "{path}");
    }
    // A folder of that name replaces the built-in files.
    std::fs::create_dir(here.join("static")).unwrap();
    assert_eq!(get("/static/ship.svg").status, 404);
    assert!(!std::fs::read_to_string(file).unwrap().contains("warning"));
}

/// Other machines cannot use `localhost`, and everyone knows the passwords of the example.
#[test]
fn on_every_address_it_names_urls_for_other_machines_and_warns_of_the_example_logins() {
    let here = folder("every_address");
    let start = |name: &str, arguments: &[&str]| {
        let arguments = [&["--port", "0"], arguments].concat();
        Serving::start_into(&mut shipyard(&here, &arguments), &here.join(name))
    };
    let warning = "shipyard: warning: any client that reaches 0.0.0.0 can log in as user or guest";
    let serving = start("open", &["--address", "0.0.0.0"]);
    let said = &serving.announcement;
    assert!(said.contains(&format!(" listens on http://localhost:{}\n", serving.port)), "{said}");
    assert_eq!(said.matches(warning).count(), 1, "{said}");
    let network = said.lines().find_map(|line| line.strip_prefix("  Network ")).expect(said);
    // A machine without a network has no address for others.
    if !network.starts_with("every address") {
        for url in network.split(", ") {
            let address: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
            assert!(!address.ip().is_loopback() && !address.ip().is_unspecified(), "{url}");
            assert_eq!(address.port(), serving.port, "{url}");
            assert!(TcpStream::connect_timeout(&address, LIMIT).is_ok(), "{url}");
        }
    }
    let local = start("local", &[]).announcement.clone();
    assert!(!local.contains("warning") && !local.contains("Network"), "{local}");
    // One of the two is enough; others have passwords of their own.
    let users = r#"{"users": [{"id": 2, "name": "guest", "password": "guest"}, {"id": 3, "name": "user", "password": "other"}], "ships": []}"#;
    let own = r#"{"users": [{"id": 1, "name": "user", "password": "other"}], "ships": []}"#;
    for (file, text, expected) in [("guest.json", users, true), ("own.json", own, false)] {
        std::fs::write(here.join(file), text).unwrap();
        let said = start("data", &["--address", "0.0.0.0", "--data", file]).announcement.clone();
        assert_eq!(said.contains("can log in as guest, since"), expected, "{said}");
        assert_eq!(said.contains("warning"), expected, "{said}");
    }
}

#[test]
fn the_announcement_names_log_format_and_layout() {
    let here = folder("announced_output");
    for (variables, expected) in [
        ([("LOG_FORMAT", "text"), ("JSON", "compact")], "log as text (normal); responses as compact JSON"),
        ([("LOG_LEVEL", "critical"), ("JSON", "pretty")], "log as json (critical); responses as pretty JSON"),
        ([("LOG_LEVEL", "off"), ("JSON", "pretty")], "no log; responses as pretty JSON"),
    ] {
        let mut command = shipyard(&here, &["--port", "0"]);
        command.envs(variables.map(|(name, value)| (format!("ROCKET_{name}"), value)));
        let said = Serving::start(&mut command).announcement.clone();
        assert!(said.ends_with(&format!("\n  Output  {expected}\n")), "{said}");
    }
}

#[test]
fn announces_the_demo_login_only_where_it_works() {
    let here = folder("own_data");
    std::fs::write(here.join("data.json"), r#"{"users": [], "ships": []}"#).unwrap();
    let secret = "0123456789012345678901234567890123456789";
    let serving = Serving::start(shipyard(&here, &["--port", "0"]).env("ROCKET_JWT_SECRET", secret));
    assert!(!serving.announcement.contains("Login"), "{}", serving.announcement);
    assert!(!serving.announcement.contains("Tokens"), "{}", serving.announcement);
    assert!(serving.announcement.contains("data.json"), "{}", serving.announcement);
}

#[test]
fn pages_name_the_public_url_and_no_login_that_does_not_work() {
    let here = folder("public_url_pages");
    std::fs::write(here.join("data.json"), r#"{"users": [], "ships": []}"#).unwrap();
    let url = "https://ships.example/a";
    let serving = Serving::start(&mut shipyard(&here, &["--port", "0", "--public-url", url]));
    let get =
        |path| serving.send(&Ask::new(Method::Get, path).header("Host", "b").header("Accept", "text/html"));
    assert_eq!(get("/openapi.json").json()["servers"][0]["url"], url);
    let page = get("/").body;
    assert!(page.contains("curl https://ships.example/a/api/ships") && !page.contains("guest"), "{page}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_shuts_the_server_down_cleanly() {
    let serving = Serving::start(&mut shipyard(&folder("interrupt"), &["--port", "0"]));
    // Rocket listens for signals just after it announces itself, and before it answers.
    assert_eq!(serving.send(&Ask::new(Method::Get, "/api/users").header("Host", "localhost")).status, 200);
    assert_eq!(serving.interrupt(), Some(0));
}

#[test]
fn names_a_busy_port_and_the_remedy() {
    let here = folder("busy_port");
    let serving = Serving::start(&mut shipyard(&here, &["--port", "0"]));
    let second = run(&mut shipyard(&here, &["--port", &serving.port.to_string()]), None);
    assert_eq!(second.code, Some(1), "{second:?}");
    let output = second.stderr.replace(&format!("port {}", serving.port), "port PORT");
    assert_ne!(output, second.stderr);
    snapshots().bind(|| insta::assert_snapshot!("busy_port", output));
}

#[test]
fn an_unknown_method_is_a_405() {
    let serving = Serving::start(&mut shipyard(&folder("methods"), &["--port", "0"]));
    for method in ["FOO", "PROPFIND", "get"] {
        let ask = |path| Ask::new(Method::Get, path).header("Host", "localhost");
        let wrong = serving.send_as(method, &ask("/api/ships"));
        assert_eq!(
            (wrong.status, wrong.header("Allow")),
            (405, Some("GET, HEAD, OPTIONS, POST")),
            "{method}"
        );
        assert_eq!(serving.send_as(method, &ask("/api/nothing")).status, 404, "{method}");
    }
}

#[test]
fn does_not_resend_an_unchanged_specification() {
    let serving = Serving::start(&mut shipyard(&folder("etag"), &["--port", "0"]));
    let ask = Ask::new(Method::Get, "/openapi.json").header("Host", "localhost");
    let first = serving.send(&ask);
    let again = serving.send(&ask.header("If-None-Match", first.header("ETag").unwrap()));
    assert_eq!((again.status, again.body.as_str(), again.header("Content-Length")), (304, "", None));
    assert_eq!(again.header("Transfer-Encoding"), None);
}

/// File, environment and command line: later ones override earlier ones, and each setting takes effect.
#[test]
fn settings_from_file_environment_and_flags_take_effect() {
    let here = folder("settings");
    let inner = here.join("inner");
    std::fs::create_dir_all(here.join("files")).unwrap();
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::write(here.join("files/a.txt"), "a file").unwrap();
    let ann = r#"{"users": [{"id": 7, "name": "ann", "password": "secret"}], "ships": []}"#;
    std::fs::write(here.join("own.json"), ann).unwrap();
    let toml = r#"
        [default]
        port = 1
        data = "own.json"
        static_dir = "files"
        json = "pretty"
        public_url = "http://file.example"
        access_token_ttl = 60
        refresh_token_ttl = 120
        limits = { json = "100B" }
        password_memory = 8
        password_iterations = 1
    "#;
    std::fs::write(here.join("Rocket.toml"), toml).unwrap();
    // Started from another folder: paths in the file are relative to the file.
    let mut command =
        shipyard(&inner, &["serve", "--port", "0", "--json", "compact", "--address", "127.0.0.1"]);
    command.env("ROCKET_CONFIG", here.join("Rocket.toml"));
    command.env("ROCKET_PUBLIC_URL", "https://environment.example").env("ROCKET_JSON", "pretty");
    let serving = Serving::start(&mut command);
    let ask = |method, path: &str| Ask::new(method, path).header("Host", "localhost");

    assert_eq!(serving.send(&ask(Method::Get, "/api/users")).body, "[{\"id\":7,\"name\":\"ann\"}]\n");
    assert_eq!(serving.send(&ask(Method::Get, "/static/a.txt")).body, "a file");
    let log_in = serde_json::json!({"username": "ann", "password": "secret"});
    let (access, refresh) = serving.send(&ask(Method::Post, "/auth/login").json(&log_in)).tokens();
    for (token, lifetime) in [(access, 60), (refresh, 120)] {
        let claims = claims(&token);
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), lifetime);
    }
    let bob = serde_json::json!({"name": "bob", "password": "secret"});
    let created = serving.send(&ask(Method::Post, "/api/users").json(&bob));
    assert_eq!(created.header("Location"), Some("https://environment.example/api/users/8"));
    let refused = serving.send(&ask(Method::Post, "/api/users").body(" ".repeat(101)));
    assert_eq!(refused.status, 413);
    assert_eq!(refused.json()["message"], "The body may have 100 bytes at most.");
}

#[test]
fn flags_name_files_relative_to_the_current_folder() {
    let here = folder("flags");
    std::fs::create_dir_all(here.join("files")).unwrap();
    std::fs::write(here.join("files/a.txt"), "a file").unwrap();
    std::fs::write(here.join("own.json"), r#"{"users": [], "ships": []}"#).unwrap();
    let flags = [
        "--port",
        "0",
        "--data",
        "own.json",
        "--static-dir",
        "files",
        "--public-url",
        "https://flag.example/",
    ];
    let serving = Serving::start(&mut shipyard(&here, &flags));
    let ask = |method, path: &str| Ask::new(method, path).header("Host", "localhost");
    assert_eq!(serving.send(&ask(Method::Get, "/api/users")).json(), serde_json::json!([]));
    assert_eq!(serving.send(&ask(Method::Get, "/static/a.txt")).body, "a file");
    let body = serde_json::json!({"name": "bob", "password": "secret"});
    let created = serving.send(&ask(Method::Post, "/api/users").json(&body));
    assert_eq!(created.header("Location"), Some("https://flag.example/api/users/1"));
}

/// A token must be valid when its request is complete, not only when it begins: otherwise a client with a stolen token
/// could keep requests open for later.
#[test]
fn rejects_a_token_that_expires_while_the_body_arrives() {
    let serving = Serving::start(&mut shipyard(&folder("late_body"), &["--port", "0"]));
    let ask = |method, path: &str| Ask::new(method, path).header("Host", "localhost");
    let log_in = |name: &str, password: &str| {
        let body = serde_json::json!({"username": name, "password": password});
        serving.send(&ask(Method::Post, "/auth/login").json(&body)).tokens().0
    };
    let users = serving.send(&ask(Method::Get, "/api/users")).body;
    for (method, path, body) in [
        (Method::Put, "/api/users/1", r#"{"name": "taken over", "password": "taken over"}"#),
        (Method::Post, "/api/ships", "{}"),
        // The body is checked after the token.
        (Method::Post, "/api/ships", "no JSON"),
    ] {
        let token = log_in("user", "password");
        let partial = serving.begin(&ask(method, path).bearer(&token).body(body)).wait_for_guards();
        assert_eq!(serving.send(&ask(Method::Delete, "/auth/logout").bearer(&token)).status, 200);
        let answer = partial.finish();
        assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("Token has been revoked")));
    }
    assert_eq!(serving.send(&ask(Method::Get, "/api/users")).body, users);

    let token = log_in("guest", "guest");
    let partial = serving.begin(&ask(Method::Post, "/api/ships").bearer(&token).body("{}")).wait_for_guards();
    assert_eq!(serving.send(&ask(Method::Delete, "/api/users/2").bearer(&token)).status, 204);
    assert_eq!(partial.finish().json()["message"], "Unknown user.");
}

#[test]
fn uses_the_server_address_without_a_host_header() {
    let serving = Serving::start(&mut shipyard(&folder("no_host"), &["--port", "0"]));
    let body = serde_json::json!({"name": "bob", "password": "secret"});
    let created = serving.send(&Ask::new(Method::Post, "/api/users").header("Host", "").json(&body));
    let location = format!("http://127.0.0.1:{}/api/users/3", serving.port);
    assert_eq!(created.header("Location"), Some(location.as_str()));
}

/// Other services that verify tokens with the key rely on both.
#[test]
fn tokens_have_their_time_of_issue_and_unique_ids() {
    let serving = Serving::start(&mut shipyard(&folder("claims"), &["--port", "0"]));
    let body = serde_json::json!({"username": "user", "password": "password"});
    let log_in = Ask::new(Method::Post, "/auth/login").header("Host", "localhost").json(&body);
    let mut ids = HashSet::new();
    for _ in 0..3 {
        let answer = serving.send(&log_in);
        let date = httpdate::parse_http_date(answer.header("Date").expect("a Date")).expect("a date");
        let date = date.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (access, refresh) = answer.tokens();
        for claims in [claims(&access), claims(&refresh)] {
            assert!(claims["iat"].as_u64().unwrap().abs_diff(date) <= 5, "{claims}: {date}");
            let id = Uuid::try_parse(claims["jti"].as_str().unwrap()).expect("a UUID");
            assert_eq!((id.get_version_num(), id.get_variant()), (4, Variant::RFC4122), "{claims}");
            assert!(ids.insert(id), "{id} was given out twice");
        }
    }
}
