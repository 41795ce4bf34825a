//! The curl lines of transcripts, as far as recorded exchanges use them.

use rocket::http::Method;

use super::message::{header, Request};
use crate::printable::printable;

/// The request that a curl line sends: `curl URL`, with `-X`, `-H`, `-d`, `-I` and `-i`.
///
/// # Errors
/// What cannot be understood, in words. An option that would be ignored is an error: the request would be
/// another one than curl's.
pub fn parse(line: &str) -> Result<Request, String> {
    request(line).map_err(|reason| printable(&reason))
}

fn request(line: &str) -> Result<Request, String> {
    let mut words = words(line)?.into_iter();
    if words.next().as_deref() != Some("curl") {
        return Err("expected a line that begins with `curl`".to_owned());
    }
    let mut method = None;
    let mut url: Option<String> = None;
    let mut request = Request::new(Method::Get, "");
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} without a value"));
        match word.as_str() {
            "-i" | "--include" | "-s" | "--silent" => {}
            "-I" | "--head" => method = Some(Method::Head),
            "-X" | "--request" => {
                let name = value()?;
                method = Some(name.parse().map_err(|_| format!("{name} is no method that can be replayed"))?);
            }
            "-d" | "--data" => {
                let data = value()?;
                if data.starts_with('@') {
                    return Err(format!("-d {data}: give the data itself, not a file"));
                }
                if request.body.is_some() {
                    return Err("more than one -d".to_owned());
                }
                request.body = Some(data.into_bytes());
            }
            "-H" | "--header" => {
                let given = value()?;
                let (name, value) =
                    given.split_once(':').ok_or_else(|| format!("-H {given:?}: expected `Name: value`"))?;
                request.headers.push((name.to_owned(), value.trim().to_owned()));
            }
            option if option.starts_with('-') => {
                return Err(format!("{option} is not known here; known are -X, -H, -d, -I and -i"));
            }
            _ if url.is_some() => return Err(format!("a second address: {word:?}")),
            _ => url = Some(word),
        }
    }
    let url = url.ok_or("no address")?;
    let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url:?}: expected http://"))?;
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    request.path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    if header(&request.headers, "Host").is_none() {
        request = request.header("Host", host);
    }
    if request.body.is_some() {
        if header(&request.headers, "Content-Type").is_none() {
            request = request.header("Content-Type", "application/x-www-form-urlencoded");
        }
        method = method.or(Some(Method::Post));
    }
    request.method = method.unwrap_or(Method::Get);
    Ok(request)
}

/// The words of a shell command: quotes and backslashes, no expansions.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (Some(open), close) if open == close => quote = None,
            (None, ' ' | '\t') => words.extend(word.take()),
            // Within double quotes a backslash stands for itself, except before these.
            (Some('"'), '\\') => match characters.next() {
                Some(escaped @ ('"' | '\\' | '$' | '`')) => word.get_or_insert_default().push(escaped),
                Some(other) => word.get_or_insert_default().extend(['\\', other]),
                None => return Err("a backslash at the end".to_owned()),
            },
            (None, '\\') => match characters.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err("a backslash at the end".to_owned()),
            },
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    if quote.is_some() {
        return Err("a quotation is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_sent() {
        let line =
            r#"curl -i http://localhost:5000/api/users?a=b -X PUT -d '{"name": "a \"b\""}' -H "A: \"b\"""#;
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
    fn what_would_be_sent_otherwise_is_refused() {
        for (line, reason) in [
            ("wget http://a/", "expected a line that begins with `curl`"),
            ("curl", "no address"),
            ("curl https://a/", "\"https://a/\": expected http://"),
            ("curl http://a/ http://b/", "a second address: \"http://b/\""),
            ("curl http://a/ -L", "-L is not known here; known are -X, -H, -d, -I and -i"),
            ("curl http://a/ -X", "-X without a value"),
            ("curl http://a/ -X FETCH", "FETCH is no method that can be replayed"),
            ("curl http://a/ -H Accept", "-H \"Accept\": expected `Name: value`"),
            ("curl http://a/ -d @file", "-d @file: give the data itself, not a file"),
            ("curl http://a/ -d a -d b", "more than one -d"),
            ("curl 'http://a/", "a quotation is not closed"),
            ("curl http://a/ \\", "a backslash at the end"),
        ] {
            assert_eq!(parse(line), Err(reason.to_owned()), "{line}");
        }
    }
}
