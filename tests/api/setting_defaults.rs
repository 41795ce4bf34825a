//! Default settings: without configuration, every setting has the value in docs/settings.md.

use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rocket::http::Method;
use rocket::log::LogLevel;
use shipyard::auth::rate_limit::{Rate, Rates};
use shipyard::config::{self, Settings};
use shipyard::json::Style;
use shipyard::log::Format;
use shipyard::store::seed::DEFAULT_FILE;

use test_support::program::{folder, here, run, shipyard, Serving, LIMIT};
use test_support::server::{Answer, Ask};
use test_support::settings_table::rows;
use test_support::transcript::claims;

/// The value in effect, in the notation of docs/settings.md.
fn in_effect(settings: &Settings, name: &str, default: &str) -> String {
    let rates = settings.rates.unwrap_or_else(|| panic!("there are no rates"));
    let rate = |pick: fn(&Rates) -> Rate| match default.parse::<Rate>() {
        Ok(rate) if rate == pick(&rates) => default.to_owned(),
        _ => format!("{:?}", pick(&rates)),
    };
    let limits = &settings.limits;
    let seconds = |time: Duration| time.as_secs_f64().to_string();
    let shutdown = &settings.rocket.shutdown;
    match name {
        "address" => settings.address.to_string(),
        "port" => settings.rocket.port.to_string(),
        "admin_address" if settings.admin_address.is_none() => String::new(),
        "shutdown_delay" => settings.shutdown_delay.as_secs().to_string(),
        "watch" => settings.watch.to_string(),
        "data" => settings.data.as_ref().map_or(DEFAULT_FILE.to_owned(), |path| path.display().to_string()),
        "static_dir" => settings.static_dir.path.display().to_string(),
        "json" => if settings.json == Style::Compact { "compact" } else { "pretty" }.to_owned(),
        "public_url" if settings.public_url.is_none() => "`http://` and the request's Host".to_owned(),
        "jwt_secret" if settings.jwt_secret.is_none() => default.to_owned(),
        "jwt_secret_file" if settings.jwt_secret_file.is_none() => String::new(),
        "access_token_ttl" => settings.lifetimes.access.to_string(),
        "refresh_token_ttl" => settings.lifetimes.refresh.to_string(),
        "refresh_rotation" => settings.rotation_grace.is_some().to_string(),
        // The value itself is seen with rotation only: `tests/hostile/refresh_rotation.rs`.
        "refresh_grace" if settings.rotation_grace.is_none() => default.to_owned(),
        "password_memory" => hash_parameter(settings, "m="),
        "password_iterations" => hash_parameter(settings, "t="),
        "password_parallelism" => hash_parameter(settings, "p="),
        "password_queue" => settings.password_queue.to_string(),
        "rate_limits" => settings.rates.is_some().to_string(),
        "rate_by_address" => rate(|rates| rates.by_address),
        "rate_by_user" => rate(|rates| rates.by_user),
        "rate_overall" => rate(|rates| rates.overall),
        "max_users" => settings.store_limits.users.to_string(),
        "max_ships" => settings.store_limits.ships.to_string(),
        "max_revocations" => settings.store_limits.revocations.to_string(),
        "database_url" | "database_url_file" if settings.database.is_none() => String::new(),
        // What the others are is seen with a database only: `tests/database`.
        "database_ca_file" | "database_pool" | "database_pooler" if settings.database.is_none() => {
            default.to_owned()
        }
        "limits" => {
            let limit = settings.rocket.limits.get("json").unwrap();
            assert_eq!(limit.as_u64(), limits.max_body as u64);
            format!("{{ json = \"{limit}\" }}")
        }
        "max_connections" => limits.max_connections.to_string(),
        "max_connections_per_address" => limits.max_connections_per_address.to_string(),
        "max_header_size" => limits.max_header_size.to_string(),
        "response_cache_size" => limits.response_cache_size.to_string(),
        "max_headers" => limits.max_headers.to_string(),
        "header_timeout" => seconds(limits.header_timeout),
        "body_timeout" => seconds(limits.body_timeout),
        "request_timeout" => seconds(limits.request_timeout),
        "keep_alive" => seconds(limits.keep_alive),
        "workers"
            if std::thread::available_parallelism().is_ok_and(|cores| cores.get() == limits.workers) =>
        {
            "one for each core".to_owned()
        }
        "max_blocking" => limits.max_blocking.to_string(),
        "shutdown" => format!("{{ grace = {}, mercy = {} }}", shutdown.grace, shutdown.mercy),
        "trusted_proxies" if format!("{:?}", limits.trusted_proxies).ends_with("([])") => "[]".to_owned(),
        "strict_query" => settings.strict_query.to_string(),
        "require_if_match" => settings.require_if_match.to_string(),
        "cors_origins" if allows(settings, "http://[::1]:1") && !allows(settings, "http://a.example") => {
            default.to_owned()
        }
        "delay" => settings.faults.delay.to_string(),
        "fail" => settings.faults.fail.to_string(),
        "seed" => settings.faults.seed.to_string(),
        "log_level" => settings.log.level.to_string().to_lowercase(),
        "log_format" => if settings.log.format == Format::Text { "text" } else { "json" }.to_owned(),
        "ident" => settings.rocket.ident.as_str().unwrap_or("false").to_owned(),
        _ => panic!("{name} has another default than {default:?}: {settings:?}"),
    }
}

