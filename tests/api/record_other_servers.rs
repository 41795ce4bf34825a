//! `shipyard record` with other servers: which server a recording is from, and that it holds no secrets.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::{prop_assert_eq, TestCaseError};
use serde_json::json;

use crate::properties::check;
use shipyard::contract::compare::lossless::Json;
use shipyard::contract::recording::message::header;
use shipyard::contract::recording::{curl, script::Variables};
use test_support::program::{folder, run, shipyard, Run};

/// A server that sends the same head and body to each request, and stores the requests.
struct Foreign {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Foreign {
    fn answering(head: &str, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut bytes = [0; 8192];
                let count = connection.read(&mut bytes).unwrap_or_default();
                kept.lock().unwrap().push(String::from_utf8_lossy(&bytes[..count]).into_owned());
                let _ = connection.write_all(answer.as_bytes());
            }
        });
        Self { url, requests }
    }

    /// Another server, which accepts everything.
    fn content() -> Self {
        Self::answering("200 OK\r\nServer: gunicorn\r\nContent-Type: application/json", "{\"fine\": true}")
    }
}

fn record(fixtures: &Path, arguments: &[&str], stdin: Option<&str>) -> Run {
    let flags = ["record", "--fixtures", fixtures.to_str().unwrap()];
    run(&mut shipyard(fixtures, &[&flags, arguments].concat()), stdin)
}

/// Every file below a folder, with its content.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            files.push((path, text));
        }
    }
    files.sort();
    files
}

const LINES: &str = "# one\ncurl http://localhost:5000/v2/one\n# two\ncurl http://localhost:5000/v2/two\n";

#[test]
fn does_not_update_a_foreign_recording_from_this_server() {
    let here = folder("foreign");
    let server = Foreign::content();
    let done = record(&here, &["--scenario", "other", "--url", &server.url, "-"], Some(LINES));
    assert_eq!(done.code, Some(0), "{done:?}");
    let made = files(&here);
    let sources = std::fs::read_to_string(here.join("SOURCES")).unwrap();
    assert_eq!(sources, format!("other  {}\n", server.url));

    for file in [None, Some("-")] {
        let arguments = [&["--scenario", "other", "--update"], file.as_slice()].concat();
        let done = record(&here, &arguments, Some(LINES));
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.stderr.contains(&format!("other was recorded from {}: ", server.url)), "{done:?}");
        assert!(done.stderr.contains("--url"), "{done:?}");
        assert_eq!(files(&here), made);
        // The update is requested, but would replace successes with errors: each is named.
        let done = record(&here, &[&arguments[..], &["--in-process"]].concat(), Some(LINES));
        assert_eq!(done.code, Some(1), "{done:?}");
        for name in ["01-one", "02-two"] {
            assert!(done.stderr.contains(&format!("other/{name}: recorded 200, now 404\n")), "{done:?}");
        }
        assert_eq!(files(&here), made);
    }
    let again = record(&here, &["--scenario", "other", "--update", "--url", &server.url], None);
    assert!(again.code == Some(0) && again.stdout.ends_with("nothing has changed\n"), "{again:?}");

    let flags = ["--scenario", "other", "--update", "--in-process", "--accept-errors"];
    let done = record(&here, &flags, None);
    assert_eq!((done.code, done.stdout.matches("updated").count()), (Some(0), 2), "{done:?}");
    assert_eq!(std::fs::read_to_string(here.join("SOURCES")).unwrap(), "other  in-process\n");
}

#[test]
fn an_update_from_another_address_names_it_as_the_source() {
    let here = folder("foreign_moved");
    let before = Foreign::content();
    let done = record(&here, &["--scenario", "s", "--url", &before.url, "-"], Some(LINES));
    assert_eq!(done.code, Some(0), "{done:?}");
    let now = Foreign::answering("200 OK\r\nContent-Type: application/json", "{\"fine\": false}");
    let done = record(&here, &["--scenario", "s", "--update", "--url", &now.url], None);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(std::fs::read_to_string(here.join("SOURCES")).unwrap(), format!("s  {}\n", now.url));
}

