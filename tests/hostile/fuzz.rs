//! Fuzz targets (`fuzz/src/lib.rs`) on the corpus and on mutations of it: 500 of each kind of input, or as many as the
//! environment variable FUZZ_CASES says. See docs/fuzzing.md.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use shipyard_fuzz::TARGETS;

/// Fragments to insert into inputs: those on which parsers disagree, and the syntax of the formats.
const WORDS: [&[u8]; 28] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"18446744073709551616",
    b"2147483648",
    b"'",
    b"$",
    b"${id}",
    b".",
    b"HTTP/1.1 200 OK\n",
    b"\"id\":1,",
    b"\x1b[0m",
];

/// The checked-in inputs, by file name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<_> = files
        .map(|file| {
            let path = file.unwrap().path();
            (path.display().to_string(), std::fs::read(&path).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Cut(Index),
    Remove(Index, Index),
    Double(Index, Index),
    Put(Index, Vec<u8>),
    Append(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        at().prop_map(Change::Cut),
        (at(), at()).prop_map(|(from, to)| Change::Remove(from, to)),
        (at(), at()).prop_map(|(from, to)| Change::Double(from, to)),
        (at(), prop::sample::select(&WORDS[..])).prop_map(|(at, word)| Change::Put(at, word.to_vec())),
        (at(), vec(any::<u8>(), 1..4)).prop_map(|(at, bytes)| Change::Put(at, bytes)),
        at().prop_map(Change::Append),
    ]
}

fn changed(corpus: &[(String, Vec<u8>)], seed: Index, changes: &[Change]) -> Vec<u8> {
    let mut input = corpus[seed.index(corpus.len())].1.clone();
    for change in changes {
        let place = |at: &Index| at.index(input.len() + 1);
        let span = |a: &Index, b: &Index| place(a).min(place(b))..place(a).max(place(b));
        match change {
            Change::Flip(at, bits) => {
                let place = at.index(input.len().max(1));
                if let Some(byte) = input.get_mut(place) {
                    *byte ^= bits;
                }
            }
            Change::Cut(at) => input.truncate(place(at)),
            Change::Remove(from, to) => drop(input.drain(span(from, to))),
            Change::Double(from, to) => {
                let span = span(from, to);
                let part = input[span.clone()].to_vec();
                input.splice(span.end..span.end, part);
            }
            Change::Put(at, bytes) => {
                let place = place(at);
                drop(input.splice(place..place, bytes.iter().copied()));
            }
            Change::Append(other) => input.extend_from_slice(&corpus[other.index(corpus.len())].1),
        }
    }
    input
}

fn cases() -> u32 {
    std::env::var("FUZZ_CASES").map_or(500, |cases| cases.parse().expect("FUZZ_CASES is a number"))
}

#[test]
fn fuzz_targets_pass_on_the_corpus_and_its_mutations() {
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(corpus.len() >= 5, "{name}: {} inputs", corpus.len());
        for (file, input) in &corpus {
            println!("{file}");
            target(input);
        }
        let config = Config { failure_persistence: None, ..Config::with_cases(cases()) };
        let strategy = (any::<Index>(), vec(change(), 1..6))
            .prop_map(|(seed, changes)| changed(&corpus, seed, &changes));
        let property = |input: Vec<u8>| {
            // The input is printed escaped, so that it can be saved to a file.
            let shown = input.escape_ascii().to_string();
            std::panic::catch_unwind(|| target(&input))
                .map_err(|_| TestCaseError::fail(format!("{name}: {shown}")))
        };
        if let Err(error) = TestRunner::new(config).run(&strategy, property) {
            panic!("{error}");
        }
    }
}

/// The corpus is for finding faults fast, so it stays small.
#[test]
fn the_corpus_is_small() {
    let size: usize = TARGETS.iter().flat_map(|(name, _)| corpus(name)).map(|(_, input)| input.len()).sum();
    assert!(size < 200 * 1024, "{size} bytes");
}
