//! Recorded exchanges, replayed in process with the same clock, token ids and key.

use std::collections::BTreeSet;

use rocket::http::Method;
use shipyard::contract::compare::allowed_difference::{named, Case, Side};
use shipyard::contract::compare::difference::{difference, CompareMode};
use shipyard::contract::recording::history::History;
use shipyard::contract::recording::message::Response;
use shipyard::contract::replay::Replay;

use test_support::server::Answer;
use test_support::snapshots;
use test_support::transcript::{scenarios, FIXTURES};

/// The number of exchanges that were recorded with the original. There may be more; fewer means that some are lost.
const RECORDED: usize = 243;

/// The exchanges in which this server intentionally differs from the original, with their sections of
/// docs/differences.md. All 204s that have a Content-Type differ by `no_content_type_on_204` as well.
const DIFFERENT: [(&str, &str); 13] = [
    ("after-writes/25-create-after-deleting-the-newest", "ids_are_never_reused"),
    ("odd-requests/02-unknown-path", "json_errors"),
    ("odd-requests/03-unknown-path-under-api", "json_errors"),
    ("odd-requests/04-wrong-method", "json_errors"),
    ("odd-requests/05-delete-the-collection", "json_errors"),
    ("odd-requests/06-id-is-no-number", "json_errors"),
    ("odd-requests/07-negative-id", "json_errors"),
    ("odd-requests/08-trailing-slash", "json_errors"),
    ("odd-requests/14-malformed-json", "malformed_json"),
    ("odd-requests/15-malformed-login", "malformed_json"),
    ("odd-requests/16-non-ascii-ship", "utf8_text"),
    ("odd-requests/17-get-non-ascii-ship", "utf8_text"),
    ("odd-requests/18-non-ascii-user", "utf8_text"),
];

/// The section that allows an exchange to differ, if there is one.
fn section(place: &str, recorded: &Response) -> Option<&'static str> {
    let found = DIFFERENT.iter().find(|(known, _)| *known == place).map(|(_, section)| *section);
    let has_label = recorded.status == 204 && recorded.header("Content-Type").is_some();
    found.or(has_label.then_some("no_content_type_on_204"))
}

/// Only exchanges that [`section`] names differ, and they differ as their section says.
#[test]
fn every_recorded_exchange_replays_byte_for_byte() {
    let (mut replayed, mut different) = (0, 0);
    let mut differences = String::new();
    for scenario in scenarios() {
        let server = Replay::of(&scenario).unwrap();
        for (exchange, history) in scenario.exchanges.iter().zip(&History::of(&scenario)) {
            replayed += 1;
            let place = format!("{}/{}", scenario.name, exchange.name);
            let answer = server.respond(exchange);
            let shown = format!("fixtures/{place}.txt");
            let differs = difference(exchange, &answer, CompareMode::Exact, &shown);
            let Some(section) = section(&place, &exchange.response) else {
                differences.extend(differs);
                continue;
            };
            different += 1;
            let case = Case { exchange, start: scenario.start(), history, mode: CompareMode::Exact };
            let known = named(section).unwrap();
            if differs.is_none() || !known.explains(&case, &answer, Side::Shipyard) {
                differences += &format!("not as `{section}` says: {}", differs.unwrap_or(shown));
            }
            assert!(!known.explains(&case, &exchange.response, Side::Shipyard), "{place}");
        }
    }
    assert!(
        differences.is_empty(),
        "\n{differences}\nIf this is meant, `cargo run -- record --scenario NAME --update` takes it into fixtures/: \
         docs/reviewing-api-changes.md.\n"
    );
    assert!(replayed >= RECORDED, "only {replayed} exchanges in fixtures/");
    assert_eq!(different, DIFFERENT.len() + 7);
}

#[test]
fn response_headers_match_the_reviewed_snapshot() {
    for scenario in scenarios() {
        let server = Replay::of(&scenario).unwrap();
        let mut text = String::new();
        for exchange in &scenario.exchanges {
            let mut answer = Answer::from(server.respond(exchange));
            // The first version of a table is random.
            for (_, value) in answer.headers.iter_mut().filter(|(name, _)| name == "ETag") {
                *value = "(version)".to_owned();
            }
            text += &format!("### {}: {}\n{}\n", exchange.name, exchange.request.line(), answer.text());
        }
        snapshots().bind(|| insta::assert_snapshot!(format!("replay_{}", scenario.name), text));
    }
}

/// Recordings are evidence: they are never edited. `sha256sum --check SHA256SUMS` checks the same.
#[test]
fn recorded_transcripts_match_their_checksums() {
    let sums = FIXTURES.sums().unwrap();
    let mut files = BTreeSet::new();
    for scenario in scenarios() {
        assert_eq!(FIXTURES.missing(&sums, &scenario.name), [""; 0]);
        for exchange in &scenario.exchanges {
            let name = &exchange.name;
            assert!(FIXTURES.is_unchanged(&sums, &scenario.name, name).unwrap(), "{name} was changed");
            files.insert(format!("{}/{name}.txt", scenario.name));
        }
    }
    assert_eq!(sums.files().collect::<BTreeSet<_>>(), files.iter().map(String::as_str).collect());
}

/// A 204 and a 304 have no body, and must not announce one.
#[test]
fn recorded_content_lengths_match_the_bodies() {
    for scenario in scenarios() {
        // HEAD announces the length of the body that GET has.
        for exchange in scenario.exchanges.iter().filter(|exchange| exchange.request.method != Method::Head) {
            let announced = exchange.response.header("Content-Length").map(|length| length.parse().unwrap());
            let has_none = matches!(exchange.response.status, 204 | 304);
            let expected = (!has_none).then_some(exchange.response.body.len());
            assert_eq!(announced, expected, "{}/{}", scenario.name, exchange.name);
        }
    }
}

/// Otherwise `record --update` would change files that it was not told to change.
#[test]
fn transcripts_round_trip() {
    for scenario in scenarios() {
        for exchange in &scenario.exchanges {
            let file = FIXTURES.file_of(&scenario.name, &exchange.name);
            assert_eq!(exchange.text(), std::fs::read(&file).unwrap(), "{}", file.display());
        }
    }
}