fn allows(settings: &Settings, origin: &str) -> bool {
    let mut headers = settings.cors.headers(&mut [origin].into_iter());
    headers.any(|header| header == ("Access-Control-Allow-Origin", origin))
}

fn hash_parameter(settings: &Settings, name: &str) -> String {
    let hasher = format!("{:?}", settings.hasher);
    hasher.split(name).nth(1).unwrap().split([',', ')']).next().unwrap().to_owned()
}

/// Read as the program reads them, from a Rocket.toml that sets nothing and the environment.
#[test]
fn documented_defaults_are_in_effect() {
    let toml = std::fs::read_to_string(here().join("Rocket.toml")).unwrap();
    assert!(toml.lines().all(|line| line.is_empty() || line.starts_with('#') || line == "[default]"));
    for profile in ["debug", "release"] {
        let figment = config::figment().unwrap().select(profile);
        let settings = Settings::read(figment, Default::default()).unwrap();
        for row in rows() {
            let documented = match row.default.split_once(AT_A_TERMINAL) {
                Some((text, _)) if std::io::stderr().is_terminal() => text.trim_matches('`'),
                Some((_, json)) => json.trim_matches('`'),
                None => row.default.as_str(),
            };
            assert_eq!(in_effect(&settings, &row.name, documented), documented, "{} in {profile}", row.name);
        }
        // The address on which the program listens, whatever Rocket reports.
        assert_eq!(settings.rocket.address, IpAddr::from(Ipv4Addr::LOCALHOST));
        assert_eq!(settings.rocket.log_level, LogLevel::Off);
        assert_eq!(settings.rocket.ip_header, None);
    }
}

/// Between the default at a terminal and the other one.
const AT_A_TERMINAL: &str = " if standard error is a terminal, else ";

/// The default of a row if it is a value, that at a terminal if there are two.
fn usual(default: &str) -> &str {
    default.split(AT_A_TERMINAL).next().unwrap().trim_matches('`')
}

#[test]
fn the_example_file_and_the_help_name_the_same_defaults() {
    let toml = std::fs::read_to_string(here().join("Rocket.toml")).unwrap();
    let help = run(&mut shipyard(here(), &["--help"]), None).stdout;
    // Defaults that are not a value, and those that depend on the machine.
    let examples = [
        "admin_address",
        "public_url",
        "cors_origins",
        "jwt_secret",
        "jwt_secret_file",
        "database_url",
        "database_url_file",
        "database_ca_file",
        "trusted_proxies",
        "workers",
    ];
    for row in rows() {
        let (name, default) = (row.name.as_str(), usual(&row.default));
        if !examples.contains(&name) {
            let shown = toml.lines().find_map(|line| line.strip_prefix(&format!("# {name} = "))).expect(name);
            let value = shown.split("  #").next().unwrap().split(" # ").next().unwrap().trim();
            assert_eq!(value.trim_matches('"'), default, "{name} in Rocket.toml");
        }
    }
    for (flag, name) in [
        ("--address", "address"),
        ("--port", "port"),
        ("--data", "data"),
        ("--static-dir", "static_dir"),
        ("--json", "json"),
        ("--delay", "delay"),
        ("--fail", "fail"),
        ("--seed", "seed"),
    ] {
        let row = rows().into_iter().find(|row| row.name == name).unwrap();
        let shown = help.split(&format!("{flag} <")).nth(1).unwrap().split("[default: ").nth(1).unwrap();
        let shown = shown.split([',', ';', ']']).next().unwrap();
        assert_eq!(shown, usual(&row.default), "{flag} in the help");
    }
}

fn ask(method: Method, path: &str) -> Ask {
    Ask::new(method, path).header("Host", "localhost")
}

/// The program without any setting; with another port only if the default port is taken.
fn with_nothing_set(name: &str, profile: &str) -> Serving {
    let here = folder(name);
    let command = |arguments: &[&str]| {
        let mut command = shipyard(&here, arguments);
        command.env("ROCKET_PROFILE", profile);
        command
    };
    let is_free = TcpListener::bind("127.0.0.1:5000").is_ok();
    if is_free {
        let output = here.join("output");
        return Serving::start_into(&mut command(&[]), &output);
    }
    let refused = run(&mut command(&[]), None);
    assert!(refused.stderr.contains("port 5000 is in use"), "{refused:?}");
    Serving::start_into(&mut command(&["--port", "0"]), &here.join("output"))
}

