//! `shipyard export`: every recorded exchange in the formats of other tools.

use std::path::{Path, PathBuf};

use proptest::prelude::{prop_assert, prop_oneof, Strategy};
use proptest::test_runner::TestCaseError;
use rocket::http::Method;
use serde_json::{json, Value};

use crate::properties::check;
use shipyard::contract::export::{http, hurl};
use shipyard::contract::recording::fixtures::Scenario;
use shipyard::contract::recording::message::{header, Request, Response};
use shipyard::contract::recording::transcript::Exchange;
use test_support::program::{folder, run, shipyard, Run};
use test_support::snapshots;
use test_support::transcript::{scenario_named, scenarios, FIXTURES};

fn export(arguments: &[&str]) -> Run {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    run(&mut shipyard(here, &[&["export"], arguments].concat()), None)
}

/// The output of a run that must succeed.
fn exported(arguments: &[&str]) -> String {
    let Run { code, stdout, stderr } = export(arguments);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
    stdout
}

fn archive(arguments: &[&str]) -> Value {
    serde_json::from_str(&exported(&[&["--har"], arguments].concat())).expect("JSON")
}

fn entries(archive: &Value) -> &Vec<Value> {
    archive["log"]["entries"].as_array().expect("entries")
}

/// A folder with one exchange whose texts are syntax in other tools.
fn awkward(name: &str) -> PathBuf {
    let fixtures = folder(name);
    let scenario = fixtures.join("awkward");
    std::fs::create_dir(&scenario).unwrap();
    let transcript = r##"$ curl -i 'http://localhost:5000/api/x?a=%7B&b=c+d&e' -X POST -d '# {"a": "\u0041 `{{x}}` \\ "} ' -H "X-Y: {{a}} #b" -H "Cookie: a=b; c=d" -H "Empty;"
HTTP/1.1 307 Temporary Redirect
Content-Type: application/json
Location: https://example.org/api/x
Set-Cookie: s="1"; Path=/; HttpOnly
Date: Mon, 23 Nov 2026 18:26:45 GMT

{"a b": [], "c": {}, "d": {"e": [1.5, null, true, "x \"{{y}} \\ é \u0007#"]}, "one": {"m": ["k"]}, "it's": -0.5}
"##;
    std::fs::write(scenario.join("01-awkward name.txt"), transcript).unwrap();
    fixtures
}

#[test]
fn har() {
    snapshots()
        .bind(|| insta::assert_snapshot!("export_har", exported(&["--har", "--scenario", "login-errors"])));
}

#[test]
fn hurl() {
    snapshots()
        .bind(|| insta::assert_snapshot!("export_hurl", exported(&["--hurl", "--scenario", "token-errors"])));
}

#[test]
fn http() {
    snapshots()
        .bind(|| insta::assert_snapshot!("export_http", exported(&["--http", "--scenario", "token-errors"])));
}

#[test]
fn escapes_the_syntax_of_other_tools() {
    let fixtures = awkward("awkward fixtures");
    let forms = ["--har", "--hurl", "--http"];
    let text = forms.map(|form| exported(&[form, "--fixtures", fixtures.to_str().unwrap()])).join("\n");
    snapshots().bind(|| insta::assert_snapshot!("export_awkward", text));
}

#[test]
fn the_archive_has_every_exchange_as_recorded() {
    let archive = archive(&[]);
    let mut entries = entries(&archive).iter();
    for scenario in scenarios() {
        for exchange in &scenario.exchanges {
            let entry = entries.next().unwrap_or_else(|| panic!("{} is missing", exchange.name));
            assert_eq!(entry["comment"], format!("{}/{}", scenario.name, exchange.name));
            assert_eq!(entry["pageref"], scenario.name.as_str());
            says_the_same(&scenario.name, exchange, entry);
        }
    }
    assert_eq!(entries.next(), None);
}

