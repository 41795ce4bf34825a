use std::collections::VecDeque;
use std::time::Duration;

use super::*;

fn registry(max: usize, max_per_client: usize) -> (&'static Registry, &'static HttpLimits) {
    let limits = HttpLimits {
        max_connections: max,
        max_connections_per_address: max_per_client,
        ..HttpLimits::default()
    };
    let limits: &'static HttpLimits = Box::leak(Box::new(limits));
    (Box::leak(Box::new(Registry::new(limits))), limits)
}

/// A connection that was served, and is idle.
fn idle(registry: &'static Registry, limits: &'static HttpLimits, address: &str) -> Option<Idle> {
    let progress = Arc::new(Progress::new(limits));
    let address = address.parse().expect("an address");
    let registration = registry.register(address, false, &progress).ok()?;
    Some(Idle { progress, _registration: registration })
}

struct Idle {
    progress: Arc<Progress>,
    _registration: Registration,
}

#[test]
fn a_client_is_an_address_or_a_64_of_ipv6() {
    let (registry, limits) = registry(100, 2);
    let connect = |address| idle(registry, limits, address).expect("room");
    let first = connect("2001:db8::1");
    let mapped = [connect("::ffff:192.0.2.1"), connect("192.0.2.1")];
    let other = connect("2001:db8:0:1::1");
    let second = connect("2001:db8::2");
    assert!(!first.progress.is_evicted());
    let third = connect("2001:db8::ffff:0:0:1");
    assert_eq!(
        [&first, &second, &third, &other].map(|idle| idle.progress.is_evicted()),
        [true, false, false, false]
    );
    let _again = connect("192.0.2.1");
    assert_eq!(mapped.map(|idle| idle.progress.is_evicted()), [true, false]);
}

/// Those that go on since a request came first are made up for.
#[test]
fn no_more_connections_stay_than_may_be() {
    let (registry, limits) = registry(1000, 100);
    let mut open: Vec<Idle> = Vec::new();
    for _ in 0..5000 {
        if let Some(new) = idle(registry, limits, "192.0.2.1") {
            open.push(new);
        }
        assert!(open.len() <= 100 + MAX_CLOSING, "{}", open.len());
        // One of three that are to close is asked something at that moment.
        let mut count = 0;
        open.retain(|idle| {
            let is_evicted = idle.progress.is_evicted();
            count += usize::from(is_evicted);
            if is_evicted && count % 3 == 0 {
                idle.progress.received(1);
            }
            !idle.progress.is_evicted()
        });
    }
    assert!(open.len() >= 100, "{}", open.len());
    let closing = registry.closing.load(Ordering::Relaxed);
    assert_eq!(closing, 0, "all have left or go on");
}

/// A large body takes its time, and its client is not what the server waits for.
#[test]
fn an_upload_that_goes_on_stays_and_one_that_has_stopped_goes() {
    let (registry, limits) = registry(2, 2);
    let uploading = || {
        let idle = idle(registry, limits, "192.0.2.1").expect("room");
        idle.progress.received(100);
        idle.progress.head_is_complete(false, true);
        idle
    };
    let (older, younger) = (uploading(), uploading());
    older.progress.received(16 * 1024);
    // Too little to count.
    younger.progress.received(1);
    let _new = idle(registry, limits, "192.0.2.1").expect("room");
    assert_eq!([&older, &younger].map(|idle| idle.progress.is_evicted()), [false, true]);
}

#[test]
fn a_flood_is_looked_through_now_and_then_only() {
    let (registry, limits) = registry(100_000, 50_000);
    let mut open: VecDeque<Idle> = VecDeque::new();
    let began = Instant::now();
    for _ in 0..100_000 {
        open.push_back(idle(registry, limits, "192.0.2.1").expect("room"));
        open.retain_state();
    }
    // To look through all of them each time would take minutes.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

/// What the connections' own tasks do: those that are evicted leave.
trait RetainState {
    fn retain_state(&mut self);
}

impl RetainState for VecDeque<Idle> {
    fn retain_state(&mut self) {
        while self.front().is_some_and(|idle| idle.progress.is_evicted()) {
            self.pop_front();
        }
    }
}
