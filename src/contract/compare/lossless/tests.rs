use proptest::prelude::*;

use super::*;

fn number(text: &str) -> Json {
    Json::parse(text.as_bytes()).expect("a number")
}

#[test]
fn numbers_are_compared_by_their_value() {
    for (a, b) in [
        ("1", "1.0"),
        ("100", "1e2"),
        ("100", "1E+2"),
        ("100", "10.00e1"),
        ("0.01", "1e-2"),
        ("-0", "0"),
        ("0", "0.0e5"),
        ("1e400", "10e399"),
        ("18446744073709551616", "18446744073709551616.0"),
        ("18446744073709551616", "1.8446744073709551616e19"),
        ("1e99999999999999999999", "1e99999999999999999999"),
    ] {
        assert_eq!(number(a), number(b), "{a} {b}");
        assert_eq!(number(a).with_plain_numbers().to_string(), number(b).with_plain_numbers().to_string());
    }
    for (a, b) in [
        ("18446744073709551616", "18446744073709551617"),
        ("-9223372036854775809", "-9223372036854775808"),
        ("9007199254740993", "9007199254740992.0"),
        ("0.1", "0.10000000000000000000001"),
        ("1e400", "1e401"),
        ("1e-400", "0"),
        ("1", "-1"),
        ("1e99999999999999999999", "1e99999999999999999998"),
    ] {
        assert_ne!(number(a), number(b), "{a} {b}");
        assert_ne!(number(a).with_plain_numbers().to_string(), number(b).with_plain_numbers().to_string());
    }
    for (text, whole) in [
        ("16", Some(16)),
        ("1.6e1", Some(16)),
        ("0e9", Some(0)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("1e30", None),
        ("1.5", None),
        ("-1", None),
    ] {
        assert_eq!(number(text).as_u64(), whole, "{text}");
    }
}

#[test]
fn all_else_is_read_as_strictly_as_by_the_server() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    for text in [
        "",
        "\u{feff}1",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "- 1",
        "NaN",
        "[1,]",
        "{\"a\":1,\"a\":2}",
        "[1] 2",
        "'a'",
        "\"\\ud800\"",
        "\"\\x\"",
        "{\"a\" 1}",
        "[{\"a\":1,\"\\u0061\":2}]",
        "nul",
        "\"a",
        &deep(128),
    ] {
        let wrong = Json::parse(text.as_bytes()).expect_err(text);
        assert_eq!(Some(wrong), json::parse(text.as_bytes()).err(), "{text}");
    }
    for text in ["[]", "{}", " {\"b\":[null,true,false,\"\\u0061\\n\"],\"a\":-0.50} \n", &deep(127)] {
        assert!(Json::parse(text.as_bytes()).is_ok(), "{text}");
    }
    assert_eq!(
        number("{\"b\": [1.50, \"\\u0061\"], \"a\": null}").to_string(),
        "{\"a\":null,\"b\":[1.50,\"a\"]}"
    );
}

/// Reading each level of nesting on its own took 22 seconds for that.
#[test]
fn a_large_text_is_read_in_one_pass_however_deep_it_is() {
    let text = format!("{}\"{}\"{}", "[{\"a\" :".repeat(63), "b".repeat(1 << 20), "}]".repeat(63));
    let started = std::time::Instant::now();
    let value = Json::parse(text.as_bytes()).expect("JSON");
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    assert_eq!(value.to_string(), text.replace(' ', ""));
}

/// Some of it is JSON.
fn written_at_random() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        r#"[\]\[{}:, "\\]"#,
        "(null|true|false|-?[0-9]{1,2}|[0-9.e]{1,2})",
        "\"[ab,:{}\\[\\]]{0,2}\" ?:?",
        Just("\"\\\\\\\"\\u00e9é\"".to_owned()),
    ];
    let pieces = proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    let value =
        prop_oneof!["[0-9]{1,3}", "\"[a\\[{,:]{0,3}\"", Just("{}".to_owned()), Just(" [ ] ".to_owned())];
    let members = proptest::collection::vec(("[ab]", value), 0..4).prop_map(|members| {
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("\"{name}\" : [{value},1]")).collect();
        format!("{{{}}}", members.join(" , "))
    });
    prop_oneof![pieces, members]
}

/// An integer of any size as some tens of digits, and one of the ways to write it.
fn written() -> impl Strategy<Value = (String, String)> {
    ("-?[1-9][0-9]{0,30}", 0..6_usize, 0..40_usize).prop_map(|(digits, zeros, shift)| {
        let (sign, plain) = digits.split_at(digits.len() - digits.trim_start_matches('-').len());
        let (whole, fraction) = plain.split_at(plain.len().saturating_sub(shift));
        let whole = if whole.is_empty() { "0" } else { whole };
        let fraction = format!("{}{fraction}", "0".repeat(shift.saturating_sub(plain.len())));
        let other = format!("{sign}{whole}.{fraction}{}e{shift}", "0".repeat(zeros + 1));
        (digits, other)
    })
}

proptest! {
    #[test]
    fn any_text_is_read_as_by_the_server(text in written_at_random()) {
        match (Json::parse(text.as_bytes()), json::parse(text.as_bytes())) {
            (Ok(own), Ok(other)) if !text.contains(['.', 'e', '-']) => {
                prop_assert_eq!(own.to_string(), other.to_string());
            }
            // A number beyond the range of a double.
            (Ok(_), _) if text.contains('e') => {}
            (own, other) => prop_assert_eq!(own.err(), other.err(), "{}", text),
        }
    }

    #[test]
    fn one_value_is_equal_however_it_is_written((plain, other) in written()) {
        prop_assert_eq!(number(&plain), number(&other), "{} {}", plain, other);
    }

    #[test]
    fn two_values_are_never_equal((a, _) in written(), (b, other) in written()) {
        prop_assert_eq!(a == b, number(&a) == number(&other), "{} {}", a, other);
        // The next integer is the same double, often.
        if let Ok(next) = a.parse::<i128>() {
            prop_assert_ne!(number(&a), number(&(next + 1).to_string()));
        }
    }
}
