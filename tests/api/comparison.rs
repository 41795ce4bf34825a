//! Comparison of responses in `verify`: equal content in different notation, and nothing else, counts as equal.

use shipyard::contract::compare::difference::{difference, CompareMode};
use shipyard::contract::recording::message::Response;
use shipyard::contract::recording::transcript::Exchange;

/// An exchange whose recorded response has these headers and this body.
fn recorded(status: u16, headers: &[&str], body: &str) -> Exchange {
    let headers: String = headers.iter().map(|line| format!("{line}\n")).collect();
    let text = format!(
        "$ curl -i http://localhost:5000/\nHTTP/1.1 {status} -\n{headers}Date: Mon, 23 Nov 2026 18:26:45 GMT\n\n{body}"
    );
    Exchange::parse("01-case", &text).unwrap()
}

fn live(status: u16, headers: &[&str], body: &str) -> Response {
    let pair = |line: &&str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    Response {
        status_line: format!("HTTP/1.1 {status} -"),
        status,
        headers: headers.iter().map(|line| pair(line).unwrap()).collect(),
        body: body.as_bytes().to_vec(),
    }
}

fn same(a: &[&str], b: &[&str], measure: CompareMode) -> bool {
    difference(&recorded(200, a, "{}\n"), &live(200, b, "{}\n"), measure, "").is_none()
}

/// Compared in both directions: either may be the recorded one.
fn same_both_ways(a: &[&str], b: &[&str], measure: CompareMode) -> bool {
    let (there, back) = (same(a, b, measure), same(b, a, measure));
    assert_eq!(there, back, "{a:?} {b:?}");
    there
}

#[test]
fn header_names_are_compared_without_case() {
    let json = "Content-Type: application/json; charset=utf-8";
    for other in [
        "content-type: application/json; charset=utf-8",
        "CONTENT-TYPE: Application/JSON;charset=UTF-8",
        "content-type: application/json ; Charset=\"utf-8\"",
        "Content-Type:  application/json; charset=utf-8 \t",
    ] {
        assert!(same_both_ways(&[json], &[other], CompareMode::Json), "{other}");
    }
    for other in ["content-type: application/json", "Content-Type: application/json; charset=latin1"] {
        assert!(!same_both_ways(&[json], &[other], CompareMode::Json), "{other}");
    }
    let at = "Location: http://localhost:5000/api/ships/16";
    for other in
        ["location: HTTP://LocalHost:5000/api/ships/16", "LOCATION: http://localhost:5000/api/ships/16 "]
    {
        assert!(same_both_ways(&[at], &[other], CompareMode::Json), "{other}");
    }
    for other in ["Location: http://localhost:5000/API/ships/16", "Location: /api/ships/16"] {
        assert!(!same_both_ways(&[at], &[other], CompareMode::Json), "{other}");
    }
    assert!(!same_both_ways(&["Location: /a"], &["Location: /A"], CompareMode::Json));
    // Even in exact mode, names have no case; values must be equal.
    assert!(same_both_ways(&[json], &["content-type: application/json; charset=utf-8"], CompareMode::Exact));
    assert!(!same_both_ways(&[json], &["Content-Type: application/json;charset=utf-8"], CompareMode::Exact));
}

#[test]
fn counts_repeated_headers() {
    let json = "Content-Type: application/json";
    for measure in [CompareMode::Json, CompareMode::Exact] {
        assert!(same_both_ways(&[json, json], &[json, "content-type: application/json"], measure));
        assert!(!same_both_ways(&[json, json], &[json], measure));
        assert!(!same_both_ways(&[json], &[json, "Content-Type: text/html"], measure));
    }
}

