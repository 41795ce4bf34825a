//! What the server does for a request, a step at a time, in process: `cargo bench`, two minutes.
//!
//! `cargo bench -- store` measures only what has that in its name. Two promises about logged-out tokens are held here as
//! well, since no test with a quick debug build could: what one takes in memory, and that many of them do not slow down the
//! check of a token.
#![allow(clippy::expect_used)]

use std::cell::{Cell, LazyCell};
use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use mimalloc::MiMalloc;
use serde_json::Value;
use shipyard::auth::clock::{Clock, TokenIds};
use shipyard::auth::password::Hash;
use shipyard::auth::secret::Secret;
use shipyard::auth::token::{Claims, Kind, Lifetimes, TokenError, Tokens};
use shipyard::json::{EncodedJson, Style};
use shipyard::model::id::Id;
use shipyard::model::ship::{Ship, ShipInput};
use shipyard::model::{self, Input};
use shipyard::store::initial_rows::InitialRows;
use shipyard::store::memory::{Memory, MemoryConfig};
use shipyard::store::seed::EXAMPLE;
use shipyard::store::{Precondition, StoreLimits, StoredUser};
use uuid::Builder;

/// That of the program: much of what is measured here is memory that comes and goes.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const USER: Id = Id::new(1);

/// The promises.
const MOST_BYTES_EACH: f64 = 64.0;
const MOST_SLOWDOWN: f64 = 3.0;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30)
        .configure_from_args();
    // First, while nothing has come and gone in memory.
    revocations(&mut criterion);
    tokens(&mut criterion);
    bodies(&mut criterion);
    store(&mut criterion);
    contention(&mut criterion);
    criterion.final_summary();
}

// Tokens.

/// Tokens of the usual lifetimes.
fn new_tokens() -> Tokens {
    let secret = Secret::new(*b"a key that only benchmarks sign with").expect("it is long enough");
    let lifetimes = Lifetimes { access: 900, refresh: 2_592_000 };
    Tokens::new(secret, lifetimes, Clock::System, TokenIds::Random)
}

fn tokens(criterion: &mut Criterion) {
    let tokens = new_tokens();
    let issue = || tokens.issue(Kind::Access, USER).expect("a token").text;
    let (good, other) = (issue(), issue());
    let (message, _) = good.rsplit_once('.').expect("three segments");
    let (_, signature) = other.rsplit_once('.').expect("three segments");
    let wrong = format!("{message}.{signature}");
    assert!(tokens.verify(&good, Kind::Access).is_ok());
    assert_eq!(tokens.verify(&wrong, Kind::Access), Err(TokenError::BadSignature));

    let mut group = criterion.benchmark_group("token");
    group.bench_function("verify", |bencher| {
        bencher.iter(|| tokens.verify(black_box(&good), Kind::Access));
    });
    group.bench_function("verify, wrong signature", |bencher| {
        bencher.iter(|| tokens.verify(black_box(&wrong), Kind::Access));
    });
    group.bench_function("issue", |bencher| {
        bencher.iter(|| tokens.issue(Kind::Access, black_box(USER)));
    });
}

// Revocations.

/// So many tokens that have been revoked.
const MANY: u64 = 10_000_000;

/// So many different tokens are verified in turn that what is looked at lies in no near cache.
const VERIFIED: usize = 1 << 16;

/// Revoked tokens by their number, as random as real ones.
fn revoked(number: u64, exp: u64) -> Claims {
    // SplitMix64, twice: a system call for each would take longer than revoking it.
    let bits = |seed: u64| {
        let z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let (high, low) = (bits(2 * number), bits(2 * number + 1));
    let id = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
    Claims {
        identity: USER,
        jti: Builder::from_random_bytes(id).into_uuid(),
        iat: exp - 900,
        exp,
        family: None,
    }
}

/// A line of /proc/self/status, in bytes; `None` where there is no such thing.
fn memory(field: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.split_ascii_whitespace().next()?.parse::<f64>().ok()? * 1024.0)
}