/// Recordings of earlier versions do not name their source, except in the Server header.
#[test]
fn does_not_replace_a_success_with_an_error_unless_told() {
    for (server, reason) in [
        ("Server: gunicorn\n", "was recorded from gunicorn: "),
        ("Server: Werkzeug/3.0\n", "now 404"),
        ("", "now 404"),
    ] {
        let here = folder("foreign_earlier");
        std::fs::create_dir(here.join("other")).unwrap();
        for number in 1..=7 {
            let text = format!(
                "$ curl http://localhost:5000/v2/{number}\nHTTP/1.1 20{} OK\n{server}Date: Mon, 23 Nov 2026 18:26:45 GMT\n\n{{}}",
                number % 3
            );
            std::fs::write(here.join(format!("other/{number}.txt")), text).unwrap();
        }
        // A response that differs only in its layout is not written either.
        let ships = "$ curl http://localhost:5000/api/ships/1\nHTTP/1.1 200 OK\nDate: Mon, 23 Nov 2026 18:26:45 GMT\n\n{}";
        std::fs::write(here.join("other/8.txt"), ships).unwrap();
        let made = files(&here);
        let done = record(&here, &["--scenario", "other", "--update"], None);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.stderr.contains(reason), "{done:?}");
        let named = done.stderr.lines().filter(|line| line.contains(", now 404")).count();
        assert_eq!(named, if server.contains("gunicorn") { 0 } else { 7 }, "{done:?}");
        assert_eq!(files(&here), made);
    }
}

/// Neither under another name nor from a live server.
#[test]
fn new_lines_do_not_turn_a_success_into_an_error_unless_told() {
    let here = folder("foreign_lines");
    let done =
        record(&here, &["--scenario", "own", "-"], Some("# ships\ncurl http://localhost:5000/api/ships\n"));
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(std::fs::read_to_string(here.join("SOURCES")).unwrap(), "own  in-process\n");
    let made = files(&here);
    let failing = Foreign::answering("503 Service Unavailable", "");
    for arguments in [&["-"][..], &[]] {
        let flags = ["--scenario", "own", "--update", "--url", &failing.url];
        let lines = "# list\ncurl http://localhost:5000/api/ships\n";
        let done = record(&here, &[&flags, arguments].concat(), Some(lines));
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.stderr.contains("own/01-ships: recorded 200, now 503\n"), "{done:?}");
        assert_eq!(files(&here), made);
    }
    for arguments in
        [&["--in-process"][..], &["--accept-errors"], &["--update", "--in-process", "--url", "http://a"]]
    {
        let done = record(&here, &[&["--scenario", "own", "-"], arguments].concat(), Some(LINES));
        assert_eq!(done.code, Some(2), "{arguments:?}: {done:?}");
    }
}

/// The original's exchanges cannot be recorded again, and a changed transcript is reported.
#[test]
fn keeps_what_cannot_be_recorded_again_and_reports_manual_edits() {
    let here = folder("recorded_original");
    let done = record(&here, &["--scenario", "own", "-"], Some(LINES));
    assert_eq!(done.code, Some(0), "{done:?}");
    std::fs::write(here.join("SOURCES"), "own  original\n").unwrap();
    let made = files(&here);
    let done = record(&here, &["--scenario", "own", "--update", "-"], Some(LINES));
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("cannot be recorded again"), "{done:?}");
    assert_eq!(files(&here), made);
    let (path, text) =
        made.iter().find(|(path, _)| path.extension().is_some_and(|end| end == "txt")).unwrap();
    std::fs::write(path, text.replace("Server: Shipyard", "Server: Another")).unwrap();
    let done = record(&here, &["--scenario", "own", "--update"], None);
    assert!(done.stdout.contains("updated") && done.stdout.contains("SHA256SUMS"), "{done:?}");
    let done = record(&here, &["--scenario", "x", "--url", "http://u:hunter2@h:1", "-"], Some(LINES));
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(!done.stderr.contains("hunter2"), "{done:?}");
}