/// Checks an entry against the transcript: the parsed request and the response as written.
fn says_the_same(scenario: &str, exchange: &Exchange, entry: &Value) {
    let Exchange { name, request: recorded, .. } = exchange;
    let recorded_header = |wanted: &str| header(&recorded.headers, wanted).unwrap_or_default();
    let request = &entry["request"];
    assert_eq!(request["method"], recorded.method.as_str(), "{name}");
    assert_eq!(request["url"], format!("http://{}{}", recorded_header("Host"), recorded.path), "{name}");
    assert_eq!(pairs(&request["headers"]), recorded.headers, "{name}");
    let body = recorded.body.as_ref().map(|body| String::from_utf8(body.clone()).unwrap());
    assert_eq!(request["postData"]["text"].as_str(), body.as_deref(), "{name}");
    assert_eq!(request["bodySize"], body.as_ref().map_or(0, String::len), "{name}");
    let label = body.map(|_| recorded_header("Content-Type"));
    assert_eq!(request["postData"]["mimeType"].as_str(), label, "{name}");

    let response = &entry["response"];
    let text = |pointer: &str| response.pointer(pointer).unwrap().as_str().unwrap();
    let headers = pairs(&response["headers"]);
    let head: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    let status = format!("{} {} {}\n", text("/httpVersion"), response["status"], text("/statusText"));
    let written = std::fs::read_to_string(FIXTURES.file_of(scenario, name)).unwrap();
    let (_, recorded) = written.split_once('\n').unwrap();
    assert_eq!(format!("{status}{head}\n{}", text("/content/text")), recorded, "{name}");
    let named = |wanted: &str| header(&headers, wanted).unwrap_or_default();
    assert_eq!(text("/content/mimeType"), named("Content-Type"), "{name}");
    assert_eq!(text("/redirectURL"), named("Location"), "{name}");
    // Each line of the head ended with two bytes; the transcript has one.
    let lines = headers.len() + 2;
    let size = response["headersSize"].as_u64().unwrap() + response["bodySize"].as_u64().unwrap();
    assert_eq!(size, (recorded.len() + lines) as u64, "{name}");
    assert_eq!(response["bodySize"], response["content"]["size"], "{name}");

    let [_, day, _, year, time, _] = named("Date").split(' ').collect::<Vec<_>>()[..] else {
        panic!("{name}")
    };
    let started = entry["startedDateTime"].as_str().unwrap();
    let ending = format!("-{day}T{time}.000Z");
    assert!(started.starts_with(year) && started.ends_with(&ending), "{name}: {started}");
}

fn pairs(list: &Value) -> Vec<(String, String)> {
    let text = |pair: &Value, member: &str| pair[member].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(|pair| (text(pair, "name"), text(pair, "value"))).collect()
}

#[test]
fn the_archive_is_har_1_2() {
    let schema: Value = serde_json::from_str(include_str!("schemas/har-1.2.json")).expect("JSON");
    let validator = jsonschema::draft7::new(&schema).expect("a schema");
    let fixtures = awkward("awkward archive");
    for archive in
        [archive(&[]), archive(&["--successful"]), archive(&["--fixtures", fixtures.to_str().unwrap()])]
    {
        let errors: Vec<String> = validator
            .iter_errors(&archive)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, [""; 0]);
        let pages: Vec<&Value> =
            archive["log"]["pages"].as_array().unwrap().iter().map(|page| &page["id"]).collect();
        assert!(entries(&archive).iter().all(|entry| pages.contains(&&entry["pageref"])));
    }
}

#[test]
fn the_har_schema_rejects_invalid_archives() {
    let schema: Value = serde_json::from_str(include_str!("schemas/har-1.2.json")).expect("JSON");
    let validator = jsonschema::draft7::new(&schema).expect("a schema");
    let good = archive(&["--scenario", "login-errors"]);
    let entry = |pointer: &str| format!("/log/entries/0{pointer}");
    for pointer in ["", "/request", "/response", "/response/content", "/timings", "/request/postData"] {
        let object = good.pointer(&entry(pointer)).unwrap().as_object().unwrap();
        for member in object
            .keys()
            .filter(|member| !["comment", "pageref", "postData", "text"].contains(&member.as_str()))
        {
            let mut bad = good.clone();
            bad.pointer_mut(&entry(pointer)).unwrap().as_object_mut().unwrap().remove(member);
            assert!(!validator.is_valid(&bad), "without {pointer}/{member}");
        }
    }
    for (pointer, value) in [
        ("/startedDateTime", json!("Mon, 23 Nov 2026 18:26:45 GMT")),
        ("/time", json!(-1)),
        ("/timings/wait", json!(-1)),
        ("/response/status", json!("200")),
        ("/request/url", json!("/api/ships")),
        ("/request/headers/0", json!({"name": "Host"})),
        ("/more", json!(1)),
    ] {
        let mut bad = good.clone();
        match bad.pointer_mut(&entry(pointer)) {
            Some(place) => *place = value,
            None => bad["log"]["entries"][0]["more"] = value,
        }
        assert!(!validator.is_valid(&bad), "{pointer}");
    }
}