#[test]
fn listens_on_both_localhost_addresses_by_default() {
    for profile in ["debug", "release"] {
        let folder = format!("nothing_set_{profile}");
        let serving = with_nothing_set(&folder, profile);
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, serving.port)).is_ok(), "{profile}");
        match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
            Ok(_) => assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, serving.port)).is_ok(), "{profile}"),
            Err(error) => assert_ne!(error.kind(), ErrorKind::AddrInUse),
        }
        let users = serving.send(&ask(Method::Get, "/api/users"));
        let pretty = "[\n  {\n    \"id\": 1, \n    \"name\": \"user\"\n  }, \n  {\n    \"id\": 2, \n    \"name\": \"guest\"\n  }\n]\n";
        assert_eq!(users.body, pretty, "{profile}");
        // Into a file, as JSON: one line for each request.
        std::thread::sleep(Duration::from_millis(300));
        let output = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(&folder).join("output");
        let log = std::fs::read_to_string(output).unwrap();
        assert!(log.contains("\"route\":\"/api/users\""), "{profile}: {log}");
    }
}

fn log_in(serving: &Serving, name: &str) -> Answer {
    let body = serde_json::json!({"username": name, "password": "password"});
    serving.send(&ask(Method::Post, "/auth/login").json(&body))
}

#[test]
fn default_limits_match_the_settings_page() {
    let here = folder("nothing_set_limits");
    std::fs::create_dir(here.join("static")).unwrap();
    std::fs::write(here.join("static/a.txt"), "a file").unwrap();
    let serving = Serving::start(&mut shipyard(&here, &["--port", "0"]));
    assert!(serving.announcement.contains("the built-in example"), "{}", serving.announcement);
    assert!(serving.announcement.contains(".shipyard/development.key"), "{}", serving.announcement);
    assert_eq!(serving.send(&ask(Method::Get, "/static/a.txt")).body, "a file");

    let first = log_in(&serving, "user");
    assert_eq!(first.header("Server"), Some("Shipyard"));
    let lifetime = |token: &str| {
        let claims = claims(token);
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap()
    };
    let (access, refresh) = first.tokens();
    assert_eq!((lifetime(&access), lifetime(&refresh)), (900, 2_592_000));
    // 30 a minute: another one is admitted after two seconds.
    let statuses: Vec<u16> = (0..40).map(|_| log_in(&serving, "user").status).collect();
    let accepted = statuses.iter().filter(|status| **status == 200).count();
    assert!((29..36).contains(&accepted) && statuses.contains(&429), "{statuses:?}");

    let post = |length: usize| serving.send(&ask(Method::Post, "/api/users").body(" ".repeat(length))).status;
    assert_eq!((post(64 * 1024), post(64 * 1024 + 1)), (400, 413));
    // Three of the fields are Host, Connection and Content-Length.
    let with_fields = |count: usize| {
        let fields =
            (3..count).fold(ask(Method::Get, "/api/users"), |ask, n| ask.header(&format!("X-{n}"), "a"));
        serving.send(&fields).status
    };
    assert_eq!((with_fields(64), with_fields(65)), (200, 431));
    let with_bytes =
        |count| serving.send(&ask(Method::Get, "/api/users").header("X-A", &"a".repeat(count))).status;
    assert_eq!((with_bytes(16_000), with_bytes(16_384)), (200, 431));

    let page = ask(Method::Get, "/api/users").header("Origin", "https://app.example");
    assert_eq!(serving.send(&page).header("Access-Control-Allow-Origin"), None);
    let body = serde_json::json!({"name": "ann", "password": "secret"});
    let created = serving.send(&ask(Method::Post, "/api/users").json(&body));
    assert_eq!(created.header("Location"), Some("http://localhost/api/users/3"));
}

/// The time for which the server waits for more of this request, and its response then.
fn waits(port: u16, sent: &str) -> (Duration, String) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    connection.write_all(sent.as_bytes()).unwrap();
    let start = Instant::now();
    let mut response = String::new();
    connection.read_to_string(&mut response).unwrap();
    (start.elapsed(), response)
}

#[test]
fn default_timeouts_match_the_settings_page() {
    let serving = Serving::start(&mut shipyard(&folder("nothing_set_times"), &["--port", "0"]));
    let port = serving.port;
    let get = "GET /api/users HTTP/1.1\r\nHost: localhost\r\n";
    let post = "POST /api/users HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{";
    let cases = [
        (get.to_owned(), "HTTP/1.1 408", 5),
        (post.to_owned(), "HTTP/1.1 408", 10),
        // Answered at once, and then idle.
        (format!("{get}\r\n"), "HTTP/1.1 200", 5),
    ];
    let waits = cases.map(|(sent, status, seconds)| {
        std::thread::spawn(move || {
            let (waited, response) = waits(port, &sent);
            assert!(response.starts_with(status), "{response}");
            let waited = waited.as_secs_f64();
            assert!(
                (f64::from(seconds) - 0.5..f64::from(seconds) + 3.0).contains(&waited),
                "{sent}: {waited} s"
            );
        })
    });
    for wait in waits {
        wait.join().unwrap();
    }
    // A request in progress has two seconds, and a response on its way one more.
    let _half = serving.begin(&ask(Method::Post, "/api/users").body("{}"));
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
    let took = start.elapsed().as_secs_f64();
    assert!((1.9..5.0).contains(&took), "{took} s");
}