/// A reader of a recording may paste its line into a shell, and the server chose the value.
#[test]
fn captured_values_are_quoted_for_the_shell() {
    let words = |value: &str| {
        let mut variables = Variables::default();
        let answer = Json::parse(json!({ "x": value }).to_string().as_bytes()).expect("JSON");
        variables.capture("login", &answer);
        variables.expand("curl http://a/ -d \"<$x>\" -H A:$x").expect("a curl line")
    };
    check("[ -~é\u{2028}]{0,12}", |value| {
        let request = curl::parse(&words(&value)).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(request.body, Some(format!("<{value}>").into_bytes()));
        // Without a value, curl does not send the header.
        prop_assert_eq!(header(&request.headers, "A").unwrap_or_default(), value.trim_matches(' '));
        Ok(())
    });
    let here = folder("shell_values");
    for value in [
        "$(touch canary)",
        "`touch canary`",
        "'; touch canary; '",
        "\"; touch canary; \"",
        "a\\",
        "!x *?~#",
        "-x",
    ] {
        let line = words(value).replacen("curl", "printf '%s\\n'", 1);
        let done = std::process::Command::new("sh").args(["-c", &line]).current_dir(&here).output().unwrap();
        let output = String::from_utf8(done.stdout).unwrap();
        assert_eq!(output, format!("http://a/\n-d\n<{value}>\n-H\nA:{value}\n"), "{line}");
    }
    assert_eq!(files(&here), []);
}

/// A secret: no file may contain it.
const SECRET: &str = "hunter2-hunter2-7f3a9b";

/// A token of another server, signed with a key that is not public; valid until the year 2100.
const FOREIGN_JWT: &str =
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjQxMDI0NDQ4MDB9.c2lnbmVkIGJ5IHNvbWVvbmUgZWxzZQ";

/// Secret values, and where they are.
fn holding_a_secret(folder: &Path) -> Vec<PathBuf> {
    let holds =
        |text: &str| [SECRET, FOREIGN_JWT, "aHVudGVyMjpodW50ZXIy"].iter().any(|secret| text.contains(secret));
    files(folder).into_iter().filter(|(_, text)| holds(text)).map(|(path, _)| path).collect()
}

/// A double cannot represent these numbers.
#[test]
fn numbers_are_recorded_as_they_were_written() {
    let here = folder("numbers");
    let body = r#"{"big": 18446744073709551617, "exact": 1.50, "small": -0.10000000000000000000001}"#;
    let server = Foreign::answering("200 OK\r\nContent-Type: application/json", body);
    let lines = "curl http://localhost:5000/a\ncurl http://localhost:5000/a?$big\n";
    let done = record(&here, &["--url", &server.url, "--scenario", "own", "-"], Some(lines));
    assert_eq!(done.code, Some(0), "{done:?}");
    let (_, text) = files(&here).into_iter().find(|(path, _)| path.ends_with("02-exchange-2.txt")).unwrap();
    assert!(text.starts_with("$ curl http://localhost:5000/a?18446744073709551617\n"), "{text}");
    let laid_out = "{\n  \"big\": 18446744073709551617, \n  \"exact\": 1.50, \n  \"small\": \
                    -0.10000000000000000000001\n}\n";
    assert!(text.ends_with(laid_out), "{text}");
    let huge = Foreign::answering("200 OK\r\nContent-Type: application/json", r#"{"a": 1e999}"#);
    let done = record(
        &here,
        &["--url", &huge.url, "--scenario", "huge", "-"],
        Some("curl http://localhost:5000/a\n"),
    );
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("the body cannot be recorded: number out of range"), "{done:?}");
}