#[test]
fn successful_omits_only_the_errors() {
    let all = archive(&[]);
    let wanted: Vec<&Value> = entries(&all)
        .iter()
        .filter(|entry| (200..300).contains(&entry["response"]["status"].as_u64().unwrap()))
        .collect();
    let successful = archive(&["--successful"]);
    assert_eq!(entries(&successful).iter().collect::<Vec<_>>(), wanted);
    assert!(wanted.len() < entries(&all).len());
}

#[test]
fn the_scripts_have_every_exchange_or_name_what_they_omit() {
    for (form, mark) in [("--hurl", "# "), ("--http", "# @title ")] {
        let mut left_out = Vec::new();
        for scenario in scenarios() {
            let text = exported(&[form, "--scenario", &scenario.name]);
            let mut lines = text.lines();
            for Exchange { name, .. } in &scenario.exchanges {
                let line = lines.find(|line| {
                    *line == format!("{mark}{name}") || line.starts_with(&format!("# Left out: {name}, "))
                });
                let line = line.unwrap_or_else(|| panic!("{form}: {}/{name} is missing", scenario.name));
                if line.starts_with("# Left out") {
                    left_out.push(format!("{}/{name}", scenario.name));
                }
            }
            let calls = text
                .lines()
                .filter(|line| line.starts_with("HTTP ") || line.starts_with("?? status "))
                .count();
            let extra =
                text.lines().filter(|line| line.starts_with(&format!("{mark}Not recorded: "))).count();
            let omitted = text.lines().filter(|line| line.starts_with("# Left out: ")).count();
            assert_eq!(calls - extra + omitted, scenario.exchanges.len(), "{form}: {}", scenario.name);
        }
        // Only the server can sign a token that has expired, is not valid yet, or lacks a claim.
        let unsignable = |name: &str| {
            ["-expired", "-expired-two-seconds-ago", "-not-yet-valid", "-identity-missing"]
                .iter()
                .any(|reason| name.ends_with(reason))
        };
        let expected: Vec<String> = scenarios()
            .iter()
            .flat_map(|scenario| {
                scenario.exchanges.iter().map(|known| format!("{}/{}", scenario.name, known.name))
            })
            .filter(|name| unsignable(name))
            .collect();
        assert_eq!(left_out, expected, "{form}");
        assert_eq!(left_out.len(), 8 * 3 + 3, "{form}");
    }
}

#[test]
fn scripts_use_the_tokens_and_address_of_the_live_server() {
    let scenario = scenario_named("readme");
    let recorded: Vec<&str> = scenario.exchanges.iter().filter_map(|known| known.request.token()).collect();
    assert_eq!(recorded.len(), 8);
    for (form, login, token, location, empty) in [
        (
            "--hurl",
            "access_token_login_as_new_user: jsonpath \"$.access_token\"\n",
            "PUT {{base}}/api/users/3\nContent-Type: application/json\nAuthorization: Bearer {{access_token_login_as_new_user}}\n",
            "header \"Location\" == \"{{base}}/api/users/3\"\n",
            "HTTP 204\n[Asserts]\nbytes count == 0\n",
        ),
        (
            "--http",
            "exports.answer_login_as_new_user = { ...response.parsedBody };\n",
            "PUT {{base}}/api/users/3\nContent-Type: application/json\n{{@request\n  request.headers[\"authorization\"] = \"Bearer \" + answer_login_as_new_user[\"access_token\"];\n}}\n",
            "test('location', () => same(response.headers['location'], base + \"/api/users/3\"));\n",
            "?? status == 204\n{{\n  test('body', () => same(String(response.body ?? ''), \"\"));\n",
        ),
    ] {
        let text = exported(&[form, "--scenario", "readme"]);
        for part in [login, token, location, empty] {
            assert!(text.contains(part), "{form}: no {part:?} in {text}");
        }
        assert!(!recorded.iter().any(|token| text.contains(token)), "{form}: {text}");
        assert!(text.find(login) < text.find(token), "{form}");
    }
}

