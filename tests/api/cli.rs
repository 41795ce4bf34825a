//! Command line: output and exit codes.

use std::path::{Path, PathBuf};

use argon2::{Argon2, PasswordVerifier};
use shipyard::api::openapi;

use test_support::program::{folder, run, run_with_bytes, shipyard, Run};
use test_support::snapshots;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn ended(arguments: &[&str]) -> Run {
    run(&mut shipyard(&here(), arguments), None)
}

#[test]
fn help() {
    let mut text = String::new();
    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["config", "--help"],
        &["routes", "--help"],
        &["spec", "--help"],
        &["hash-password", "--help"],
    ] {
        let run = ended(arguments);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        text += &format!("$ shipyard {}\n{}\n", arguments.join(" "), run.stdout);
    }
    snapshots().bind(|| insta::assert_snapshot!("cli_help", text));
}

#[test]
fn version() {
    let run = ended(&["--version"]);
    assert_eq!(run.stdout, format!("shipyard {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [
        &["--nonsense"][..],
        &["nonsense"],
        &["--port", "x"],
        &["--port", "65536"],
        &["--address", "x"],
        &["spec", "--check", "--write"],
        &["spec", "openapi.json"],
        &["--json", "x"],
    ] {
        let run = ended(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {run:?}");
        assert!(run.stderr.starts_with("error: "), "{arguments:?}: {run:?}");
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
}

#[test]
fn routes() {
    let run = ended(&["routes"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), openapi::routes_table().as_str()));
    snapshots().bind(|| insta::assert_snapshot!("routes", run.stdout));
}

#[test]
fn spec_is_printed_checked_and_written() {
    let text = shipyard::api::routes::spec::TEXT;
    assert!(ended(&["spec"]).stdout == text, "`shipyard spec` prints another text than is checked in");
    let checked = ended(&["spec", "--check"]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));

    let folder = folder("spec");
    let file = folder.join("openapi.json");
    let name = file.to_str().unwrap();
    let missing = ended(&["spec", "--check", name]);
    assert_eq!(missing.code, Some(1), "{missing:?}");
    let written = ended(&["spec", "--write", name]);
    assert_eq!((written.code, std::fs::read_to_string(&file).unwrap().as_str()), (Some(0), text));
    let lines = text.lines().count();
    let title = text.lines().position(|line| line.contains("\"Shipyard\"")).unwrap() + 1;
    for (drifted, line) in [
        (text.replacen("\"Shipyard\"", "\"Boatyard\"", 1), title),
        (text.lines().take(100).collect::<Vec<_>>().join("\n"), 101),
        (format!("{text}\n"), lines + 2),
        (text.replace('\n', "\r\n"), 1),
        (String::new(), 1),
    ] {
        std::fs::write(&file, drifted).unwrap();
        let run = ended(&["spec", "--check", name]);
        assert_eq!(run.code, Some(1), "{run:?}");
        let expected =
            format!("line {line} is not what the code says; `shipyard spec --write {name}` updates");
        assert!(run.stderr.contains(&expected), "{expected}: {run:?}");
    }
}

fn hash_of(input: &[u8]) -> Run {
    let mut command = shipyard(&here(), &["hash-password"]);
    command.env("ROCKET_PASSWORD_MEMORY", "8").env("ROCKET_PASSWORD_ITERATIONS", "1");
    run_with_bytes(&mut command, input)
}

#[test]
fn hash_password_prints_a_hash_that_the_data_file_accepts() {
    for (input, password) in [
        ("correct horse\n", "correct horse"),
        ("correct horse", "correct horse"),
        ("correct horse\r\n", "correct horse"),
        (" correct\thorse \n", " correct\thorse "),
        ("pässwörd 🚀\n", "pässwörd 🚀"),
        (&format!("{}\n", "x".repeat(128)), &"x".repeat(128)),
    ] {
        let run = hash_of(input.as_bytes());
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{input:?}");
        let hash = run.stdout.trim_end();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert!(shipyard::auth::password::Hash::parse(hash).is_ok());
        assert!(Argon2::default().verify_password(password.as_bytes(), hash).is_ok(), "{input:?}");
        assert!(Argon2::default().verify_password(format!("{password}\n").as_bytes(), hash).is_err());
    }
}

/// A password is neither shortened nor extended silently.
#[test]
fn hash_password_rejects_input_that_is_not_one_line() {
    let utf_16 = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    };
    let utf_8 = "must be UTF-8 without a byte order mark";
    let cases: [(&[u8], &str); 17] = [
        (b"\xef\xbb\xbfcorrect horse\r\n", utf_8),
        (&utf_16("\u{feff}correct horse\r\n", false), utf_8),
        (&utf_16("\u{feff}correct horse\r\n", true), utf_8),
        (&utf_16("correct horse", false), "has a NUL"),
        (b"p\xe4ssword\n", utf_8),
        (b"correct horse\nsecond line\n", "has more than one line"),
        (b"correct horse\nsecond line", "has more than one line"),
        (b"correct horse\n\n", "has more than one line"),
        (b"\ncorrect horse\n", "has more than one line"),
        (b"correct horse\r\r\n", "has more than one line"),
        (b"correct\rhorse", "has more than one line"),
        (b"correct\0horse\n", "has a NUL"),
        (b"", "Shorter than minimum length 4."),
        (b"\n", "Shorter than minimum length 4."),
        (b"abc\r\n", "Shorter than minimum length 4."),
        (&[b'x'; 129], "Longer than maximum length 128 bytes."),
        (&[b'x'; 70_000], "Longer than"),
    ];
    for (input, expected) in cases {
        let run = hash_of(input);
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{input:?}: {run:?}");
        assert!(run.stderr.starts_with("shipyard: password: ") && run.stderr.contains(expected), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    }
}

/// Characters that an editor or a shell adds to a key or a script are rejected, not taken as part of it.
#[test]
fn rejects_stray_characters_around_a_key_or_script() {
    let secret = "0123456789012345678901234567890123456789";
    for wrong in [
        format!("{secret}\n"),
        format!("{secret}\r\n"),
        format!("{secret} "),
        format!(" {secret}"),
        format!("\u{feff}{secret}"),
        format!("{secret}\u{a0}"),
        secret.replace("5", "\u{1b}"),
    ] {
        let run =
            run(shipyard(&here(), &["hash-password"]).env("ROCKET_JWT_SECRET", &wrong), Some("password"));
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{wrong:?}: {run:?}");
        assert!(run.stderr.starts_with("shipyard: jwt_secret: a control character"), "{wrong:?}: {run:?}");
        assert!(!run.stderr.contains("0123"), "{run:?}");
    }
    let folder = folder("marked_script");
    let script = "\u{feff}curl http://localhost:5000/api/users\n";
    std::fs::write(folder.join("script"), script).unwrap();
    for file in ["script", "-"] {
        let mut command = shipyard(&folder, &["record", "--scenario", "new", file]);
        let run = run(&mut command, Some(script));
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains("begins with a byte order mark"), "{run:?}");
    }
    let arguments = ["verify", "--url", "http://localhost:1", "--secret", "a key\n"];
    let run = ended(&arguments);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("--secret: there is a control character"), "{run:?}");
}

