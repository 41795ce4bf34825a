//! Untrusted text in output: text from recordings and servers cannot move the cursor or break a report.

use std::path::Path;

use quick_xml::events::Event;

use test_support::program::{folder, run, shipyard, Run};

/// Two sequences that move the cursor, and the ends of a line, a tag and an XML section.
const HOSTILE: &str = "\u{1b}[2J\u{9b}2J\u{202e}]]>\"'&</failure>";

/// A scenario with hostile names and texts, which no server answers as recorded.
fn fixtures(name: &str) -> std::path::PathBuf {
    let here = folder(name);
    let scenario = here.join("hostile");
    std::fs::create_dir(&scenario).unwrap();
    let text = format!(
        "$ curl 'http://localhost:5000/api/ships?{h}' -H 'X: {h}' -d '{h}' -X PUT\nHTTP/1.1 404 {h}\n\
         Content-Type: {h}\nX: {h}\nDate: Mon, 23 Nov 2026 18:26:45 GMT\n\n{h}",
        h = HOSTILE.replace('\'', "")
    );
    std::fs::write(scenario.join(format!("01-{}.txt", HOSTILE.replace('/', "-"))), text).unwrap();
    // Its checksum is wrong, so all lines of the transcript are printed.
    std::fs::write(here.join("SHA256SUMS"), format!("0  hostile/01-{}.txt\n", HOSTILE.replace('/', "-")))
        .unwrap();
    here
}

fn run_command(here: &Path, arguments: &[&str]) -> Run {
    run(&mut shipyard(here, &[arguments, &["--fixtures", here.to_str().unwrap()]].concat()), None)
}

fn moves_a_cursor(text: &str) -> bool {
    text.chars().any(|character| (character.is_control() && character != '\n') || character == '\u{202e}')
}

#[test]
fn printed_text_has_no_control_characters() {
    let here = fixtures("hostile_terminal");
    for arguments in [
        &["verify"][..],
        &["verify", "--scenario", "\u{1b}[2J"],
        &["verify", "--url", "http://127.0.0.1:1", "--scenario", "hostile"],
        &["verify", "--url", "http://127.0.0.1:1", "--start", "printf '\\033[2J'; false"],
        &["verify", "--format", "junit"],
        &["export", "--http", "--scenario", "hostile"],
        &["export", "--hurl", "--scenario", "hostile"],
        &["export", "--http", "--output", "out"],
        &["record", "--scenario", "\u{1b}[2J", "--update"],
        &["record", "--scenario", "hostile", "--update"],
    ] {
        let Run { stdout, stderr, .. } = run_command(&here, arguments);
        assert!(!stdout.is_empty() || !stderr.is_empty(), "{arguments:?}");
        assert!(!moves_a_cursor(&stdout), "{arguments:?}: {stdout:?}");
        assert!(!moves_a_cursor(&stderr), "{arguments:?}: {stderr:?}");
    }
    // A scenario that cannot be parsed is named as well.
    std::fs::create_dir(here.join("\u{1b}[2J")).unwrap();
    for arguments in [&["verify"][..], &["verify", "--format", "junit"], &["export", "--har"]] {
        let Run { stdout, stderr, .. } = run_command(&here, arguments);
        assert!(!moves_a_cursor(&(stdout + &stderr)), "{arguments:?}");
    }
}

#[test]
fn the_xml_report_accepts_any_text() {
    let here = fixtures("hostile_xml");
    std::fs::create_dir(here.join("odd\u{1}\"<name")).unwrap();
    let Run { code, stdout, .. } = run_command(&here, &["verify", "--format", "junit"]);
    assert_eq!(code, Some(1), "{stdout}");
    let mut reader = quick_xml::Reader::from_str(&stdout);
    let mut open = Vec::new();
    loop {
        match reader.read_event().expect("XML") {
            Event::Start(tag) => {
                for attribute in tag.attributes() {
                    attribute.expect("an attribute");
                }
                open.push(String::from_utf8(tag.name().as_ref().to_vec()).unwrap());
            }
            Event::End(_) => drop(open.pop()),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(open, [""; 0]);
    assert_eq!(stdout.matches("</failure>").count(), stdout.matches("<failure ").count(), "{stdout}");
    assert_eq!(stdout.matches("<testcase ").count(), 2, "{stdout}");
}