/// Revokes `count` tokens, of which each expires at `exp` of its number. Says what one takes, in the end and at most, which
/// is while a table grows and is there twice; and how long the longest revocation took, for which all else waits.
fn revoke(store: &Memory, what: &str, count: u64, exp: impl Fn(u64) -> u64) {
    // What the peak was until now is forgotten; where that cannot be, too much is found rather than too little.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let before = memory("VmRSS");
    let (mut longest, mut peak) = (Duration::ZERO, (0.0, 0));
    for number in 0..count {
        let claims = revoked(number, exp(number));
        let began = Instant::now();
        store.log_out(&claims, 0);
        longest = longest.max(began.elapsed());
        let done = number + 1;
        // Of few, much of what comes and goes is something else.
        if done >= 1_000_000 && (done % (1 << 12) == 0 || done == count) {
            if let (Some(before), Some(most)) = (before, memory("VmHWM")) {
                let each = (most - before) / done as f64;
                peak = if each > peak.0 { (each, done) } else { peak };
            }
        }
    }
    let (most, at) = peak;
    if let (Some(before), Some(after), 1..) = (before, memory("VmRSS"), at) {
        let (each, longest) = ((after - before) / count as f64, longest.as_secs_f64() * 1e3);
        println!(
            "{count} revoked, {what}: {each:.1} bytes each, at most {most:.1} (of {at}); one took {longest:.1} ms"
        );
    }
    assert!(most <= MOST_BYTES_EACH, "more than {MOST_BYTES_EACH} bytes for a revoked token");
}

fn revocations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify with revoked tokens");
    let [many, few, _] = [MANY, 100_000, 0].map(|count| verify_beside(&mut group, count));
    let slowdown = many / few;
    if !slowdown.is_nan() {
        println!("verify with {MANY} revoked tokens takes {slowdown:.2} times as long as with 100000");
        assert!(slowdown <= MOST_SLOWDOWN, "more than {MOST_SLOWDOWN} times");
    }
}

/// Measures tokens that were not revoked, with so many that were. Gives the seconds that one took at best; NaN if
/// this measure was not selected.
fn verify_beside(group: &mut BenchmarkGroup<'_, WallTime>, count: u64) -> f64 {
    // Within the measure, for filling takes its time.
    let filled = LazyCell::new(|| {
        if count == MANY {
            let now = new_tokens().now();
            revoke(&store_of(0), "over 30 days", count, |number| now + 900 + number * 2_591_000 / count);
        }
        let (tokens, store) = (new_tokens(), store_of(0));
        let issued: Vec<_> =
            (0..VERIFIED).map(|_| tokens.issue(Kind::Access, USER).expect("a token")).collect();
        // In the hour in which those expire that are verified: nothing is left out of the look-up.
        let exp = issued.last().map_or(0, |token| token.claims.exp);
        revoke(&store, "in one hour", count, |_| exp);
        (tokens, store, issued.into_iter().map(|token| token.text).collect::<Vec<_>>())
    });
    let best = Cell::new(f64::NAN);
    group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
        let (tokens, store, texts) = &*filled;
        bencher.iter_custom(|rounds| {
            let began = Instant::now();
            for text in (0..rounds).zip(texts.iter().cycle()).map(|(_, text)| text) {
                let claims = tokens.verify(text, Kind::Access).expect("it is in order");
                black_box(store.check_access(&claims)).expect("it is not revoked");
            }
            let took = began.elapsed();
            // A few rounds say nothing.
            if rounds >= 1000 {
                best.set(best.get().min(took.as_secs_f64() / rounds as f64));
            }
            took
        });
    });
    best.get()
}

// Bodies.

/// The ships of the example data, over and over.
fn inputs() -> impl Iterator<Item = ShipInput> {
    let data: Value = serde_json::from_str(EXAMPLE).expect("the example is JSON");
    let ships = data.get("ships").and_then(Value::as_array).cloned().expect("it has ships");
    let ships: Vec<ShipInput> =
        ships.into_iter().map(|ship| model::read(ship).expect("they are in order")).collect();
    (0..).flat_map(move |_| ships.clone())
}

fn ships(count: u64) -> BTreeMap<Id, Ship> {
    (1..=count).map(Id::new).zip(inputs()).map(|(id, ship)| (id, ship.with_id(id))).collect()
}

/// A store with that many ships and a user.
fn store_of(count: u64) -> Memory {
    styled_store_of(count, Style::Compact)
}

