#![allow(clippy::panic, clippy::indexing_slicing, reason = "they are tests")]

use serde_json::{json, Value};

use super::*;
use crate::json::{JsonBody, JsonStream};

fn id(number: usize) -> Id {
    Id::new(number as u64)
}

/// A row of about a hundred bytes.
fn value(number: usize) -> Value {
    json!({"id": number, "roles": ["a", "b"], "text": "x".repeat(60 + number % 7)})
}

fn rows(style: Style, count: usize) -> Rows<Value> {
    Rows::new(style, (1..=count).map(|number| (id(number), EncodedJson::new(&value(number), style))))
}

fn text(list: &List<Value>) -> Vec<u8> {
    list.to_body().expect("JSON").into_bytes().expect("a snapshot").into()
}

fn stream(list: &List<Value>) -> Box<dyn JsonStream> {
    match list.to_body() {
        Some(JsonBody::Stream(stream)) => stream,
        body => panic!("a long list is streamed: {body:?}"),
    }
}

#[test]
fn a_list_of_any_length_is_written_as_its_values_would_be() {
    for style in [Style::Compact, Style::Pretty] {
        for count in [0, 1, 2, 150, 300, 1500] {
            let list = rows(style, count).list();
            let values: Vec<Value> = (1..=count).map(value).collect();
            let expected = style.render(&values).expect("JSON");
            assert_eq!(list.to_body().map(|body| body.length()), Some(expected.len()), "{style:?} {count}");
            assert!(text(&list) == expected, "{style:?} {count}");
        }
    }
}

#[test]
fn no_piece_is_longer_than_a_client_may_keep_in_memory() {
    for style in [Style::Compact, Style::Pretty] {
        let list = rows(style, 3000).list();
        let mut stream = stream(&list);
        let mut pieces = 0;
        while let Some(piece) = stream.next_piece().expect("a snapshot") {
            assert!(piece.len() <= PIECE + 8, "{}", piece.len());
            pieces += 1;
        }
        assert_eq!(pieces, list.to_body().expect("JSON").length().div_ceil(PIECE));
    }
}

#[test]
fn a_list_does_not_change_while_it_is_being_sent() {
    let style = Style::Compact;
    let mut rows = rows(style, 2000);
    let list = rows.list();
    let before = text(&list);
    let mut stream = stream(&list);
    let mut seen = stream.next_piece().expect("a snapshot").expect("a piece").to_vec();
    for number in (1..2000).step_by(3) {
        rows.insert(id(number), EncodedJson::new(&json!("written over"), style));
        rows.remove(id(number + 1));
    }
    rows.insert(id(2001), EncodedJson::new(&json!("new"), style));
    while let Some(piece) = stream.next_piece().expect("a snapshot") {
        seen.extend_from_slice(&piece);
    }
    assert!(seen == before);
    // The next list has the writes.
    let after = text(&rows.list());
    assert_eq!(rows.list().to_body().map(|body| body.length()), Some(after.len()));
    let after: Vec<Value> = serde_json::from_slice(&after).expect("a list");
    assert_eq!(after.len(), 2001 - 667);
    assert_eq!((&after[0], after.last()), (&json!("written over"), Some(&json!("new"))));
}

#[test]
fn a_write_ends_the_version_of_its_row_and_of_the_list_and_of_no_other_row() {
    let style = Style::Compact;
    let mut rows = rows(style, 3);
    let version = |rows: &Rows<Value>, number| {
        rows.get(id(number)).and_then(EncodedJson::version).cloned().expect("a row of the table")
    };
    let is_current = |of: &[Version]| of.iter().map(Version::is_current).collect::<Vec<_>>();
    let all = |rows: &Rows<Value>| {
        let list = rows.list().version().clone();
        [version(rows, 1), version(rows, 2), list]
    };
    let before = all(&rows);
    assert_eq!(is_current(&before), [true, true, true]);
    rows.insert(id(2), EncodedJson::new(&value(2), style));
    assert_eq!(is_current(&before), [true, false, false]);
    let after = all(&rows);
    assert_eq!(is_current(&after), [true, true, true]);
    rows.insert(id(4), EncodedJson::new(&value(4), style));
    assert_eq!(is_current(&after), [true, true, false]);
    let after = all(&rows);
    assert!(rows.remove(id(99)).is_none());
    assert_eq!(is_current(&after), [true, true, true]);
    rows.remove(id(1));
    assert_eq!(is_current(&after), [false, true, false]);
    // A value that two rows share has a flag in each.
    let shared = EncodedJson::new(&value(5), style);
    rows.insert(id(5), shared.clone());
    rows.insert(id(6), shared);
    let sixth = version(&rows, 6);
    rows.remove(id(5));
    assert!(sixth.is_current());
}

