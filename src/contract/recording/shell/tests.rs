use super::continuation::Scanner;
use super::*;

#[test]
fn words_are_those_of_bash() {
    for (command, expected) in [
        ("a  'b c'\t\"d\"e \"\" ''", vec!["a", "b c", "de", "", ""]),
        (r#"'a\b\' "a\b\"\$\`\\" a\ b\'"#, vec![r"a\b\", r#"a\b"$`\"#, "a b'"]),
        (r"$'a\'b\n\u00e9\x41\101\?\q' $'\U0001F600'", vec!["a'b\né\u{41}A?\\q", "\u{1f600}"]),
        (
            "a#b c~ http://a/?b*[c] \"$\" $ a$ \"$'\"",
            vec!["a#b", "c~", "http://a/?b*[c]", "$", "$", "a$", "$'"],
        ),
        ("a!b \"!\" }", vec!["a!b", "!", "}"]),
        (
            "-H \"A: $SHIPYARD_SECRET_A\" ${SHIPYARD_SECRET_B}c",
            vec!["-H", "A: $SHIPYARD_SECRET_A", "${SHIPYARD_SECRET_B}c"],
        ),
        ("$SHIPYARD_SECRET_A}b a~ a=\\~ 'a=~'", vec!["$SHIPYARD_SECRET_A}b", "a~", "a=~", "a=~"]),
    ] {
        assert_eq!(words(command), Ok(expected.into_iter().map(str::to_owned).collect()), "{command}");
    }
}

#[test]
fn what_has_another_meaning_is_named() {
    for (command, name) in [
        ("a | b", "a pipe"),
        ("a;b", "end of a command"),
        ("a & b", "in the background"),
        ("a > b", "a redirection"),
        ("a (b)", "a group of commands"),
        ("a `b`", "a command to run"),
        ("\"`b`\"", "a command to run"),
        ("\"a $B_1 c\"", "`$B_1` is a variable"),
        ("${b}", "`${b}` is a variable"),
        ("$?", "`$?` is a variable"),
        ("${SHIPYARD_SECRET_A", "`${SHIPYARD_SECRET_A` is a variable"),
        ("\"$(b)\"", "`$(` is an expansion"),
        ("$\"b\"", "to be translated"),
        ("a #b", "a comment"),
        ("~/a", "a home folder"),
        ("a=~/x", "a home folder"),
        ("a=b:~", "a home folder"),
        ("a+=~", "a home folder"),
        ("$'\\x{41}'", "`\\x{` in $'...' is not understood"),
        ("*.txt", "a pattern"),
        ("a[1]", "a pattern"),
        ("{a,b}", "a list of words"),
        ("a\nb", "end of a command"),
        ("$'\\xe9'", "`\\x` in $'...' gives no character"),
        ("$'\\0'", "gives no character"),
        ("$'\\ud83d'", "`\\u` in $'...' gives no character"),
        ("'a", "a quotation is not closed"),
        ("a \\", "a backslash at the end"),
    ] {
        assert!(
            words(command).is_err_and(|error| error.to_string().contains(name)),
            "{command}: {:?}",
            words(command)
        );
    }
}

/// Work in proportion to the square of the length would take hours.
#[test]
fn a_long_line_with_many_dollars_is_split_at_once() {
    let started = std::time::Instant::now();
    let text = "$ ".repeat(512 * 1024);
    assert_eq!(words(&format!("\"{text}\"")), Ok(vec![text.clone()]));
    assert_eq!(words(&text).map(|words| words.len()), Ok(512 * 1024));
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn a_line_that_goes_on_is_known() {
    for (line, expected) in [
        ("a", Extent::Complete),
        ("a \\", Extent::Continued { in_quotes: false }),
        ("a \"b \\", Extent::Continued { in_quotes: true }),
        ("a \\\\", Extent::Complete),
        ("a 'b \\", Extent::Quoted),
        ("a 'b \\'", Extent::Complete),
        ("a $'b\\'", Extent::Quoted),
        ("a $'b\\", Extent::Quoted),
        ("a $b \"${c.d}\" \\", Extent::Continued { in_quotes: false }),
        ("a # it's", Extent::Complete),
        ("a#'", Extent::Quoted),
    ] {
        assert_eq!(Scanner::default().scan(line), expected, "{line}");
    }
}

#[test]
fn what_is_escaped_is_one_word_again() {
    let text = "a b\"c'$d`e\\f*[g]{h}~#é;|&";
    assert_eq!(words(&escaped(text, false)), Ok(vec![text.to_owned()]));
    assert_eq!(words(&format!("\"{}\"", escaped(text, true))), Ok(vec![text.to_owned()]));
}
