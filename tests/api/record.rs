//! `shipyard record`: recordings can be replayed, and nothing is overwritten without a flag.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use test_support::program::{folder, run, shipyard, Run, Serving};
use test_support::snapshots;
use test_support::transcript::{scenarios, FIXTURES};

const LINES: &str = r#"# Log in
curl -i http://localhost:5000/auth/login -d '{"username":"user", "password":"password"}' -H "Content-Type: application/json"
# create a user
$ curl -i http://localhost:5000/api/users -d '{"name":"ann", "password":"secret"}'

# log in as ann
curl -i http://localhost:5000/auth/login -d '{"username":"ann", "password":"secret"}' \
  -H "Content-Type: application/json"
# rename
curl -i http://localhost:5000/api/users/3 -X PUT -d '{"name":"anna", "password":"secret"}' -H "Authorization: Bearer $access_token"
# of another
curl -i http://localhost:5000/api/users/3 -X DELETE -H "Authorization: Bearer ${log-in.access_token}"
curl -i http://localhost:5000/nothing
"#;

fn record(fixtures: &Path, arguments: &[&str], stdin: Option<&str>) -> Run {
    let flags = ["record", "--fixtures", fixtures.to_str().unwrap()];
    run(&mut shipyard(fixtures, &[&flags, arguments].concat()), stdin)
}

fn verify(fixtures: &Path, scenario: &str) -> Run {
    let flags = ["verify", "--fixtures", fixtures.to_str().unwrap(), "--scenario", scenario];
    run(&mut shipyard(fixtures, &flags), None)
}

/// The files of a scenario, with their content.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn records_curl_lines_as_a_scenario_that_replays() {
    let here = folder("record_new");
    let done = record(&here, &["--scenario", "own", "-"], Some(LINES));
    assert_eq!(done.code, Some(0), "{done:?}");
    let made = files(&here.join("own"));
    let names: Vec<&str> = made.iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap()).collect();
    let expected = [
        "01-log-in.txt",
        "02-create-a-user.txt",
        "03-log-in-as-ann.txt",
        "04-rename.txt",
        "05-of-another.txt",
        "06-exchange-6.txt",
    ];
    assert_eq!(names, expected);
    let statuses: Vec<&str> = made.iter().map(|(_, text)| &text.lines().nth(1).unwrap()[9..12]).collect();
    assert_eq!(statuses, ["200", "201", "200", "200", "403", "404"]);
    let replayed = verify(&here, "own");
    assert_eq!(replayed.code, Some(0), "{replayed:?}");

    let again = record(&here, &["--scenario", "own", "-"], Some(LINES));
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("own is there already: --update records it again"), "{again:?}");
    assert_eq!(files(&here.join("own")), made);
    let unchanged = record(&here, &["--scenario", "own", "--update"], None);
    assert_eq!((unchanged.code, unchanged.stdout.ends_with("own: nothing has changed\n")), (Some(0), true));
    assert_eq!(files(&here.join("own")), made);

    let shorter: String = LINES.lines().take(2).collect::<Vec<_>>().join("\n");
    let fewer = record(&here, &["--scenario", "own", "--update", "-"], Some(&shorter));
    assert_eq!(fewer.code, Some(0), "{fewer:?}");
    assert_eq!(fewer.stdout.lines().filter(|line| line.starts_with("removed")).count(), 5, "{fewer:?}");
    assert_eq!(verify(&here, "own").code, Some(0));
}

/// A file keeps its name when another exchange takes its number: an exchange is identified by its request.
#[test]
fn an_update_reports_removed_moved_and_added_exchanges() {
    let here = folder("record_moved");
    let lines = |paths: &[&str]| {
        paths.iter().map(|path| format!("curl http://localhost:5000/api/{path}\n")).collect::<String>()
    };
    let flags = ["--scenario", "s", "-"];
    let done = record(&here, &flags, Some(&lines(&["ships/1", "ships/2", "users"])));
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{done:?}");
    let flags = ["--scenario", "s", "--update", "-"];
    let done = record(&here, &flags, Some(&lines(&["ships/2", "ships", "users", "ships/3"])));
    assert_eq!(done.code, Some(0), "{done:?}");
    let expected = [
        "s/01-exchange-1: GET /api/ships/1 is removed",
        "s/02-exchange-2: GET /api/ships/2 is s/01-exchange-1 now",
        "s/02-exchange-2: GET /api/ships is added",
        "s/04-exchange-4: GET /api/ships/3 is added",
    ];
    let expected: String = expected.iter().map(|line| format!("shipyard: warning: {line}\n")).collect();
    assert_eq!(done.stderr, expected);
}

#[test]
fn reports_an_error_under_a_reused_exchange_number() {
    let here = folder("record_number");
    let create = "curl http://localhost:5000/api/users -d '{\"name\":\"ann\", \"password\":\"secret\"}'\n";
    let get = |path: &str| format!("curl http://localhost:5000/api/{path}\n");
    let before = get("nothing") + create + &get("users/3");
    let done = record(&here, &["--scenario", "s", "-"], Some(&before));
    assert_eq!(done.code, Some(0), "{done:?}");
    let after = get("users/3") + &get("ships") + &get("ships/1");
    let done = record(&here, &["--scenario", "s", "--update", "-"], Some(&after));
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("s/03-exchange-3: recorded 200, now 404\n"), "{done:?}");
}

