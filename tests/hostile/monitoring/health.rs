//! Liveness and readiness.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::TryRecvError;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rocket::http::Method;
use rocket::tokio;
use shipyard::config::Settings;
use shipyard::http::admin::{self, Admin, AdminAddress, Readiness};
use shipyard::http::{HttpLimits, Shutdown};
use shipyard::json::Style;
use shipyard::metrics::Metrics;
use shipyard::store::Store;

use super::{admin, admin_address, ask, start, start_with};
use test_support::http_server::{RawClient, Setup, GOOD};
use test_support::program::LIMIT;
use test_support::server::settings;

const PROBES: [&str; 2] = ["/health/live", "/health/ready"];

#[test]
fn a_server_that_serves_is_live_and_ready() {
    let serving = start("healthy", &[]);
    for (path, status) in PROBES.into_iter().zip(["live", "ready"]) {
        let response = admin(admin_address(&serving), "GET", path).unwrap();
        assert_eq!((response.status, response.json()), (200, serde_json::json!({"status": status})));
        assert_eq!(response.header("Content-Type"), Some("application/json"));
        assert_eq!(response.header("Cache-Control"), Some("no-store"));
        let head = admin(admin_address(&serving), "HEAD", path).unwrap();
        assert_eq!((head.status, head.body.as_slice()), (200, &b""[..]));
        assert_eq!(head.header("Content-Length"), response.header("Content-Length"));
        let other = admin(admin_address(&serving), "POST", path).unwrap();
        assert_eq!((other.status, other.header("Allow")), (405, Some("GET, HEAD")));
        // The public address has no such path.
        assert_eq!(serving.send(&ask(Method::Get, path)).status, 404);
    }
}

/// Balancers look at readiness now and then: until they have, the server accepts connections.
#[test]
fn a_server_that_stops_is_not_ready_before_it_refuses_connections() {
    const DELAY: Duration = Duration::from_secs(2);
    let serving = start("drain", &[("SHUTDOWN_DELAY", "2"), ("SHUTDOWN", "{grace=10,mercy=1}")]);
    let (address, public) = (admin_address(&serving), ([127, 0, 0, 1], serving.port).into());
    let mut kept = RawClient::connect(public);
    kept.send(GOOD);
    assert_eq!(kept.response().unwrap().header("Connection"), None);
    let unfinished = serving.begin(&ask(Method::Post, "/auth/login").body("{}"));
    let began = Instant::now();
    serving.signal("TERM");
    let not_ready = || {
        let response = admin(address, "GET", "/health/ready").unwrap();
        (response.status == 503).then_some(response)
    };
    let response = loop {
        if let Some(response) = not_ready() {
            break response;
        }
        assert!(began.elapsed() < DELAY / 2, "the signal shows at once");
    };
    assert_eq!(response.error(), "The server is shutting down.");
    assert_eq!(response.header("Retry-After"), Some("1"));
    let mut served = 0;
    while began.elapsed() < DELAY - Duration::from_millis(500) {
        let mut client = RawClient::connect(public);
        client.send(GOOD);
        let response = client.response().expect("new connections are served");
        // No client should come back on it.
        assert_eq!((response.status, response.header("Connection")), (200, Some("close")));
        assert!(not_ready().is_some());
        served += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(served > 5, "{served}");
    // The connections that are open end gently as well.
    kept.send(GOOD);
    assert_eq!(kept.response().unwrap().header("Connection"), Some("close"));
    while TcpStream::connect(public).is_ok() {
        assert!(began.elapsed() < DELAY + LIMIT, "the listener closes");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(began.elapsed() >= DELAY, "{:?}", began.elapsed());
    // The admin listener stays while a request is unfinished.
    assert!(not_ready().is_some());
    assert_eq!(admin(address, "GET", "/health/live").unwrap().status, 200);
    assert_eq!(unfinished.finish().status, 400);
    assert_eq!(serving.ended(), Some(0));
    let refused = TcpStream::connect(address).expect_err("the process has ended");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

/// Runs `work` with the address of an admin listener in process.
fn with_admin_listener(metrics: Arc<Metrics>, work: impl FnOnce(SocketAddr)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_handle, shutdown) = Shutdown::new(Duration::ZERO, Duration::ZERO);
    let address = {
        let _entered = runtime.enter();
        let readiness = Readiness::new(shutdown.stage());
        let listeners = "127.0.0.1:0".parse::<AdminAddress>().unwrap().listen().unwrap();
        let address = listeners[0].local_addr().unwrap();
        admin::serve(listeners, Admin { initial_data: None, style: Style::Compact, readiness, metrics });
        address
    };
    let (end, ended) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            runtime.block_on(async {
                // An error other than this one means that `end` is dropped.
                while ended.try_recv() == Err(TryRecvError::Empty) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
            runtime.shutdown_background();
        });
        let _end = end;
        work(address);
    });
}