#[test]
fn does_not_record_secrets_in_requests() {
    let server = Foreign::content();
    for (name, what) in [
        (format!("-H \"Authorization: Bearer {SECRET}\""), "header: Authorization"),
        (format!("-H \"Authorization: Bearer {FOREIGN_JWT}\""), "header: Authorization"),
        ("-H 'Authorization: Basic aHVudGVyMjpodW50ZXIy'".to_owned(), "header: Authorization"),
        (format!("-H 'Proxy-Authorization: Digest {SECRET}'"), "header: Proxy-Authorization"),
        (format!("-H 'authorization: {SECRET}'"), "header: authorization"),
        (format!("-H 'Cookie: a=; session={SECRET}'"), "header: Cookie"),
        (format!("-H 'X-Api-Key: {SECRET}'"), "header: X-Api-Key"),
        (format!("-H 'PRIVATE-TOKEN: {SECRET}'"), "header: PRIVATE-TOKEN"),
        (format!("-H 'X-Whatever: {FOREIGN_JWT}'"), "header: X-Whatever"),
        (format!("-H 'X-Password: {SECRET}'"), "header: X-Password"),
        (format!("'http://localhost:5000/a?b=c&api_key={SECRET}'"), "query: api_key"),
        (format!("'http://localhost:5000/a?%61ccess_token={SECRET}'"), "query: access_token"),
        (format!("'http://localhost:5000/a?b=c&key={SECRET}'"), "query: key"),
        (format!("'http://localhost:5000/a/{FOREIGN_JWT}'"), "address: path"),
        (format!("'http://user:{SECRET}@localhost:5000/a'"), ""),
        (format!("'https://localhost:5000/a?key={SECRET}'"), ""),
        (format!("-u '{SECRET}'"), ""),
        (format!("-b '{SECRET}'"), ""),
        (format!("-H 'X-Api-Key: {SECRET}\u{1}'"), ""),
        (format!("-u 'user:{SECRET}'"), ""),
        (format!("-u '{SECRET}:'"), "header: Authorization"),
        (format!("-d 'grant_type=x&client_secret={SECRET}'"), "body: client_secret"),
        (format!("-d '{{\"a\": [{{\"refreshToken\": \"{SECRET}\"}}]}}'"), "body: refreshToken"),
        (format!("-d '{{\"tokens\": [\"{SECRET}\"]}}'"), "body: tokens"),
        (format!("-d '{{\"a\": \"see {FOREIGN_JWT}\"}}'"), "body: a"),
        (format!("-d 'text {FOREIGN_JWT}'"), "body: body"),
        (format!("-d 'auth[token]={SECRET}&scope=a b'"), "body: auth[token]"),
        (format!("-d '{{\"a\": 1e999, \"client_secret\": \"{SECRET}\"}}'"), "body: client_secret"),
    ] {
        for live in [&["--url", server.url.as_str()][..], &[]] {
            let here = folder("secret_requests");
            let url = if name.contains("http://") { "" } else { "http://localhost:5000/a" };
            let lines = format!("curl {url} {name}\n");
            let done = record(&here, &[live, &["--scenario", "s", "-"]].concat(), Some(&lines));
            assert_eq!(done.code, Some(1), "{name}: {done:?}");
            assert!(done.stderr.contains("line 1: ") && done.stderr.contains(what), "{name}: {done:?}");
            assert!(what.is_empty() || done.stderr.contains("$SHIPYARD_SECRET_"), "{name}: {done:?}");
            assert!(!(done.stdout + &done.stderr).contains(SECRET), "{name}: the secret is shown");
            assert_eq!(files(&here), [], "{name}");
        }
    }
    // A request that would have revealed a secret was not even sent.
    assert_eq!(server.requests.lock().unwrap().len(), 0);
}

