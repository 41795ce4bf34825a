use std::fmt::Write;

use proptest::prelude::*;

use super::*;

fn parse(url: &str) -> Result<DatabaseUrl, UrlError> {
    url.parse()
}

fn hosts(url: &str) -> Vec<String> {
    let hosts = parse(url).expect("a valid URL").hosts;
    let shown = |endpoint: Endpoint| format!("{endpoint}{}", if endpoint.tls { " tls" } else { "" });
    hosts.into_iter().map(shown).collect()
}

#[test]
fn hosts_have_ports_and_tls_unless_they_are_local() {
    for (url, expected) in [
        ("postgres://db.example/x", &["db.example:5432 tls"][..]),
        ("postgresql://u:p@a,b:1,[fd00::1]:2/x", &["a:5432 tls", "b:1 tls", "[fd00::1]:2 tls"]),
        ("postgres://localhost/x", &["localhost:5432"]),
        ("postgres://127.0.0.1:1,[::1],10.0.0.1", &["127.0.0.1:1", "[::1]:5432", "10.0.0.1:5432 tls"]),
        ("postgres://%2Frun%2Fpostgresql/x", &["/run/postgresql:5432"]),
        ("postgres:///x?host=/run/postgresql,db&port=1,2", &["/run/postgresql:1", "db:2 tls"]),
        ("postgres:///x?host=a,b&port=7", &["a:7 tls", "b:7 tls"]),
        ("postgres://a/x?sslmode=disable", &["a:5432"]),
        ("postgres://localhost/x?sslmode=require", &["localhost:5432 tls"]),
        ("postgres://localhost/x?sslmode=prefer", &["localhost:5432"]),
        ("postgres://127.0.0.1.example/x", &["127.0.0.1.example:5432 tls"]),
    ] {
        assert_eq!(hosts(url), expected, "{url}");
    }
}

#[test]
fn errors_say_what_is_expected() {
    for (url, expected) in [
        ("mysql://u@h", "expected postgres://"),
        ("postgres://", "no host"),
        ("postgres://a,,b/x", "no host"),
        ("postgres://u:pa/ss@h/x", "must be percent-encoded"),
        ("postgres://h/x#y", "no fragment"),
        ("postgres://u:%zz@h/x", "password: invalid percent-encoding"),
        ("postgres://u:%00@h/x", "password: invalid percent-encoding"),
        ("postgres://[h]/x", "IPv6"),
        ("postgres://h:0/x", "1 to 65535"),
        ("postgres://h:+1/x", "1 to 65535"),
        ("postgres:///x?host=a,b,c&port=1,2", "one port"),
        ("postgres://a/x?host=b", "host: given twice"),
        ("postgres://a/x?password=b&password=c", "password: given twice"),
        ("postgres://h/x?sslmod=disable", "unknown parameter `sslmod`; known are application_name,"),
        ("postgres://h/x?SECRET", "unknown parameter; known are"),
        ("postgres://h/x?sslmode=no", "sslmode: expected verify-full"),
        ("postgres://h/x?sslmode=prefer", "fall back to clear text"),
        ("postgres:///x?host=/run&sslmode=verify-full", "no TLS over a Unix socket"),
        ("postgres://h/x?connect_timeout=0", "connect_timeout: expected"),
        ("postgres://h/x?target_session_attrs=standby", "target_session_attrs: expected read-write"),
    ] {
        let error = parse(url).expect_err(url).to_string();
        assert!(error.contains(expected), "{url}: {error}");
    }
}

/// Text in percent-encoding, each byte of it.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let _ = write!(encoded, "%{byte:02X}");
        encoded
    })
}

proptest! {
    #[test]
    fn the_parts_of_a_url_are_those_that_it_was_made_of(
        user in "[^\0]{1,20}",
        password in "[^\0]{1,40}",
        database in "[^\0]{1,20}",
        host in "[a-z0-9]{1,10}(\\.[a-z]{2,8}){0,2}",
        port in 1_u16..,
    ) {
        let url = format!(
            "postgres://{}:{}@{host}:{port}/{}?application_name={}",
            encoded(&user), encoded(&password), encoded(&database), encoded(&user),
        );
        let url = parse(&url).expect("a valid URL");
        prop_assert_eq!(url.user.as_deref(), Some(user.as_str()));
        prop_assert_eq!(url.password.as_deref().map(String::as_str), Some(password.as_str()));
        prop_assert_eq!(url.database.as_deref(), Some(database.as_str()));
        prop_assert_eq!(url.application_name.as_deref(), Some(user.as_str()));
        prop_assert_eq!(url.hosts.first().map(ToString::to_string), Some(format!("{host}:{port}")));
    }

    #[test]
    fn no_text_panics(text in "(postgres://)?\\PC{0,60}") {
        let _ = parse(&text);
    }

    /// Even if its characters are not encoded as they must be.
    #[test]
    fn no_message_shows_a_password(rest in "[!-~]{0,30}", end in "[!-~]{0,20}") {
        // A mark that the rest cannot have, wherever the parts are cut.
        let url = format!("postgres://u:☃{rest}☃@{end}");
        let shown = match parse(&url) {
            Ok(url) => format!("{url} {url:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        prop_assert!(!shown.contains('☃'), "{}", shown);
    }

    #[test]
    fn no_host_on_the_network_gets_clear_text_unasked(
        host in "[a-z]{1,8}\\.example",
        mode in "(sslmode=(prefer|allow|require|verify-ca|verify-full|disable))?",
    ) {
        let url = parse(&format!("postgres://{host}/x?{mode}"));
        match mode.as_str() {
            "sslmode=disable" => prop_assert!(url.expect("valid").is_clear_text()),
            "sslmode=prefer" | "sslmode=allow" => prop_assert!(url.is_err()),
            _ => prop_assert!(!url.expect("valid").is_clear_text()),
        }
    }
}