#[test]
fn compares_content_length_only_in_exact_mode() {
    let length = "Content-Length: 3";
    assert!(same_both_ways(&[length], &["Transfer-Encoding: Chunked"], CompareMode::Json));
    assert!(same_both_ways(&[], &["content-length: 3"], CompareMode::Json));
    assert!(same_both_ways(&[length], &["Content-Length: 30"], CompareMode::Json));
    assert!(!same_both_ways(&[length], &[], CompareMode::Exact));
    assert!(!same_both_ways(&[length], &["Content-Length: 30"], CompareMode::Exact));
    // A 204 has no Content-Length in any mode (RFC 9110, section 8.6).
    let empty = recorded(204, &[], "");
    assert!(difference(&empty, &live(204, &["Content-Length: 0"], ""), CompareMode::Json, "").is_some());
    assert!(difference(&empty, &live(204, &[], ""), CompareMode::Json, "").is_none());
}

fn same_numbers(a: &str, b: &str, measure: CompareMode) -> bool {
    let body = |number: &str| format!("{{\"a\": [{number}]}}\n");
    let same = |a: &str, b: &str| {
        difference(&recorded(200, &[], &body(a)), &live(200, &[], &body(b)), measure, "").is_none()
    };
    assert_eq!(same(a, b), same(b, a), "{a} {b}");
    same(a, b)
}

/// A double cannot distinguish these integers.
#[test]
fn numbers_are_compared_to_the_last_digit() {
    for (a, b) in [
        ("18446744073709551616", "18446744073709551617"),
        ("9007199254740993", "9007199254740992.0"),
        ("0.1", "0.10000000000000000001"),
        ("1e400", "1e401"),
        ("1", "1.5"),
    ] {
        assert!(!same_numbers(a, b, CompareMode::Json), "{a} {b}");
    }
    for (a, b) in
        [("1", "1.0"), ("1e2", "100"), ("-0", "0"), ("18446744073709551616", "18446744073709551616.0")]
    {
        assert!(same_numbers(a, b, CompareMode::Json), "{a} {b}");
        assert!(!same_numbers(a, b, CompareMode::Exact), "{a} {b}");
    }
    // The report prints them in full.
    let body = |number: &str| format!("{{\"a\": {number}}}\n");
    let (was, is) = (body("18446744073709551616"), body("18446744073709551617"));
    let diff = difference(&recorded(200, &[], &was), &live(200, &[], &is), CompareMode::Json, "").unwrap();
    assert!(diff.contains("18446744073709551616") && diff.contains("18446744073709551617"), "{diff}");
}

/// The escape that displays an invisible character can itself be recorded as text: that is another response.
#[test]
fn a_text_differs_from_the_escape_that_displays_it() {
    for (was, is) in [
        ("a\\tb\n", "a\tb\n"),
        ("a\\rb\n", "a\rb\n"),
        ("a\\u{200b}b\n", "a\u{200b}b\n"),
        ("a (no line end)\n", "a"),
    ] {
        for measure in [CompareMode::Json, CompareMode::Exact] {
            for (was, is) in [(was, is), (is, was)] {
                let diff = difference(&recorded(200, &[], was), &live(200, &[], is), measure, "a.http");
                assert!(
                    diff.is_some_and(|diff| diff.contains("  - ") && diff.contains("as text")),
                    "{was:?} {is:?}"
                );
                assert!(difference(&recorded(200, &[], was), &live(200, &[], was), measure, "").is_none());
            }
        }
    }
    let mut bytes = live(200, &[], "");
    bytes.body = vec![0xff];
    let text = recorded(200, &[], "ff (in hexadecimal, for it is not UTF-8)\n");
    assert!(difference(&text, &bytes, CompareMode::Json, "").is_some());
    for name in ["Content-Type", "Location"] {
        for (was, is) in [("a\\tb", "a\tb"), ("a\\u{200b}b", "a\u{200b}b")] {
            let (was, is) = (format!("{name}: {was}"), format!("{name}: {is}"));
            assert!(!same(&[&was], &[&is], CompareMode::Json), "{was:?} {is:?}");
            assert!(!same(&[&was], &[&is], CompareMode::Exact), "{was:?} {is:?}");
        }
    }
}
