//! The recorded exchanges, replayed in process: the same clock, the same token ids, the same key.

use std::collections::BTreeSet;

use rocket::http::Method;
use shipyard::contract::compare::{difference, Measure};
use shipyard::contract::replay::Replay;

use crate::support::server::Answer;
use crate::support::snapshots;
use crate::support::transcript::{scenarios, FIXTURES};

/// The exchanges that were recorded with the original. There may be more; fewer would mean that some are lost.
const RECORDED: usize = 92;

/// Only what docs/differences.md calls `no_content_type_on_204` may differ: nothing else is left out.
#[test]
fn every_recorded_exchange_is_answered_byte_for_byte() {
    let mut replayed = 0;
    let mut differences = String::new();
    for scenario in scenarios() {
        let server = Replay::of(&scenario).unwrap();
        for exchange in &scenario.exchanges {
            replayed += 1;
            let mut recorded = exchange.clone();
            if recorded.response.status == 204 {
                let label = recorded.response.headers.iter_mut().find(|(name, _)| name == "Content-Type");
                // A line of its own, so that the lines of the transcript keep their numbers.
                label.unwrap().0 = "Not compared".to_owned();
            }
            let place = format!("fixtures/{}/{}.txt", scenario.name, exchange.name);
            let answer = server.answer(exchange);
            differences.extend(difference(&recorded, &answer, Measure::Exact, &place));
        }
    }
    assert!(
        differences.is_empty(),
        "\n{differences}\nIf this is meant, `cargo run -- record --scenario NAME --update` takes it into fixtures/: \
         docs/reviewing-api-changes.md.\n"
    );
    assert!(replayed >= RECORDED, "only {replayed} exchanges in fixtures/");
}

#[test]
fn every_header_of_every_answer_is_as_reviewed() {
    for scenario in scenarios() {
        let server = Replay::of(&scenario).unwrap();
        let mut text = String::new();
        for exchange in &scenario.exchanges {
            let answer = Answer::from(server.answer(exchange)).text();
            text += &format!("### {}: {}\n{answer}\n", exchange.name, exchange.request.line());
        }
        snapshots().bind(|| insta::assert_snapshot!(format!("replay_{}", scenario.name), text));
    }
}

/// What was recorded is evidence: nobody edits it. `sha256sum --check SHA256SUMS` says the same.
#[test]
fn the_recorded_transcripts_are_as_they_were_recorded() {
    let sums = FIXTURES.sums().unwrap();
    let mut files = BTreeSet::new();
    for scenario in scenarios() {
        assert_eq!(FIXTURES.lost(&sums, &scenario.name), [""; 0]);
        for exchange in &scenario.exchanges {
            let name = &exchange.name;
            assert!(FIXTURES.is_as_recorded(&sums, &scenario.name, name).unwrap(), "{name} was changed");
            files.insert(format!("{}/{name}.txt", scenario.name));
        }
    }
    assert_eq!(sums.files().collect::<BTreeSet<_>>(), files.iter().map(String::as_str).collect());
}

/// A 204 without a body must not announce one.
#[test]
fn recorded_content_lengths_are_true() {
    for scenario in scenarios() {
        // HEAD announces the body that GET would have.
        for exchange in scenario.exchanges.iter().filter(|exchange| exchange.request.method != Method::Head) {
            let announced = exchange.response.header("Content-Length").map(|length| length.parse().unwrap());
            let expected = (exchange.response.status != 204).then_some(exchange.response.body.len());
            assert_eq!(announced, expected, "{}/{}", scenario.name, exchange.name);
        }
    }
}

/// What is read is what is written: otherwise `record --update` would change what nobody asked for.
#[test]
fn transcripts_are_written_as_they_are_read() {
    for scenario in scenarios() {
        for exchange in &scenario.exchanges {
            let file = FIXTURES.file_of(&scenario.name, &exchange.name);
            assert_eq!(exchange.text(), std::fs::read(&file).unwrap(), "{}", file.display());
        }
    }
}
