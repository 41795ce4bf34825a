//! The recorded exchanges, replayed in process: the same clock, the same token ids, the same key.

use sha2::{Digest, Sha256};

use crate::support::server::{Answer, Server};
use crate::support::transcript::{scenarios, Exchange, Scenario};
use crate::support::{snapshots, unified_diff};

/// The headers that are held to the recording. What it says of itself (Server, Date) is its own affair.
const COMPARED: [&str; 3] = ["Content-Length", "Content-Type", "Location"];

/// The exchanges that were recorded with the original. There may be more; fewer would mean that some are lost.
const RECORDED: usize = 92;

/// What is compared of an answer.
fn compared(answer: &Answer) -> String {
    let mut text = format!("{}\n", answer.status);
    for name in COMPARED {
        // docs/differences.md, `no_content_type_on_204`.
        if answer.status == 204 && name == "Content-Type" {
            continue;
        }
        if let Some(value) = answer.header(name) {
            text += &format!("{name}: {value}\n");
        }
    }
    text + "\n" + &answer.body
}

fn replay(scenario: &Scenario) -> Vec<(&Exchange, Answer)> {
    let start = scenario.exchanges.first().expect("a scenario has exchanges").date;
    let server = Server::recorded(start, scenario.issued_ids());
    let answer = |exchange: &Exchange| {
        server.clock.set(exchange.date);
        server.send(exchange.request.clone())
    };
    scenario.exchanges.iter().map(|exchange| (exchange, answer(exchange))).collect()
}

#[test]
fn every_recorded_exchange_is_answered_byte_for_byte() {
    let mut replayed = 0;
    let mut differences = String::new();
    for scenario in scenarios() {
        for (exchange, answer) in replay(&scenario) {
            replayed += 1;
            let place = format!("fixtures/{}/{}.txt", scenario.name, exchange.name);
            differences +=
                &unified_diff(&place, &compared(&exchange.response), "this server", &compared(&answer));
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
    assert!(replayed >= RECORDED, "only {replayed} exchanges in fixtures/");
}

#[test]
fn every_header_of_every_answer_is_as_reviewed() {
    for scenario in scenarios() {
        let mut text = String::new();
        for (exchange, answer) in replay(&scenario) {
            let request = &exchange.request;
            text +=
                &format!("### {}: {} {}\n{}\n", exchange.name, request.method, request.path, answer.text());
        }
        snapshots().bind(|| insta::assert_snapshot!(format!("replay_{}", scenario.name), text));
    }
}

/// What was recorded is evidence: nobody edits it. `sha256sum --check SHA256SUMS` says the same.
#[test]
fn the_recorded_transcripts_are_as_they_were_recorded() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let sums = std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").expect("a sum and a name");
        let text = std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let digest: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, sum, "fixtures/{name} was changed");
    }
    assert_eq!(sums.lines().count(), RECORDED);
}

/// A 204 without a body must not announce one.
#[test]
fn recorded_content_lengths_are_true() {
    for scenario in scenarios() {
        for exchange in &scenario.exchanges {
            let announced = exchange.response.header("Content-Length").map(|length| length.parse().unwrap());
            let expected = (exchange.response.status != 204).then_some(exchange.response.body.len());
            assert_eq!(announced, expected, "{}/{}", scenario.name, exchange.name);
        }
    }
}