/// Each invalid setting is rejected in one line that names it; a snapshot shows all of them.
#[test]
fn wrong_settings() {
    let secret = "hunter2-hunter2";
    let cases: [(&str, &str); 38] = [
        ("IP_HEADER", "X-Real-IP"),
        ("PORT", "http"),
        ("PORT", "70000"),
        ("ADDRESS", "nowhere"),
        ("WORKERS", "-1"),
        ("LIMITS", "{json=\"much\"}"),
        ("LOG_LEVEL", "loud"),
        ("KEEP_ALIVE", "-1"),
        ("JSON", "xml"),
        ("JWT_SECRET", ""),
        ("JWT_SECRET", secret),
        ("JWT_SECRET", "12345678901234567890"),
        ("ACCESS_TOKEN_TTL", "0"),
        ("ACCESS_TOKEN_TTL", "15m"),
        ("REFRESH_TOKEN_TTL", "-1"),
        ("REFRESH_TOKEN_TTL", "99999999999"),
        ("PUBLIC_URL", "ships.example"),
        ("PUBLIC_URL", "ftp://ships.example"),
        ("PUBLIC_URL", "http://ships.example/?a"),
        ("PASSWORD_MEMORY", "1"),
        ("PASSWORD_MEMORY", "99999999"),
        ("PASSWORD_ITERATIONS", "0"),
        ("PASSWORD_PARALLELISM", "many"),
        ("DATA", "[1]"),
        ("ACESS_TOKEN_TTL", "900"),
        ("CONFIG", "nowhere.toml"),
        ("PROFILE", "relase"),
        ("TLS", "{certs=\"a\",key=\"b\"}"),
        ("WORKERS", "0"),
        ("MAX_BLOCKING", "0"),
        ("LOG_LEVEL", "debug"),
        ("STATIC_DIR", "nowhere"),
        ("PUBLIC_URL", "http://"),
        ("PUBLIC_URL", "http://user@ships.example"),
        ("LOG_FORMAT", "xml"),
        ("CORS_ORIGINS", "app.example"),
        ("CORS_ORIGINS", "[\"https://app.example/\"]"),
        ("CORS_ORIGINS", "[\"https://app.example\", \"*\"]"),
    ];
    let folder = folder("wrong_settings");
    let mut text = String::new();
    for (name, value) in cases {
        let run = run(shipyard(&folder, &["hash-password"]).env(format!("ROCKET_{name}"), value), Some("x"));
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{name}={value}: {run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
        assert!(run.stderr.to_lowercase().contains(&name.to_lowercase()), "{name}: {run:?}");
        assert!(!run.stderr.contains("hunter2") && !run.stderr.contains("123456"), "{run:?}");
        text += &format!("ROCKET_{name}={value}\n{}\n", run.stderr);
    }
    snapshots().bind(|| insta::assert_snapshot!("wrong_settings", text));
}

#[test]
fn reads_rocket_toml_and_names_its_invalid_settings() {
    let folder = folder("rocket_toml");
    let toml = |text: &str| {
        std::fs::write(folder.join("Rocket.toml"), text).unwrap();
        let mut command = shipyard(&folder, &["hash-password"]);
        run(&mut command, Some("password"))
    };
    let costly = toml("[default]\npassword_memory = 16\npassword_iterations = 3\n");
    assert!(costly.stdout.starts_with("$argon2id$v=19$m=16,t=3,p=1$"), "{costly:?}");
    let mut text = String::new();
    for wrong in [
        "[default]\nport = \"http\"\n",
        "[default]\njwt_secret = 12345\n",
        "[default]\njwt_secert = \"hunter2 hunter2 hunter2 hunter2 hunter2\"\n",
        "[default]\njson = \n",
        "port = 5000\n",
    ] {
        let run = toml(wrong);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{wrong}: {run:?}");
        let shown = run.stderr.replace(folder.to_str().unwrap(), "FOLDER");
        assert_ne!(shown, "");
        assert!(!shown.contains("hunter2") && !shown.contains("12345"), "{shown}");
        text += &format!("{wrong}{shown}\n");
    }
    snapshots().bind(|| insta::assert_snapshot!("wrong_rocket_toml", text));
}

/// Each invalid data file is rejected in one line that says where and why; a snapshot shows all of them.
#[test]
fn broken_data_files() {
    let ship = r#"{"id": 1, "affiliation": "", "category": "", "crew": 1, "length": 1, "manufacturer": "", "model": "", "roles": [], "ship_class": ""}"#;
    let user = r#"{"id": 1, "name": "ann", "password": "secret"}"#;
    let users =
        |users: &str| format!("{{\n  \"users\": [\n    {users}\n  ],\n  \"ships\": []\n}}\n").into_bytes();
    let ships =
        |ships: &str| format!("{{\n  \"users\": [],\n  \"ships\": [\n    {ships}\n  ]\n}}\n").into_bytes();
    let hash = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let hashed = |hash: &str| users(&format!(r#"{{"id": 1, "name": "ann", "password_hash": "{hash}"}}"#));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("not JSON", b"users: []".to_vec()),
        ("cut off", users(user)[..40].to_vec()),
        ("trailing data", [users(user), b"{}".to_vec()].concat()),
        ("bad UTF-8", b"{\n  \"users\": [\"\xff\"], \"ships\": []}".to_vec()),
        ("byte order mark", [b"\xef\xbb\xbf".to_vec(), users(user)].concat()),
        ("a list", b"[]".to_vec()),
        ("a list of the two lists", b"[[], []]".to_vec()),
        ("no ships", b"{\"users\": []}".to_vec()),
        ("unknown collection", b"{\"users\": [], \"ships\": [], \"planets\": []}".to_vec()),
        ("other collections", b"{\n  \"posts\": [],\n  \"comments\": []\n}".to_vec()),
        ("users of another type and planets", b"{\"users\": 1, \"planets\": []}".to_vec()),
        ("users twice", b"{\"users\": [], \"users\": [], \"ships\": []}".to_vec()),
        ("user is no object", users("1")),
        ("id twice", users(&format!("{user},\n    {}", user.replace("ann", "bob")))),
        ("name twice", users(&format!("{user},\n    {}", user.replace("\"id\": 1", "\"id\": 2")))),
        ("member twice", users(&user.replace("\"id\": 1", "\"id\": 1, \"id\": 2"))),
        ("no id", users(r#"{"name": "ann", "password": "secret"}"#)),
        ("id zero", users(&user.replace("\"id\": 1", "\"id\": 0"))),
        ("id is a text", users(&user.replace("\"id\": 1", "\"id\": \"1\""))),
        ("no password", users(r#"{"id": 1, "name": "ann"}"#)),
        ("short password", users(&user.replace("secret", "abc"))),
        ("unknown field", users(&user.replace("\"id\": 1", "\"id\": 1, \"admin\": true"))),
        ("control characters", b"{\"users\": [], \"ships\": [], \"\\u001b[2J\\n\": []}".to_vec()),
        ("hash is no hash", hashed("secret")),
        ("hash of another algorithm", hashed(&hash.replace("argon2id", "argon2d"))),
        ("hash of another version", hashed(&hash.replace("v=19", "v=17"))),
        ("hash without a version", hashed(&hash.replace("$v=19", ""))),
        ("hash without a hash", hashed("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0")),
        ("hash too costly", hashed(&hash.replace("m=8,", "m=4194304,"))),
        ("hash is a number", users(r#"{"id": 1, "name": "ann", "password_hash": 1}"#)),
        (
            "hash and password",
            users(&user.replace("\"id\": 1", &format!("\"id\": 1, \"password_hash\": \"{hash}\""))),
        ),
        ("hash and short name", users(&format!(r#"{{"id": 1, "name": "a", "password_hash": "{hash}"}}"#))),
        ("ship without a field", ships(&ship.replace("\"crew\": 1, ", ""))),
        ("ship with a bad role", ships(&ship.replace("[]", "[\"a\", 1]"))),
        ("ship id twice", ships(&format!("{ship},\n    {ship}"))),
        (
            "second ship wrong",
            ships(&format!("{ship},\n    {}", ship.replace("\"length\": 1", "\"length\": 0"))),
        ),
    ];
    let folder = folder("broken_data_files");
    let file = folder.join("data.json");
    let mut text = String::new();
    for (what, content) in cases {
        std::fs::write(&file, content).unwrap();
        for arguments in [&["--port", "0"][..], &["--port", "0", "--data", "data.json"]] {
            let run = run(&mut shipyard(&folder, arguments), None);
            assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{what}: {run:?}");
            assert_eq!(run.stderr.lines().count(), 1, "{what}: {run:?}");
            assert!(run.stderr.starts_with("shipyard: data.json: "), "{what}: {run:?}");
            assert!(!run.stderr.contains("secret"), "{what}: {run:?}");
            if arguments.len() == 2 {
                text += &format!("{what}\n{}\n", run.stderr);
            }
        }
    }
    let missing = run(&mut shipyard(&folder, &["--data", "nowhere.json"]), None);
    assert_eq!(missing.code, Some(1));
    text += &format!("a file that is asked for and missing\n{}", missing.stderr);
    snapshots().bind(|| insta::assert_snapshot!("broken_data_files", text));

    // A broken link is an error, and no reason to serve users whose passwords are public.
    #[cfg(unix)]
    {
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("nowhere.json", &file).unwrap();
        let linked = run(&mut shipyard(&folder, &["--port", "0"]), None);
        assert_eq!((linked.code, linked.stdout.as_str()), (Some(1), ""), "{linked:?}");
        assert!(linked.stderr.starts_with("shipyard: data.json: "), "{linked:?}");
    }
}

#[test]
fn accepts_the_old_name_of_a_setting_with_a_warning() {
    let folder = folder("old_setting_name");
    let mut command = shipyard(&folder, &["hash-password"]);
    command.env("ROCKET_PASSWORD_MEMORY", "8").env("ROCKET_KEPT_ANSWERS", "5");
    let accepted = run(&mut command, Some("password"));
    assert_eq!(accepted.code, Some(0), "{}", accepted.stderr);
    let warning = "shipyard: warning: the setting `kept_answers` in the environment variable ROCKET_KEPT_ANSWERS is now \
                   called `response_cache_size`; the next version refuses the old name\n";
    assert_eq!(accepted.stderr, warning);
    // The value applies, and is checked.
    let refused = run(command.env("ROCKET_KEPT_ANSWERS", "-1"), Some("password"));
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("response_cache_size: -1"), "{}", refused.stderr);
    let both = run(command.env("ROCKET_RESPONSE_CACHE_SIZE", "5"), Some("password"));
    assert_eq!(both.code, Some(2));
    assert!(both.stderr.contains("kept_answers: this is the old name"), "{}", both.stderr);
}
