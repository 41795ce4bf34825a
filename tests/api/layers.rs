//! The layers of `src`: a module imports only from its own layer and from those below.

use std::fs;
use std::path::Path;

/// The layers from top to bottom. The longest prefix of a module's path decides where it belongs.
const LAYERS: [&[&str]; 20] = [
    &["main", "cli"],
    &["contract"],
    // The crate root: `build` assembles a server.
    &[""],
    &["config"],
    &["http"],
    &["api::openapi", "api"],
    &["api::routes"],
    &["api::catcher", "api::result"],
    &["api::guards"],
    &["api::response", "api::cors"],
    &["api::routing", "api::security_headers"],
    &["api::error"],
    &["api::json_response", "api::etag", "api::openapi::components", "api::base_url"],
    &["api::error::catalog", "api::checks"],
    &["log"],
    &["store"],
    &["auth"],
    &["model"],
    &["dispatch_context", "json"],
    &["internal_error", "escape", "hex", "metrics", "regular_file"],
];

/// Layers that know nothing of HTTP, and the crates that they must not use.
const WITHOUT_HTTP: [&str; 5] = ["store", "auth", "model", "json", "regular_file"];
const HTTP_CRATES: [&str; 4] = ["rocket", "rocket_okapi", "hyper", "http"];

/// A module of this crate, or a path in another one, as a line of code names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Import {
    path: String,
    line: usize,
}

/// The layer of a module, counted from the top.
fn layer(module: &str) -> usize {
    let starts = |prefix: &str| {
        prefix.is_empty() && module.is_empty()
            || !prefix.is_empty() && (module == prefix || module.starts_with(&format!("{prefix}::")))
    };
    let found = LAYERS.iter().enumerate().flat_map(|(at, layer)| layer.iter().map(move |name| (at, *name)));
    let longest = found.filter(|(_, prefix)| starts(prefix)).max_by_key(|(_, prefix)| prefix.len());
    // A name that is not a module is an item of the crate root.
    longest.map_or_else(|| layer(""), |(at, _)| at)
}

/// The code of a file, with comments and strings replaced by blanks, so that line numbers stay.
fn code(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        lines.push(line.split('"').step_by(2).collect::<Vec<_>>().join("\"\""));
    }
    lines.join("\n")
}

/// Every path in the code that begins with one of `roots`, with groups in braces expanded.
fn paths(code: &str, roots: &[&str]) -> Vec<Import> {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let mut found = Vec::new();
    for root in roots {
        for (at, _) in code.match_indices(&format!("{root}::")) {
            if code[..at].chars().next_back().is_some_and(|before| is_name(before) || before == ':') {
                continue;
            }
            let line = code[..at].lines().count().max(1);
            let mut ends = Vec::new();
            expand(&code[at..], String::new(), &mut ends);
            found.extend(ends.into_iter().map(|path| Import { path, line }));
        }
    }
    found
}

/// Parses a path, or a group of paths, and returns the rest of the code.
fn expand<'a>(mut rest: &'a str, mut path: String, found: &mut Vec<String>) -> &'a str {
    loop {
        rest = rest.trim_start();
        if let Some(group) = rest.strip_prefix('{') {
            rest = group;
            loop {
                rest = rest.trim_start().trim_start_matches(',').trim_start();
                if let Some(after) = rest.strip_prefix('}') {
                    return after;
                }
                let before = rest.len();
                rest = expand(rest, path.clone(), found);
                if let Some(alias) = rest.trim_start().strip_prefix("as ") {
                    rest = alias.trim_start().trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
                }
                assert!(rest.len() < before, "a group that this test cannot read: {rest:.80}");
            }
        }
        let length =
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '*')).unwrap_or(rest.len());
        if !path.is_empty() {
            path.push_str("::");
        }
        path.push_str(&rest[..length]);
        rest = &rest[length..];
        match rest.strip_prefix("::") {
            Some(after) if !after.starts_with('<') => rest = after,
            _ => {
                found.push(path);
                return rest;
            }
        }
    }
}