fn answers_soon(address: SocketAddr, path: &str) {
    let began = Instant::now();
    assert_eq!(admin(address, "GET", path).unwrap().status, 200, "{path}");
    assert!(began.elapsed() < Duration::from_secs(5), "{path}: {:?}", began.elapsed());
}

#[test]
fn probes_and_metrics_do_not_wait_for_the_lock_of_the_store() {
    let admin_address = Some("127.0.0.1:0".parse().unwrap());
    let setup = Setup::with_settings(HttpLimits::default(), Settings { admin_address, ..settings() });
    let metrics = setup.rocket.state::<Arc<Metrics>>().unwrap().clone();
    let store = setup.rocket.state::<Store>().unwrap();
    with_admin_listener(metrics, |address| {
        store.memory().unwrap().while_locked(|| {
            for path in PROBES.into_iter().chain(["/metrics"]) {
                answers_soon(address, path);
            }
        });
    });
}

/// A figure may wait for a lock that another thread does not give back.
#[test]
fn a_scrape_that_hangs_stops_no_probe() {
    let lock = Arc::new(Mutex::new(()));
    let metrics = Arc::new(Metrics::new(0).unwrap());
    let waiting = Arc::clone(&lock);
    metrics.add_source(move |_| drop(waiting.lock()));
    let held = lock.lock();
    with_admin_listener(metrics, |address| {
        let scrape = |_| {
            let mut client = RawClient::connect(address);
            client.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        };
        let mut scrapes: Vec<RawClient> = (0..20).map(scrape).collect();
        std::thread::sleep(Duration::from_millis(300));
        for path in PROBES {
            answers_soon(address, path);
        }
        drop(held);
        for scrape in &mut scrapes {
            assert_eq!(scrape.response().unwrap().status, 200);
        }
    });
}

/// Each waits for the end of its head. Together they are many more than the listener has room for.
#[test]
fn slow_clients_do_not_keep_a_probe_out() {
    let serving = start("slow_admin_clients", &[]);
    let address = admin_address(&serving);
    let mut slow = Vec::new();
    for _ in 0..5 {
        for _ in 0..100 {
            let mut client = RawClient::connect(address);
            client.send("GET /health/live HTTP/1.1\r\nHost");
            slow.push(client);
        }
        for path in PROBES.into_iter().chain(["/metrics"]) {
            let began = Instant::now();
            assert_eq!(admin(address, "GET", path).unwrap().status, 200, "{path}");
            assert!(began.elapsed() < Duration::from_secs(3), "{path}: {:?}", began.elapsed());
        }
    }
    // The first have been closed for others.
    assert!(slow[0].response().is_err());
}

#[test]
fn only_a_loopback_address_has_a_reset() {
    // The standard library does not take the mapped address for a loopback address, but only this machine reaches it.
    for (address, status) in [("[::ffff:127.0.0.1]:0", 403), ("localhost:0", 204), ("127.0.0.1:0", 204)] {
        let name = format!("reset_at_{status}_{}", address.len());
        let serving = start_with(&name, &["--admin-address", address], &[]);
        let reset = admin(admin_address(&serving), "POST", "/reset").unwrap();
        assert_eq!(reset.status, status, "{address}");
        assert_eq!(serving.announcement.contains("/reset puts the data back"), status == 204);
        if status == 403 {
            assert!(reset.error().contains("loopback"), "{reset:?}");
        }
        for path in PROBES.into_iter().chain(["/metrics"]) {
            assert_eq!(admin(admin_address(&serving), "GET", path).unwrap().status, 200, "{address}{path}");
        }
    }
}