#[test]
fn does_not_record_secrets_in_responses() {
    for (head, body, what) in [
        (
            "200 OK",
            format!("{{\"access_token\": \"{SECRET}\", \"token_type\": \"bearer\"}}"),
            "body: access_token",
        ),
        ("200 OK", format!("{{\"data\": [{{\"api-key\": \"{SECRET}\"}}]}}"), "body: api-key"),
        ("200 OK", format!("{{\"password\": \"{SECRET}\"}}"), "body: password"),
        (
            "200 OK",
            format!("{{\"access_token\": \"{FOREIGN_JWT}\"}}"),
            "only tokens that are signed by HS256",
        ),
        ("200 OK", format!("{{\"data\": {{\"a\": \"{FOREIGN_JWT}\"}}}}"), "body: a"),
        ("200 OK", format!("[\"{FOREIGN_JWT}\"]"), "body: body"),
        ("200 OK", format!("<a>{FOREIGN_JWT}</a>"), "body: body"),
        ("200 OK", format!("access_token={SECRET}&scope=x"), "body: access_token"),
        ("200 OK", format!("scope=a b&access_token={SECRET}\n"), "body: access_token"),
        ("200 OK", format!("{{\"client_secret\": \"{SECRET}\",}}"), "body: client_secret"),
        ("200 OK", format!("{{\"session\": {{\"id\": \"{SECRET}\"}}}}"), "body: session"),
        ("200 OK", "{\"otp\": 493817}".to_owned(), "body: otp"),
        ("302 Found\r\nLocation: /next?code=hunter2-hunter2-7f3a9b", String::new(), "Location: code"),
        (
            "302 Found\r\nLocation: http://a/#access_token=hunter2-hunter2-7f3a9b",
            String::new(),
            "Location: access_token",
        ),
        ("302 Found\r\nLocation: http://u:hunter2-hunter2-7f3a9b@a/", String::new(), "Location: user"),
        ("302 Found\r\nLocation: //u:hunter2-hunter2-7f3a9b@a/", String::new(), "Location: user"),
        ("200 OK\r\nRefresh: 0;url=/x?token=hunter2-hunter2-7f3a9b", String::new(), "Refresh: token"),
        ("200 OK\r\nRefresh: 0;url=//u:hunter2-hunter2-7f3a9b@a/", String::new(), "Refresh: user"),
        (
            "200 OK\r\nLink: </a>; rel=up, </x?access_token=hunter2-hunter2-7f3a9b>",
            String::new(),
            "Link: access_token",
        ),
        ("200 OK\r\nLink: </x?a=b&key=hunter2-hunter2-7f3a9b>", String::new(), "Link: key"),
        ("200 OK\r\nX-Info: a=b,session_id=hunter2-hunter2-7f3a9b", String::new(), "X-Info: session_id"),
    ] {
        let here = folder("secret_answers");
        let server = Foreign::answering(head, &body);
        let done = record(&here, &["--scenario", "s", "--url", &server.url, "-"], Some(LINES));
        assert_eq!(done.code, Some(1), "{body}: {done:?}");
        assert!(done.stderr.contains(what) && done.stderr.contains("line 2: "), "{body}: {done:?}");
        assert!(!(done.stdout + &done.stderr).contains(SECRET), "{body}: the secret is shown");
        assert_eq!(files(&here), [], "{body}");
    }
}