/// A limit for the size of files, to simulate a full disk.
#[cfg(unix)]
#[test]
fn writes_no_scenario_that_cannot_be_written_completely() {
    let here = folder("record_full");
    let limited = |arguments: &[&str], lines: &str| {
        let program = shipyard(&here, &[]);
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" record \"$@\""])
            .arg(program.get_program());
        command.args(["--fixtures", here.to_str().unwrap(), "--scenario", "s", "-"]).args(arguments);
        run(command.stdout(Stdio::piped()).stderr(Stdio::piped()), Some(lines))
    };
    let large = "curl http://localhost:5000/api/ships/2\ncurl http://localhost:5000/api/ships\n";
    let done = limited(&[], large);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("02-exchange-2"), "{done:?}");
    assert_eq!(std::fs::read_dir(&here).unwrap().count(), 0, "{done:?}");

    let done = limited(&[], "curl http://localhost:5000/api/ships/1\n");
    assert_eq!(done.code, Some(0), "{done:?}");
    let all = || (files(&here.join("s")), std::fs::read_to_string(here.join("SHA256SUMS")).unwrap());
    let made = all();
    let done = limited(&["--update"], large);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert_eq!(all(), made);
    assert_eq!(std::fs::read_dir(&here).unwrap().count(), 3, "{done:?}");
}

/// Live tokens would be valid for a month, and live layouts differ from the contract.
#[test]
fn a_live_recording_has_no_live_token_and_replays() {
    let here = folder("record_live");
    let serving = Serving::start(&mut shipyard(&here, &["--port", "0", "--json", "compact"]));
    let url = format!("http://localhost:{}", serving.port);
    let done = record(&here, &["--scenario", "live", "--url", &url, "-"], Some(LINES));
    assert_eq!(done.code, Some(0), "{done:?}");
    let replayed = verify(&here, "live");
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    let login = std::fs::read_to_string(here.join("live/01-log-in.txt")).unwrap();
    let token = login.split('"').find(|text| text.starts_with("eyJ") && text.len() > 200).unwrap();
    let ask = rocket::http::Method::Delete;
    let ask = test_support::server::Ask::new(ask, "/api/ships/1").header("Host", "localhost").bearer(token);
    assert_eq!(serving.send(&ask).status, 422);
    let created = std::fs::read_to_string(here.join("live/02-create-a-user.txt")).unwrap();
    assert!(created.to_lowercase().contains("\nlocation: http://localhost:5000/api/users/3\n"), "{created}");
    // Responses that do not depend on the address and the date can be recorded again from there.
    let serving = Serving::start(&mut shipyard(&here, &["--port", "0", "--json", "compact"]));
    let url = format!("http://localhost:{}", serving.port);
    let again = record(&here, &["--scenario", "live", "--update", "--url", &url], None);
    assert_eq!((again.code, again.stdout.ends_with("nothing has changed\n")), (Some(0), true), "{again:?}");
}

/// An update changes only compared parts, and only where the response differs: the diff is the review.
#[test]
fn an_update_changes_only_responses_that_differ() {
    let here = folder("record_update");
    for scenario in scenarios() {
        std::fs::create_dir_all(here.join(&scenario.name)).unwrap();
        for exchange in &scenario.exchanges {
            let file = FIXTURES.file_of(&scenario.name, &exchange.name);
            std::fs::copy(&file, here.join(&scenario.name).join(file.file_name().unwrap())).unwrap();
        }
    }
    let before = files(&here.join("readme"));
    for (name, from, to) in [
        ("01-login.txt", "\"access_token\"", "\"token\""),
        ("04-get-user.txt", "200 OK", "203 NO"),
        ("05-create-user.txt", "Location: http://localhost:5000/api/users/3\n", ""),
        ("09-get-ship.txt", "Content-Type: application/json", "Content-Type: text/json"),
        ("13-logout-access-token.txt", "Successfully", "Probably"),
    ] {
        let file = here.join("readme").join(name);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{name}");
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
    }
    let done = record(&here, &["--scenario", "readme", "--update"], None);
    assert_eq!(done.code, Some(0), "{done:?}");
    let updated = done.stdout.lines().filter(|line| line.starts_with("updated"));
    assert_eq!(updated.count(), 5, "{done:?}");
    for ((path, was), (_, is)) in before.iter().zip(files(&here.join("readme"))) {
        // The reason phrase is not that of the original's server.
        assert_eq!(is.replace("HTTP/1.1 200 OK", "HTTP/1.0 200 OK"), *was, "{}", path.display());
    }
    assert_eq!(verify(&here, "readme").code, Some(0));
}

#[test]
fn names_the_line_that_cannot_be_recorded() {
    let here = folder("record_errors");
    let mut text = String::new();
    for (arguments, stdin) in [
        (["--scenario", "a", "-"].as_slice(), "ls\n"),
        (&["--scenario", "a", "-"], "\n# nothing\n"),
        (&["--scenario", "a", "-"], "curl http://localhost/ -L\n"),
        (&["--scenario", "a", "-"], "\ncurl http://localhost/ -H \"A: $token\"\n"),
        (&["--scenario", "a", "-", "--url", "http://127.0.0.1:1"], "curl http://localhost/\n"),
        (&["--scenario", "a", "-", "--url", "http://127.0.0.1:1"], "curl -I http://localhost/\n"),
        (&["--scenario", "a", "no-such-file"], ""),
        (&["--scenario", "a", "--update"], ""),
        (&["--scenario", "a/b", "-"], ""),
        (&["--scenario", "a"], ""),
    ] {
        let done = record(&here, arguments, Some(stdin));
        assert!(matches!(done.code, Some(1 | 2)), "{arguments:?}: {done:?}");
        assert_eq!(std::fs::read_dir(&here).unwrap().count(), 0, "{arguments:?} left something behind");
        let stderr = done.stderr.replace(here.to_str().unwrap(), "FIXTURES");
        text += &format!("$ shipyard record {} ({})\n{stderr}\n", arguments.join(" "), done.code.unwrap());
    }
    snapshots().bind(|| insta::assert_snapshot!("record_errors", text));
}