/// An exchange with these texts in the places that a client or a server controls.
fn exchange_of(texts: &[String; 8]) -> Exchange {
    let [name, target, header, sent, label, location, member, answered] = texts;
    let line = |text: &str| text.replace(['\r', '\n'], " ");
    // A request cannot contain them, and would be omitted.
    let sendable = |text: &str| text.replace(char::is_control, "");
    let request = Request::new(Method::Post, &format!("/{}", sendable(target).replace(' ', "")))
        .header("Content-Type", &sendable(label))
        .header("X-A", &sendable(header))
        .header("Host", "localhost:5000")
        .body(sent.as_bytes());
    let body = json!({member: answered, "access_token": answered, "__proto__": [{answered: null}]});
    let headers = [("Content-Type", label), ("Location", location)];
    let headers = headers.map(|(name, value)| (name.to_owned(), line(value))).to_vec();
    let response = Response {
        status_line: "HTTP/1.1 200 OK".to_owned(),
        status: 200,
        headers,
        body: body.to_string().into_bytes(),
    };
    Exchange { name: name.clone(), command: String::new(), request, response, date: 0 }
}

/// Texts that are syntax in the languages of the scripts.
fn meaningful() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        proptest::sample::select(vec![
            "{",
            "}",
            "{{",
            "}}",
            "{{x}}",
            "\n",
            "\r\n",
            "\n}}\n",
            "\n{{\n",
            "\n###\n",
            "\n[Options]\n",
            "`",
            "```",
            "\"",
            "'",
            "\\",
            "\\{",
            "#",
            "${x}",
            "\u{2028}",
            "\u{1b}[2J",
            "@",
            "__proto__",
            "?? ",
            "*",
            " ",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,3}",
    ];
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// Recorded text is data in every line of a script: never a template, a statement or a line of its own.
#[test]
fn recorded_text_is_never_executed_as_code() {
    check(proptest::array::uniform8(meaningful()), |texts| {
        let scenario = Scenario { name: "one".to_owned(), exchanges: vec![exchange_of(&texts)] };
        let text = http::file(&scenario).text;
        let (_, calls) = text.split_once("\n}}\n").expect("what calls have in common");
        calls.lines().try_for_each(is_inert_for_httpyac)?;
        // In an object literal, this member would set the prototype.
        prop_assert!(
            calls.contains("same(json(response), JSON.parse(\"") && !calls.contains("\"__proto__\":")
        );
        hurl::file(&scenario).text.lines().try_for_each(is_inert_for_hurl)
    });
}

fn is_inert_for_httpyac(line: &str) -> Result<(), TestCaseError> {
    let plain =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-?=&".contains(&byte));
    let request = line.strip_prefix("POST {{base}}").is_some_and(plain);
    let known = ["", "###", "{{", "{{@request", "}}"].contains(&line);
    // Comments, a plain JSON body, and statements; none of their texts has two braces.
    let starts = ["  ", "# ", "?? status == 200", "Content-Type: application/json", "{", "["];
    let statement = starts.iter().any(|start| line.starts_with(start));
    let inert = line.starts_with("# ") || !line.contains("{{");
    prop_assert!(known || request || (statement && inert), "{line:?}");
    prop_assert!(!line.contains(char::is_control), "{line:?}");
    Ok(())
}

fn is_inert_for_hurl(line: &str) -> Result<(), TestCaseError> {
    let known = [
        "# ",
        "POST {{base}}/",
        "Content-Type:",
        "X-A:",
        "[Options]",
        "path-as-is: true",
        "`",
        "HTTP 200",
        "[Asserts]",
        "header \"",
        "jsonpath \"",
        "body == \"",
    ];
    prop_assert!(line.is_empty() || known.iter().any(|start| line.starts_with(start)), "{line:?}");
    prop_assert!(!line.contains(char::is_control), "{line:?}");
    let ours = line.matches("{{base}}/").count().min(1);
    prop_assert!(line.starts_with("# ") || line.matches("{{").count() == ours, "{line:?}");
    Ok(())
}

/// The server controls the live tokens and the names of their members.
#[test]
fn member_names_are_not_executed_as_code() {
    let here = folder("odd members");
    let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.x";
    let head = "HTTP/1.1 200 OK\nDate: Mon, 23 Nov 2026 18:26:45 GMT\n\n";
    std::fs::create_dir(here.join("odd")).unwrap();
    let login = format!(
        "$ curl http://localhost:5000/auth/login -d x\n{head}{{\"a}}}};\\n[Options]\": \"{token}\"}}"
    );
    std::fs::write(here.join("odd/1-login.txt"), login).unwrap();
    let using = format!("$ curl http://localhost:5000/ -H 'Authorization: Bearer {token}'\n{head}");
    std::fs::write(here.join("odd/2-use.txt"), using).unwrap();
    let fixtures = here.to_str().unwrap();
    let text = exported(&["--hurl", "--fixtures", fixtures]);
    assert!(
        text.contains("\na_____Options__1_login: jsonpath \"$[\\\"a}};\\\\n[Options]\\\"]\"\n"),
        "{text}"
    );
    assert!(text.contains("\nAuthorization: Bearer {{a_____Options__1_login}}\n"), "{text}");
    let text = exported(&["--http", "--fixtures", fixtures]);
    assert!(text.contains("\"Bearer \" + answer_1_login[\"a}};\\n[Options]\"];\n"), "{text}");
}