fn styled_store_of(count: u64, style: Style) -> Memory {
    let hash = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";
    let user = StoredUser { name: "user".to_owned(), hash: Hash::parse(hash).expect("a hash") };
    let limits = StoreLimits { ships: usize::MAX, revocations: usize::MAX, ..StoreLimits::default() };
    let rows = InitialRows { users: BTreeMap::from([(USER, user)]), ships: ships(count) };
    Memory::new(rows, &MemoryConfig { limits, style, ..MemoryConfig::default() })
}

fn bodies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("body");
    let body = ShipInput::example().to_string();
    let read = |body: &str| model::parse::<ShipInput>(body.as_bytes());
    assert!(read(&body).is_ok());
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("read a ship", |bencher| bencher.iter(|| read(black_box(&body))));

    let ship = ships(2).pop_last().expect("there are two").1;
    for style in [Style::Compact, Style::Pretty] {
        let text = EncodedJson::new(&ship, style).text().cloned().expect("JSON");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("write a ship, {style:?}"), |bencher| {
            bencher.iter(|| EncodedJson::new(black_box(&ship), style));
        });
        for (what, count) in [("15 ships", 15), ("10,000 ships", 10_000)] {
            let store = styled_store_of(count, style);
            let list = || store.ships().to_body().expect("JSON");
            group.throughput(Throughput::Bytes(list().length() as u64));
            group.bench_function(format!("list {what}, {style:?}"), |bencher| {
                bencher.iter(|| list().into_bytes());
            });
        }
    }
}

// The store.

/// Ids up to `count`, far from one another: the next is in no near cache if there are many.
fn scattered(count: u64) -> impl Iterator<Item = Id> {
    let mut at = 0;
    std::iter::repeat_with(move || {
        at = (at + 618_033_989) % count;
        Id::new(at + 1)
    })
}

fn read_next(store: &Memory, ids: &mut impl Iterator<Item = Id>) {
    let ship = ids.next().map(|id| store.ship(id).expect("it is there"));
    black_box(ship);
}

fn store(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store");
    for count in [100, 10_000, 1_000_000] {
        let store = LazyCell::new(|| store_of(count));
        group.bench_function(format!("read one of {count} ships"), |bencher| {
            let (store, mut ids) = (&*store, scattered(count));
            bencher.iter(|| read_next(store, &mut ids));
        });
    }
    let store = store_of(10_000);
    let list = || store.ships().to_body().expect("JSON").into_bytes();
    group.bench_function("read all of 10000 ships", |bencher| bencher.iter(list));
    let (id, input) = (Id::new(1), inputs().next().expect("there is one"));
    group.bench_function("read all of 10000 ships, each time after a write", |bencher| {
        let write = || drop(store.update_ship(id, input.clone(), &Precondition::NONE));
        bencher.iter_batched(write, |()| list(), BatchSize::PerIteration);
    });
}

/// Does `measured` while another thread does `work` all the time.
fn in_background(work: impl Fn() + Sync, measured: impl FnOnce()) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                work();
            }
        });
        measured();
        done.store(true, Ordering::Relaxed);
    });
}

/// Two threads at one store, and each measured alone.
fn contention(criterion: &mut Criterion) {
    let (store, id) = (store_of(100), Id::new(1));
    let input = inputs().next().expect("there is one");
    let read = || drop(black_box(store.ship(id)));
    let write = |input| drop(black_box(store.update_ship(id, input, &Precondition::NONE)));
    let write_constantly = || write(input.clone());
    let mut group = criterion.benchmark_group("two threads");
    let mut measure_read = |what: &str| {
        group.bench_function(format!("read, {what}"), |bencher| bencher.iter(read));
    };
    measure_read("alone");
    in_background(read, || measure_read("while one reads"));
    in_background(write_constantly, || measure_read("while one writes"));
    let mut measure_write = |what: &str| {
        group.bench_function(format!("write, {what}"), |bencher| {
            bencher.iter_batched(|| input.clone(), write, BatchSize::SmallInput);
        });
    };
    measure_write("alone");
    in_background(read, || measure_write("while one reads"));
    in_background(write_constantly, || measure_write("while one writes"));
}
