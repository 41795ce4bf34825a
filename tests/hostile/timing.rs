//! Response times do not tell whether a user exists.

use std::time::{Duration, Instant};

use shipyard::auth::password::Cost;

use test_support::server::Server;

/// The number of logins of each kind.
const LOGINS: usize = 500;

/// The maximum difference between the medians.
const MOST: f64 = 0.05;

fn time(server: &Server, name: &str, password: &str) -> Duration {
    let began = Instant::now();
    let response = server.log_in(name, password);
    let time = began.elapsed();
    assert_eq!(response.status, 401);
    time
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// Interleaved, so that other load affects both kinds, and in alternating order. The names have the same length. Not a
/// quick test: passwords have their real cost here, and in a debug build the code around them is slower.
#[test]
#[ignore = "takes 12 s, and a release build to mean something: cargo test --release --test hostile -- --ignored timing"]
fn a_login_under_an_unknown_name_takes_as_long_as_a_wrong_password() {
    let server = Server::costing(Cost::default());
    for _ in 0..20 {
        time(&server, "guest", "wrong");
    }
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for number in 0..LOGINS {
        if number % 2 == 0 {
            known.push(time(&server, "guest", "wrong"));
            unknown.push(time(&server, "guess", "wrong"));
        } else {
            unknown.push(time(&server, "guess", "wrong"));
            known.push(time(&server, "guest", "wrong"));
        }
    }
    let (known, unknown) = (median(known), median(unknown));
    let apart = (known - unknown).abs() / known.min(unknown);
    println!(
        "wrong password {:.3} ms, unknown user {:.3} ms, {:.2} % apart",
        known * 1e3,
        unknown * 1e3,
        apart * 100.0
    );
    assert!(apart <= MOST, "{:.1} % apart", apart * 100.0);
}

/// The quick test: hashing takes a large part of a login's time, there are fewer logins, and only a login that skips
/// the hashing exceeds the bound.
#[test]
fn a_login_under_an_unknown_name_does_not_skip_the_hashing() {
    let server = Server::costing(Cost { memory: 2048, iterations: 2, parallelism: 1 });
    let (known, unknown): (Vec<_>, Vec<_>) =
        (0..15).map(|_| (time(&server, "guest", "wrong"), time(&server, "guess", "wrong"))).unzip();
    let (known, unknown) = (median(known), median(unknown));
    let apart = known.max(unknown) / known.min(unknown);
    assert!(apart < 4.0, "wrong password {known} s, unknown user {unknown} s");
}