#[test]
fn omits_and_names_exchanges_that_a_tool_cannot_send() {
    let here = folder("unsendable");
    std::fs::create_dir(here.join("odd")).unwrap();
    let head = "HTTP/1.1 200 OK\nDate: Mon, 23 Nov 2026 18:26:45 GMT\n\n";
    for (name, options) in [
        ("1-connect", "-X CONNECT"),
        ("2-head", "-X HEAD -d x"),
        ("3-prototype", "-H '__proto__: c'"),
        ("4-fine", "-H 'a: b'"),
    ] {
        let path = here.join(format!("odd/{name}.txt"));
        std::fs::write(path, format!("$ curl http://localhost:5000/ {options}\n{head}")).unwrap();
    }
    for (form, tool, sent) in [("--http", "httpYac", 1), ("--hurl", "Hurl", 2)] {
        let Run { code, stdout, stderr } = export(&[form, "--fixtures", here.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{stderr}");
        let refused: Vec<&str> =
            stdout.lines().filter_map(|line| line.strip_prefix("# Left out: ")).collect();
        assert_eq!(refused.len(), 4 - sent, "{stdout}");
        for line in &refused {
            assert!(line.contains(&format!(": {tool} cannot send ")), "{line}");
        }
        let warned: Vec<&str> = stderr
            .lines()
            .filter_map(|line| line.strip_prefix("shipyard: warning: left out: odd/"))
            .collect();
        assert_eq!(warned, refused);
    }
}

#[test]
fn overwrites_its_own_files_and_no_others() {
    let output = folder("exports");
    let path = output.to_str().unwrap();
    std::fs::write(output.join("readme.hurl"), "old").unwrap();
    std::fs::write(output.join("mine.hurl"), "mine").unwrap();
    let stdout =
        exported(&["--hurl", "--output", path, "--scenario", "readme", "--scenario", "login-errors"]);
    let line =
        |name: &str, count| format!("{}: {count} exchanges, 0 left out\n", output.join(name).display());
    assert_eq!(stdout, line("login-errors.hurl", 7) + &line("readme.hurl", 14));
    let read = |name: &str| std::fs::read_to_string(output.join(name)).unwrap();
    assert_eq!(read("readme.hurl"), exported(&["--hurl", "--scenario", "readme"]));
    assert_eq!(read("mine.hurl"), "mine");
    assert_eq!(std::fs::read_dir(&output).unwrap().count(), 3);
    let file = output.join("all.har");
    assert_eq!(exported(&["--har", "--output", file.to_str().unwrap()]), "");
    assert_eq!(read("all.har"), exported(&["--har"]));
}

#[test]
fn errors_name_the_problem_and_its_place() {
    let output = folder("no exports");
    std::fs::write(output.join("file"), "").unwrap();
    let path = |name: &str| output.join(name).to_str().unwrap().to_owned();
    let (file, missing) = (path("file"), path("missing"));
    let below = path("missing/all.har");
    let mut text = String::new();
    for arguments in [
        &["--help"][..],
        &[],
        &["--har", "--hurl"],
        &["--hurl", "--successful"],
        &["--har", "--scenario", "readme", "--scenario", "nonsense"],
        &["--hurl"],
        &["--http", "--scenario", "readme", "--scenario", "login-errors"],
        &["--har", "--fixtures", &missing],
        &["--har", "--output", &below],
        &["--hurl", "--scenario", "readme", "--output", &file],
    ] {
        let Run { code, stdout, stderr } = export(arguments);
        text +=
            &format!("$ shipyard export {}\n{stdout}{stderr}[{}]\n\n", arguments.join(" "), code.unwrap());
    }
    let text = text.replace(output.to_str().unwrap(), "OUTPUT");
    snapshots().bind(|| insta::assert_snapshot!("export_errors", text));
    assert_eq!(std::fs::read_dir(&output).unwrap().count(), 1, "an error left something behind");
}
