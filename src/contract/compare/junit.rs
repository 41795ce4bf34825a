//! JUnit XML report, which CI systems show: a test suite for each scenario, a test case for each exchange.

use std::io;

use quick_xml::events::{BytesDecl, BytesText, Event};
use quick_xml::writer::Writer;

use crate::contract::compare::report::{Checked, Outcome, Report};
use crate::escape::escape_invisible;

/// The report as an XML document.
///
/// # Errors
/// None in practice: it is written to memory.
pub fn document(report: &Report) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let summary = report.summary();
    let failures = summary.mismatching + report.broken.iter().filter(|broken| !broken.unreachable).count();
    let errors =
        summary.failed + summary.not_run + report.broken.iter().filter(|broken| broken.unreachable).count();
    let tests = summary.exchanges + report.broken.len();
    let mut scenarios: Vec<&str> = report.exchanges.iter().map(|checked| checked.scenario.as_str()).collect();
    scenarios.dedup();
    writer
        .create_element("testsuites")
        .with_attributes([
            ("name", "shipyard verify"),
            ("tests", &*tests.to_string()),
            ("failures", &*failures.to_string()),
            ("errors", &*errors.to_string()),
        ])
        .write_inner_content(|writer| {
            for scenario in scenarios {
                let cases: Vec<&Checked> =
                    report.exchanges.iter().filter(|checked| checked.scenario == scenario).collect();
                suite(writer, scenario, &cases)?;
            }
            for broken in &report.broken {
                let (kind, failures, errors) =
                    if broken.unreachable { ("error", "0", "1") } else { ("failure", "1", "0") };
                let scenario = allowed(&broken.scenario);
                let counts = [
                    ("name", scenario.as_str()),
                    ("tests", "1"),
                    ("failures", failures),
                    ("errors", errors),
                    ("skipped", "0"),
                    ("time", "0"),
                ];
                writer.create_element("testsuite").with_attributes(counts).write_inner_content(|writer| {
                    let (name, message) = if broken.ran {
                        ("end", "the server did not end")
                    } else {
                        ("start", "the scenario could not be run")
                    };
                    let case = [("classname", scenario.as_str()), ("name", name), ("time", "0")];
                    writer
                        .create_element("testcase")
                        .with_attributes(case)
                        .write_inner_content(|writer| explained(writer, kind, message, &broken.reason))?;
                    Ok(())
                })?;
            }
            Ok(())
        })?;
    let mut document = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    document.push('\n');
    Ok(document)
}

type Xml = Writer<Vec<u8>>;

fn suite(writer: &mut Xml, scenario: &str, cases: &[&Checked]) -> io::Result<()> {
    let count = |such: fn(&Outcome) -> bool| {
        cases.iter().filter(|checked| such(&checked.outcome)).count().to_string()
    };
    let time: f64 = cases.iter().map(|checked| checked.seconds).sum();
    writer
        .create_element("testsuite")
        .with_attributes([
            ("name", &*allowed(scenario)),
            ("tests", &*cases.len().to_string()),
            ("failures", &*count(|outcome| matches!(outcome, Outcome::Mismatch { .. }))),
            ("errors", &*count(|outcome| matches!(outcome, Outcome::Failed { .. } | Outcome::NotRun { .. }))),
            ("skipped", &*count(|outcome| matches!(outcome, Outcome::Skipped { .. }))),
            ("time", &*format!("{time:.3}")),
        ])
        .write_inner_content(|writer| cases.iter().try_for_each(|checked| case(writer, checked)))?;
    Ok(())
}

fn case(writer: &mut Xml, checked: &Checked) -> io::Result<()> {
    let time = format!("{:.3}", checked.seconds);
    let (scenario, exchange) = (allowed(&checked.scenario), allowed(&checked.exchange));
    let element = writer.create_element("testcase").with_attributes([
        ("classname", scenario.as_str()),
        ("name", exchange.as_str()),
        ("time", time.as_str()),
    ]);
    let request = &checked.request;
    match &checked.outcome {
        Outcome::Match { tolerated } if tolerated.is_empty() => element.write_empty()?,
        outcome @ Outcome::Match { .. } => element.write_inner_content(|writer| {
            let text = allowed(&outcome.detail());
            writer.create_element("system-out").write_text_content(BytesText::new(&text))?;
            Ok(())
        })?,
        Outcome::Mismatch { diff } => element.write_inner_content(|writer| {
            explained(writer, "failure", &format!("{request}: not the recorded response"), diff)
        })?,
        outcome @ (Outcome::Failed { .. } | Outcome::NotRun { .. }) => {
            element.write_inner_content(|writer| {
                explained(writer, "error", &format!("{request}: no response to compare"), &outcome.detail())
            })?
        }
        Outcome::Skipped { reason } => element.write_inner_content(|writer| {
            writer.create_element("skipped").with_attribute(("message", &*allowed(reason))).write_empty()?;
            Ok(())
        })?,
    };
    Ok(())
}

fn explained(writer: &mut Xml, kind: &str, message: &str, text: &str) -> io::Result<()> {
    writer
        .create_element(kind)
        .with_attributes([("message", &*allowed(message)), ("type", kind)])
        .write_text_content(BytesText::new(&allowed(text)))?;
    Ok(())
}

/// A text that XML 1.0 can hold (section 2.2). Invisible characters are escaped as by [`escape_invisible`].
fn allowed(text: &str) -> String {
    let lines = text.split('\n').map(escape_invisible);
    lines.collect::<Vec<_>>().join("\n").replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
