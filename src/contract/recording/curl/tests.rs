use super::*;

#[test]
fn a_line_says_what_is_sent() {
    let line = r#"curl -i http://localhost:5000/api/users?a=b -X PUT -d '{"name": "a \"b\""}' -H "A: \"b\"""#;
    let request = parse(line).expect("a request");
    assert_eq!((request.method, request.path.as_str()), (Method::Put, "/api/users?a=b"));
    assert_eq!(request.body.as_deref(), Some(br#"{"name": "a \"b\""}"#.as_slice()));
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(headers, [("A", "\"b\""), ("Host", "localhost:5000"), form]);
    assert_eq!(parse("curl http://a -d ''").expect("a request").body, Some(Vec::new()));
    assert_eq!(parse("curl -I http://a").expect("a request").method, Method::Head);
    assert_eq!(parse("curl http://a").expect("a request").path, "/");
}

#[test]
fn an_option_that_is_not_known_is_named_with_those_that_are() {
    for option in ["-L", "-K", "-F", "-T", "--next", "--header=a", "--head-er", "--data-urlencode", "-sL"] {
        let name = if option == "-sL" { "-L" } else { option };
        let known = "known are -X, -H, -d, --data-ascii, --data-raw, --data-binary, --json, -u, -b, -A, -e, --url, -I, \
                     -G, --compressed, -g, --path-as-is, and what only changes what curl shows";
        let reason = format!("{name} is not known here; {known}");
        let found = parse(&format!("curl http://a/ {option} b")).map_err(|error| error.to_string());
        assert_eq!(found, Err(reason));
    }
}

#[test]
fn what_would_be_sent_otherwise_is_refused() {
    for (line, reason) in [
        ("wget http://a/", "expected a line that begins with `curl`"),
        ("curl", "no address"),
        ("curl https://a/", "\"https://a/\": expected http://"),
        ("curl http://a/ http://b/", "a second address: \"http://b/\""),
        ("curl http://a/ -X", "-X without a value"),
        ("curl http://a/ -X FETCH", "FETCH is no method that can be replayed"),
        ("curl http://a/ -H Accept", "-H \"Accept\": expected `Name: value`"),
        ("curl http://a/ -d @file", "-d @file: give the data itself, not a file"),
        ("curl http://a/ -X delete", "delete is no method that can be replayed"),
        ("curl http://a/ -Id a", "-I and -d in one line, which curl refuses"),
        ("curl 'http://a/", "a quotation is not closed"),
        ("curl http://a/ \\", "a backslash at the end"),
    ] {
        let found = parse(line).map_err(|error| error.to_string());
        assert_eq!(found, Err(reason.to_owned()), "{line}");
    }
}
