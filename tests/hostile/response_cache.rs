//! Response cache: a response is never stale, and never returned to a request that says more than its path.

use std::sync::atomic::{AtomicU64, Ordering};

use rocket::http::Method;
use serde_json::{json, Value};
use shipyard::http::HttpLimits;

use crate::concurrent_clients::{Caller, Racing};
use test_support::http_server::{HttpServer, RawResponse};
use test_support::server::{Ask, SHIP};

fn get(caller: &mut Caller, path: &str) -> (u16, Value) {
    let response = caller.send(&Ask::new(Method::Get, path));
    (response.status, response.json())
}

fn with_crew(crew: u64) -> String {
    let mut ship: Value = serde_json::from_str(SHIP).unwrap();
    ship["crew"] = crew.into();
    ship.to_string()
}

/// Connections go to the workers in turn: so many reach every worker.
const CALLERS: usize = 6;

#[test]
fn every_client_sees_a_write_once_it_is_acknowledged() {
    let server = Racing::new();
    let mut callers: Vec<Caller> = (0..CALLERS).map(|_| server.caller()).collect();
    let (token, _) = callers[0].log_in("user", "password").tokens();
    let mut all_clients = |path: &str, check: &dyn Fn(u16, &Value)| {
        // Twice: the second comes from the cache.
        for caller in &mut callers {
            for _ in 0..2 {
                let (status, body) = get(caller, path);
                check(status, &body);
            }
        }
    };
    let mut writer = server.caller();
    let mut write = |method, path: &str, body: &str| {
        let response = writer.send(&Ask::new(method, path).bearer(&token).body(body));
        assert!(response.status < 300, "{response:?}");
        response
    };
    for round in 1..=20 {
        write(Method::Put, "/api/ships/2", &with_crew(round));
        all_clients("/api/ships/2", &|status, ship| {
            assert_eq!((status, ship["crew"].as_u64()), (200, Some(round)));
        });
        all_clients("/api/ships", &|_, ships| assert_eq!(ships[1]["crew"], round));
        let created = write(Method::Post, "/api/ships", &with_crew(round)).json()["id"].clone();
        let path = format!("/api/ships/{created}");
        all_clients("/api/ships", &|_, ships| {
            assert_eq!(ships.as_array().unwrap().last().unwrap()["id"], created)
        });
        all_clients(&path, &|status, _| assert_eq!(status, 200));
        write(Method::Delete, &path, "");
        all_clients(&path, &|status, _| assert_eq!(status, 404));
        all_clients("/api/ships", &|_, ships| {
            assert!(ships.as_array().unwrap().iter().all(|ship| ship["id"] != created));
        });
    }
}

#[test]
fn no_client_sees_an_older_ship_than_was_acknowledged_before_it_asked() {
    const WRITES: u64 = 400;
    let server = Racing::new();
    let (token, _) = server.caller().log_in("user", "password").tokens();
    let acknowledged = AtomicU64::new(0);
    server.race(CALLERS + 1, |number, caller| {
        if number == 0 {
            for crew in 1..=WRITES {
                let put = Ask::new(Method::Put, "/api/ships/3").bearer(&token).body(with_crew(crew));
                assert_eq!(caller.send(&put).status, 200);
                acknowledged.store(crew, Ordering::SeqCst);
            }
            return;
        }
        let mut seen = 0;
        while seen < WRITES {
            let before = acknowledged.load(Ordering::SeqCst);
            let path = if number % 2 == 0 { "/api/ships/3" } else { "/api/ships" };
            let (_, body) = get(caller, path);
            let ship = if number % 2 == 0 { &body } else { &body[2] };
            let crew = ship["crew"].as_u64().unwrap();
            // The ship of the data file has a crew of its own, which is no count.
            if before > 0 {
                assert!(crew >= before && crew >= seen, "{crew}, after {before} and {seen}");
                seen = crew;
            }
        }
    });
}