/// A row so long that 512 of them reach the limit.
fn long() -> EncodedJson<Value> {
    EncodedJson::new(&json!("x".repeat(MAX_RETAINED / 512 - PATH_SIZE - 3)), Style::Compact)
}

fn retained(rows: &Rows<Value>) -> usize {
    rows.retained.load(Ordering::Relaxed)
}

#[test]
fn retained_rows_are_bounded_and_the_oldest_list_is_ended_first() {
    let row = long();
    let mut rows = Rows::new(Style::Compact, (1..=600).map(|number| (id(number), row.clone())));
    let (old, mut old_stream) = (rows.list(), stream(&rows.list()));
    assert!(old_stream.next_piece().is_ok());
    for number in 1..=512 {
        rows.insert(id(number), EncodedJson::new(&json!(number), Style::Compact));
    }
    assert_eq!(retained(&rows), MAX_RETAINED);
    assert!(old_stream.next_piece().is_ok(), "the limit is reached, not exceeded");
    let mut young = stream(&rows.list());
    // Each write beyond the limit ends a list, and frees the rows that only that list has kept.
    for number in 513..=514 {
        rows.insert(id(number), EncodedJson::new(&json!(number), Style::Compact));
    }
    assert!(old_stream.next_piece().is_err());
    assert!(old.to_body().expect("a length").into_bytes().is_err());
    assert!(young.next_piece().is_ok());
    assert!(retained(&rows) < MAX_RETAINED / 100, "{}", retained(&rows));
}

/// A snapshot has one version of the row, however often it is written: one writer must not be able to end the lists
/// of other clients.
#[test]
fn rewriting_one_row_again_and_again_ends_no_list() {
    let row = long();
    let mut rows = Rows::new(Style::Compact, (1..=600).map(|number| (id(number), row.clone())));
    let mut list = stream(&rows.list());
    for _ in 0..2000 {
        rows.insert(id(1), row.clone());
    }
    assert_eq!(retained(&rows), MAX_RETAINED / 512);
    // The same with a list between the writes that is dropped again.
    for _ in 0..2000 {
        let other = rows.list();
        rows.insert(id(1), row.clone());
        drop(other);
    }
    assert_eq!(retained(&rows), MAX_RETAINED / 512);
    while list.next_piece().expect("a snapshot").is_some() {}
    drop(list);
    assert_eq!(retained(&rows), 0);
}

#[test]
fn lists_that_have_been_sent_are_forgotten() {
    let rows = rows(Style::Compact, 2000);
    let slow = rows.list();
    for _ in 0..10_000 {
        rows.list();
    }
    assert!(rows.snapshots.lock().capacity() <= 8);
    drop(slow);
}

#[test]
fn an_old_row_is_kept_only_for_lists_that_are_being_sent() {
    let mut rows = rows(Style::Compact, 2000);
    let write_over = |rows: &mut Rows<Value>, number| {
        let text = rows.get(id(number)).and_then(EncodedJson::text).cloned().expect("a row");
        rows.insert(id(number), EncodedJson::new(&json!(number), rows.style));
        text
    };
    assert!(write_over(&mut rows, 7).is_unique());
    let list = rows.list();
    let before = write_over(&mut rows, 8);
    assert!(!before.is_unique());
    drop(list);
    assert!(before.is_unique());
}