/// These headers are not compared, so a recording without them can be replayed.
#[test]
fn omits_the_values_of_cookies_and_secret_headers() {
    let here = folder("secret_cookies");
    let head = format!(
        "200 OK\r\nSet-Cookie: session={SECRET}; Path=/; HttpOnly\r\nset-cookie: b={FOREIGN_JWT}\r\nX-Auth-Token: {SECRET}\r\n\
         Content-Type: application/json"
    );
    let server = Foreign::answering(&head, "{\"fine\": true}");
    let done = record(&here, &["--scenario", "s", "--url", &server.url, "-"], Some(LINES));
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(holding_a_secret(&here), Vec::<PathBuf>::new());
    let text = std::fs::read_to_string(here.join("s/01-one.txt")).unwrap();
    assert!(text.contains("\nSet-Cookie: session=REDACTED; Path=/; HttpOnly\n"), "{text}");
    assert!(text.contains("\nX-Auth-Token: REDACTED\n"), "{text}");
    for name in ["Set-Cookie session", "set-cookie b", "X-Auth-Token"] {
        let expected = format!("shipyard: warning: line 2: the value of {name} is not recorded\n");
        assert!(done.stderr.contains(&expected), "{name}: {done:?}");
    }
    let fixtures = here.to_str().unwrap();
    let flags = ["verify", "--url", &server.url, "--scenario", "s", "--fixtures", fixtures];
    let done = run(&mut shipyard(&here, &flags), None);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn fills_in_request_secrets_from_the_environment() {
    let here = folder("secret_variables");
    let server = Foreign::content();
    let lines = "curl \"http://localhost:5000/a?api_key=$SHIPYARD_SECRET_KEY\" -H \"Authorization: Bearer ${SHIPYARD_SECRET_KEY}\" -d \"token=$SHIPYARD_SECRET_KEY\"\n";
    let arguments = ["--scenario", "s", "--url", &server.url, "-"];
    let unset = record(&here, &arguments, Some(lines));
    assert!(unset.code == Some(1) && unset.stderr.contains("SHIPYARD_SECRET_KEY is not set"), "{unset:?}");
    assert_eq!((files(&here).len(), server.requests.lock().unwrap().len()), (0, 0));

    let fixtures = here.to_str().unwrap();
    let with = |arguments: &[&str], stdin| {
        let mut command = shipyard(&here, &[arguments, &["--fixtures", fixtures]].concat());
        run(command.env("SHIPYARD_SECRET_KEY", SECRET), stdin)
    };
    let done = with(&[&["record"], &arguments[..]].concat(), Some(lines));
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{done:?}");
    assert_eq!(holding_a_secret(&here), Vec::<PathBuf>::new());
    let text = std::fs::read_to_string(here.join("s/01-exchange-1.txt")).unwrap();
    assert!(text.starts_with(&format!("$ {lines}")), "{text}");

    let flags = ["verify", "--url", &server.url, "--scenario", "s"];
    let done = with(&flags, None);
    assert!(done.code == Some(0) && done.stdout.contains("1 match"), "{done:?}");
    let sent = server.requests.lock().unwrap().clone();
    let filled: Vec<&String> = sent.iter().filter(|request| request.contains("/a?")).collect();
    assert_eq!(filled.len(), 2);
    for request in filled {
        assert_eq!(request.matches(SECRET).count(), 3, "{request}");
    }
    let done = run(&mut shipyard(&here, &[&flags[..], &["--fixtures", fixtures]].concat()), None);
    assert!(done.stdout.contains("SHIPYARD_SECRET_KEY must be set"), "{done:?}");
    // Without the variable, its name is not sent as the secret.
    let done = run(&mut shipyard(&here, &["export", "--http", "--fixtures", fixtures]), None);
    assert!(done.stderr.contains("the secret SHIPYARD_SECRET_KEY, which is not recorded"), "{done:?}");

    // A response may not repeat the secret either.
    let echo = Foreign::answering("200 OK", &format!("you sent {SECRET}"));
    let arguments = ["record", "--scenario", "echo", "--url", &echo.url, "-"];
    let done = with(&arguments, Some("curl http://localhost:5000/ -H \"X-Api-Key: $SHIPYARD_SECRET_KEY\"\n"));
    assert!(done.code == Some(1) && done.stderr.contains("response's text: SHIPYARD_SECRET_KEY"), "{done:?}");
    assert_eq!(holding_a_secret(&here), Vec::<PathBuf>::new());
}

#[test]
fn finds_a_secret_in_another_spelling_in_a_response() {
    let value = r#"p+q/r"s\t~ü <&"#;
    for (head, body) in [
        ("200 OK", value),
        ("200 OK", r#"you sent p+q/r\"s\\t~ü <& here"#),
        ("200 OK\r\nContent-Type: application/json", r#"{"x": "p+q/r\"s\\t~ü <&"}"#),
        ("200 OK", r#"{"x": "p+q\/r\u0022s\u005Ct~\u00fc \u003c\u0026"}"#),
        ("200 OK", "<a href='/?q=p%2Bq%2Fr%22s%5Ct~%C3%BC%20%3C%26'>"),
        ("200 OK", "q=p%2bq%2fr%22s%5ct%7e%c3%bc+%3c%26"),
        ("200 OK", "/p+q/r%22s%5Ct~%C3%BC%20%3C&"),
        ("200 OK\r\nX-Next: /p%2bq%2Fr%22s%5ct~%C3%bc%20%3C%26", ""),
    ] {
        let here = folder("secret_spellings");
        let server = Foreign::answering(head, body);
        let flags =
            ["record", "--scenario", "s", "--url", &server.url, "--fixtures", here.to_str().unwrap(), "-"];
        let lines = "curl http://localhost:5000/ -d \"x=$SHIPYARD_SECRET_KEY\"\n";
        let done = run(shipyard(&here, &flags).env("SHIPYARD_SECRET_KEY", value), Some(lines));
        assert_eq!(done.code, Some(1), "{head} {body}: {done:?}");
        assert!(done.stderr.contains("response's text: SHIPYARD_SECRET_KEY"), "{head} {body}: {done:?}");
        assert_eq!(files(&here), [], "{head} {body}");
    }
}

/// Names of policy or error parameters, and addresses without credentials.
#[test]
fn headers_without_secrets_are_recorded() {
    let here = folder("no_secret_headers");
    let head = "200 OK\r\nPermissions-Policy: otp-credentials=()\r\nX-Error: code=17\r\n\
                Link: <https://a/@b?page=2>; rel=\"next\"\r\nRefresh: 5; url=//a/b@c\r\n\
                Location: /a//b@c";
    let server = Foreign::answering(head, "");
    let done = record(&here, &["--scenario", "s", "--url", &server.url, "-"], Some(LINES));
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{done:?}");
}

#[test]
fn an_update_records_no_secret() {
    let here = folder("secret_updates");
    let before = Foreign::content();
    let arguments = ["--scenario", "s", "--update", "--url"];
    let done = record(&here, &["--scenario", "s", "--url", &before.url, "-"], Some(LINES));
    assert_eq!(done.code, Some(0), "{done:?}");
    let made = files(&here);
    for body in [
        format!("{{\"fine\": true, \"access_token\": \"{FOREIGN_JWT}\"}}"),
        format!("{{\"fine\": true, \"secret\": \"{SECRET}\"}}"),
    ] {
        let now = Foreign::answering("200 OK\r\nContent-Type: application/json", &body);
        let done = record(&here, &[&arguments[..], &[&now.url]].concat(), None);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.stderr.contains("s/01-one: a secret in the response's body: "), "{done:?}");
        assert_eq!(files(&here), made);
        // A valid token is a secret, whatever its field is called.
        let not_secret = [&arguments[..], &[&now.url, "--not-secret", "access_token"]].concat();
        let done = record(&here, &not_secret, None);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert_eq!(done.stderr.contains("signed and still good"), body.contains(FOREIGN_JWT), "{done:?}");
        assert_eq!(files(&here), made);
    }
}

/// Suspicious values are reported; values that are declared not secret are recorded.
#[test]
fn reports_values_that_may_be_secret() {
    let here = folder("secret_notes");
    let random = "q8Zt3xVb7Lw2Kd9Rf5Hj1";
    let server = Foreign::answering(
        "200 OK\r\nContent-Type: application/json\r\nX-Trace: q8Zt3xVb7Lw2Kd9Rf5Hj1\r\nETag: \"q8Zt3xVb7Lw2Kd9Rf5Hj1\"",
        &format!("{{\"note\": \"{random}\", \"next_page_token\": \"{random}\", \"id\": \"450580f5-bb38-4d70-bb62-e94ae9e67d4c\"}}"),
    );
    let lines = format!(
        "curl 'http://localhost:5000/{random}' -d '{{\"name\": \"ann\", \"password\": \"{SECRET}\"}}'\n"
    );
    let arguments = ["--scenario", "s", "--url", &server.url, "-"];
    let done = record(&here, &arguments, Some(&lines));
    assert!(done.code == Some(1) && done.stderr.contains("the response's body: next_page_token"), "{done:?}");
    assert_eq!(files(&here), []);
    let done = record(&here, &[&arguments[..], &["--not-secret", "Next_Page_Token"]].concat(), Some(&lines));
    assert_eq!(done.code, Some(0), "{done:?}");
    for note in [
        "path in the request has a random value of 22 characters",
        "password: the password is recorded as it is",
        "note in the response has a random value of 21 characters",
        "X-Trace in the response has a random value of 21 characters",
    ] {
        assert!(done.stderr.contains(&format!("shipyard: warning: line 1: {note}")), "{note}: {done:?}");
    }
    assert_eq!(done.stderr.lines().count(), 4, "{done:?}");

    // The passwords of the example data are public, and its tokens are signed with the public key.
    let here = folder("secret_nothing");
    let lines = "curl http://localhost:5000/auth/login -H 'Content-Type: application/json' -d '{\"username\":\"user\", \"password\":\"password\"}'\n\
                 curl http://localhost:5000/auth/logout -X POST -H \"Authorization: Bearer $access_token\"\n\
                 curl http://localhost:5000/api/ships/1 -X DELETE -H 'Authorization: Basic dXNlcjpwYXNzd29yZA=='\n";
    let done = record(&here, &["--scenario", "s", "-"], Some(lines));
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{done:?}");
}

/// The server must receive nothing but what the lines say.
#[test]
fn a_server_cannot_choose_which_secret_it_receives() {
    let with = |here: &Path, arguments: &[&str], stdin: Option<&str>| {
        let flags = [arguments, &["--fixtures", here.to_str().unwrap()]].concat();
        let mut command = shipyard(here, &flags);
        run(command.env("SHIPYARD_SECRET_OTHER", SECRET).env("SHIPYARD_SECRET_KEY", "mine"), stdin)
    };
    let json = "200 OK\r\nContent-Type: application/json";
    for (body, second, reason) in [
        (r#"{"id": "$SHIPYARD_SECRET_OTHER"}"#, r#"-H "X-Id: $id""#, "id names a secret"),
        (r#"{"id": "a${SHIPYARD_SECRET_OTHER}"}"#, r#"-d "{\"id\": \"$id\"}""#, "id names a secret"),
        (
            r#"{"a": "$SHIPYARD_SEC", "b": "RET_OTHER"}"#,
            r#"-H "X-Id: $a$b""#,
            "it names SHIPYARD_SECRET_OTHER",
        ),
        (r#"{"id": "OTHER"}"#, r#"-H "X-Id: $SHIPYARD_SECRET_$id""#, "it names SHIPYARD_SECRET_OTHER"),
    ] {
        let here = folder("secret_chosen");
        let server = Foreign::answering(json, body);
        let lines = format!("curl http://localhost:5000/a\ncurl http://localhost:5000/b {second}\n");
        let done = with(&here, &["record", "--scenario", "s", "--url", &server.url, "-"], Some(&lines));
        assert_eq!(done.code, Some(1), "{body}: {done:?}");
        assert!(done.stderr.contains("line 2: ") && done.stderr.contains(reason), "{body}: {done:?}");
        assert!(!server.requests.lock().unwrap().concat().contains(SECRET), "{body}");
    }

    // The original's scenarios: their tokens and ids come from the live server.
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let server = Foreign::answering(
        json,
        r#"{"access_token": "$SHIPYARD_SECRET_OTHER", "refresh_token": "${SHIPYARD_SECRET_OTHER}"}"#,
    );
    let done = with(&fixtures, &["verify", "--url", &server.url], None);
    assert_eq!(done.code, Some(1), "{done:?}");
    let sent = server.requests.lock().unwrap().concat();
    assert!(sent.contains("Bearer $SHIPYARD_SECRET_OTHER"), "{done:?}");
    assert!(!sent.contains(SECRET), "{done:?}");
}

/// A value is quoted wherever it is used.
#[test]
fn a_secret_value_cannot_add_parts_to_a_request() {
    let server = Foreign::content();
    let record = |value: &str, line: &str| {
        let here = folder("secret_values");
        let fixtures = here.to_str().unwrap().to_owned();
        let flags = ["record", "--fixtures", &fixtures, "--scenario", "s", "--url", &server.url, "-"];
        let lines = format!("curl http://localhost:5000/a {line}\n");
        run(shipyard(&here, &flags).env("SHIPYARD_SECRET_KEY", value), Some(&lines))
    };
    let header = r#"-H "X-Api-Key: $SHIPYARD_SECRET_KEY""#;
    let broken = r#"-d "{\"token\": \"$SHIPYARD_SECRET_KEY\",}""#;
    for (value, line, what) in [
        ("hunter2\r\nX-Admin: 1", header, "a control character"),
        ("hunter2\n", "-d \"token=$SHIPYARD_SECRET_KEY\"", "a control character"),
        ("hunter2\", \"admin\": \"1", broken, "a quotation mark or a backslash"),
    ] {
        let done = record(value, line);
        assert_eq!(done.code, Some(1), "{line}: {done:?}");
        let expected = format!("line 1: the value of SHIPYARD_SECRET_KEY has {what} in it");
        assert!(done.stderr.contains(&expected) && !done.stderr.contains("hunter2"), "{line}: {done:?}");
    }
    assert_eq!(server.requests.lock().unwrap().len(), 0);
    let done = record("a\"b\\c", r#"-d "{\"token\": \"$SHIPYARD_SECRET_KEY\"}""#);
    assert_eq!(done.code, Some(0), "{done:?}");
    let sent = server.requests.lock().unwrap().concat();
    assert!(sent.ends_with(r#"{"token": "a\"b\\c"}"#), "{sent}");
}
