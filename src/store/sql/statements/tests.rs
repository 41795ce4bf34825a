//! Checks of all SQL: it uses nothing that engines with PostgreSQL's protocol lack, and no text is made of values.

#![allow(clippy::indexing_slicing, reason = "they are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::ALL;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/sql");

/// What no statement and no schema may have, and why.
const FORBIDDEN: [(&str, &str); 20] = [
    ("SERIAL", "ids without gaps"),
    ("BIGSERIAL", "ids without gaps"),
    ("IDENTITY", "ids without gaps"),
    ("SEQUENCE", "ids without gaps"),
    ("NEXTVAL", "ids without gaps"),
    ("PG_ADVISORY_LOCK", "a pooler gives each statement another session"),
    ("PG_ADVISORY_XACT_LOCK", "some engines lack it"),
    ("LISTEN", "a pooler gives each statement another session"),
    ("NOTIFY", "some engines lack it"),
    ("TEMP", "a pooler gives each statement another session"),
    ("TEMPORARY", "a pooler gives each statement another session"),
    ("FUNCTION", "two versions run on one schema"),
    ("TRIGGER", "two versions run on one schema"),
    ("PROCEDURE", "two versions run on one schema"),
    ("BEGIN", "each statement commits by itself"),
    ("COMMIT", "each statement commits by itself"),
    ("PREPARE", "a pooler gives each statement another session"),
    ("CLOCK_TIMESTAMP", "a statement has one time"),
    ("RANDOM", "a statement that runs again does the same"),
    ("LOCK", "rows are locked by FOR UPDATE"),
];

/// A text in capitals, without its comments.
fn code(sql: &str) -> String {
    let code = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    code.collect::<Vec<_>>().join(" ").to_uppercase()
}

/// The words of a text in capitals, without its comments.
fn words(sql: &str) -> Vec<String> {
    let code = code(sql);
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let words = code.split(|c| !is_part(c)).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// The tables that the statement writes, each as often as it does.
fn written(words: &[String]) -> Vec<&str> {
    let mut tables = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let next = |by: usize| words.get(at + by).map_or("", String::as_str);
        let before = at.checked_sub(1).map_or("", |before| words[before].as_str());
        match word.as_str() {
            "INSERT" | "DELETE" => tables.push(next(2)),
            // Of ON CONFLICT DO UPDATE and FOR UPDATE, the table has been named before, or nothing is written.
            "UPDATE" if before != "DO" && before != "FOR" => tables.push(next(1)),
            _ => {}
        }
    }
    tables
}

#[test]
fn statements_use_what_every_engine_has() {
    let schema = include_str!("../schema/001-initial.sql");
    for (name, sql) in ALL.iter().copied().chain([("the schema", schema)]) {
        let words = words(sql);
        for (forbidden, reason) in FORBIDDEN {
            assert!(!words.iter().any(|word| word == forbidden), "{name} has {forbidden}: {reason}");
        }
    }
    let found = words("-- BEGIN\nselect nextval('x')");
    assert!(FORBIDDEN.iter().any(|(word, _)| found.contains(&(*word).to_owned())));
}

#[test]
fn a_statement_is_one_statement_and_writes_a_table_once() {
    for (name, sql) in ALL {
        assert!(!code(sql).contains(';'), "{name} has more than one statement");
        let words = words(sql);
        assert!(
            matches!(words[0].as_str(), "SELECT" | "WITH" | "INSERT" | "UPDATE"),
            "{name} begins with {}",
            words[0]
        );
        let tables = written(&words);
        let unique: BTreeSet<_> = tables.iter().collect();
        assert_eq!(unique.len(), tables.len(), "{name} writes a table twice: {tables:?}");
    }
    let twice = words("WITH a AS (INSERT INTO t VALUES (1)) UPDATE t SET a = 1");
    assert_eq!(written(&twice), ["T", "T"]);
}

#[test]
fn every_file_is_a_statement_and_every_parameter_is_used() {
    let files = fs::read_dir(Path::new(FOLDER).join("statements")).expect("a folder");
    let names = files.map(|file| file.expect("a file").path());
    let names = names.filter(|path| path.extension().is_some_and(|extension| extension == "sql"));
    let names: BTreeSet<String> =
        names.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    let listed: BTreeSet<String> = ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names, listed);
    for (name, sql) in ALL {
        let numbers: BTreeSet<usize> =
            words(sql).iter().filter_map(|word| word.strip_prefix('$')?.parse().ok()).collect();
        assert!(numbers.iter().copied().eq(1..=numbers.len()), "{name} uses the parameters {numbers:?}");
    }
}

/// The only text that is put together is that of a page, whose builder takes constant texts.
#[test]
fn no_sql_is_formatted() {
    let mut sources = BTreeMap::new();
    let mut folders = vec![Path::new(FOLDER).to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.insert(path.clone(), fs::read_to_string(path).expect("a source"));
            }
        }
    }
    assert!(sources.len() > 15);
    for (path, source) in sources.iter().filter(|(path, _)| !path.ends_with("statements/tests.rs")) {
        for (at, line) in source.lines().enumerate() {
            let formats =
                ["format!", "write!", "push_str", "concat()"].iter().any(|made| line.contains(made));
            let is_sql = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WHERE ", " FROM "]
                .iter()
                .any(|word| line.contains(word));
            assert!(!(formats && is_sql), "{}:{} makes SQL of a text", path.display(), at + 1);
        }
    }
}