/// The modules of this crate that a file imports from, as paths from the root.
fn imports(module: &str, code: &str) -> Vec<Import> {
    let own: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
    let absolute = |import: Import| {
        let mut parts: Vec<&str> = import.path.split("::").collect();
        let mut base: Vec<&str> = match parts.remove(0) {
            "self" => own.clone(),
            "super" => own[..own.len().saturating_sub(1)].to_vec(),
            _ => Vec::new(),
        };
        while parts.first() == Some(&"super") {
            parts.remove(0);
            base.pop();
        }
        base.extend(parts);
        Import { path: base.join("::"), line: import.line }
    };
    paths(code, &["crate", "shipyard", "self", "super"]).into_iter().map(absolute).collect()
}

/// The violations in a file, one line for each import.
fn violations(module: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let from = layer(module);
    // Within `mod tests`, `super` is the file itself. Line numbers stay.
    let (code, tests) = match code.split_once("mod tests {") {
        Some((code, tests)) => (code.to_owned(), "\n".repeat(code.lines().count() - 1) + tests),
        None => (code, String::new()),
    };
    let upward = imports(module, &code).into_iter().chain(imports(&format!("{module}::tests"), &tests));
    let upward = upward.filter(|import| layer(&import.path) < from);
    let mut wrong: Vec<String> = upward
        .map(|import| format!("{module}:{}: imports {}, which is in a layer above", import.line, import.path))
        .collect();
    if WITHOUT_HTTP.contains(&module.split("::").next().unwrap_or_default()) {
        let named = paths(&code, &HTTP_CRATES).into_iter().chain(paths(&tests, &HTTP_CRATES));
        wrong.extend(named.map(|import| {
            format!("{module}:{}: names {}; this layer knows nothing of HTTP", import.line, import.path)
        }));
    }
    wrong
}

/// Every file of `src`, with the path of its module.
fn modules(folder: &Path, path: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = if path.is_empty() { name.clone() } else { format!("{path}::{name}") };
        if file.is_dir() {
            modules(&file, &module, found);
        } else {
            let module = if module == "lib" { String::new() } else { module };
            found.push((module, fs::read_to_string(&file).unwrap()));
        }
    }
}

#[test]
fn modules_import_only_from_their_own_layer_and_below() {
    let mut all = Vec::new();
    modules(Path::new("src"), "", &mut all);
    assert!(all.len() > 100, "{}", all.len());
    let wrong: Vec<String> = all.iter().flat_map(|(module, text)| violations(module, text)).collect();
    assert!(wrong.is_empty(), "{} imports:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn module_folders_follow_one_naming_scheme() {
    let mut all = Vec::new();
    modules(Path::new("src"), "", &mut all);
    let wrong: Vec<&String> =
        all.iter().map(|(module, _)| module).filter(|name| name.ends_with("::mod")).collect();
    assert!(wrong.is_empty(), "x.rs and x/, rather than x/mod.rs: {wrong:?}");
}

#[test]
fn finds_upward_imports_in_every_syntax() {
    let wrong = |module: &str, text: &str| violations(module, text).len();
    for text in [
        "use crate::http::dispatch;",
        "use crate::{\n    api::routes,\n    json,\n};",
        "use crate::api::{error::catalog, routes::{auth, ships}};",
        "fn f() { crate::config::defaults() }",
        "use super::http::connection as one;",
        "use rocket::Request;",
        "use hyper::body::{Bytes, Body};",
    ] {
        assert!(wrong("store", text) > 0, "{text}");
    }
    assert_eq!(wrong("store", "use crate::api::{routes::auth, routes::{ships, users}};"), 3);
    for text in [
        "use crate::auth::token::Claims;",
        "// use crate::http::dispatch;\nlet text = \"crate::http\";",
        "use self::rows::Rows;",
        "use crate::{json, model::id::Id};",
    ] {
        assert_eq!(wrong("store", text), 0, "{text}");
    }
    assert_eq!(wrong("api::guards::body", "use crate::api::routes::ships;"), 1);
    assert_eq!(wrong("api::guards::body", "use super::super::error::catalog::ErrorSpec;"), 0);
    assert_eq!(wrong("http::dispatch", "use crate::build;"), 1);
    assert_eq!(wrong("cli::serve", "use shipyard::http::listen;\nuse shipyard::build;"), 0);
}