fn ask(http_server: &mut test_support::http_server::RawClient, line: &str, headers: &str) -> RawResponse {
    http_server.send(format!("{line} HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
    let mut sent =
        if line.starts_with("HEAD") { http_server.head().unwrap() } else { http_server.response().unwrap() };
    sent.headers.retain(|(name, _)| !["x-request-id", "date", "etag"].contains(&name.as_str()));
    sent.headers.sort();
    sent
}

#[test]
fn a_cached_response_is_the_response_of_a_server_without_a_cache() {
    let [caching, plain] = [1024, 0].map(|response_cache_size| {
        HttpServer::start(HttpLimits { response_cache_size, ..HttpLimits::default() })
    });
    let (mut caching, mut plain) = (caching.connect(), plain.connect());
    for (line, headers) in [
        ("GET /api/ships/2", ""),
        ("GET /api/ships", ""),
        ("GET /api/%73hips/2", ""),
        ("GET /api/ships/2?a=b", ""),
        ("GET http://a/api/ships/2", ""),
        ("GET /api/ships/2", "Authorization: Bearer nonsense\r\n"),
        ("GET /api/ships/2", "Cookie: a=b\r\n"),
        ("GET /api/ships/2", "Accept: text/html\r\nUser-Agent: x\r\n"),
        ("HEAD /api/ships/2", ""),
        ("GET /api/ships/99", ""),
        ("GET /api/ships/02", ""),
        ("DELETE /api/ships/2", ""),
        ("GET /api/users/1", ""),
        ("GET /openapi.json", "If-None-Match: *\r\n"),
    ] {
        let responses: Vec<RawResponse> = (0..3).map(|_| ask(&mut caching, line, headers)).collect();
        let expected = ask(&mut plain, line, headers);
        assert_eq!(responses, vec![expected; 3], "{line} {headers}");
    }
    // Each request still has an id of its own, and says whether its connection closes.
    let id = |client: &mut test_support::http_server::RawClient, headers: &str| {
        client.send(format!("GET /api/ships/2 HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
        client.response().unwrap().header("x-request-id").unwrap().to_owned()
    };
    assert_ne!(id(&mut caching, ""), id(&mut caching, ""));
    assert_eq!(id(&mut caching, "X-Request-Id: mine\r\n"), "mine");
    caching.send("GET /api/ships/2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(caching.response().unwrap().header("connection"), Some("close"));
}

#[test]
fn a_request_with_two_hosts_is_refused_even_if_its_path_is_cached() {
    let http_server = HttpServer::start(HttpLimits::default());
    let mut client = http_server.connect();
    assert_eq!(ask(&mut client, "GET /api/ships/2", "").status, 200);
    assert_eq!(ask(&mut client, "GET /api/ships/2", "").status, 200);
    assert_eq!(ask(&mut client, "GET /api/ships/2", "Host: b\r\n").status, 400);
}

#[test]
fn every_client_sees_a_renamed_user_at_once() {
    let server = Racing::new();
    let mut callers: Vec<Caller> = (0..CALLERS).map(|_| server.caller()).collect();
    let (token, _) = callers[0].log_in("user", "password").tokens();
    for name in ["user", "ann", "bob"] {
        let user = json!({"name": name, "password": "password"});
        let put = Ask::new(Method::Put, "/api/users/1").bearer(&token).json(&user);
        assert_eq!(callers[0].send(&put).status, 200);
        for caller in &mut callers {
            for _ in 0..2 {
                assert_eq!(get(caller, "/api/users/1").1["name"], name);
                assert_eq!(get(caller, "/api/users").1[0]["name"], name);
            }
        }
    }
}

#[test]
fn each_request_of_a_connection_names_its_own_host() {
    let http_server = HttpServer::start(HttpLimits::default());
    let mut client = http_server.connect();
    let mut post = |path: &str, host: &str, token: &str, body: &str| {
        let length = body.len();
        let fields = format!("Authorization: Bearer {token}\r\nContent-Length: {length}\r\n");
        let label = "Content-Type: application/json\r\n";
        client.send(format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n{label}{fields}\r\n{body}"));
        client.response().unwrap()
    };
    let login = post("/auth/login", "a", "", r#"{"username":"user","password":"password"}"#).json();
    let token = login["access_token"].as_str().unwrap();
    for host in ["a", "b:81", "b", "a", "a"] {
        let created = post("/api/ships", host, token, SHIP);
        let location = format!("http://{host}/api/ships/{}", created.json()["id"]);
        assert_eq!(created.header("Location"), Some(&*location));
    }
}
